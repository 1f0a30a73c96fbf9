"""Writing a model archive whose bytes depend on the model alone.

skops names members by `id()`, writes the clock into the zip, and follows the order of sets. Here members are named by
the hash of their content, shared objects are numbered in the order they appear, sets are sorted, and the zip carries no
time.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np

_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_archive(model: object, path: Path) -> None:
    """Write a model to a file; the same model gives the same bytes in any process. Raises what skops raises."""
    import skops.io

    plain = io.BytesIO()
    skops.io.dump(model, plain)
    with zipfile.ZipFile(plain) as source:
        schema = json.loads(source.read("schema.json"))
        canonical = _Canonical(source)
        document = canonical.node(schema)
        assert isinstance(document, dict)
        document["protocol"], document["_skops_version"] = schema["protocol"], schema["_skops_version"]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        _add(target, "schema.json", json.dumps(document, separators=(",", ":")).encode())
        for name in sorted(canonical.members):
            _add(target, name, canonical.members[name])


def _add(target: zipfile.ZipFile, name: str, content: bytes) -> None:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.create_system = 3
    member.external_attr = 0o644 << 16
    target.writestr(member, content)


class _Canonical:
    """Rewrites a schema node by node, and its members with it."""

    def __init__(self, source: zipfile.ZipFile) -> None:
        self._source = source
        self._numbers: dict[int, int] = {}
        self._names: dict[str, str] = {}
        self.members: dict[str, bytes] = {}

    def node(self, node: object) -> object:
        if isinstance(node, list):
            return [self.node(item) for item in node]
        if not isinstance(node, dict):
            return node
        out = {name: self.node(value) for name, value in node.items() if name not in ("__id__", "file")}
        if node.get("__loader__") == "SetNode":
            items = out["content"]
            assert isinstance(items, list)
            items.sort(key=lambda item: json.dumps(_unnumbered(item), sort_keys=True))
        if "file" in node and "__loader__" in node:
            out["file"] = self._member(node["file"])
        # A text or number that two attributes share is one object in one process and two in another.
        if "__id__" in node and node.get("__loader__") != "JsonNode":
            out["__id__"] = self._numbers.setdefault(node["__id__"], len(self._numbers) + 1)
        return out

    def _member(self, name: str) -> str:
        if name not in self._names:
            content = self._source.read(name)
            ending = name.rpartition(".")[2]
            if ending == "npy":
                content = _without_padding(content)
            elif ending == "npz":
                content = _without_clock(content)
            self._names[name] = f"{hashlib.sha256(content).hexdigest()[:32]}.{ending}"
            self.members[self._names[name]] = content
        return self._names[name]


def _unnumbered(node: object) -> object:
    if isinstance(node, list):
        return [_unnumbered(item) for item in node]
    if isinstance(node, dict):
        return {name: _unnumbered(value) for name, value in node.items() if name != "__id__"}
    return node


def _without_padding(content: bytes) -> bytes:
    """Bytes between the fields of a structured array are whatever memory held: make them zero."""
    values = np.load(io.BytesIO(content), allow_pickle=False)
    if values.dtype.names is None:
        return content
    clean = np.zeros(values.shape, dtype=values.dtype)
    for name in values.dtype.names:
        clean[name] = values[name]
    out = io.BytesIO()
    np.save(out, clean, allow_pickle=False)
    return out.getvalue()


def _without_clock(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for name in sorted(source.namelist()):
            _add(target, name, source.read(name))
    return out.getvalue()
