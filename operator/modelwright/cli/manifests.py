"""Manifests from files, folders and standard input."""

import sys
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from modelwright.cli.problems import Problem

JsonObject = dict[str, object]

STDIN = "-"
_ENDINGS = (".yaml", ".yml", ".json")
_BYTES = 3 * 1024 * 1024
"""The largest object that an API server takes in one request."""


@dataclass(frozen=True)
class Manifest:
    """One document: where it stands, and the object; or the sentence that says why it is none."""

    file: str
    object: JsonObject | None
    problem: str = ""


def read(names: Sequence[str], recursive: bool) -> Iterator[Manifest]:
    """All documents of the files and folders that `names` name (`-`: standard input), lists taken apart.

    Raises Problem where a file cannot be read.
    """
    for name in names:
        if name == STDIN:
            yield from documents("<stdin>", sys.stdin.read())
            continue
        for path in _files(Path(name), recursive):
            try:
                if path.stat().st_size > _BYTES:
                    raise Problem(f"{path}: is larger than 3 MiB, which no API server takes; name another file")
                text = path.read_text()
            except (OSError, UnicodeDecodeError) as error:
                raise Problem(f"{path}: cannot be read: {error}") from error
            yield from documents(str(path), text)


def documents(file: str, text: str) -> Iterator[Manifest]:
    """The documents of one YAML or JSON text."""
    try:
        for document in yaml.load_all(text, Loader=_Loader):
            yield from _objects(file, document)
    except yaml.YAMLError as error:
        yield Manifest(file, None, " ".join(str(error).split()))


def _objects(file: str, document: object) -> Iterator[Manifest]:
    if document is None:
        return
    if not isinstance(document, dict):
        yield Manifest(file, None, "is no Kubernetes object; write apiVersion, kind, metadata and spec")
    elif document.get("kind") == "List" and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _objects(file, item)
    else:
        yield Manifest(file, document)


def _files(path: Path, recursive: bool) -> list[Path]:
    if not path.exists():
        raise Problem(f"{path}: there is no such file or folder")
    if not path.is_dir():
        return [path]
    found = sorted(p for p in (path.rglob("*") if recursive else path.glob("*")) if p.suffix in _ENDINGS)
    if not found:
        raise Problem(
            f"{path}: has no {', '.join(_ENDINGS)} file" + ("" if recursive else "; --recursive looks deeper")
        )
    return found


class _Loader(yaml.SafeLoader):
    """YAML as kubectl reads it: a key given twice is an error, and times stay text."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, object]:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise yaml.YAMLError(f'line {key.start_mark.line + 1}: key "{key.value}" already set in map')
            seen.add(key.value)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)
