"""The container of any other server: its own image, and the model's files out of the model's image."""

from modelwright.api.v1alpha1 import Deployment
from modelwright.children.pod import ServerPod, container
from modelwright.config import Resources
from modelwright.plan import JsonObject

MODEL_PATH = "/mnt/models"
_HOME = "/tmp"  # noqa: S108 - in the server's container, where only the server writes
_FOLDER = "model"
"""Where a model's image has its files, below its root; and where the copy lies in its volume."""
_COPY = f"import shutil; shutil.copytree('/{_FOLDER}', '/copy/{_FOLDER}', dirs_exist_ok=True)"
"""Runs in the model's image, which has an interpreter and need not have a shell. The copy's own folder is new, because
the volume's root belongs to root and cannot be given the times and the mode of the original.
"""


def other_server(
    resource: Deployment, model: str, version: str, image: str, *, copied: bool, pull_policy: str, resources: Resources
) -> ServerPod:
    """A Pod of `spec.server.image`, with the files of the model's image at `modelPath`.

    They are mounted from an image volume or, where `copied`, copied into an empty one before the server starts.
    """
    server = resource.spec.server
    assert server.image is not None
    path = server.model_path or MODEL_PATH
    env = {
        "MODELWRIGHT_MODEL_NAME": model,
        "MODELWRIGHT_MODEL_VERSION": version,
        "MODELWRIGHT_MODEL_DIR": path,
        # An arbitrary user id has no home and no name of its own.
        "HOME": _HOME,
        "TMPDIR": _HOME,
        "USER": "modelwright",
        "LOGNAME": "modelwright",
    }
    source: JsonObject = {"emptyDir": {}} if copied else {"image": {"reference": image, "pullPolicy": pull_policy}}
    init = _copier(image, pull_policy, resources) if copied else None
    return ServerPod(
        server.image,
        env,
        (
            {"name": "scratch", "mountPath": _HOME},
            {"name": "model", "mountPath": path, "subPath": _FOLDER, "readOnly": True},
        ),
        ({"name": "scratch", "emptyDir": {}}, {"name": "model", **source}),
        init_containers=() if init is None else (init,),
        command=server.command,
        args=server.args,
    )


def _copier(image: str, pull_policy: str, resources: Resources) -> JsonObject:
    """Takes what the server may use, but for devices."""
    requests, limits = (
        {name: amount for name, amount in amounts.items() if "/" not in name}
        for amounts in (resources.requests, resources.limits)
    )
    return container(
        "model",
        image,
        args=[_COPY],
        mounts=[{"name": "model", "mountPath": "/copy"}],
        resources=Resources(requests=requests, limits=limits),
        pull_policy=pull_policy,
        command=["python", "-c"],
    )
