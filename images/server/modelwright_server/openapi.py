"""The OpenAPI 3.1 document of one model's server, made from its signature."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import quote

import orjson

from modelwright_contract.canonical import Json
from modelwright_server import __version__
from modelwright_server.answers import HEADER_LENGTH
from modelwright_server.examples import Example, Examples
from modelwright_server.openapi_schemas import Schema, ref, schemas_of
from modelwright_server.signature import Signature

_ALWAYS = (400, 401, 408, 417, 429, 431, 501, 503, 505)
"""What any request may be answered with: it can't be read as HTTP, is too large or too slow, or comes at a bad time."""

_PREDICTING = (413, 415, 422, 500)
_JSON = "application/json"


def openapi(signature: Signature, examples: Examples) -> dict[str, Json]:
    """The document. Every status that a route may answer with is in it, and every example was answered by the model."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": signature.name,
            "version": signature.version or __version__,
            "description": _DESCRIPTION,
        },
        "servers": [{"url": "."}],
        "security": [{}, {"bearer": []}],
        "paths": _paths(signature, examples),
        "components": {
            "schemas": schemas_of(signature),
            "responses": {_name(status): _refusal(status) for status in sorted({*_ALWAYS, *_PREDICTING})},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths(signature: Signature, examples: Examples) -> dict[str, Json]:
    name = quote(signature.name, safe="")
    paths: dict[str, Json] = {
        "/": _get("The page of this model", {}, "text/html"),
        "/openapi.json": _get("This document", {"type": "object"}),
        "/v2": _get("What this server is", ref("Server")),
        "/v2/health/live": _get("Whether the process runs", ref("Live")),
        "/v2/health/ready": _get("Whether requests are taken", ref("Ready")),
    }
    models = [f"/v2/models/{name}"]
    if signature.version:
        models.append(f"{models[0]}/versions/{quote(signature.version, safe='')}")
    for path in models:
        paths |= {
            path: _get("The model's signature", ref("Model")),
            f"{path}/ready": _get("Whether the model is ready", ref("ModelReady")),
            f"{path}/predict": _post("Predict rows by column name", "Predict", examples.predict, csv=True),
            f"{path}/infer": _post("Open Inference Protocol v2", "Infer", examples.infer, binary=True),
        }
    return paths | {
        "/v1/models": _get("The models of this server", ref("Models")),
        f"/v1/models/{name}": _get("Whether the model is ready", ref("ModelReady")),
        f"/v1/models/{name}:predict": _post("KServe's protocol v1", "V1", examples.v1),
    }


def _get(summary: str, schema: Schema, media_type: str = _JSON) -> Json:
    answers: dict[str, Json] = {"200": {"description": summary, "content": {media_type: {"schema": schema}}}}
    heads: dict[str, Json] = {"200": {"description": summary}}
    return {
        "get": {"summary": summary, "responses": answers | _refusals(_ALWAYS)},
        "head": {"summary": f"{summary}: the head alone", "responses": heads | _heads(_ALWAYS)},
    }


def _post(summary: str, kind: str, example: Example, *, csv: bool = False, binary: bool = False) -> Json:
    taken: dict[str, Json] = {_JSON: {"schema": ref(f"{kind}Request"), "example": example.request}}
    answered: dict[str, Json] = {
        _JSON: {"schema": ref(f"{kind}Response"), "example": orjson.loads(example.answer)},
    }
    response: dict[str, Json] = {"description": "one answer for each row, in their order", "content": answered}
    if csv:
        taken["text/csv"] = {"schema": {"type": "string", "description": "a header line, then one line a row"}}
    if binary:
        taken["application/octet-stream"] = {"schema": {"description": _BINARY}}
        answered["application/octet-stream"] = {"schema": {"description": _BINARY}}
        response["headers"] = {HEADER_LENGTH.decode("ascii"): {"schema": {"type": "string"}, "description": _BINARY}}
    statuses = sorted({*_ALWAYS, *_PREDICTING})
    operation: dict[str, Json] = {
        "summary": summary,
        "requestBody": {"required": True, "content": taken},
        "responses": {"200": response} | _refusals(statuses),
    }
    return {"post": operation}


def _refusals(statuses: Sequence[int]) -> dict[str, Json]:
    return {str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in statuses}


def _heads(statuses: Sequence[int]) -> dict[str, Json]:
    return {str(status): {"description": HTTPStatus(status).phrase} for status in statuses}


def _refusal(status: int) -> Json:
    response: dict[str, Json] = {"description": _MEANINGS[status], "content": {_JSON: {"schema": ref("Error")}}}
    if status in (429, 503):
        response["headers"] = {"retry-after": {"schema": {"type": "string"}, "description": "seconds"}}
    return response


def _name(status: int) -> str:
    return HTTPStatus(status).name.title().replace("_", "")


_DESCRIPTION = (
    "Predictions of one model. `predict` takes rows by column name; `infer` is the Open Inference Protocol v2, with "
    "Triton's binary tensor data; `/v1` is KServe's protocol v1."
)
_BINARY = "Triton's binary tensor data: JSON of as many bytes as the header says, then the tensors' bytes"
_MEANINGS = {
    400: "The request can't be read",
    401: "A bearer token is needed",
    408: "The request came too slowly",
    413: "The body or its number of rows is over the limit",
    415: "The body is of another media type, or compressed",
    417: "An expectation other than 100-continue",
    422: "The body can be read and doesn't fit the model; the sentence names row and column",
    429: "Too much is waiting; ask again",
    431: "The request's head is over the limit",
    500: "The model failed on these rows",
    501: "A transfer coding or a parameter that is not supported",
    503: "The server is shutting down",
    505: "Not HTTP/1.1",
}
