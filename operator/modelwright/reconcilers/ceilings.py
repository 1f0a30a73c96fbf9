"""What the platform allows one container to ask for."""

from collections.abc import Mapping

from modelwright import quantities
from modelwright.config import Resources


def above(asked: Resources, ceilings: Mapping[str, str], path: str) -> str | None:
    """The sentence about the first resource that is asked for above its ceiling, or that is no quantity."""
    for side, amounts in (("limits", asked.limits), ("requests", asked.requests)):
        for name, amount in sorted(amounts.items()):
            try:
                number = quantities.parse(amount)
            except ValueError as error:
                return f"{path}.{side}.{name}: {error}"
            ceiling = ceilings.get(name)
            if ceiling is not None and number > quantities.parse(ceiling):
                return f"{path}.{side}.{name}: {amount} is above what the platform allows, write at most {ceiling}"
    return None
