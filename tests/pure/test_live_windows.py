"""Windows of features: what servers counted in a stretch of time, whoever began, restarted, went, or told nonsense."""

from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.conditions import moment
from modelwright.live import WINDOWS, FeatureWindow
from modelwright.live_windows import FeatureWindows, Tally
from pure import live_samples as say

START = moment("2026-05-01T12:00:00Z")
HOUR = 3600.0


def tally(
    rows: int, *bins: int, version: str = "v1", profile: str = "sha256:p", late: tuple[int, ...] = (0, 0)
) -> Tally:
    return Tally(version, profile, rows, {"distance": bins or (rows, 0, 0)}, {"label": late})


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def told(*readings: tuple[float, dict[str, Tally]], seconds: float = HOUR, gone: str = "") -> FeatureWindows:
    """Readings after so many minutes; all Pods that were ever seen are asked, but those that are gone."""
    windows, asked = FeatureWindows(), set[str]()
    for minutes, said in readings:
        asked |= said.keys()
        windows = windows.after(seconds, after(minutes), said, asked - set(gone))
    return windows


def rows(windows: FeatureWindows) -> list[int]:
    return [window.rows for window in windows.closed]


def test_a_window_holds_what_all_servers_counted_in_it() -> None:
    windows = told(
        (1, {"a": tally(100, 60, 40, 0), "b": tally(7, 7, 0, 0)}),
        (30, {"a": tally(110, 65, 44, 1, late=(1, 2)), "b": tally(9, 7, 0, 2)}),
        (59, {"a": tally(120, 70, 48, 2, late=(2, 3))}),
        (61, {"a": tally(121)}),
    )
    assert windows.closed == (
        FeatureWindow("v1", "sha256:p", START, HOUR, 22, {"distance": (10, 8, 4)}, {"label": (2, 3)}),
    )


def test_what_was_counted_before_anybody_looked_is_in_no_window() -> None:
    assert rows(told((1, {"a": tally(5000)}), (2, {"a": tally(5001), "b": tally(900)}), (61, {}))) == [1]


def test_a_restarted_container_counts_from_zero() -> None:
    windows = told((1, {"a": tally(50)}), (2, {"a": tally(3)}), (3, {"a": tally(5)}), (61, {}))
    assert rows(windows) == [5]


def test_one_bin_that_falls_is_a_restart_too() -> None:
    assert rows(told((1, {"a": tally(50, 50, 0, 0)}), (2, {"a": tally(60, 20, 40, 0)}), (61, {}))) == [60]


def test_a_silent_server_is_caught_up_with_and_one_that_went_leaves_what_it_counted() -> None:
    assert rows(told((1, {"a": tally(1)}), (2, {}), (3, {"a": tally(9)}), (61, {}))) == [8]
    windows = told((1, {"a": tally(1), "b": tally(0)}), (2, {"a": tally(9)}))
    assert rows(windows.after(HOUR, after(61), {"b": tally(0)}, {"b"})) == [8]


def test_each_version_has_windows_of_its_own_and_they_go_with_its_last_server() -> None:
    first = {"a": tally(0), "b": tally(0, version="v2")}
    windows = told((1, first), (2, {"a": tally(4), "b": tally(6, version="v2")}), (61, {}))
    assert {window.version: window.rows for window in windows.closed} == {"v1": 4, "v2": 6}
    assert [window.version for window in windows.after(HOUR, after(62), {}, {"a"}).closed] == ["v1"]


def test_a_server_with_another_profile_or_other_bins_begins_anew() -> None:
    assert rows(told((1, {"a": tally(5)}), (2, {"a": tally(9, profile="sha256:q")}), (61, {}))) == []
    assert rows(told((1, {"a": tally(5)}), (2, {"a": tally(9, 9, 0)}), (3, {"a": tally(10, 10, 0)}), (61, {}))) == [1]


def test_bins_that_do_not_fit_those_of_the_others_are_left_out() -> None:
    windows = told((1, {"a": tally(0), "b": tally(0, 0, 0)}), (2, {"a": tally(4), "b": tally(9, 9, 0)}), (61, {}))
    assert rows(windows) == [4]


def test_the_last_few_are_kept() -> None:
    windows = told(*((60 * hour + minute, {"a": tally(60 * hour + minute)}) for hour in range(6) for minute in (0, 59)))
    assert [window.start for window in windows.closed] == [after(60 * hour) for hour in (2, 3, 4)]
    assert len(windows.closed) == WINDOWS


def test_hours_in_which_nobody_looked_are_none() -> None:
    windows = told((1, {"a": tally(0)}), (2, {"a": tally(5)}), (200, {"a": tally(9)}), (241, {}))
    assert [(window.start, window.rows) for window in windows.closed] == [(START, 5), (after(180), 4)]


def test_hours_without_requests_are_told_as_such() -> None:
    assert rows(told((1, {"a": tally(5)}), (2, {"a": tally(5)}), (61, {"a": tally(5)}))) == [0]


def test_another_length_begins_anew() -> None:
    windows = told((1, {"a": tally(0)}), (2, {"a": tally(5)}), (61, {"a": tally(6)}))
    assert windows.after(5.0, after(62), {"a": tally(9)}, {"a"}).closed == ()
    again = windows.after(60.0, after(62), {"a": tally(9)}, {"a"}).after(60.0, after(62.5), {"a": tally(10)}, {"a"})
    assert rows(again.after(60.0, after(63), {}, {"a"})) == [1]


def test_a_clock_that_jumps_back_closes_what_is_open() -> None:
    windows = told((61, {"a": tally(0)}), (62, {"a": tally(5)}), (1, {"a": tally(6)}), (2, {"a": tally(8)}))
    assert [(window.start, window.rows) for window in windows.closed] == [(after(60), 5)]


@given(st.lists(st.tuples(st.floats(0.1, 20), st.sampled_from("ab"), st.integers(0, 9)), max_size=40), st.randoms())
def test_every_row_since_the_first_reading_is_in_one_window(
    steps: list[tuple[float, str, int]], chance: Random
) -> None:
    totals, time = {"a": 3, "b": 5}, 0.0
    windows = FeatureWindows().after(600.0, START, {uid: tally(total) for uid, total in totals.items()}, totals)
    closed: dict[datetime, FeatureWindow] = {}
    for minutes, uid, new in steps:
        time += minutes
        totals[uid] += new
        windows = windows.after(600.0, after(time), {uid: tally(totals[uid])}, totals)
        closed |= {window.start: window for window in windows.closed}
    said = {uid: tally(totals[uid]) for uid in sorted(totals, key=lambda _: chance.random())}
    windows = windows.after(600.0, after(time), said, totals)
    everything = [*closed.values(), *windows.open]
    assert sum(window.rows for window in everything) == sum(totals.values()) - 8
    assert all(sum(window.features["distance"]) == window.rows for window in everything)


def test_a_model_without_a_profile_has_no_windows() -> None:
    assert Tally.of(say.read(say.document())) is None
    found = Tally.of(say.read(say.counted(3, near=1)))
    assert found == Tally("v1", say.PROFILED, 3, {"distance": (1, 2, 0)}, {"label": (3, 0, 0, 0)})


@pytest.mark.parametrize("seconds", [5.0, 3600.0, 86400.0])
def test_windows_begin_at_whole_numbers_of_their_length(seconds: float) -> None:
    at = START + timedelta(seconds=1.5 * seconds + 1)
    first = FeatureWindows().after(seconds, at, {"a": tally(0)}, {"a"})
    closed = first.after(seconds, at, {"a": tally(1)}, {"a"}).after(seconds, at + timedelta(seconds=seconds), {}, {"a"})
    assert [window.start.timestamp() % seconds for window in closed.closed] == [0]
