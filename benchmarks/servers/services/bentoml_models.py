"""A BentoML service with three ways to serve each model of $MODELS: in a thread, on the event loop, and batched.

    MODELS=FOLDER bentoml serve bentoml_models:Models

A thread is what BentoML's own examples do; the event loop saves the way there and back; batching gathers requests.
"""

import os
from pathlib import Path

import bentoml
import joblib
import numpy as np

FOLDER = Path(os.environ["MODELS"])
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/model.joblib"))


def _routes(name):
    async def inline(self, rows: np.ndarray) -> np.ndarray:
        return self.models[name].predict(rows)

    def threaded(self, rows: np.ndarray) -> np.ndarray:
        return self.models[name].predict(rows)

    def batched(self, rows: np.ndarray) -> np.ndarray:
        return self.models[name].predict(rows)

    members = {}
    for way in (inline, threaded, batched):
        route, way.__name__ = f"/{name}/{way.__name__}", f"{name}_{way.__name__}"
        batching = {"batchable": True, "max_batch_size": 128, "max_latency_ms": 1000} if way is batched else {}
        members[way.__name__] = bentoml.api(way, route=route, **batching)
    return members


def _init(self):
    self.models = {name: joblib.load(FOLDER / name / "model.joblib") for name in NAMES}


_members = {"__init__": _init, "__module__": __name__}
for _name in NAMES:
    _members |= _routes(_name)

Models = bentoml.service(
    workers=1,
    traffic={"timeout": 60, "max_concurrency": 1000},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
)(type("Models", (), _members))
