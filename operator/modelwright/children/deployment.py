"""apps/v1 Deployments that serve a model image."""

from modelwright import names
from modelwright.api.v1alpha1 import Deployment
from modelwright.children.owner import owned_metadata
from modelwright.children.pod import SCRATCH, container, pod_spec, scratch
from modelwright.config import Config, Resources
from modelwright.plan import Child, JsonObject

PORT = 8080
DRAIN_SECONDS = 5
"""How long a Pod still answers after it was told to go, so that every endpoint list has forgotten it."""


def serving_deployment(resource: Deployment, model: str, version: str, image: str, config: Config) -> Child:
    """Pods that answer for `version` of `model`; a new one is ready before an old one goes."""
    name = resource.metadata.name
    room, room_mount = scratch()
    serve = container(
        "server",
        image,
        env={
            "MODELWRIGHT_MODEL_NAME": model,
            "MODELWRIGHT_MODEL_VERSION": version,
            "MODELWRIGHT_PORT": str(PORT),
            "TMPDIR": SCRATCH,
            **{variable.name: variable.value for variable in resource.spec.server.env},
        },
        mounts=[room_mount],
        resources=server_resources(resource, config.defaults.serve),
        pull_policy=config.images.pull_policy,
        ports=[{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        readinessProbe=_probe("/v2/health/ready", periodSeconds=1, failureThreshold=3),
        livenessProbe=_probe("/v2/health/live", periodSeconds=10, failureThreshold=3),
        lifecycle={"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}},
    )
    labels = names.labels(resource.kind, name, "serve")
    pull_secrets = [ref.name for ref in resource.spec.image_pull_secrets] or list(config.defaults.image_pull_secrets)
    return Child(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": owned_metadata(resource, name, "serve"),
            "spec": {
                "selector": {"matchLabels": dict(names.selector(resource.kind, name, "serve"))},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                "revisionHistoryLimit": 3,
                "progressDeadlineSeconds": 600,
                "template": {
                    "metadata": {"labels": labels},
                    "spec": pod_spec(
                        containers=[serve],
                        volumes=[room],
                        service_account=resource.spec.service_account_name or config.defaults.service_account_name,
                        pull_secrets=pull_secrets,
                        terminationGracePeriodSeconds=30 + DRAIN_SECONDS,
                    ),
                },
            },
        },
        mode="apply",
        replicas=resource.spec.scaling.min_replicas,
    )


def _probe(path: str, **more: int) -> JsonObject:
    return {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 2, **more}


def server_resources(resource: Deployment, default: Resources) -> Resources:
    """What one server asks for: the spec's word over the configuration's default, name by name."""
    asked = resource.spec.server.resources
    return default.overridden(asked.requests, asked.limits)
