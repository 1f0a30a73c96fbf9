"""What status shows of the live figures: with two digits, and no more often than once a minute."""

from datetime import UTC, datetime, timedelta

import pytest

from modelwright.conditions import timestamp
from modelwright.live import Live, VersionFigures
from modelwright.reconcilers.live_status import duration, live_figures

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
READ = Live(at=NOW, asked=3, reached=2, versions={"v1": VersionFigures(123.4, 0.0123, 0.00123, 0.0456)})


def test_figures_have_two_digits() -> None:
    found = live_figures(None, READ, NOW)
    assert found is not None
    assert found.model_dump(by_alias=True) == {
        "at": timestamp(NOW),
        "servers": 3,
        "reached": 2,
        "versions": (
            {"version": "v1", "requestsPerSecond": "120", "errorRate": "0.012", "p50": "1.2ms", "p99": "46ms"},
        ),
    }


@pytest.mark.parametrize(
    ("later", "rate", "written"),
    [
        pytest.param(59, 500.0, False, id="within a minute"),
        pytest.param(60, 500.0, True, id="after a minute"),
        pytest.param(3600, 123.6, False, id="to two digits nothing has changed"),
        pytest.param(-3600, 500.0, True, id="the clock was set back"),
    ],
)
def test_status_is_written_seldom(later: int, rate: float, written: bool) -> None:
    before, now = live_figures(None, READ, NOW), NOW + timedelta(seconds=later)
    news = Live(at=now, asked=3, reached=2, versions={"v1": VersionFigures(rate, 0.0123, 0.00123, 0.0456)})
    assert (live_figures(before, news, now) != before) == written


def test_what_was_said_stays_while_nothing_is_read() -> None:
    before = live_figures(None, READ, NOW)
    assert live_figures(before, None, NOW + timedelta(days=1)) == before


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0, "0ms"), (0.00005, "0.05ms"), (0.99999, "1000ms"), (1.24, "1.2s"), (123.0, "120s")]
)
def test_a_latency_is_said_in_its_unit(seconds: float, words: str) -> None:
    assert duration(seconds) == words
