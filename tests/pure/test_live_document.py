"""What a server may say: anything; what of it is believed: numbers in bounds, in order, and nothing else."""

from datetime import UTC, datetime
from time import monotonic

import orjson
import pytest
from pydantic import ValidationError

from modelwright.live_document import Forwarded, LiveDocument, Routing, Totals, Window
from modelwright_server.board import Board, Field
from modelwright_server.counters import Counters
from modelwright_server.live import live_document
from modelwright_server.pod_figures import PodFigures
from pure import live_samples as say


def test_what_is_told_is_read() -> None:
    read = say.read(say.document(routing=say.routing(7, say.side(5, 2, 1), compared=4, agreed=3)))
    assert (read.model_version, read.open_window, len(read.windows)) == ("v1", 101, 2)
    assert (read.routing.canary.requests, read.routing.canary.slow, read.routing.agreed) == (5, 1, 3)


def told_by_our_own_server() -> bytes:
    """The answer of a server whose model has a profile, ten seconds after it answered four requests."""
    board, began = Board(1), monotonic()
    board.slots[0].set(Field.PID, 1)
    board.slots[0].set(Field.STARTED_AT, began)
    board.features.publish(say.PROFILE.to_bytes())
    counters = Counters(board.slots[0], 5.0)
    for code, seconds in ((200, 0.0002), (200, 0.004), (500, 0.004), (200, 60.0)):
        counters.prediction(code, seconds)
    now = began + 10
    return live_document(PodFigures(board, 30.0, now), "late", "late-1", now, datetime.now(UTC))


def test_our_own_servers_answer_is_believed() -> None:
    read = LiveDocument.model_validate_json(told_by_our_own_server())
    assert (read.model_version, read.profile) == ("late-1", say.PROFILED)
    assert [(window.requests, window.errors) for window in read.windows] == [(4, 1)]
    assert sum(number for _, number in read.windows[0].latency) == 4
    assert read.totals.features == {"distance": (0, 0, 0)}


def test_our_own_servers_answer_has_all_that_is_read() -> None:
    told = orjson.loads(told_by_our_own_server())
    for model, part in (
        (LiveDocument, told),
        (Window, told["windows"][0]),
        (Totals, told["totals"]),
        (Routing, told["routing"]),
        (Forwarded, told["routing"]["canary"]),
        (Forwarded, told["routing"]["stable"]),
    ):
        assert model.model_fields.keys() <= part.keys()


def test_a_server_without_routing_applies_generation_0() -> None:
    told = say.document()
    del told["routing"]
    assert say.read(told).routing.generation == 0


@pytest.mark.parametrize(
    ("more", "where"),
    [
        pytest.param({"model_version": "v" * 64}, "model_version", id="a long version"),
        pytest.param({"model_version": "v 1\n"}, "model_version", id="a version that is no name"),
        pytest.param({"open_window": -1}, "open_window", id="a negative number"),
        pytest.param({"open_window": 2**60}, "open_window", id="a number beyond all bounds"),
        pytest.param({"open_window": 1.5}, "open_window", id="half a window"),
        pytest.param({"open_window": True}, "open_window", id="a truth for a number"),
        pytest.param({"open_window": "5"}, "open_window", id="a text for a number"),
        pytest.param({"latency_bounds_seconds": [0.1, 0.1]}, "bounds must rise", id="bounds out of order"),
        pytest.param({"latency_bounds_seconds": []}, "latency_bounds_seconds", id="no bounds"),
        pytest.param({"latency_bounds_seconds": [0.0]}, "latency_bounds_seconds", id="a bound of nothing"),
        pytest.param({"windows": [say.window(1)] * 65}, "windows", id="too many windows"),
        pytest.param({"windows": [say.window(1, seconds=0)]}, "seconds", id="a window of no length"),
        pytest.param({"windows": [say.window(1, 1, bucket=5)]}, "beyond the 5", id="a bucket that there is not"),
        pytest.param({"windows": [say.window(1, 1, bucket=-1)]}, "latency", id="a bucket below the first"),
        pytest.param({"routing": {"canary": {"errors": -1}}}, "errors", id="fewer than no errors"),
        pytest.param({"totals": {"features": {"a": [1, -1]}}}, "features", id="a bin of fewer than no rows"),
        pytest.param({"totals": {"features": {"a": [0] * 16_385}}}, "16384 bins", id="too many bins"),
        pytest.param({"totals": {"outputs": {"a" * 257: []}}}, "outputs", id="a long name of an output"),
        pytest.param({"routing": None}, "routing", id="no routing at all"),
        pytest.param({"routing": []}, "routing", id="a list of nothing"),
    ],
)
def test_what_is_out_of_bounds_is_not_believed(more: dict[str, object], where: str) -> None:
    with pytest.raises(ValidationError, match=where):
        say.read({**say.document(), **more})


@pytest.mark.parametrize("seconds", [b"NaN", b"Infinity", b"1e400", b"-1"])
def test_no_number_is_as_bad_as_a_wrong_one(seconds: bytes) -> None:
    text = orjson.dumps(say.document(windows=[say.window(1, seconds=7.25)])).replace(b"7.25", seconds)
    with pytest.raises(ValidationError, match="seconds"):
        LiveDocument.model_validate_json(text)


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 5000])
def test_garbage_is_refused(text: bytes) -> None:
    with pytest.raises(ValidationError):
        LiveDocument.model_validate_json(text)
