"""What a server may be made of where policy asks for approval, so that it is the approved model that answers."""

from modelwright.api.v1alpha1 import Deployment
from modelwright.api.v1alpha1.server import TUNABLE
from modelwright.config import Policy


def not_allowed(resource: Deployment, policy: Policy) -> str | None:
    """The sentence about the first thing that the policy's lists do not have."""
    if policy.approval != "required":
        return None
    server = resource.spec.server
    if server.image is not None and server.image not in policy.server_images:
        return (
            f"spec.server.image: {server.image} is not allowed where approval is required; remove it, or write "
            f"{_one_of(policy.server_images)}"
        )
    known = {*TUNABLE, *policy.environment}
    foreign = next((variable.name for variable in server.env if variable.name not in known), None)
    if foreign is None:
        return None
    return (
        f"spec.server.env: {foreign} may not be set where approval is required; remove it; what may be set beside "
        f"settings of Modelwright's own server is {_one_of(policy.environment)}"
    )


def _one_of(allowed: tuple[str, ...]) -> str:
    if not allowed:
        return "nothing, because policy lists none"
    return f"one of {', '.join(allowed)}" if len(allowed) > 1 else allowed[0]
