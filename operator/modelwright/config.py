"""The operator's configuration: one document, written by the platform team through the chart's values.

A namespace may override where its artifacts and images go (`for_namespace`), never policy, images or ceilings.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from modelwright import durations, quantities

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


class Retry(_Section):
    """How a step that failed is tried again."""

    initial: Duration = "10s"
    max: Duration = "5m"


class Policy(_Section):
    """What a namespace's objects must satisfy."""


class Policies(_Section):
    """Policy by namespace."""

    default: Policy = Policy()
    namespaces: Mapping[str, Policy] = {}


class Config(_Section):
    """The whole document."""

    store: Store = Store()
    registry: Registry = Registry()
    images: Images = Images()
    defaults: Defaults = Defaults()
    ceilings: Mapping[str, Quantity] = {}
    """The most that one container may ask for, by resource name."""
    retry: Retry = Retry()
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
