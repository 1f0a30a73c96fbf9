"""Counters of many servers as one: they only grow, whoever restarts, goes, or comes back."""

from itertools import accumulate
from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.analysis.verdict import Side, Span
from modelwright.live import VersionFigures
from modelwright.live_document import Forwarded, Routing
from modelwright.live_sums import Counts, Minute, Sums, quantile, version_figures
from pure import live_samples as say


def test_a_span_is_the_sum_over_servers() -> None:
    first = say.routing(7, say.side(10, 2, 1), say.side(90, 3, 5), compared=4, agreed=3, unreachable=1)
    second = say.routing(7, say.side(20, 0, 2), say.side(80, 0, 6), compared=6, agreed=6, breaker_opened=2)
    said = {uid: say.read(say.document(routing=told)).routing for uid, told in (("a", first), ("b", second))}
    counts = Sums().after(7, said).counts()
    assert counts.span() == Span(Side(30, 2, 3), Side(170, 3, 11), 10, 9)
    assert (counts.unreachable, counts.breaker_opened) == (1, 2)


def test_what_a_gone_pod_counted_stays() -> None:
    sums = Sums().after(7, {"a": say.routed(7, 10), "b": say.routed(7, 5)})
    assert sums.after(7, {"a": say.routed(7, 12)}).counts().canary_requests == 17
    assert sums.after(7, {}).after(7, {"b": say.routed(7, 6)}).counts().canary_requests == 16, "it only was silent"


def test_a_restarted_container_counts_from_zero() -> None:
    sums = Sums().after(7, {"a": say.routed(7, 10, errors=1)})
    again = sums.after(7, {"a": say.routed(7, 3)}).after(7, {"a": say.routed(7, 4)})
    assert (again.counts().canary_requests, again.counts().canary_errors) == (14, 1)


def test_one_counter_that_falls_is_enough() -> None:
    sums = Sums().after(7, {"a": say.routed(7, 10, errors=1)}).after(7, {"a": say.routed(7, 12, errors=0)})
    assert (sums.counts().canary_requests, sums.counts().canary_errors) == (22, 1)


def test_another_generation_begins_anew_and_only_its_own_counts_are_taken() -> None:
    sums = Sums().after(7, {"a": say.routed(7, 10)})
    assert sums.after(8, {"a": say.routed(7, 11)}).counts() == Counts()
    assert sums.after(8, {"a": say.routed(8, 2), "b": say.routed(7, 9)}).counts().canary_requests == 2
    assert sums.after(7, {"a": say.routed(8, 2)}).counts().canary_requests == 10, "status lags behind the servers"


def test_processes_that_lag_do_not_hide_what_those_before_them_count() -> None:
    told = say.routing(6, say.side(4), newest=7)
    assert Sums().after(7, {"a": say.read(say.document(routing=told)).routing}).counts().canary_requests == 4


def test_pods_without_counts_take_no_room() -> None:
    assert Sums().after(3, {str(number): say.routed(3) for number in range(100)}).pods == {}


def test_a_part_is_never_more_than_its_whole() -> None:
    forged = say.routing(7, say.side(5, 9, 7), compared=3, agreed=8)
    span = Sums().after(7, {"a": say.read(say.document(routing=forged)).routing}).counts().span()
    assert (span.canary, span.agreed) == (Side(5, 5, 5), 3)


NUMBERS = st.integers(0, 50)
ROUTINGS = st.builds(
    Routing,
    generation=st.sampled_from([6, 7]),
    newest=st.sampled_from([6, 7, 7, 7]),
    canary=st.builds(Forwarded, requests=NUMBERS, errors=NUMBERS, slow=NUMBERS),
    stable=st.builds(Forwarded, requests=NUMBERS, errors=NUMBERS, slow=NUMBERS),
    compared=NUMBERS,
    agreed=NUMBERS,
    unreachable=NUMBERS,
    breaker_opened=NUMBERS,
)
READINGS = st.lists(st.dictionaries(st.sampled_from("abcd"), ROUTINGS), max_size=8)


@given(READINGS)
def test_sums_never_fall(readings: list[dict[str, Routing]]) -> None:
    sums = Sums(7)
    for said in readings:
        before, sums = sums.counts(), sums.after(7, said)
        assert not sums.counts().fell(before)


@given(READINGS, st.randoms())
def test_the_order_of_pods_does_not_matter(readings: list[dict[str, Routing]], chance: Random) -> None:
    one, other = Sums(7), Sums(7)
    for said in readings:
        shuffled = sorted(said, key=lambda _: chance.random())
        one, other = one.after(7, said), other.after(7, {uid: said[uid] for uid in shuffled})
    assert one == other


@given(st.lists(st.lists(NUMBERS, max_size=10), max_size=4))
def test_nothing_is_lost_or_told_twice_however_often_a_container_restarts(lives: list[list[int]]) -> None:
    """Each container is read when it begins, and after each step of its counters."""
    sums = Sums(7)
    for steps in lives:
        for total in accumulate(steps, initial=0):
            sums = sums.after(7, {"a": say.routed(7, total)})
    assert sums.counts().canary_requests == sum(map(sum, lives))


def minute(*windows: object, open_window: int = 101) -> Minute:
    return Minute.of(say.read(say.document(windows=list(windows), open_window=open_window)))


def test_the_last_minute_is_the_last_twelve_windows_of_five_seconds() -> None:
    assert minute(*(say.window(number, 10, 1) for number in range(71, 101))) == Minute(
        120, 12, 60.0, {(0.001, 0.01): 120}
    )


def test_a_server_that_just_began_is_told_by_the_time_that_it_had() -> None:
    figures = version_figures([minute(say.window(99, 50), say.window(100, 50)), minute(say.window(100, 10))])
    assert figures.requests_per_s == pytest.approx(10 + 2)


def test_windows_of_long_ago_are_not_the_last_minute() -> None:
    assert minute(say.window(70, 100), say.window(100, 5)).requests == 5
    assert minute(say.window(70, 100)) == Minute()


def test_a_window_longer_than_a_minute_is_the_last_one() -> None:
    assert minute(say.window(99, 4, seconds=600), say.window(100, 6, seconds=600)).requests == 6


def test_no_servers_and_no_requests_are_no_figures() -> None:
    assert version_figures([]) == VersionFigures()
    assert version_figures([minute(say.window(100))]) == VersionFigures()
    assert version_figures([minute()]) == VersionFigures()


def test_latencies_of_servers_with_other_buckets_are_merged() -> None:
    coarse = say.document(latency_bounds_seconds=[1.0], windows=[say.window(100, 1, bucket=1)])
    figures = version_figures([minute(say.window(100, 99, bucket=0)), Minute.of(say.read(coarse))])
    assert figures.p50_s == pytest.approx(0.0005, rel=0.02)
    assert figures.p99_s == pytest.approx(0.001)
    assert version_figures([Minute.of(say.read(coarse))]).p50_s == 1.0, "above the last bound is told as the last bound"


@given(st.dictionaries(st.integers(0, 20), st.integers(0, 1000)), st.floats(0, 1))
def test_a_quantile_lies_in_a_bucket_that_has_some(counts: dict[int, int], share: float) -> None:
    buckets = {(float(low), low + 1.0): number for low, number in counts.items()}
    found = quantile(buckets, share)
    if not sum(counts.values()):
        assert found is None
        return
    assert found is not None
    below = sum(number for (_, high), number in buckets.items() if high < found)
    until = sum(number for (low, _), number in buckets.items() if low <= found)
    assert below <= share * sum(counts.values()) + 1e-6
    assert until >= share * sum(counts.values()) - 1e-6
    assert 0 <= found < inf
