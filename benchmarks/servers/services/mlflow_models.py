"""Saves joblib archives as MLflow models: `python mlflow_models.py FOLDER TARGET`, in MLflow's own environment."""

import logging
import sys
from pathlib import Path

import joblib
import mlflow.sklearn

# It warns of pickle, which is right, and how its own server is fastest.
logging.getLogger("mlflow.sklearn").setLevel(logging.ERROR)

for archive in sorted(Path(sys.argv[1]).glob("*/model.joblib")):
    target = Path(sys.argv[2]) / archive.parent.name
    # Requirements are named so that MLflow does not start a process to find them out.
    mlflow.sklearn.save_model(
        joblib.load(archive), str(target), serialization_format="cloudpickle", pip_requirements=["scikit-learn"]
    )
