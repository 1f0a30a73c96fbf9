"""apps/v1 Deployments that serve a model."""

from modelwright import durations, names
from modelwright.api.v1alpha1 import Deployment
from modelwright.children.endpoints import Endpoints, Target, endpoints
from modelwright.children.otherserver import other_server
from modelwright.children.ownserver import GRACE_SECONDS, own_server
from modelwright.children.pod import container, pod_spec
from modelwright.children.role import STABLE, Role
from modelwright.config import Config, Resources
from modelwright.plan import Child, JsonObject

SERVER = "server"
"""The container's name."""
LEAVING_SECONDS = 10
"""How long a Pod that has to go answers as before: every list of endpoints forgets it in that time, and where it was
the only one, it is kube-proxy's last resort until its successor is ready.
"""
_SPREAD_OVER = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")


def serving_deployment(
    resource: Deployment,
    model: str,
    version: str,
    image: str,
    config: Config,
    *,
    copied: bool,
    autoscaled: bool,
    role: Role = STABLE,
    replicas: int | None = None,
) -> Child:
    """Pods that answer for `version` of `model`; a new one is ready before an old one goes.

    `copied` says how another server gets the model's files: by an init container, or from an image volume;
    `autoscaled` that how many Pods there are is no longer ours to say once there are some. Their number is `replicas`;
    without it `minReplicas`.
    """
    server = resource.spec.server
    resources = server_resources(resource, config.defaults.serve)
    pull_policy = config.images.pull_policy
    if server.image is None:
        pod = own_server(resource, model, version, image, role)
    else:
        pod = other_server(resource, model, version, image, copied=copied, pull_policy=pull_policy, resources=resources)
    listening, startup_s = endpoints(resource), int(durations.parse(server.startup_deadline).total_seconds())
    serve = container(
        SERVER,
        pod.image,
        args=pod.args,
        env={**pod.env, **{variable.name: variable.value for variable in server.env}},
        mounts=pod.mounts,
        resources=resources,
        pull_policy=pull_policy,
        ports=[{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in listening.ports.items()],
        lifecycle={"preStop": {"sleep": {"seconds": LEAVING_SECONDS}}},
    )
    serve |= _probes(listening, startup_s) | ({"command": list(pod.command)} if pod.command else {})
    pull_secrets = [ref.name for ref in resource.spec.image_pull_secrets] or list(config.defaults.image_pull_secrets)
    selector: JsonObject = {"matchLabels": dict(role.selector(resource))}
    return Child(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": role.metadata(resource),
            "spec": {
                "selector": selector,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                "revisionHistoryLimit": 3,
                "progressDeadlineSeconds": startup_s + 60,
                "template": {
                    "metadata": {
                        "labels": role.labels(resource),
                        "annotations": {names.IMAGE_ANNOTATION: image},
                    },
                    "spec": pod_spec(
                        containers=[serve],
                        init_containers=pod.init_containers,
                        volumes=pod.volumes,
                        service_account=resource.spec.service_account_name or config.defaults.service_account_name,
                        pull_secrets=pull_secrets,
                        terminationGracePeriodSeconds=LEAVING_SECONDS + GRACE_SECONDS + 5,
                        topologySpreadConstraints=[_spread(key, selector) for key in _SPREAD_OVER],
                    ),
                },
            },
        },
        mode="apply",
        replicas=resource.spec.scaling.min_replicas if replicas is None else replicas,
        autoscaled=autoscaled,
    )


def server_resources(resource: Deployment, default: Resources) -> Resources:
    """What one server asks for: the spec's word over the configuration's default, name by name."""
    asked = resource.spec.server.resources
    return default.overridden(asked.requests, asked.limits)


def _probes(listening: Endpoints, startup_s: int) -> JsonObject:
    """Ready within a second of being so; ended for silence only once it has been ready, or after `startup_s`."""
    ready = _asked(listening.readiness)
    probes: JsonObject = {
        "startupProbe": {**ready, "timeoutSeconds": 2, "periodSeconds": 1, "failureThreshold": startup_s},
        "readinessProbe": {**ready, "timeoutSeconds": 2, "periodSeconds": 1, "failureThreshold": 3},
    }
    if listening.liveness is not None:
        live = _asked(listening.liveness)
        probes["livenessProbe"] = {**live, "timeoutSeconds": 5, "periodSeconds": 10, "failureThreshold": 3}
    return probes


def _asked(target: Target) -> JsonObject:
    return {"httpGet": {"path": target.path, "port": target.port}}


def _spread(key: str, selector: JsonObject) -> JsonObject:
    """Pods of one template are spread on their own, or the old ones would decide where the new ones go."""
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": selector,
        "matchLabelKeys": ["pod-template-hash"],
    }
