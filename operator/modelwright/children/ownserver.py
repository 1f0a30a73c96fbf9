"""The container of Modelwright's own server, which a model's image holds."""

from modelwright import durations
from modelwright.api.v1alpha1 import Deployment
from modelwright.api.v1alpha1.shared import MIB
from modelwright.children.configmap import routing_name
from modelwright.children.endpoints import GRPC_PORT, HTTP_PORT, MANAGEMENT_PORT
from modelwright.children.pod import SCRATCH, ServerPod, scratch
from modelwright.children.role import STABLE, Role
from modelwright.plan import JsonObject

DRAIN_SECONDS = 5
"""How long new requests are still taken after SIGTERM."""
GRACE_SECONDS = 25
"""When the process ends at the latest after SIGTERM."""
TLS_DIR = "/etc/modelwright/tls"
TOKENS_DIR = "/etc/modelwright/tokens"
ROUTING_DIR = "/etc/modelwright/routing"


def own_server(resource: Deployment, model: str, version: str, image: str, role: Role) -> ServerPod:
    """A Pod of the model's image: no key but the certificate's, no token but the callers', no other file.

    Where it serves as stable it reads which requests a canary answers, also while there is none: a canary that begins
    or ends changes no Pod.
    """
    server = resource.spec.server
    room, room_mount = scratch()
    volumes, mounts = [room], [room_mount]
    env = {
        "MODELWRIGHT_MODEL_NAME": model,
        "MODELWRIGHT_MODEL_VERSION": version,
        "MODELWRIGHT_PORT": str(HTTP_PORT),
        "MODELWRIGHT_GRPC_PORT": str(GRPC_PORT),
        "MODELWRIGHT_MANAGEMENT_PORT": str(MANAGEMENT_PORT),
        "MODELWRIGHT_DRAIN_SECONDS": str(DRAIN_SECONDS),
        "MODELWRIGHT_GRACE_SECONDS": str(GRACE_SECONDS),
        "TMPDIR": SCRATCH,
    }
    if server.batching is not None:
        env["MODELWRIGHT_BATCH_DELAY_SECONDS"] = f"{durations.parse(server.batching.max_delay).total_seconds():g}"
        if server.batching.max_size is not None:
            env["MODELWRIGHT_BATCH_SIZE"] = str(server.batching.max_size)
    if server.tls is not None:
        env["MODELWRIGHT_TLS_DIR"] = TLS_DIR
        pair = [{"key": name, "path": name} for name in ("tls.crt", "tls.key")]
        volumes.append(_secret("tls", server.tls.secret_name, items=pair))
        mounts.append({"name": "tls", "mountPath": TLS_DIR, "readOnly": True})
    if server.auth is not None:
        env["MODELWRIGHT_TOKENS_DIR"] = TOKENS_DIR
        volumes.append(_secret("tokens", server.auth.tokens_secret_name))
        mounts.append({"name": "tokens", "mountPath": TOKENS_DIR, "readOnly": True})
    if role is STABLE:
        env["MODELWRIGHT_ROUTING_DIR"] = ROUTING_DIR
        volumes.append({"name": "routing", "configMap": {"name": routing_name(resource), "optional": True}})
        mounts.append({"name": "routing", "mountPath": ROUTING_DIR, "readOnly": True})
    return ServerPod(image, env, tuple(mounts), tuple(volumes))


def scoring_environment(resource: Deployment, model: str, version: str) -> dict[str, str]:
    """The settings of the same server beside a batch: reached from within its Pod only, so it needs no key nor token.

    One process answers one request at a time, whatever the Deployment says of its own servers: what is answered does
    not depend on what else is asked at that moment.
    """
    server = resource.spec.server
    theirs = {variable.name: variable.value for variable in server.env} if server.image is None else {}
    return {
        **theirs,
        "MODELWRIGHT_HOST": "127.0.0.1",
        "MODELWRIGHT_PORT": str(HTTP_PORT),
        "MODELWRIGHT_GRPC_PORT": "off",
        "MODELWRIGHT_MANAGEMENT_PORT": str(MANAGEMENT_PORT),
        "MODELWRIGHT_MODEL_NAME": model,
        "MODELWRIGHT_MODEL_VERSION": version,
        "MODELWRIGHT_PROCESSES": "1",
        "MODELWRIGHT_MAX_ROWS": "10000",
        "MODELWRIGHT_MAX_BODY_BYTES": str(16 * MIB),
        "MODELWRIGHT_DRAIN_SECONDS": "0",
        "MODELWRIGHT_GRACE_SECONDS": "3",
        "TMPDIR": SCRATCH,
    }


def _secret(name: str, secret: str, **more: object) -> JsonObject:
    return {"name": name, "secret": {"secretName": secret, "defaultMode": 0o440, **more}}
