"""The canary's judge: what it weighs, when it decides, and what it must not depend on."""

from __future__ import annotations

from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.analysis.evidence import ALTERNATIVES, Arms, more_often_than, worse_than_stable
from modelwright.analysis.verdict import (
    AGREEMENT_LEVEL,
    ERROR_LEVEL,
    LATENCY_LEVEL,
    LEVEL,
    Limits,
    Side,
    Span,
    judge,
)


def span(canary: tuple[int, int, int], stable: tuple[int, int, int], compared: int = 0, agreed: int = 0) -> Span:
    return Span(Side(*canary), Side(*stable), compared, agreed)


def test_weights_and_levels_add_up() -> None:
    assert sum(weight for _, weight in ALTERNATIVES) == pytest.approx(1)
    assert pytest.approx(LEVEL) == ERROR_LEVEL + LATENCY_LEVEL + AGREEMENT_LEVEL


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5])
@pytest.mark.parametrize("bad", [1, 7, 30])
def test_the_expected_e_value_of_an_equal_canary_is_one(share: float, bad: int) -> None:
    from math import comb

    requests = 1000
    expected = sum(
        comb(bad, k)
        * share**k
        * (1 - share) ** (bad - k)
        * exp(worse_than_stable([Arms(k, int(share * requests), bad - k, requests - int(share * requests))]))
        for k in range(bad + 1)
    )
    assert expected == pytest.approx(1, rel=1e-9)


@given(st.integers(0, 200), st.integers(1, 5000), st.integers(0, 200), st.integers(1, 5000))
def test_a_better_canary_is_never_suspected(bad: int, canary: int, stable_bad: int, stable: int) -> None:
    bad, stable_bad = min(bad, canary), min(stable_bad, stable)
    if bad / canary <= stable_bad / stable:
        assert worse_than_stable([Arms(bad, canary, stable_bad, stable)]) <= 1e-9


@pytest.mark.parametrize(
    "arms",
    [
        pytest.param([], id="nothing was looked at"),
        pytest.param([Arms(0, 100, 0, 900)], id="nothing bad happened"),
        pytest.param([Arms(0, 0, 5, 900)], id="the canary had no request"),
        pytest.param([Arms(5, 100, 0, 0)], id="stable had none to compare with"),
    ],
)
def test_where_there_is_nothing_to_compare_there_is_no_evidence(arms: list[Arms]) -> None:
    assert worse_than_stable(arms) == pytest.approx(0)


def test_spans_with_other_weights_are_weighed_each_by_its_own_share() -> None:
    # More errors in the span in which the canary had more of the traffic: pooled it looks worse, and it is not.
    spans = [Arms(10, 1000, 90, 9000), Arms(250, 5000, 250, 5000)]
    assert worse_than_stable(spans) < 0.1
    pooled = Arms(260, 6000, 340, 14000)
    assert worse_than_stable([pooled]) > log(1 / ERROR_LEVEL)


def test_often_is_relative_to_what_is_allowed() -> None:
    assert more_often_than(5, 100, 0.05) < 0
    assert more_often_than(30, 100, 0.05) > log(1000)


CASES = [
    pytest.param([span((1000, 10, 10), (9000, 90, 90))], Limits(), None, id="as good as stable"),
    pytest.param([span((12, 12, 12), (108, 0, 0))], Limits(), None, id="no verdict on twelve requests"),
    pytest.param([span((200, 200, 0), (1800, 2, 18))], Limits(), "errorRate", id="it fails"),
    pytest.param([span((500, 5, 100), (4500, 45, 45))], Limits(), "p99", id="it is slow"),
    pytest.param(
        [span((100_000, 300, 0), (900_000, 1800, 0))],
        Limits(max_error_rate=0.01),
        None,
        id="evidently worse, and still within the user's limit",
    ),
    pytest.param(
        [span((100_000, 300, 0), (900_000, 1800, 0))], Limits(), "errorRate", id="evidently worse, and no limit given"
    ),
    pytest.param(
        [span((1000, 200, 10), (9000, 1800, 90))],
        Limits(max_error_rate=0.01),
        None,
        id="beyond the limit, and stable fails as often",
    ),
    pytest.param(
        [span((1000, 10, 10), (9000, 90, 90), 300, 150)],
        Limits(min_agreement=0.9),
        "agreement",
        id="it answers nonsense",
    ),
    pytest.param([span((1000, 10, 10), (9000, 90, 90), 300, 150)], Limits(), None, id="nobody asked for agreement"),
    pytest.param(
        [span((1000, 10, 10), (9000, 90, 90), 10, 8)], Limits(min_agreement=0.9), None, id="too little to compare"
    ),
    pytest.param([], Limits(), None, id="nothing yet"),
]


@pytest.mark.parametrize(("spans", "limits", "metric"), CASES)
def test_verdict(spans: list[Span], limits: Limits, metric: str | None) -> None:
    rejected = judge(spans, limits).rejected
    assert (None if rejected is None else rejected.metric) == metric


def test_figures_are_those_a_person_wants_to_see() -> None:
    verdict = judge([span((400, 8, 4), (3600, 36, 36), 50, 49)], Limits(min_agreement=0.9))
    errors, latency, agreement = verdict.metrics
    assert (errors.canary, errors.stable) == (0.02, 0.01)
    assert (latency.canary, latency.stable) == (0.01, 0.01)
    assert agreement.canary == 0.98
    assert verdict.requests == 400
    assert verdict.enough
    assert 0 < errors.certainty < 1
