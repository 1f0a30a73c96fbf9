"""The key of a step: one hash of everything that decides its result, and of nothing else.

A key names the step's Job and its result in the artifact store, so it must never change for reasons that do not
change the result: resources, images, labels, priorities and defaults stay out of it (golden hashes are a test).
"""

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType

from modelwright.plan import JsonObject

INGEST_VERSION = 1
TRAIN_VERSION = 2
PACKAGE_VERSION = 1
SCORE_VERSION = 1


def step_key(step: str, version: int, inputs: Mapping[str, object]) -> str:
    """The 64 hex digits that stand for one step with these inputs.

    `version` is raised by hand when a step's code changes what it makes from the same inputs.
    """
    document = {"step": step, "version": version, "inputs": inputs}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def ingest(semantic: JsonObject, at: str | None = None) -> str:
    """The key of reading one Dataset, from the semantic fields of its spec; a field that says nothing is left out.

    `at` is the time for which a schedule has it read again.
    """
    inputs: dict[str, object] = {"spec": {name: value for name, value in semantic.items() if value != {}}}
    return step_key("ingest", INGEST_VERSION, inputs | ({"at": at} if at is not None else {}))


def train(semantic: JsonObject, dataset: str, digest: str, champions: Mapping[str, str] = MappingProxyType({})) -> str:
    """The key of one run, from the semantic fields of its spec and the dataset version that it is pinned to.

    `champions` are the digests of the models that its gates compare with, by Deployment; empty where there is none yet.
    """
    inputs: dict[str, object] = {"spec": semantic, "dataset": dataset, "digest": digest}
    return step_key("train", TRAIN_VERSION, inputs | ({"champions": dict(champions)} if champions else {}))


def package(digest: str, repository: str) -> str:
    """The key of packaging the model artifact `digest` into an image of `repository`."""
    return step_key("package", PACKAGE_VERSION, {"model": digest, "image": repository})


def score(model: str, dataset: str, deployment: str, output: str) -> str:
    """The key of asking the model `model` about the dataset version `dataset` (digests), and where the answers go."""
    inputs = {"model": model, "dataset": dataset, "deployment": deployment, "output": output}
    return step_key("score", SCORE_VERSION, inputs)
