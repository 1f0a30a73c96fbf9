"""The Pod Security Standard `restricted`, as kubernetes.io/docs/concepts/security/pod-security-standards has it."""

from collections.abc import Iterator
from typing import Any

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}

JsonObject = dict[str, Any]


def violations(spec: JsonObject) -> Iterator[str]:
    """One sentence for each rule that a Pod's spec breaks; ours go further and want a read-only root too."""
    pod = spec.get("securityContext", {})
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield f"{name} is set"
    for volume in spec.get("volumes", []):
        for source in set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume['name']} is a {source}"
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        for complaint in _container({**pod, **container.get("securityContext", {})}):
            yield f"container {container['name']}: {complaint}"
        if not container.get("resources", {}).get("limits", {}).get("memory"):
            yield f"container {container['name']}: no limit on memory"


def _container(security: JsonObject) -> Iterator[str]:
    if security.get("runAsNonRoot") is not True or security.get("runAsUser") == 0:
        yield "may run as root"
    if security.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "no seccomp profile"
    if security.get("allowPrivilegeEscalation") is not False:
        yield "may escalate privileges"
    if security.get("privileged"):
        yield "is privileged"
    capabilities = security.get("capabilities", {})
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield "does not drop all capabilities"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "its root file system can be written"
