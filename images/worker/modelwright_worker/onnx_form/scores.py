"""From scores to labels and probabilities, as scikit-learn's classifiers do it."""

from __future__ import annotations

import numpy as np

from modelwright_contract.onnx_session import LABEL, PROBABILITY
from modelwright_worker.onnx_form.graph import GraphWriter


def two_scores(graph: GraphWriter, score: str) -> str:
    """[rows, 1] as [rows, 2]: 0 for the first class, the score for the second.

    The softmax of these is the logistic function, and the greater one says on which side of 0 the score lies, which
    the probabilities don't where both round to a half.
    """
    return graph.add("Mul", score, graph.constant(np.array([[0.0, 1.0]])))


def add_labels_and_probabilities(graph: GraphWriter, scores: str, *, ties_to_last: bool = False) -> None:
    """The graph's outputs from one score a class: the class of the greatest, and the softmax."""
    graph.add("Softmax", scores, output=PROBABILITY, axis=1)
    add_labels(graph, scores, ties_to_last=ties_to_last)


def add_labels(graph: GraphWriter, scores: str, *, ties_to_last: bool = False) -> None:
    """The graph's output `label` from one score a class."""
    graph.add("ArgMax", scores, output=LABEL, axis=1, keepdims=0, select_last_index=int(ties_to_last))
