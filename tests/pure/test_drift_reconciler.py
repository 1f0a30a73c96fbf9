"""The condition Drifted: what it says after which windows, what status keeps for it, and what it must not do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from conditions_lint import lint
from modelwright import metrics
from modelwright.api.v1alpha1 import Deployment
from modelwright.plan import Event
from modelwright.reconcilers.drift import Drift
from pure import samples
from pure.drifting import CALM, LABELS, MOVED, OTHER_LABELS, PROFILE, START, Counts, Watched, profile


def said(found: Drift) -> tuple[bool, str]:
    return found.holds, found.reason


def test_before_the_first_window_nobody_knows() -> None:
    assert said(Watched().look()) == (False, "FirstWindow")


def test_rows_like_the_training_datas_are_told_with_the_greatest_figure() -> None:
    watched = Watched()
    found = watched.close()
    assert said(found) == (False, "NoDrift")
    assert watched.figures.samples == 500
    assert [one.name for one in watched.figures.features] == ["carrier", "distance", "hour"]
    assert watched.events == []


def test_two_windows_of_other_rows_are_a_drift_and_one_is_not() -> None:
    watched = Watched()
    assert said(watched.close(MOVED)) == (False, "NoDrift")
    found = watched.close(MOVED)
    assert said(found) == (True, "Drifted")
    assert found.message.startswith("distance (w = 0.")
    assert "in two of the last three windows of 1h" in found.message
    assert found.drifted == found.message
    assert watched.events == [Event("Warning", "Drifted", found.message)]
    top = watched.figures.features[0]
    assert (top.name, top.drifted) == ("distance", True)
    assert float(top.effect) > 0.3
    assert float(top.p_value) < 1e-6


def test_an_odd_window_between_is_forgiven_and_a_drift_ends_with_two_calm_ones() -> None:
    watched = Watched()
    reasons = [said(watched.close(counts))[1] for counts in (MOVED, CALM, MOVED, CALM, CALM)]
    assert reasons == ["NoDrift", "NoDrift", "Drifted", "NoDrift", "NoDrift"]
    assert [(event.type, event.reason) for event in watched.events] == [("Warning", "Drifted"), ("Normal", "NoDrift")]


def test_a_drift_that_lasts_is_told_once() -> None:
    watched = Watched()
    for _ in range(6):
        watched.close(MOVED)
    assert [event.reason for event in watched.events] == ["Drifted"]


def test_answers_are_judged_apart_from_what_is_asked() -> None:
    watched = Watched()
    watched.close(CALM, OTHER_LABELS)
    found = watched.close(CALM, OTHER_LABELS)
    assert said(found) == (True, "PredictionDrifted")
    assert watched.figures.windows[-1].features == ()
    assert watched.figures.windows[-1].predictions == ("label",)
    watched.close(MOVED, OTHER_LABELS)
    both = watched.close(MOVED, OTHER_LABELS)
    assert said(both) == (True, "Drifted")
    assert "predictions differ too: label (w = " in both.message
    assert [event.reason for event in watched.events] == ["PredictionDrifted", "Drifted"]


def test_a_category_never_seen_and_values_missing_for_the_first_time_are_found() -> None:
    watched = Watched()
    new = {**CALM, "carrier": (235, 140, 95, 30, 0), "hour": (47,) * 10 + (30,)}
    watched.close(new)
    found = watched.close(new)
    assert said(found) == (True, "Drifted")
    assert {one.name for one in watched.figures.features if one.drifted} == {"carrier", "hour"}


@pytest.mark.parametrize("counts", [(0, 500, 0, 0), (0, 0, 500, 0), (0, 0, 0, 500)])
def test_a_constant_is_no_drift_until_it_is_another(counts: tuple[int, ...]) -> None:
    constant = profile("x")
    column = replace(constant.features[1], counts=(0, 10_000, 0, 0, 0))
    watched = Watched()
    watched.serve("v1", known=replace(constant, features=(column,)))
    for _ in range(2):
        found = watched.close({"carrier": (*counts, 0)})
    assert said(found) == ((False, "NoDrift") if counts[1] else (True, "Drifted"))


def test_too_few_rows_are_told_and_change_no_verdict() -> None:
    watched = Watched()
    few: Counts = {name: tuple(count // 10 for count in counts) for name, counts in MOVED.items()}
    assert said(watched.close(few, rows=50)) == (False, "TooFewRequests")
    watched.close(MOVED)
    assert said(watched.close(MOVED)) == (True, "Drifted")
    assert said(watched.close(few, rows=50)) == (True, "Drifted")
    assert [one.samples for one in watched.figures.windows] == [500, 500]


def test_nights_without_traffic_are_written_once() -> None:
    watched = Watched()
    watched.close()
    watched.close(rows=3)
    written = watched.status
    for _ in range(5):
        assert said(watched.close(rows=2)) == (False, "TooFewRequests")
    assert watched.status == written
    assert said(watched.close()) == (False, "NoDrift")


def test_a_lower_minimum_judges_nothing_that_was_not_looked_at() -> None:
    watched = Watched()
    watched.close(rows=50)
    watched.spec["monitoring"] = {"drift": {"minSamples": 20}}
    found = watched.look()
    assert said(found) == (False, "TooFewRequests")


def test_the_limit_is_the_users() -> None:
    counts = {**CALM, "distance": (42, 44, 46, 48, 49, 51, 52, 54, 56, 58, 0)}
    many: Counts = {name: tuple(20 * count for count in found) for name, found in counts.items()}
    for least, reason in (("0.05", "Drifted"), ("0.2", "NoDrift")):
        watched = Watched(monitoring={"drift": {"minEffect": least}})
        watched.close(many, rows=10_000)
        assert said(watched.close(many, rows=10_000))[1] == reason


def test_another_operator_goes_on_where_the_last_one_ended() -> None:
    watched = Watched()
    watched.close(MOVED)
    before = watched.status
    assert said(watched.restart()) == (False, "NoDrift")
    assert watched.status == before
    assert watched.live is not None
    watched.live = replace(watched.live, windows=())
    assert said(watched.close(MOVED)) == (True, "Drifted")
    assert said(watched.restart()) == (True, "Drifted")


def test_another_version_begins_anew_with_its_own_profile() -> None:
    watched = Watched()
    watched.close(MOVED)
    watched.close(MOVED)
    moved = replace(PROFILE.features[0], counts=tuple(20 * count for count in MOVED["distance"]))
    watched.serve("v2", "p2", replace(PROFILE, features=(moved, *PROFILE.features[1:])))
    assert said(watched.look()) == (False, "FirstWindow")
    assert watched.events[-1].type == "Normal"
    for _ in range(2):
        assert said(watched.close(MOVED)) == (False, "NoDrift")
    assert watched.figures.version == "v2"
    assert len(watched.figures.windows) == 2


def test_the_same_name_with_another_profile_begins_anew_too() -> None:
    watched = Watched()
    watched.close(MOVED)
    watched.serve("v1", "p2")
    watched.close(MOVED)
    assert (watched.figures.profile, len(watched.figures.windows)) == ("p2", 1)


def test_windows_of_a_canary_are_not_stables() -> None:
    watched = Watched()
    watched.close()
    assert watched.live is not None
    (calm,) = watched.live.windows
    other = replace(calm, version="v2", start=calm.start + timedelta(hours=1), features=MOVED)
    watched.live = replace(watched.live, windows=(calm, other))
    before = watched.status
    watched.look()
    assert watched.status == before


def test_a_profile_that_was_not_read_yet_is_waited_for() -> None:
    watched = Watched()
    assert watched.live is not None
    watched.live = replace(watched.live, profiles={})
    assert said(watched.close(MOVED)) == (False, "FirstWindow")


def test_all_windows_that_were_missed_are_judged_in_order() -> None:
    watched = Watched()
    later = Watched()
    for counts in (MOVED, CALM, MOVED):
        watched.close(counts)
    later.live, later.now = watched.live, watched.now
    assert said(later.look()) == (True, "Drifted")
    assert later.figures == watched.figures


def test_a_clock_that_was_put_back_stops_nothing() -> None:
    watched = Watched()
    watched.close(MOVED)
    watched.now = START - timedelta(days=1)
    assert watched.live is not None
    watched.live = replace(watched.live, windows=())
    assert said(watched.close(MOVED)) == (True, "Drifted")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        pytest.param({}, "", id="nobody asks"),
        pytest.param({"monitoring": {"drift": {}}}, "NoProfile", id="it is asked for"),
        pytest.param(
            {"retraining": {"triggers": {"drift": True}, "template": {"trainingRun": "r"}}},
            "NoProfile",
            id="a retraining waits for it",
        ),
    ],
)
@pytest.mark.parametrize("foreign", [False, True])
def test_a_model_without_a_profile_is_told_of_where_somebody_waits_for_it(
    spec: dict[str, object], reason: str, foreign: bool
) -> None:
    server = {"server": {"image": "other.test/server@sha256:" + "0" * 64, "port": 9000}} if foreign else {}
    watched = Watched(**{"monitoring": {}, **spec, **server})
    watched.serve("v1", "")
    for found in (watched.look(), watched.restart(), watched.look()):
        assert found.reason == reason
    assert watched.events == []


def test_a_profile_is_watched_though_nobody_asks() -> None:
    watched = Watched(monitoring={})
    watched.close(MOVED)
    assert said(watched.close(MOVED)) == (True, "Drifted")


def test_nothing_is_said_before_servers_were_heard_or_anything_is_served() -> None:
    watched = Watched(monitoring={})
    assert watched.restart() == Drift()
    assert watched.live is not None
    watched.live = replace(watched.live, profiled={})
    assert watched.look() == Drift()
    watched.status = watched.status.model_copy(update={"stable": None})
    assert watched.look() == Drift()


def test_servers_that_do_not_answer_are_told_after_a_while_and_end_no_drift() -> None:
    watched = Watched()
    watched.close()
    assert watched.live is not None
    silent = replace(watched.live, reached=0, failure="Pod p: no answer within 2 s", profiled={})
    for hours, reason in ((1, "NoDrift"), (2, "FiguresUnreachable")):
        watched.now += timedelta(hours=hours)
        watched.live = replace(silent, at=watched.now + timedelta(seconds=1))
        found = watched.look()
        assert said(found) == (False, reason)
    assert "Pod p: no answer within 2 s" in found.message


def test_whatever_servers_count_no_pass_fails() -> None:
    watched = Watched()
    odd: Counts = {"distance": (1, 2), "hour": (10**15,) * 11, "unknown": (3,)}
    found = watched.close(odd, {"label": (0, 0, 0, 0)}, rows=10**15)
    assert said(found) == (False, "NoDrift")
    assert [one.name for one in watched.figures.features] == ["hour"]


def test_when_everything_drifts_status_stays_small() -> None:
    names = [f"{'f' * 120}-{number}" for number in range(200)]
    watched = Watched()
    watched.serve("v1", known=profile(*names))
    counts = {**dict.fromkeys(names, MOVED["distance"]), "carrier": CALM["carrier"]}
    watched.close(counts)
    found = watched.close(counts)
    assert said(found) == (True, "Drifted")
    assert "and 5 more" in found.message
    assert len(watched.figures.features) == 5
    assert len(watched.figures.model_dump_json()) < 16_000


def test_the_status_holds_to_its_schema_and_lint() -> None:
    watched = Watched()
    watched.close(MOVED)
    watched.close(MOVED, OTHER_LABELS)
    manifest = watched.resource.model_dump(mode="json", by_alias=True, exclude_none=True)
    manifest["status"]["observedGeneration"] = manifest["metadata"]["generation"]
    assert lint(manifest) == []
    assert Deployment.parse({**samples.deployment(), "status": manifest["status"]}).status.drift == watched.figures


@given(st.lists(st.tuples(st.sampled_from([CALM, MOVED]), st.sampled_from([3, 500]), st.booleans()), max_size=9))
def test_where_operators_die_between_windows_the_verdict_is_the_same(
    windows: list[tuple[Counts, int, bool]],
) -> None:
    steady, shaken = Watched(), Watched()
    for counts, rows, dies in windows:
        steady.close(counts, LABELS, rows)
        shaken.close(counts, LABELS, rows)
        if dies:
            shaken.restart()
            assert shaken.live is not None
            shaken.live = replace(shaken.live, windows=())
    assert shaken.status.drift == steady.status.drift
    assert shaken.events == steady.events


def test_figures_are_measured_by_deployment_and_column() -> None:
    watched = Watched()
    watched.close(MOVED)
    found = watched.close(MOVED, OTHER_LABELS)
    registry = CollectorRegistry()
    registry.register(metrics.Drift(lambda: [(("n", "d"), found.holds, watched.figures)]))
    labels = {"namespace": "n", "deployment": "d"}
    assert registry.get_sample_value("modelwright_drifted", labels) == 1
    of = {**labels, "version": "v1", "of": "features", "column": "distance"}
    assert registry.get_sample_value("modelwright_drift_effect", of) == float(watched.figures.features[0].effect)
    of = {**of, "of": "predictions", "column": "label"}
    assert registry.get_sample_value("modelwright_drift_effect", of) == float(watched.figures.predictions[0].effect)
