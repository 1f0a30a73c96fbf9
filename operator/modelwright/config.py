"""The operator's configuration: one document, written by the platform team through the chart's values.

A namespace may override where its artifacts and images go (`for_namespace`), never policy, images or ceilings.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from modelwright import durations, quantities
from modelwright.api.v1alpha1.callers import LabelSelector, Peer

DEFAULT_PATH = Path("/etc/modelwright/config.yaml")


class _Section(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


def _duration(text: str) -> str:
    durations.parse(text)
    return text


def _quantity(text: str) -> str:
    quantities.parse(text)
    return text


Duration = Annotated[str, AfterValidator(_duration)]
Quantity = Annotated[str, AfterValidator(_quantity)]


class Store(_Section):
    """The artifact store, where datasets, models and results lie."""

    uri: str = Field(default="s3://modelwright/artifacts", pattern=r"^(s3|pvc)://[^/]+(/.*)?$", max_length=512)
    """`s3://bucket/prefix`, or `pvc://claim/prefix` for a claim in each user's namespace."""
    endpoint: str = ""
    """URL of the S3 server; empty for AWS."""
    region: str = "us-east-1"
    secret_name: str = "modelwright-store"
    """The Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, expected in a user's namespace; empty: none."""


class Registry(_Section):
    """Where model images go unless a manifest says otherwise."""

    repository: str = ""
    """Registry and path, such as `registry.example.org/models`; `/<namespace>/<model>` is added."""
    insecure: bool = False
    """Speak plain HTTP to it."""
    push_secret_name: str = ""
    """The Secret (kubernetes.io/dockerconfigjson) to push with, expected in a user's namespace; empty: none."""


class Images(_Section):
    """The release's own images, by digest."""

    server: str = ""
    worker: str = ""
    pull_policy: str = "IfNotPresent"


class Resources(_Section):
    """Requests and limits of one container, as in a Pod."""

    requests: Mapping[str, Quantity] = {}
    limits: Mapping[str, Quantity] = {}

    def overridden(self, requests: Mapping[str, str], limits: Mapping[str, str]) -> "Resources":
        """These with others over them, name by name. A default gives way: a limit of ours to a request above it, a
        request of ours to a limit below it.
        """
        merged = {**self.limits, **limits}
        for name, amount in requests.items():
            if name in merged and name not in limits and quantities.parse(amount) > quantities.parse(merged[name]):
                merged[name] = amount
        asked = {
            name: merged[name]
            if name not in requests and name in merged and quantities.parse(amount) > quantities.parse(merged[name])
            else amount
            for name, amount in {**self.requests, **requests}.items()
        }
        return Resources(requests=asked, limits=merged)


class Defaults(_Section):
    """What a manifest that is silent gets."""

    job_deadline: Duration = "1h"
    job_history: Duration = "1h"
    """How long a finished Job stays for its log."""
    ingest: Resources = Resources(requests={"cpu": "100m", "memory": "256Mi"}, limits={"memory": "2Gi"})
    train: Resources = Resources(requests={"cpu": "100m", "memory": "256Mi"}, limits={"memory": "4Gi"})
    package: Resources = Resources(requests={"cpu": "100m", "memory": "128Mi"}, limits={"memory": "2Gi"})
    serve: Resources = Resources(requests={"cpu": "100m", "memory": "256Mi"}, limits={"memory": "2Gi"})
    service_account_name: str = "default"
    image_pull_secrets: tuple[str, ...] = ()


class ServingPolicy(_Section):
    """The NetworkPolicy of each Deployment's servers: who may reach them. They themselves reach DNS only."""

    enabled: bool = True
    operator: Peer = Peer(
        namespace_selector=LabelSelector(),
        pod_selector=LabelSelector(
            match_labels={"app.kubernetes.io/name": "modelwright", "app.kubernetes.io/component": "operator"}
        ),
    )
    """The operator's own Pods, which read the servers' counters."""
    prometheus: tuple[Peer, ...] = (
        Peer(
            namespace_selector=LabelSelector(),
            pod_selector=LabelSelector(match_labels={"app.kubernetes.io/name": "prometheus"}),
        ),
    )
    """Who may read metrics."""
    callers: tuple[Peer, ...] = ()
    """Who may ask for predictions where a Deployment does not say so itself; empty: everyone."""


class ServingMonitor(_Section):
    """The PodMonitor of each Deployment, where the cluster has that kind."""

    enabled: bool = True
    interval: Duration = "30s"
    labels: Mapping[str, str] = {}
    """By which a Prometheus selects monitors."""


def _seconds(text: str) -> str:
    if not 1 <= durations.parse(text).total_seconds() <= 300:
        raise ValueError(f'"{text}" is not from 1s to 5m')
    return text


Interval = Annotated[str, AfterValidator(_seconds)]


class ServingFigures(_Section):
    """How often each Deployment's servers are asked for their live figures."""

    interval: Interval = "15s"
    during_rollouts: Interval = "5s"
    """While a canary is under way: how soon a verdict can fall, and a step begin."""


class Serving(_Section):
    """How Deployments are served, beyond what their spec says."""

    network_policy: ServingPolicy = ServingPolicy()
    pod_monitor: ServingMonitor = ServingMonitor()
    live_figures: ServingFigures = ServingFigures()
    model_volume: Literal["auto", "image", "copy"] = "auto"
    """How a model's files reach a server of another image: mounted from the model's image, or copied out of it by an
    init container. `auto`: mounted from Kubernetes 1.36 on.
    """


class Retry(_Section):
    """How a step that failed is tried again."""

    initial: Duration = "10s"
    max: Duration = "5m"


class Policy(_Section):
    """What a namespace's objects must satisfy."""

    approval: Literal["automatic", "required"] = "automatic"
    """Whether a person must approve a ModelVersion before it is served, or this policy does."""
    server_images: tuple[Annotated[str, Field(pattern=r"^[^@\s]+@sha256:[0-9a-f]{64}$")], ...] = ()
    """Where approval is required: what `spec.server.image` may be, by digest."""
    environment: tuple[str, ...] = ()
    """Where approval is required: what `spec.server.env` may set beside settings of Modelwright's own server."""


class Policies(_Section):
    """Policy by namespace."""

    default: Policy = Policy()
    namespaces: Mapping[str, Policy] = {}

    def of(self, namespace: str) -> Policy:
        """The policy of one namespace: its own where it has one, whole, else the default."""
        return self.namespaces.get(namespace, self.default)


class Config(_Section):
    """The whole document."""

    store: Store = Store()
    registry: Registry = Registry()
    images: Images = Images()
    defaults: Defaults = Defaults()
    ceilings: Mapping[str, Quantity] = {}
    """The most that one container may ask for, by resource name."""
    retry: Retry = Retry()
    serving: Serving = Serving()
    policy: Policies = Policies()

    def for_namespace(self, override: "NamespaceConfig | None") -> "Config":
        """This configuration as the objects of one namespace see it."""
        if override is None:
            return self
        return self.model_copy(
            update={"store": override.store or self.store, "registry": override.registry or self.registry}
        )


class NamespaceConfig(_Section):
    """What a namespace may decide for itself, in its ConfigMap `modelwright`."""

    store: Store | None = None
    registry: Registry | None = None


def load(path: Path = DEFAULT_PATH) -> Config:
    """The configuration file; raises pydantic's ValidationError with the path of each wrong field."""
    return Config.model_validate(yaml.safe_load(path.read_text()) or {})


def parse_namespace(text: str) -> NamespaceConfig:
    """A namespace's own `config.yaml`; raises pydantic's ValidationError or yaml.YAMLError."""
    return NamespaceConfig.model_validate(yaml.safe_load(text) or {})
