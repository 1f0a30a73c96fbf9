"""What the platform allows one container to ask for."""

from collections.abc import Mapping

from modelwright import quantities
from modelwright.config import Resources


def above(asked: Resources, ceilings: Mapping[str, str], path: str) -> str | None:
    """The sentence about the first resource that is asked for above its ceiling."""
    for side, amounts in (("limits", asked.limits), ("requests", asked.requests)):
        for name, amount in sorted(amounts.items()):
            ceiling = ceilings.get(name)
            if ceiling is not None and quantities.parse(amount) > quantities.parse(ceiling):
                return f"{path}.{side}.{name}: {amount} is above what the platform allows, write at most {ceiling}"
    return None
