"""ONNX files that nobody of ours wrote: read and judged before a runtime sees them, and refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from modelwright_contract import onnx_bounds
from modelwright_contract.onnx_file import OnnxError, read_graph
from modelwright_contract.onnx_session import LARGEST_FLOAT32, LARGEST_FLOAT64, OnnxModel, RowsNotTaken, Taken
from modelwright_worker.onnx_form.convert import convert

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(120, 3))
CLASSES = (ROWS[:, 0] + ROWS[:, 1] > 0).astype(int)
WIDTH = 3
FOREST = convert(RandomForestClassifier(3, max_depth=3, random_state=0).fit(ROWS, CLASSES))
BOOSTING = convert(HistGradientBoostingClassifier(max_iter=2, max_depth=2).fit(ROWS, CLASSES))
LINEAR = convert(LogisticRegression().fit(ROWS, CLASSES))
Spoil = Callable[[Any], None]


def opened(content: bytes) -> OnnxModel:
    """As the server opens it."""
    return OnnxModel(content, WIDTH, 2)


def test_a_file_is_read_as_onnx_reads_it() -> None:
    theirs, ours = onnx.load_from_string(BOOSTING), read_graph(BOOSTING)
    assert [node.op_type for node in theirs.graph.node] == [node.operator.rpartition(".")[2] for node in ours.nodes]
    assert [list(node.input) for node in theirs.graph.node] == [list(node.inputs) for node in ours.nodes]
    for node, own in zip(theirs.graph.node, ours.nodes, strict=True):
        for attribute in node.attribute:
            value = helper.get_attribute_value(attribute)
            expected = numpy_helper.to_array(value) if isinstance(value, TensorProto) else value
            assert np.array_equal(expected, own.attributes[attribute.name])
    for tensor in theirs.graph.initializer:
        assert np.array_equal(numpy_helper.to_array(tensor), ours.constants[tensor.name])


@given(st.lists(st.integers(0, 2**35 - 1), max_size=300))
def test_any_integers_are_read(values: list[int]) -> None:
    model = onnx.load_from_string(LINEAR)
    model.graph.node[0].attribute.append(helper.make_attribute("some", values, attr_type=AttributeProto.INTS))
    read = read_graph(model.SerializeToString()).nodes[0].attributes["some"]
    assert not isinstance(read, int)
    assert read.tolist() == values


def trees(model: Any) -> Any:
    """The attributes of the tree ensemble by name."""
    (node,) = [node for node in model.graph.node if node.op_type == "TreeEnsemble"]
    return {attribute.name: attribute for attribute in node.attribute}


def _external(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def _subgraph(model: Any) -> None:
    graph = helper.make_graph([], "inner", [], [])
    model.graph.node[0].attribute.append(helper.make_attribute("body", graph))


def _operator(model: Any, *, domain: str = "", operator: str) -> None:
    model.graph.node[-1].op_type, model.graph.node[-1].domain = operator, domain


def _set(name: str, value: int, at: int = 0) -> Spoil:
    def spoil(model: Any) -> None:
        trees(model)[name].ints[at] = value

    return spoil


def _shared(model: Any) -> None:
    both = trees(model)
    at = next(i for i, leaf in enumerate(both["nodes_trueleafs"].ints) if not leaf)
    both["nodes_falsenodeids"].ints[at] = both["nodes_truenodeids"].ints[at]
    both["nodes_falseleafs"].ints[at] = 0


def _one_leaf(model: Any) -> None:
    both = trees(model)
    for side in ("true", "false"):
        both[f"nodes_{side}leafs"].ints[0], both[f"nodes_{side}nodeids"].ints[0] = 1, 0


def _wide(model: Any) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((1, 1000)), "wide"))


def _two(model: Any) -> None:
    model.graph.node.append(model.graph.node[2])


def _tensor(name: str, values: Any) -> Spoil:
    return lambda model: trees(model)[name].t.CopyFrom(numpy_helper.from_array(np.array(values), name))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(_external, "a field 13", id="another file"),
        pytest.param(_subgraph, "the attribute body|a field 6", id="a subgraph"),
        pytest.param(lambda m: m.functions.add(name="f", domain="d"), "a field 25", id="a function"),
        pytest.param(lambda m: m.graph.sparse_initializer.add(), "a field 15", id="a sparse constant"),
        pytest.param(lambda m: _operator(m, operator="Loop"), "operation Loop is not allowed", id="an operation"),
        pytest.param(
            lambda m: _operator(m, domain="com.example", operator="Add"), "com.example.Add is not", id="another domain"
        ),
        pytest.param(lambda m: m.graph.ClearField("node"), "ONNX Runtime does not take|gives", id="no operations"),
        pytest.param(lambda m: m.ClearField("graph"), "holds no graph", id="no graph"),
        pytest.param(lambda m: m.ClearField("metadata_props"), "which rows it takes", id="no texts"),
        pytest.param(_wide, "the constant wide is larger", id="a large constant"),
        pytest.param(_two, "more than one model", id="two models"),
        pytest.param(lambda m: [m.graph.node.add(op_type="Add") for _ in range(70)], "too many", id="many operations"),
        pytest.param(_set("nodes_featureids", WIDTH), "nodes_featureids must lie", id="a feature outside"),
        pytest.param(_set("nodes_truenodeids", 10**6), "must lie between", id="a node outside"),
        pytest.param(_set("nodes_truenodeids", 0), "a branch leads outside", id="a loop"),
        pytest.param(_shared, "two branches lead to one node", id="a shared node"),
        pytest.param(_one_leaf, "a root that runtimes take for a leaf", id="a root that is a leaf"),
        pytest.param(_set("nodes_trueleafs", 2), "nodes_trueleafs must lie", id="neither leaf nor node"),
        pytest.param(_set("leaf_targetids", 2), "leaf_targetids must lie", id="an output outside"),
        pytest.param(_set("tree_roots", 10**6), "tree_roots must lie", id="a root outside"),
        pytest.param(_set("nodes_featureids", -1), "a field 8", id="a negative number"),
        pytest.param(lambda m: trees(m)["nodes_featureids"].ints.append(0), "must have", id="too many entries"),
        pytest.param(lambda m: setattr(trees(m)["n_targets"], "i", 2**40), "trees with 1099511627776 outputs", id="n"),
        pytest.param(lambda m: setattr(trees(m)["aggregate_function"], "i", 0), "not summed", id="an average"),
        pytest.param(_tensor("nodes_modes", np.array([5], np.uint8)), "compares otherwise", id="a mode"),
        pytest.param(_tensor("leaf_weights", np.zeros(3, np.float32)), "elements of a type", id="float32"),
        pytest.param(_tensor("leaf_weights", np.zeros(3)), "must have 3", id="few weights"),
    ],
)  # fmt: skip
def test_what_is_not_ours_is_refused(spoil: Spoil, says: str) -> None:
    model = onnx.load_from_string(FOREST)
    spoil(model)
    with pytest.raises(OnnxError, match=says):
        opened(model.SerializeToString())


def test_a_deep_tree_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_bounds, "MAX_DEPTH", 2)
    with pytest.raises(OnnxError, match="deeper than 2"):
        opened(FOREST)


def test_a_form_of_another_model_is_refused() -> None:
    for content, width, classes, says in (
        (FOREST, 4, 2, "takes other rows than 4 features"),
        (FOREST, 3, 0, "trees with 2 outputs in a model with 1"),
        (FOREST, 3, 5, "other shapes than the model's answers"),
        (LINEAR, 3, 0, "gives label, probability"),
    ):
        with pytest.raises(OnnxError, match=says):
            OnnxModel(content, width, classes)


@pytest.mark.parametrize("content", [b"", b"\x00", b"ORTM" * 8, b"PK\x03\x04", FOREST[::-1], FOREST + b"\x07"])
def test_what_is_no_onnx_at_all_is_refused(content: bytes) -> None:
    with pytest.raises(OnnxError):
        opened(content)


def test_a_file_that_ends_early_is_refused() -> None:
    for end in range(len(BOOSTING)):
        with pytest.raises(OnnxError):
            opened(BOOSTING[:end])


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([FOREST, BOOSTING, LINEAR]), st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_ends_nothing(content: bytes, place: int, change: int) -> None:
    """Refused, or another model that answers: never the end of the process."""
    spoilt = bytearray(content)
    spoilt[place % len(spoilt)] ^= change
    try:
        model = opened(bytes(spoilt))
    except OnnxError:
        return
    labels = model.answer(ROWS).labels
    assert labels is not None
    assert labels.shape == (len(ROWS),)


@pytest.mark.parametrize(
    ("content", "value", "says"),
    [
        (FOREST, LARGEST_FLOAT32, None),
        (FOREST, np.nextafter(LARGEST_FLOAT32, np.inf), "as large as some"),
        (FOREST, np.nan, None),
        (FOREST, -np.inf, "as large as some"),
        (LINEAR, LARGEST_FLOAT64, None),
        (LINEAR, np.nan, "takes no missing values"),
        (LINEAR, np.inf, "as large as some"),
        (BOOSTING, np.nan, None),
        (BOOSTING, -np.inf, None),
    ],
)
def test_rows_are_taken_as_scikit_learn_takes_them(content: bytes, value: float, says: str | None) -> None:
    model = opened(content)
    rows = ROWS[:4].copy()
    rows[2, 1] = value
    if says is None:
        labels = model.answer(rows).labels
        assert labels is not None
        assert len(labels) == 4
        assert model.taken.mask(rows).all()
        return
    with pytest.raises(RowsNotTaken, match=says):
        model.answer(rows)
    assert np.argwhere(~model.taken.mask(rows)).tolist() == [[2, 1]]


def test_which_rows_are_taken_stands_in_the_file() -> None:
    for taken in (Taken(missing=True, largest=np.inf), Taken(missing=False, largest=LARGEST_FLOAT32)):
        assert Taken.of_texts(taken.to_texts()) == taken
    with np.errstate(over="ignore"):
        assert np.isfinite(np.float32(LARGEST_FLOAT32))
        assert np.isinf(np.float32(np.nextafter(LARGEST_FLOAT32, np.inf)))
