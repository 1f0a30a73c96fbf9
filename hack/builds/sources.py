"""Which images there are, and what each is made of."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build"

_SHARED = ("images/install", "images/contract/modelwright_contract", ".dockerignore")


@dataclass(frozen=True)
class Image:
    """One image of the release; `paths` is all that its content depends on, relative to the repository."""

    name: str
    paths: tuple[str, ...]

    @property
    def dockerfile(self) -> Path:
        """The recipe, whose context is the repository."""
        return ROOT / "images" / self.name / "Dockerfile"

    @property
    def tag(self) -> str:
        """What the image is called in the local store."""
        return f"localhost/modelwright/{self.name}:latest"

    def fingerprint(self, base: str) -> str:
        """A hash of all that the image is made of: it changes when a new build would make another image."""
        digest = hashlib.sha256(base.encode())
        for path in sorted(file for start in self.paths for file in _files(ROOT / start)):
            mode = "x" if path.stat().st_mode & 0o100 else "-"
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(ROOT)} {mode} {content}\n".encode())
        return digest.hexdigest()


def _image(name: str, *more: str) -> Image:
    return Image(name, (f"images/{name}/Dockerfile", f"images/{name}/bin", *_SHARED, *more))


IMAGES = (
    _image("operator", "operator/modelwright", "requirements/operator.lock"),
    _image("worker", "images/worker/modelwright_worker", "requirements/model.lock", "requirements/worker.lock"),
    _image("server", "images/server/modelwright_server", "requirements/model.lock", "requirements/server.lock"),
)


def _files(start: Path) -> list[Path]:
    if start.is_file():
        return [start]
    return [path for path in start.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
