"""What the benchmark of the servers makes of its measurements: medians, ratios, bounds, and answers that it reads."""

import json
from collections.abc import Iterable

import numpy as np
import pytest
from benchmarks.servers import dialects, figures, open_loop
from benchmarks.servers.contenders import Contender, Endpoint
from benchmarks.servers.launch import Launch
from benchmarks.servers.race import Measurement, Question
from benchmarks.servers.soak import Moment, Soak
from benchmarks.servers.targets import BULK, CELLS, COLUMNS, FOREST, LOGISTIC, MANY, ONNX, RATIOS, SKLEARN, Target

OURS, PEER = ("modelwright", SKLEARN), ("mlserver", "plain")


def measured(
    who: tuple[str, str],
    rates: Iterable[float],
    *,
    question: Question | None = None,
    p99_ms: float = 1.0,
    faults: dict[str, int] | None = None,
    form: str = SKLEARN,
) -> list[Measurement]:
    """One measurement a round."""
    asked = question or Question(LOGISTIC, MANY.rows, MANY.connections)
    return [
        Measurement(who[0], who[1], form, asked, number, rate, p99_ms / 2, p99_ms, faults or {}, 0, 0.1, 0.0)
        for number, rate in enumerate(rates)
    ]


def test_every_cell_of_every_column_has_a_target() -> None:
    assert len(RATIOS) == len(CELLS) * len(COLUMNS)
    assert all(target.aim is None or target.aim > target.must for target in RATIOS.values())


def test_the_ratio_is_of_medians_and_to_the_best_configuration_of_any_peer() -> None:
    found = figures.ratios(
        measured(OURS, [2500, 2000, 2100])
        + measured(PEER, [60, 100, 90])
        + measured(("mlserver", "batches"), [100, 90, 110])
        + measured(("kserve", "v1"), [80, 81, 79])
        + measured(("echo", "own"), [9000, 9000, 9000])
    )
    (one,) = found
    assert (one.value, one.versus) == (21, "mlserver, batches")
    assert (one.low, one.high) == (2100 / 110, 25)
    assert (one.meets_must, one.meets_aim) == (True, False)


def test_a_peer_that_answers_wrongly_sets_no_mark() -> None:
    (one,) = figures.ratios(
        measured(OURS, [100]) + measured(PEER, [10]) + measured(("bentoml", "inline"), [50], faults={"503": 1})
    )
    assert one.versus == "mlserver, plain"


def test_our_own_fault_misses_the_bound_whatever_the_speed() -> None:
    (one,) = figures.ratios(measured(OURS, [1e6], faults={"503": 1}) + measured(PEER, [1]))
    assert not one.meets_must


def test_forms_have_columns_of_their_own() -> None:
    forest = Question(FOREST, BULK.rows, BULK.connections)
    found = figures.ratios(
        measured(OURS, [15], question=forest)
        + measured(("modelwright", ONNX), [50], question=forest, form=ONNX)
        + measured(PEER, [10], question=forest)
    )
    assert [(one.part, one.value) for one in found] == [("forest, scikit-learn", 1.5), ("forest, ONNX", 5)]


def test_the_share_of_the_echo_limit() -> None:
    found = figures.echo_shares(
        measured(OURS, [40]) + measured(("echo", "own"), [100]) + measured(("echo", "bare"), [200])
    )
    assert [(one.part, one.value, one.meets_must) for one in found] == [("own", 0.4, True), ("bare", 0.2, True)]


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [
        pytest.param(1, 0, 0, id="one value"),
        pytest.param(5, 0, 4, id="too few for 95 %"),
        pytest.param(6, 0, 5, id="just enough"),
        pytest.param(12, 2, 9, id="twelve"),
        pytest.param(20, 5, 14, id="twenty"),
    ],
)
def test_the_interval_of_a_median_is_that_of_the_tables(count: int, low: int, high: int) -> None:
    assert figures.interval_of_median(list(range(count))[::-1]) == (low, high)


def test_slope() -> None:
    assert figures.slope([(0, 1), (1, 3), (2, 5)]) == 2
    assert figures.slope([(0, 7)]) == 0


def test_the_open_loop_asks_the_best_peer_in_all_its_configurations(tmp_path_factory: pytest.TempPathFactory) -> None:
    launch = Launch("x", [], {}, tmp_path_factory.mktemp("x"))
    names = [OURS, PEER, ("mlserver", "batches"), ("kserve", "v1")]
    contenders = [Contender(*name, dialects.OURS, {LOGISTIC: Endpoint(launch, 1, "/")}) for name in names]
    closed = [one for name, rate in zip(names, (900, 50, 100, 80), strict=True) for one in measured(name, [rate])]
    (contest,) = open_loop.contests(closed, contenders)
    assert contest.question.rate_per_s == 70
    assert [(one.server, one.configuration) for one in contest.contenders] == names[:3]


def test_the_open_loop_is_judged_by_the_peers_best_latency() -> None:
    asked = Question(LOGISTIC, 1, 64, rate_per_s=70.0)
    (one,) = open_loop.verdicts(
        measured(OURS, [70, 70], question=asked, p99_ms=3)
        + measured(PEER, [70, 70], question=asked, p99_ms=12)
        + measured(("mlserver", "batches"), [70, 70], question=asked, p99_ms=100)
    )
    assert (one.value, one.bound, one.meets_must) == (0.25, "at most", True)
    assert one.target == Target(1 / 3)


def test_a_soak_is_summed_up() -> None:
    settling = [Moment(float(at), 100, 0, 1, 2, 3, 50 + at) for at in range(1, 10)]
    flat = [Moment(float(at), 100, at == 99, 1, 4 if at > 80 else 2, 9, 100) for at in range(10, 101)]
    result = Soak.of(100, settling + flat, wrong=2)
    assert (result.answered, result.faults, result.wrong, result.seconds) == (10_000, 1, 2, 100)
    assert (result.pss_bytes, result.growth_bytes) == (100, 0)
    assert (result.p99_first_ms, result.p99_last_ms) == (2, 4)


DIALECTS = {
    "ours": (dialects.OURS, {"outputs": [{"data": [1, 0]}, {"data": [0.25, 0.75, 1.0, 0.0]}]}),
    "mlserver": (dialects.MLSERVER, {"outputs": [{"data": [1, 0]}, {"data": [0.25, 0.75, 1.0, 0.0]}]}),
    "kserve v2": (dialects.KSERVE_V2, {"outputs": [{"data": [1, 0]}]}),
    "kserve v1": (dialects.KSERVE_V1, {"predictions": [1, 0]}),
    "mlflow": (dialects.MLFLOW, {"predictions": [1, 0]}),
    "bentoml": (dialects.BENTOML, [1, 0]),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_labels_are_read_from_each_servers_answer(name: str) -> None:
    dialect, answer = DIALECTS[name]
    content = json.dumps(answer).encode()
    assert dialect.wrong_rows(content, [1, 0]) == 0
    assert dialect.wrong_rows(content, [1, 1]) == 1
    assert dialect.wrong_rows(content, [1, 0, 0]) == 3
    assert [dialect.wrong_rows(bad, [1, 0]) for bad in (b"", b"{}", b'{"outputs": 7}', b"[null, 1]")] == [2] * 4
    if dialect.probabilities is not None:
        assert dialect.probabilities(json.loads(content)).tolist() == [[0.25, 0.75], [1, 0]]


@pytest.mark.parametrize("name", DIALECTS)
def test_a_request_holds_the_rows_to_the_last_bit(name: str) -> None:
    rows = np.array([[0.1, 1 / 3], [1e-300, 12345678.9]])
    whole = dialects.request("/x", DIALECTS[name][0].body(rows))
    head, _, body = whole.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /x HTTP/1.1\r\n")
    assert b"Content-Length: %d" % len(body) in head
    numbers = [0.1, 1 / 3, 1e-300, 12345678.9]
    assert all(repr(number).encode() in body for number in numbers)
