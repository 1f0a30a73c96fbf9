"""Who may open a connection to a server: peers in the words of a NetworkPolicy."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from modelwright.api.v1alpha1.schema import Matches, Rule, Schema, literal

_KEY = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"

Labels = Annotated[
    Mapping[str, Annotated[str, Field(max_length=63)]],
    Field(max_length=8),
    Rule(
        f"self.all(name, name.matches({literal(_KEY)}) && self[name].matches({literal(_VALUE)}))",
        "names and values of labels have A-Z, a-z, 0-9, -, _ and . only; a name may have a prefix, as example.org/team",
    ),
]


class LabelSelector(Schema):
    """Objects by their labels; without labels, all of them."""

    match_labels: Labels = Field(
        default={}, description="Labels that must all be there: `{app.kubernetes.io/name: shop}`."
    )


class IpBlock(Schema):
    """A range of addresses."""

    cidr: Annotated[
        str,
        Field(max_length=49),
        Matches(r"^[0-9A-Fa-f.:]+/[0-9]{1,3}$", "must be a range of addresses, for example 10.1.0.0/16"),
    ] = Field(description="The range, IPv4 or IPv6: `10.1.0.0/16`.")


class Peer(Schema):
    """Pods, or addresses, that connections may come from.

    `namespaceSelector` alone means all Pods of these namespaces, `podSelector` alone Pods of the Deployment's own
    namespace, both together these Pods in those namespaces.
    """

    rules: ClassVar = (
        Rule(
            "has(self.ipBlock) != (has(self.namespaceSelector) || has(self.podSelector))",
            "write namespaceSelector, podSelector or both, or an ipBlock alone",
        ),
    )

    namespace_selector: LabelSelector | None = Field(
        default=None, description="Namespaces: `{matchLabels: {kubernetes.io/metadata.name: shop}}`; `{}` is all."
    )
    pod_selector: LabelSelector | None = Field(
        default=None, description="Pods: `{matchLabels: {app.kubernetes.io/name: shop}}`; `{}` is all."
    )
    ip_block: IpBlock | None = Field(
        default=None, description="Addresses outside the cluster, or of nodes: `{cidr: 10.1.0.0/16}`."
    )
