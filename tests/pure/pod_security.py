"""The `restricted` Pod Security Standard as code (kubernetes.io/docs/concepts/security/pod-security-standards)."""

from collections.abc import Mapping
from typing import cast

Json = Mapping[str, object]

_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip


def breaches(spec: Json) -> list[str]:
    """What of a Pod's spec the standard `restricted` refuses; an empty list where it is admitted."""
    pod = cast(Json, spec.get("securityContext") or {})
    rules = {
        "a host namespace is used": not any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")),
        "runAsNonRoot is not true": pod.get("runAsNonRoot") is True,
        "runAsUser is root": pod.get("runAsUser") != 0,
        "seccompProfile is not RuntimeDefault": cast(Json, pod.get("seccompProfile") or {}).get("type")
        == "RuntimeDefault",
        "sysctls are set": not pod.get("sysctls"),
    }
    found = [broken for broken, holds in rules.items() if not holds]
    for volume in cast(list[Json], spec.get("volumes") or []):
        kinds = set(volume) - {"name"}
        if not kinds <= _VOLUMES:
            found.append(f"volume {volume['name']} is a {kinds}")
    for container in containers(spec):
        found += _breaches_of(container)
    return found


def containers(spec: Json) -> list[Json]:
    """All containers of a Pod's spec, in the order in which they start."""
    return [*cast(list[Json], spec.get("initContainers") or []), *cast(list[Json], spec["containers"])]


def _breaches_of(container: Json) -> list[str]:
    context = cast(Json, container.get("securityContext") or {})
    capabilities = cast(Json, context.get("capabilities") or {})
    rules = {
        "may escalate privileges": context.get("allowPrivilegeEscalation") is False,
        "is privileged": not context.get("privileged"),
        "keeps capabilities": capabilities.get("drop") == ["ALL"] and not capabilities.get("add"),
        "runs as root": context.get("runAsUser") != 0 and context.get("runAsNonRoot") is not False,
        "unmasks /proc": "procMount" not in context,
        "opens a port of the host": not any(
            "hostPort" in port for port in cast(list[Json], container.get("ports") or [])
        ),
    }
    return [f"container {container['name']} {broken}" for broken, holds in rules.items() if not holds]
