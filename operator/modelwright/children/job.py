"""The Jobs of the steps: ingest, train, package, score.

A container that loads a model holds no keys; one that holds keys loads no model.
"""

from collections.abc import Mapping, Sequence

from modelwright import durations, names
from modelwright.api.v1alpha1 import Dataset, Deployment, ModelVersion, Resource, TrainingRun
from modelwright.api.v1alpha1.batch import BatchSpec
from modelwright.children.deployment import SERVER, server_resources
from modelwright.children.owner import owned_metadata
from modelwright.children.ownserver import scoring_environment
from modelwright.children.pod import SCRATCH, container, pod_spec, scratch
from modelwright.children.volumes import volumes_for
from modelwright.config import Config, Resources
from modelwright.plan import Child, JsonObject
from modelwright_contract.tasks import IngestTask, PackageTask, ScoreTask, Task, TrainTask

TASK_VARIABLE = "MODELWRIGHT_TASK"
SOURCE_PREFIX = "SOURCE_"
PUSH_MOUNT = "/mnt/push"
MODEL_DIRECTORY = "/model"
GRACE_SECONDS = 5
"""How long a step that is ended may take to end: nothing of it is worth saving, and its deadline has passed."""


def job_name(resource: Resource, key: str) -> str:
    """The name of the Job that carries out the step `key` of `resource`."""
    return names.derived(resource.metadata.name, resource.kind, key)


def ingest_job(resource: Dataset, task: IngestTask, config: Config) -> Child:
    """Reads, checks and splits a Dataset's source."""
    volumes, mounts = volumes_for(task.store.uri, task.source.uri)
    room, room_mount = scratch()
    secret = resource.spec.source.secret_ref
    worker = container(
        "ingest",
        config.images.worker,
        args=["ingest"],
        env=_environment(task),
        env_from=[*_store_keys(config), *([_keys(secret.name, SOURCE_PREFIX)] if secret else [])],
        mounts=[room_mount, *mounts],
        resources=job_resources(resource, config.defaults.ingest),
        pull_policy=config.images.pull_policy,
    )
    return _job(resource, task, config, containers=[worker], volumes=[room, *volumes])


def training_job(resource: TrainingRun, task: TrainTask, config: Config) -> Child:
    """Trains, evaluates and gates a model: our own code with allow-listed classes, so one container."""
    volumes, mounts = volumes_for(task.store.uri)
    room, room_mount = scratch()
    worker = container(
        "train",
        config.images.worker,
        args=["train"],
        env=_environment(task),
        env_from=_store_keys(config),
        mounts=[room_mount, *mounts],
        resources=job_resources(resource, config.defaults.train),
        pull_policy=config.images.pull_policy,
    )
    deadline = resource.spec.active_deadline
    return _job(resource, task, config, containers=[worker], volumes=[room, *volumes], deadline=deadline)


def packaging_job(resource: ModelVersion, task: PackageTask, config: Config, push_secret: str | None) -> Child:
    """Fetches a model (store keys), predicts with it (no keys), and pushes it as an image (registry keys)."""
    volumes, mounts = volumes_for(task.store.uri)
    room, room_mount = scratch()
    resources = job_resources(resource, config.defaults.package)
    pull_policy = config.images.pull_policy
    fetch = container(
        "fetch",
        config.images.worker,
        args=["fetch"],
        env=_environment(task),
        env_from=_store_keys(config),
        mounts=[room_mount, *mounts],
        resources=resources,
        pull_policy=pull_policy,
    )
    check = container(
        "check",
        config.images.server,
        args=["check"],
        env={"MODELWRIGHT_MODEL_DIR": MODEL_DIRECTORY},
        mounts=[{"name": "scratch", "mountPath": MODEL_DIRECTORY, "subPath": "model", "readOnly": True}],
        resources=resources,
        pull_policy=pull_policy,
    )
    push_mounts = [room_mount, *mounts]
    if push_secret is not None:
        # Optional: the worker says what is missing, where the kubelet would wait in silence.
        volumes.append({"name": "push", "secret": {"secretName": push_secret, "optional": True}})
        push_mounts.append({"name": "push", "mountPath": PUSH_MOUNT, "readOnly": True})
    push = container(
        "push",
        config.images.worker,
        args=["push"],
        env=_environment(task),
        env_from=_store_keys(config),
        mounts=push_mounts,
        resources=resources,
        pull_policy=pull_policy,
    )
    return _job(resource, task, config, containers=[push], init_containers=[fetch, check], volumes=[room, *volumes])


def scoring_job(resource: Deployment, batch: BatchSpec, task: ScoreTask, version: str, config: Config) -> Child:
    """Asks the model of ModelVersion `version` about the rows of a dataset version.

    Its server (no keys) is a sidecar of the worker (store keys), which asks it over the Pod's loopback. Neither has the
    other's files.
    """
    volumes, mounts = volumes_for(task.store.uri)
    room, room_mount = scratch()
    servers_room: JsonObject = {"name": f"{SERVER}-scratch", "emptyDir": {}}
    server = container(
        SERVER,
        task.image,
        env=scoring_environment(resource, task.served, version),
        mounts=[{"name": servers_room["name"], "mountPath": SCRATCH}],
        resources=server_resources(resource, config.defaults.serve),
        pull_policy=config.images.pull_policy,
        restartPolicy="Always",
    )
    worker = container(
        "score",
        config.images.worker,
        args=["score"],
        env=_environment(task),
        env_from=_store_keys(config),
        mounts=[room_mount, *mounts],
        resources=config.defaults.ingest,
        pull_policy=config.images.pull_policy,
    )
    return _job(
        resource,
        task,
        config,
        containers=[worker],
        init_containers=[server],
        volumes=[room, servers_room, *volumes],
        deadline=batch.active_deadline,
    )


def _job(
    resource: Dataset | TrainingRun | ModelVersion | Deployment,
    task: Task,
    config: Config,
    *,
    containers: Sequence[JsonObject],
    init_containers: Sequence[JsonObject] = (),
    volumes: Sequence[JsonObject],
    deadline: str | None = None,
) -> Child:
    annotations = {names.KEY_ANNOTATION: task.key}
    pull_secrets = [ref.name for ref in resource.spec.image_pull_secrets] or list(config.defaults.image_pull_secrets)
    seconds = durations.parse(deadline or config.defaults.job_deadline).total_seconds()
    return Child(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": owned_metadata(resource, job_name(resource, task.key), task.step, annotations),
            "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": int(seconds),
                "ttlSecondsAfterFinished": int(durations.parse(config.defaults.job_history).total_seconds()),
                "template": {
                    "metadata": {"labels": names.labels(resource.kind, resource.metadata.name, task.step)},
                    "spec": pod_spec(
                        containers=containers,
                        init_containers=init_containers,
                        volumes=volumes,
                        service_account=resource.spec.service_account_name or config.defaults.service_account_name,
                        pull_secrets=pull_secrets,
                        restartPolicy="Never",
                        terminationGracePeriodSeconds=GRACE_SECONDS,
                    ),
                },
            },
        },
        mode="create",
    )


def _environment(task: Task) -> Mapping[str, str]:
    # Kubernetes expands `$(NAME)` and `$$` in a variable's value; a doubled dollar is a dollar.
    return {TASK_VARIABLE: task.to_json().replace("$", "$$"), "TMPDIR": SCRATCH, "HOME": SCRATCH}


def _store_keys(config: Config) -> list[JsonObject]:
    return [_keys(config.store.secret_name)] if config.store.secret_name else []


def _keys(secret: str, prefix: str = "") -> JsonObject:
    return {**({"prefix": prefix} if prefix else {}), "secretRef": {"name": secret}}


def job_resources(resource: Dataset | TrainingRun | ModelVersion, default: Resources) -> Resources:
    """What the step's containers ask for: the spec's word over the configuration's default, name by name."""
    return default.overridden(resource.spec.resources.requests, resource.spec.resources.limits)
