"""Reading a model archive (skops format, protocol 2) that somebody else may have written.

Only types of a closed list are built, nothing that the archive names is imported or called, members are stored
uncompressed, and tree nodes are checked to point inside their arrays before anything predicts. skops itself is not
imported: it loads all of scikit-learn to know what it trusts.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from modelwright_contract.archive_types import TypeNotAllowed, loss_type, object_type, plain_type, score_function
from modelwright_contract.tree_bounds import BoundsError, check_bounds

PROTOCOL = 2
MAX_MEMBERS = 200_000
MAX_SCHEMA_BYTES = 512 << 20


class ArchiveError(ValueError):
    """An archive that can't be loaded, or must not be."""


def load_model(source: Path | BinaryIO | bytes) -> object:
    """The model in an archive, checked. Raises ArchiveError."""
    try:
        with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as archive:
            model = _Reader(archive).read(_schema(archive))
    except (TypeNotAllowed, ArchiveError) as error:
        raise ArchiveError(str(error)) from None
    except RecursionError:
        raise ArchiveError("the archive is nested too deep") from None
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ArchiveError(f"not a model archive: {type(error).__name__}: {str(error)[:200]}") from error
    try:
        check_bounds(model)
    except (BoundsError, AttributeError, TypeError, ValueError) as error:
        raise ArchiveError(f"the archive's trees are not sound: {str(error)[:200]}") from error
    return model


def _schema(archive: zipfile.ZipFile) -> object:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS or any(m.compress_type != zipfile.ZIP_STORED for m in members):
        raise ArchiveError("not an archive of ours: too many members, or compressed ones")
    if archive.getinfo("schema.json").file_size > MAX_SCHEMA_BYTES:
        raise ArchiveError("the archive's schema is too large")
    schema = json.loads(archive.read("schema.json"))
    if not isinstance(schema, dict) or schema.get("protocol") != PROTOCOL:
        raise ArchiveError(f"the archive's protocol is not {PROTOCOL}")
    return schema


class _Reader:
    """Builds objects from schema nodes; an object that several places share is built once."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._built: dict[int, object] = {}

    def read(self, node: object) -> object:
        if not isinstance(node, dict):
            raise ArchiveError("a node is no object")
        identity = node.get("__id__")
        if isinstance(identity, int) and identity in self._built:
            return self._built[identity]
        loader = node.get("__loader__")
        read = _LOADERS.get(loader) if isinstance(loader, str) else None
        if read is None:
            raise ArchiveError(f"a node of kind {str(loader)[:40]} is not allowed")
        value = read(self, node)
        if isinstance(identity, int):
            self._built[identity] = value
        return value

    def _json(self, node: Mapping[str, object]) -> object:
        value: object = json.loads(_text(node, "content"))
        if value is None or isinstance(value, str | int | float):
            return value
        raise ArchiveError("a JSON node holds no scalar")

    def _dict(self, node: Mapping[str, object]) -> object:
        content, kinds = node.get("content"), self.read(node.get("key_types"))
        if not isinstance(content, dict) or not isinstance(kinds, list) or len(kinds) != len(content):
            raise ArchiveError("a dictionary without its keys' types")
        return {kind(key): self.read(value) for kind, (key, value) in zip(kinds, content.items(), strict=True)}

    def _items(self, node: Mapping[str, object]) -> list[object]:
        content = node.get("content")
        if not isinstance(content, list):
            raise ArchiveError("a list without its items")
        return [self.read(item) for item in content]

    def _list(self, node: Mapping[str, object]) -> object:
        return self._items(node)

    def _tuple(self, node: Mapping[str, object]) -> object:
        if (node.get("__module__"), node.get("__class__")) != ("builtins", "tuple"):
            raise ArchiveError("a named tuple is not allowed")
        return tuple(self._items(node))

    def _set(self, node: Mapping[str, object]) -> object:
        return set(self._items(node))

    def _slice(self, node: Mapping[str, object]) -> object:
        content = node.get("content")
        parts = [content.get(name) for name in ("start", "stop", "step")] if isinstance(content, dict) else []
        if len(parts) != 3 or any(part is not None and type(part) is not int for part in parts):
            raise ArchiveError("a slice without its bounds")
        return slice(*parts)

    def _type(self, node: Mapping[str, object]) -> object:
        return plain_type(_text(node, "__module__"), _text(node, "__class__"))

    def _function(self, node: Mapping[str, object]) -> object:
        return score_function(_text(node, "__module__"), _text(node, "__class__"))

    def _array(self, node: Mapping[str, object]) -> object:
        match node.get("type"):
            case "numpy":
                values: object = np.load(io.BytesIO(self._member(node)), allow_pickle=False)
                if node.get("__class__") == "ndarray":
                    return values
                assert isinstance(values, np.ndarray)
                if values.shape != ():
                    raise ArchiveError("a scalar that is no scalar")
                plain_type(_text(node, "__module__"), _text(node, "__class__"))
                return values[()]
            case "json":
                shape, items = self.read(node.get("shape")), self._nested(node.get("content"))
                if not isinstance(shape, tuple) or math.prod(shape) != len(items):
                    raise ArchiveError("an array of another shape than it says")
                out = np.empty(len(items), dtype=object)
                out[:] = items
                return out.reshape(shape)
            case other:
                raise ArchiveError(f"an array of kind {str(other)[:40]}")

    def _nested(self, content: object) -> list[object]:
        """The items of an object array, row by row, however many dimensions it has."""
        if not isinstance(content, list):
            raise ArchiveError("an array without its items")
        out: list[object] = []
        for item in content:
            if isinstance(item, dict) and item.get("__loader__") == "ListNode":
                out.extend(self._nested(item.get("content")))
            else:
                out.append(self.read(item))
        return out

    def _dtype(self, node: Mapping[str, object]) -> object:
        values = self.read(node.get("content"))
        if not isinstance(values, np.ndarray):
            raise ArchiveError("a dtype without its array")
        return values.dtype

    def _random_state(self, node: Mapping[str, object]) -> object:
        state = self.read(node.get("content"))
        if not isinstance(state, dict):
            raise ArchiveError("a random state without its state")
        out = np.random.RandomState(0)
        out.set_state(state)
        return out

    def _generator(self, node: Mapping[str, object]) -> object:
        content = node.get("content")
        state = self.read(content.get("bit_generator")) if isinstance(content, dict) else None
        if not isinstance(state, dict) or state.get("bit_generator") != "PCG64":
            raise ArchiveError("a random generator that is not PCG64")
        bits = np.random.PCG64(0)
        setattr(bits, "state", state)  # noqa: B010 - NumPy declares the state's exact shape, which only it can check
        return np.random.Generator(bits)

    def _sparse(self, node: Mapping[str, object]) -> object:
        from scipy.sparse import load_npz

        content = self._member(node)
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if sum(member.file_size for member in parts.infolist()) > 64 * len(content) + (1 << 20):
                raise ArchiveError("a sparse matrix that is too dense")
        matrix = load_npz(io.BytesIO(content))
        matrix.check_format(full_check=True)
        return matrix

    def _object(self, node: Mapping[str, object]) -> object:
        kind = object_type(_text(node, "__module__"), _text(node, "__class__"))
        instance: object = object.__new__(kind)
        if node.get("content") is None:
            return instance
        state = self.read(node["content"])
        if state is None:
            return instance
        restore = getattr(instance, "__setstate__", None)
        if restore is not None:
            restore(state)
        elif isinstance(state, dict):
            instance.__dict__.update(state)
        else:
            raise ArchiveError(f"a {kind.__name__} without its attributes")
        return instance

    def _reduced(self, node: Mapping[str, object], kind: type) -> object:
        reduced = node.get("__reduce__")
        arguments = self.read(reduced.get("args")) if isinstance(reduced, dict) else None
        if not isinstance(arguments, tuple):
            raise ArchiveError(f"a {kind.__name__} without its arguments")
        instance = kind(*arguments)
        state = self.read(node.get("content"))
        if state:
            instance.__setstate__(state)
        return instance

    def _tree(self, node: Mapping[str, object]) -> object:
        from sklearn.tree._tree import Tree

        return self._reduced(node, Tree)

    def _loss(self, node: Mapping[str, object]) -> object:
        return self._reduced(node, loss_type(_text(node, "__module__"), _text(node, "__class__")))

    def _member(self, node: Mapping[str, object]) -> bytes:
        return self._archive.read(_text(node, "file"))


def _text(node: Mapping[str, object], name: str) -> str:
    value = node.get(name)
    if isinstance(value, str):
        return value
    raise ArchiveError(f"a node without {name}")


_LOADERS = {
    "JsonNode": _Reader._json,
    "DictNode": _Reader._dict,
    "ListNode": _Reader._list,
    "TupleNode": _Reader._tuple,
    "SetNode": _Reader._set,
    "SliceNode": _Reader._slice,
    "TypeNode": _Reader._type,
    "FunctionNode": _Reader._function,
    "NdArrayNode": _Reader._array,
    "DTypeNode": _Reader._dtype,
    "RandomGeneratorNode": _Reader._generator,
    "RandomStateNode": _Reader._random_state,
    "SparseMatrixNode": _Reader._sparse,
    "ObjectNode": _Reader._object,
    "TreeNode": _Reader._tree,
    "LossNode": _Reader._loss,
}
