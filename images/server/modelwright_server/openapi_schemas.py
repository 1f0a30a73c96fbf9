"""JSON Schemas (2020-12) of the bodies that one model takes and answers with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelwright_contract.canonical import Json
from modelwright_contract.vectors import INT64_MAX, INT64_MIN, ValueType
from modelwright_server.answers import LABEL, PROBABILITY, class_name
from modelwright_server.signature import Signature
from modelwright_server.tensors import ACCEPTED, DATATYPES, MATRIX_INPUT, NUMBERS

Schema = dict[str, Json]

_TYPES: dict[ValueType, Schema] = {
    "number": {"type": "number"},
    "integer": {"type": "integer", "minimum": INT64_MIN, "maximum": INT64_MAX},
    "boolean": {"type": "boolean"},
    "string": {"type": "string"},
    "timestamp": {"type": "string", "format": "date-time", "description": "ISO 8601; in UTC where it has no offset"},
}
_LABELS: dict[str, Schema] = {"BOOL": {"type": "boolean"}, "INT64": {"type": "integer"}, "BYTES": {"type": "string"}}
_NAME: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_NUMBER: Schema = {"type": ["number", "null"], "description": "null where it is no finite number"}


def schemas_of(signature: Signature) -> dict[str, Json]:
    """All schemas, by name."""
    label = _label(signature)
    return {
        "Error": _object(
            {"error": {"type": "string", "description": "what is wrong, where, and what to send instead"}}
        ),
        "Row": _row(signature),
        "Rows": _list(ref("Row"), 1, signature.max_rows),
        "PredictRequest": {"anyOf": [ref("Rows"), _object({"rows": ref("Rows")})]},
        "PredictResponse": _answer(signature, {"predictions": _list(_prediction(signature, label), 1)}),
        "InferRequest": _infer_request(signature),
        "InferResponse": _answer(
            signature,
            {"id": {"type": "string"}, "outputs": _list(_output_tensor(signature), 1)},
            optional=("id",),
        ),
        "V1Request": _object({"instances": {"anyOf": [ref("Rows"), _arrays(signature)]}}),
        "V1Response": _object({"predictions": _list(label if signature.classes else _NUMBER, 1)}),
        "Server": _object({"name": _NAME, "version": _NAME, "extensions": _list(_NAME)}),
        "Model": _object(
            {
                "name": {"const": signature.name},
                "versions": _list(_NAME),
                "platform": _NAME,
                "inputs": _list(ref("Tensor")),
                "outputs": _list(ref("Tensor")),
            }
        ),
        "Tensor": _object({"name": _NAME, "datatype": {"enum": DATATYPES}, "shape": _list({"type": "integer"})}),
        "ModelReady": _object({"name": {"const": signature.name}, "ready": _FLAG}),
        "Models": _object({"models": _list(_NAME)}),
        "Live": _object({"live": _FLAG}),
        "Ready": _object({"ready": _FLAG, "error": {"type": "string"}}, optional=("error",)),
    }


def ref(name: str) -> Schema:
    """A schema of `schemas_of`, by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _row(signature: Signature) -> Schema:
    properties: Schema = {
        name: {"anyOf": [_TYPES[kind], {"type": "null"}]} if name in signature.nullable else _TYPES[kind]
        for name, kind in signature.columns.items()
    }
    return {**_object(properties), "description": "one row by column name; other names are passed over"}


def _arrays(signature: Signature) -> Schema:
    number: Schema = {"type": ["number", "null"] if signature.takes_missing else "number"}
    width = len(signature.features)
    row = {**_list(number, width, width), "description": f"in this order: {', '.join(signature.features)}"}
    return _list(row, 1, signature.max_rows)


def _infer_request(signature: Signature) -> Schema:
    inputs: list[Json] = []
    if signature.columns:
        inputs.append(_list({"anyOf": _column_tensors(signature)}, len(signature.columns), len(signature.columns)))
    if MATRIX_INPUT not in signature.columns:
        shape: Schema = {
            "type": "array",
            "prefixItems": [{"type": "integer", "minimum": 1}, {"const": len(signature.features)}],
            "minItems": 2,
            "maxItems": 2,
        }
        inputs.append(_list(_input_tensor([MATRIX_INPUT], NUMBERS, shape, {"type": ["number", "null"]}), 1, 1))
    output = _object(
        {"name": {"enum": [output.name for output in signature.outputs]}, "parameters": _parameters("binary_data")},
        optional=("parameters",),
    )
    return _object(
        {
            "id": {"type": ["string", "null"]},
            "parameters": _parameters("binary_data_output"),
            "inputs": {
                "anyOf": inputs,
                "description": "one tensor for each column, or the model's own matrix; data is as long as shape says",
            },
            "outputs": {**_nullable(_list(output, 0, len(signature.outputs))), "description": "all when none is named"},
        },
        optional=("id", "parameters", "outputs"),
    )


def _column_tensors(signature: Signature) -> list[Json]:
    shape = _list({"type": "integer", "minimum": 1}, 1, 2)
    kinds: dict[ValueType, list[str]] = {}
    for name, kind in signature.columns.items():
        kinds.setdefault(kind, []).append(name)
    return [
        _input_tensor(names, ACCEPTED[kind], shape, {"type": ["number", "boolean", "string", "null"]})
        for kind, names in kinds.items()
    ]


def _input_tensor(names: Sequence[str], datatypes: Sequence[str], shape: Schema, value: Schema) -> Schema:
    return _object(
        {
            "name": {"enum": names},
            "shape": shape,
            "datatype": {"enum": datatypes},
            "data": {"type": "array", "items": {"anyOf": [value, {"type": "array"}]}},
            "parameters": {"type": ["object", "null"]},
        },
        optional=("parameters",),
    )


def _output_tensor(signature: Signature) -> Schema:
    return _object(
        {
            "name": {"enum": [output.name for output in signature.outputs]},
            "datatype": {"enum": DATATYPES},
            "shape": _list({"type": "integer", "minimum": 1}, 1, 2),
            "data": {"type": "array"},
        }
    )


def _parameters(flag: str) -> Schema:
    return {"type": ["object", "null"], "properties": {flag: _FLAG}, "description": "others are ignored"}


def _label(signature: Signature) -> Schema:
    datatypes = {output.name: output.datatype for output in signature.outputs}
    return {**_LABELS.get(datatypes.get(LABEL, ""), {}), "enum": list(signature.classes)}


def _prediction(signature: Signature, label: Schema) -> Schema:
    if not signature.classes:
        return _object({"prediction": _NUMBER})
    if all(output.name != PROBABILITY for output in signature.outputs):
        return _object({"label": label})
    probabilities = _object({class_name(value): _NUMBER for value in signature.classes})
    return _object({"label": label, "probabilities": probabilities})


def _answer(signature: Signature, properties: Mapping[str, Json], optional: Sequence[str] = ()) -> Schema:
    model = {"model_name": {"const": signature.name}, "model_version": {"const": signature.version}}
    return _object({**model, **properties}, optional)


def _object(properties: Mapping[str, Json], optional: Sequence[str] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


def _list(items: Json, least: int = 0, most: int | None = None) -> Schema:
    schema: Schema = {"type": "array", "items": items, "minItems": least}
    return schema if most is None else {**schema, "maxItems": most}


def _nullable(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}
