"""KServe's scikit-learn server as its own image runs it, but for several models: joblib archives, `predict` inline.

    python kserve_sklearn.py --model_dir FOLDER [options of KServe]

KServe publishes its library, not this server, so it is written again here on the library's own parts.
"""

import argparse
from pathlib import Path

import joblib
import kserve
from kserve import logging, model_server
from kserve.utils.utils import get_predict_input, get_predict_response


class SklearnModel(kserve.Model):
    """One archive."""

    def __init__(self, name, archive):
        super().__init__(name)
        self._archive = archive

    def load(self):
        """Reads the archive."""
        self._model = joblib.load(self._archive)
        self.ready = True
        return True

    def predict(self, payload, _headers=None):
        """Labels."""
        return get_predict_response(payload, self._model.predict(get_predict_input(payload)), self.name)


def main():
    """Serves every `<name>/model.joblib` below the folder."""
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    parser.add_argument("--model_dir", required=True)
    options, _ = parser.parse_known_args()
    logging.configure_logging(options.log_config_file)
    models = [SklearnModel(path.parent.name, path) for path in sorted(Path(options.model_dir).glob("*/model.joblib"))]
    for model in models:
        model.load()
    kserve.ModelServer().start(models)


if __name__ == "__main__":
    main()
