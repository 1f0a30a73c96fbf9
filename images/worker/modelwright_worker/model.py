"""A model's manifest: what it is, what it takes and gives, and what it was made from."""

from __future__ import annotations

import numpy as np
import scipy
import sklearn
import skops

from modelwright_contract.canonical import Digest, Json
from modelwright_contract.features import FeatureContract
from modelwright_contract.manifests import Blob, ModelManifest, TensorSpec
from modelwright_contract.tasks import TrainTask
from modelwright_contract.vectors import ValueType
from modelwright_worker.fitting import Answers
from modelwright_worker.labels import Classes

DATATYPES: dict[ValueType, str] = {
    "integer": "INT64",
    "number": "FP64",
    "boolean": "BOOL",
    "string": "BYTES",
    "timestamp": "BYTES",
}
"""Open Inference Protocol datatypes; a timestamp travels as ISO 8601 text."""


def model_manifest(
    task: TrainTask,
    contract: FeatureContract,
    archive: Blob,
    golden: Blob,
    profile: Blob,
    answers: Answers,
    classes: Classes | None,
) -> ModelManifest:
    """The manifest of a fitted model; `answers` shows which outputs it gives."""
    pipeline: list[Json] = [{"class": step.class_path, "params": step.params} for step in task.pipeline]
    return ModelManifest(
        task=task.task,
        model=archive,
        golden=golden,
        contract=contract.to_json(),
        inputs=tuple(TensorSpec(item.name, DATATYPES[item.type], (-1,)) for item in contract.inputs),
        outputs=_outputs(answers, classes),
        classes=None if classes is None else classes.to_list(),
        dataset=Digest(task.dataset.digest),
        trainer={"pipeline": pipeline},
        seed=task.seed,
        tools={
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "scipy": scipy.__version__,
            "skops": skops.__version__,
        },
        profile=profile,
    )


def _outputs(answers: Answers, classes: Classes | None) -> tuple[TensorSpec, ...]:
    if classes is None:
        return (TensorSpec("prediction", "FP64", (-1,)),)
    kinds = {"b": "BOOL", "i": "INT64", "U": "BYTES"}
    label = TensorSpec("label", kinds[classes.values.dtype.kind], (-1,))
    if answers.probability is None:
        return (label,)
    return (label, TensorSpec("probability", "FP64", (-1, len(classes.values))))
