"""The key of a step: one hash of everything that decides its result, and of nothing else.

A key names the step's Job and its result in the artifact store, so it must never change for reasons that do not
change the result: resources, images, labels, priorities and defaults stay out of it (golden hashes are a test).
"""

import hashlib
import json
from collections.abc import Mapping

from modelwright.plan import JsonObject

INGEST_VERSION = 1
TRAIN_VERSION = 1
PACKAGE_VERSION = 1


def step_key(step: str, version: int, inputs: Mapping[str, object]) -> str:
    """The 64 hex digits that stand for one step with these inputs.

    `version` is raised by hand when a step's code changes what it makes from the same inputs.
    """
    document = {"step": step, "version": version, "inputs": inputs}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def ingest(semantic: JsonObject) -> str:
    """The key of reading one Dataset, from the semantic fields of its spec; a field that says nothing is left out."""
    told = {name: value for name, value in semantic.items() if value != {}}
    return step_key("ingest", INGEST_VERSION, {"spec": told})


def train(semantic: JsonObject, dataset: str, digest: str) -> str:
    """The key of one run, from the semantic fields of its spec and the dataset version that it is pinned to."""
    return step_key("train", TRAIN_VERSION, {"spec": semantic, "dataset": dataset, "digest": digest})


def package(digest: str, repository: str) -> str:
    """The key of packaging the model artifact `digest` into an image of `repository`."""
    return step_key("package", PACKAGE_VERSION, {"model": digest, "image": repository})
