"""The arithmetic of a canary: which weight comes when, how many servers it takes, and what its figures say."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.analysis.verdict import Side, Span
from modelwright.api.v1alpha1.rollout import Analysis, RolloutSpan, RolloutStep, SideFigures
from modelwright.reconcilers.canary_steps import DEFAULT, Stage, place, share, stages
from modelwright.reconcilers.canary_verdict import (
    REASONS,
    against,
    fuller,
    judged,
    latency_bound_us,
    metrics,
    so_far,
)

WEIGHTS = st.lists(st.integers(1, 100), min_size=1, max_size=8, unique=True).map(sorted)


def steps(*said: int | str) -> list[RolloutStep]:
    """Weights as numbers, pauses as texts."""
    return [RolloutStep(set_weight=one) if isinstance(one, int) else RolloutStep(pause=one) for one in said]


def test_steps_are_weights_with_the_pauses_behind_them() -> None:
    found = stages(steps(10, "10m", 20, 50, "1m", "30s"))
    assert found == (Stage(10, timedelta(minutes=10)), Stage(20), Stage(50, timedelta(seconds=90)))
    assert stages(()) == DEFAULT


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param(
            (10, 10), r"spec.rollout.steps\[1\].setWeight is 10 after 10; weights must rise from step to step",
            id="the same weight twice",
        ),
        pytest.param((50, "1m", 10), r"spec.rollout.steps\[2\].setWeight is 10 after 50", id="a weight that falls"),
        pytest.param(("1m", 10), r"spec.rollout.steps\[0\] is a pause before any weight", id="a pause at first"),
    ],
)  # fmt: skip
def test_steps_that_make_no_sense_are_named(said: tuple[int | str, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        stages(steps(*said))


@pytest.mark.parametrize(
    ("weights", "index", "weight", "then"),
    [
        pytest.param((10, 50), 0, 0, 0, id="nothing given yet"),
        pytest.param((10, 50), 1, 50, 1, id="where it was"),
        pytest.param((10, 50), 1, 10, 1, id="on the way up"),
        pytest.param((5, 10, 50), 0, 10, 1, id="its weight is at another place"),
        pytest.param((5, 8), 1, 10, 1, id="all are below"),
        pytest.param((20, 30), 1, 10, 0, id="all are above"),
        pytest.param((10,), 3, 50, 0, id="there are fewer"),
    ],
)
def test_where_a_canary_stands_once_its_steps_have_changed(
    weights: tuple[int, ...], index: int, weight: int, then: int
) -> None:
    assert place([Stage(one) for one in weights], index, weight) == then


@given(WEIGHTS, st.integers(0, 9), st.integers(0, 100))
def test_its_place_is_never_above_its_weight_but_for_the_next_step(weights: list[int], index: int, weight: int) -> None:
    found = place([Stage(one) for one in weights], index, weight)
    assert weights[found] <= weight or found == 0 or weights[found - 1] == weight


@given(st.integers(1, 1000), st.integers(1, 100))
def test_a_share_has_as_much_room_for_a_request_as_stable(servers: int, weight: int) -> None:
    found = share(servers, weight)
    assert 1 <= found <= servers
    assert found * 100 >= servers * weight


def span(canary: tuple[int, int, int], stable: tuple[int, int, int], compared: int = 0, agreed: int = 0) -> RolloutSpan:
    """A span of 10 percent; each side's requests, errors, and slow ones."""
    sides = [SideFigures(requests=one[0], errors=one[1], slow=one[2]) for one in (canary, stable)]
    return RolloutSpan(
        generation=1,
        weight=10,
        slow_microseconds=12_000,
        canary=sides[0],
        stable=sides[1],
        compared=compared,
        agreed=agreed,
    )


@pytest.mark.parametrize(
    ("figures", "reason", "words"),
    [
        pytest.param(
            span((500, 50, 5), (4500, 5, 45)), "ErrorRate",
            "it failed 10 % of 500 requests, v1 0.111 % of 4500 at the same time", id="errors",
        ),
        pytest.param(
            span((500, 0, 100), (4500, 0, 45)), "Latency",
            "20 % of its 500 answers took longer than 12 ms, 1 % of v1's 4500 at the same time", id="latency",
        ),
        pytest.param(
            span((500, 0, 5), (4500, 0, 45), 200, 100), "Agreement",
            "it answered 50 % of 200 requests as v1 did, and 90 % is wanted", id="agreement",
        ),
    ],
)  # fmt: skip
def test_what_speaks_against_it_is_said_with_figures(figures: RolloutSpan, reason: str, words: str) -> None:
    analysis = Analysis(min_agreement="0.9")
    found = judged([figures], analysis, broken=False).rejected
    assert found is not None
    assert (REASONS[found.metric], against(found, [figures], "v1", analysis)) == (reason, words)


def test_the_figures_of_an_equal_one_say_so() -> None:
    verdict = judged([span((500, 5, 5), (4500, 45, 45))], Analysis(), broken=False)
    assert verdict.rejected is None
    shown = metrics(verdict)
    assert [(one.name, one.canary, one.stable) for one in shown] == [
        ("errorRate", "0.01", "0.01"), ("p99", "0.01", "0.01"),
    ]  # fmt: skip
    assert all(0 <= float(one.certainty) < 1 for one in shown)
    assert so_far(shown, "v1") == "it failed 1 %, v1 1 %, slow were 1 %, of v1's 1 %"


@pytest.mark.parametrize(("broken", "rejected"), [(False, False), (True, True)])
def test_few_requests_are_enough_once_servers_have_stopped_to_forward(broken: bool, rejected: bool) -> None:
    verdict = judged([span((25, 25, 0), (900, 0, 9))], Analysis(), broken=broken)
    assert (verdict.rejected is not None) == rejected


@pytest.mark.parametrize(
    ("max_p99", "p99_s", "bound_us"),
    [
        pytest.param("20ms", 0.112, 112_000, id="stable's"),
        pytest.param("200ms", None, 200_000, id="the limit"),
        pytest.param("2s", 0.012, 2_000_000, id="the limit is above stable's"),
        pytest.param("5ms", 0.012, 12_000, id="the limit is below stable's"),
    ],
)
def test_from_where_on_an_answer_is_slow(max_p99: str, p99_s: float | None, bound_us: int) -> None:
    assert latency_bound_us(Analysis(max_p99=max_p99), p99_s) == bound_us


@pytest.mark.parametrize(
    ("known", "read", "kept"),
    [
        pytest.param(100, 200, 200, id="the servers have seen more"),
        pytest.param(200, 100, 200, id="status has: the operator is another one, or servers are gone"),
        pytest.param(100, 100, 100, id="both have seen the same"),
    ],
)
def test_the_fuller_counts_are_kept(known: int, read: int, kept: int) -> None:
    found = fuller(span((known, 1, 1), (900, 9, 9)), Span(Side(read, 1, 1), Side(900, 9, 9), 5, 4))
    assert found.canary.requests == kept
    assert (found.weight, found.slow_microseconds) == (10, 12_000)
