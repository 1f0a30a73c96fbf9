"""How a model is reached from outside the cluster: by an Ingress, or by a Gateway's HTTPRoute."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from modelwright.api.v1alpha1.schema import Matches, Rule, Schema
from modelwright.api.v1alpha1.shared import ForeignName, TlsSecret, UrlPath

Host = Annotated[
    str,
    Field(max_length=253),
    Matches(
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "must be a host name in small letters, for example models.example.org",
    ),
]
Annotations = Annotated[
    Mapping[str, Annotated[str, Field(max_length=2048)]],
    Field(max_length=16),
    Rule(
        "self.all(name, !name.startsWith('modelwright.dev/'))",
        "names that begin with modelwright.dev/ are set by the operator; choose another",
    ),
]


class GatewayReference(Schema):
    """A Gateway of the Gateway API."""

    name: ForeignName = Field(description="Name of the Gateway.")
    namespace: ForeignName | None = Field(
        default=None,
        description="Its namespace, whose `allowedRoutes` must admit this one. Default: the Deployment's own.",
    )
    section_name: ForeignName | None = Field(
        default=None, description="One of its listeners: `https`. Default: all that admit the host."
    )


class Route(Schema):
    """A host under which the model is reached from outside the cluster.

    With `gatewayRef` it is an HTTPRoute, otherwise an Ingress. The condition `Routed` says whether a Gateway, or an
    ingress controller, has taken it.
    """

    rules: ClassVar = (
        Rule(
            "!(has(self.gatewayRef) && has(self.ingressClassName))",
            "ingressClassName and gatewayRef exclude each other; remove one",
        ),
        Rule(
            "!(has(self.gatewayRef) && has(self.tls))",
            "the Gateway's listener holds the certificate; remove tls",
        ),
    )

    host: Host = Field(description="The host's name: `models.example.org`. Its DNS record is not made.")
    path: UrlPath = Field(
        default="/",
        description="Requests whose path begins with it come here, and are passed on as they are: "
        "`/v2/models/late-flights` lets several models share a host.",
    )
    ingress_class_name: ForeignName | None = Field(
        default=None, description="The class of the Ingress: `nginx`. Default: the cluster's default class."
    )
    tls: TlsSecret | None = Field(
        default=None, description="The host's certificate, for the ingress controller: `{secretName: models-tls}`."
    )
    gateway_ref: GatewayReference | None = Field(
        default=None, description="The Gateway that routes: `{name: public, namespace: gateways, sectionName: https}`."
    )
    annotations: Annotations = Field(
        default={},
        description="Annotations of the Ingress or HTTPRoute, for its controller: "
        "`{cert-manager.io/cluster-issuer: letsencrypt}`.",
    )
