"""Names of images, and the keys of registries as Kubernetes keeps them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelwright_worker.failures import Told

_DOCKER_HUB = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Reference:
    """An image or a repository: host, repository, and a tag or digest (empty for a repository alone)."""

    host: str
    repository: str
    version: str = ""

    def __str__(self) -> str:
        separator = "" if not self.version else "@" if self.version.startswith("sha256:") else ":"
        return f"{self.host}/{self.repository}{separator}{self.version}"


def parse_reference(text: str) -> Reference:
    """`host[:port]/path[:tag][@sha256:…]`; without a host it is Docker Hub's. A digest wins over a tag."""
    rest, _, digest = text.partition("@")
    host, slash, path = rest.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, path = _DOCKER_HUB, rest if slash else f"library/{rest}"
    elif host in ("docker.io", "index.docker.io"):
        host = _DOCKER_HUB
    repository, _, tag = path.partition(":")
    return Reference(host, repository, digest or tag)


@dataclass(frozen=True, slots=True)
class Login:
    """A user's name and password at a registry."""

    user: str
    password: str


def read_logins(path: Path) -> Mapping[str, Login]:
    """The logins in a .dockerconfigjson by host (or host/path); empty when there is no such file. Raises Told."""
    try:
        document = json.loads(path.read_bytes())
        entries = document["auths"]
        return {_host(name): _login(entry) for name, entry in entries.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, OSError) as error:
        message = (
            "the push Secret can't be read: it must be of type kubernetes.io/dockerconfigjson, as "
            "`kubectl create secret docker-registry` makes it"
        )
        raise Told("ImagePushForbidden", message, retry=True) from error


def _host(name: str) -> str:
    name = name.removeprefix("https://").removeprefix("http://").rstrip("/")
    name = name.removesuffix("/v1").removesuffix("/v2")
    return _DOCKER_HUB if name in ("docker.io", "index.docker.io") else name


def _login(entry: Mapping[str, str]) -> Login:
    if entry.get("auth"):
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        return Login(user, password)
    return Login(entry["username"], entry["password"])


def login_for(logins: Mapping[str, Login], reference: Reference) -> Login | None:
    """The login of the longest path that the repository lies under."""
    full = f"{reference.host}/{reference.repository}"
    fitting = [name for name in logins if full == name or full.startswith(name + "/")]
    return logins[max(fitting, key=len)] if fitting else None
