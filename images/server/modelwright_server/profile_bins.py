"""A model's training profile as the server counts by it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modelwright_contract.binning import Binning, answers_matrix
from modelwright_contract.profile import Profile, ProfileError
from modelwright_server.prediction import Matrix, Prediction


class ProfileBins:
    """The bins of a model's features and answers; made at load, shared by all worker processes."""

    def __init__(self, document: bytes, features: Sequence[str]) -> None:
        """`features` are the columns of the model's matrix. Raises ProfileError."""
        self.document = document
        profile = Profile.parse(document)
        places = {name: place for place, name in enumerate(features)}
        for column in profile.features:
            if column.name not in places:
                raise ProfileError(f'the profile has a feature "{column.name[:80]}", the model has none of this name')
        self._outputs = [column.name for column in profile.outputs]
        # Answers stand beside the features: one pass for all is quicker than two.
        self._binning = Binning(
            (*profile.features, *profile.outputs),
            [
                *(places[column.name] for column in profile.features),
                *range(len(features), len(features) + len(self._outputs)),
            ],
        )
        self.size = self._binning.size
        """Bins of all features and then of all outputs."""

    def count(self, matrix: Matrix, prediction: Prediction) -> NDArray[np.int64]:
        """How many rows, and answers to them, fall into each bin; int64 (size,)."""
        answers = answers_matrix(self._outputs, prediction.labels, prediction.probabilities, prediction.values)
        return self._binning.count(np.concatenate([matrix, answers], axis=1))
