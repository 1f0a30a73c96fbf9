"""Which of a Deployment's servers a child is for: those of the version that serves, or of the one that is tried."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from modelwright import names
from modelwright.api.v1alpha1 import Deployment
from modelwright.children.owner import owned_metadata
from modelwright.plan import JsonObject


@dataclass(frozen=True, slots=True)
class Role:
    """One set of servers; no selector of one ever finds a Pod of the other."""

    step: str
    suffix: str = ""

    def name(self, resource: Deployment) -> str:
        """The name of its apps/v1 Deployment, its Service and the like."""
        return f"{resource.metadata.name}{self.suffix}"

    def labels(self, resource: Deployment) -> dict[str, str]:
        """The labels of its Pods."""
        return names.labels(resource.kind, resource.metadata.name, self.step)

    def selector(self, resource: Deployment) -> Mapping[str, str]:
        """The labels by which its Pods, and no others, are found."""
        return names.selector(resource.kind, resource.metadata.name, self.step)

    def metadata(self, resource: Deployment, annotations: dict[str, str] | None = None) -> JsonObject:
        """The metadata of a child that is for it."""
        return owned_metadata(resource, self.name(resource), self.step, annotations)


STABLE: Final = Role("serve")
CANARY: Final = Role("canary", "-canary")
