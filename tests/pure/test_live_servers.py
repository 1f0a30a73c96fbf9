"""When figures are worth a pass, and how few versions and words they are told in."""

from dataclasses import replace

import pytest

from modelwright.analysis.verdict import Side, Span
from modelwright.conditions import moment
from modelwright.live import VERSIONS, FeatureWindow, Live, VersionFigures
from modelwright.live_document import Routing
from modelwright.live_servers import CALM_S, Answer, Reading, Server, is_news
from modelwright.live_sums import Minute, Sums
from pure import live_samples as say

NOW, LATER = moment("2026-05-01T12:00:00Z"), moment("2026-05-01T12:00:05Z")
TOLD = Live(NOW, 2, 2, "", 7, 7, versions={"v1": VersionFigures(100.0, 0.01, 0.001, 0.01)})

WINDOW = FeatureWindow("v1", "sha256:p", NOW, 5.0, 12)
PROFILES = {"sha256:p": say.PROFILE}


def figures(**changed: float) -> dict[str, object]:
    return {"versions": {"v1": replace(TOLD.versions["v1"], **changed)}}


@pytest.mark.parametrize(
    ("changed", "hurried", "since_s", "news"),
    [
        pytest.param({}, True, 1e9, False, id="nothing but the time"),
        pytest.param({"generation": 8}, False, 0, True, id="servers apply another routing"),
        pytest.param({"generation": None}, False, 0, True, id="servers can't be reached any more"),
        pytest.param({"breaker_opened": 1}, False, 0, True, id="a server stopped to forward"),
        pytest.param({"span": Span(Side(1), Side())}, True, 0, True, id="a request of a canary"),
        pytest.param({"reached": 1}, True, 0, True, id="a silent server in a rollout"),
        pytest.param({"reached": 1}, False, CALM_S - 1, False, id="a silent server, just now"),
        pytest.param({"reached": 1}, False, CALM_S, True, id="a silent server, later"),
        pytest.param(figures(requests_per_s=100.4), True, 0, True, id="a breath in a rollout"),
        pytest.param(figures(requests_per_s=100.4), False, CALM_S, False, id="a breath"),
        pytest.param(figures(requests_per_s=150.0), False, CALM_S - 1, False, id="more requests, just now"),
        pytest.param(figures(requests_per_s=150.0), False, CALM_S, True, id="more requests, later"),
        pytest.param({"windows": (WINDOW,), "profiles": PROFILES}, False, 0, True, id="a closed window"),
        pytest.param({"windows": (WINDOW,)}, False, 0, False, id="a closed window of an unknown profile"),
        pytest.param(
            {"windows": (replace(WINDOW, rows=0),), "profiles": PROFILES},
            False,
            0,
            False,
            id="a closed window without requests",
        ),
        pytest.param({"profiled": {"v1": ""}}, False, CALM_S, True, id="a model without a profile"),
        pytest.param({"versions": {}}, False, CALM_S, True, id="no version any more"),
    ],
)
def test_what_wakes_a_reconciler(changed: dict[str, object], hurried: bool, since_s: float, news: bool) -> None:
    live = Live(**{**_fields(TOLD), "at": LATER, **changed})  # type: ignore[arg-type]
    assert is_news(live, TOLD, hurried=hurried, since_s=since_s) is news


def _fields(live: Live) -> dict[str, object]:
    return {name: getattr(live, name) for name in Live.__dataclass_fields__}


def test_the_first_figures_are_news() -> None:
    assert is_news(Live(NOW), None, hurried=False, since_s=0)


def answer(version: str, requests: int = 0) -> Answer:
    return Answer(version, Minute(requests, 0, 60.0), Routing(), None)


def server(uid: str, canary: bool = False, leaving: bool = False) -> Server:
    return Server(uid, f"pod-{uid}", "10.0.0.1", "canary" if canary else "stable", leaving)


def test_versions_that_many_servers_are_of_are_told_first_and_no_more_than_a_few() -> None:
    asked = tuple(server(str(number)) for number in range(9))
    answers = {str(number): answer(f"v{max(0, number - 2)}") for number in range(9)}
    live = Reading(NOW, asked, answers, {}).live(Sums())
    assert list(live.versions) == ["v0", "v1", "v2", "v3"][:VERSIONS]


def test_a_version_on_both_sides_is_told_as_one_and_measured_as_two() -> None:
    answers = {"a": answer("v2", 60), "b": answer("v2", 120)}
    reading = Reading(NOW, (server("a"), server("b", canary=True)), answers, {})
    assert reading.live(Sums()).versions["v2"].requests_per_s == pytest.approx(3)
    rates = {labels: figures.requests_per_s for labels, figures in reading.by_side().items()}
    assert rates == {("v2", "stable"): 1.0, ("v2", "canary"): 2.0}


def test_a_canary_that_does_not_answer_is_no_figure_that_is_missing() -> None:
    asked = (server("a"), server("b", canary=True), server("c", leaving=True))
    failures = {"b": "no answer", "c": "no answer"}
    live = Reading(NOW, asked, {"a": answer("v1")}, failures).live(Sums())
    assert (live.asked, live.reached, live.failure) == (1, 1, "")
