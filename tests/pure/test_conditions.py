"""Conditions: the writer keeps the rules, the lint finds who does not, and page, table and code say the same."""

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from conditions_lint import lint
from modelwright import conditions, conditionsdoc
from modelwright.api.v1alpha1 import Condition, Dataset
from modelwright.conditions import Report
from modelwright.plan import JsonObject
from modelwright.reasons import REASONS, outlook
from modelwright_contract.results import REASONS as WORKER_REASONS
from pure import samples

ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
ONE = timedelta(hours=1)


def condition(type_: str, status: str, reason: str = "Ingesting", **more: object) -> JsonObject:
    """A condition as JSON, with nothing wrong but what `more` breaks."""
    time = "2026-05-01T12:00:00Z"
    whole = {"type": type_, "status": status, "reason": reason, "message": "it is so", "lastTransitionTime": time}
    return {**whole, "observedGeneration": 2, **more}


def an_object(*found: JsonObject, observed: int = 2) -> JsonObject:
    """An object of generation 2 with these conditions."""
    status = {"observedGeneration": observed, "conditions": list(found)}
    return {"metadata": {"generation": 2}, "status": status}


READY = condition("Ready", "True", "Succeeded")
NOT_READY, MOVING, STUCK = (condition(type_, status) for type_, status in (
    ("Ready", "False"), ("Reconciling", "True"), ("Stalled", "True")))  # fmt: skip


@pytest.mark.parametrize(
    "obj",
    [
        pytest.param({"metadata": {"generation": 1}}, id="no status at all"),
        pytest.param({"metadata": {"generation": 1}, "status": {"observedGeneration": -1}}, id="not seen yet"),
        pytest.param(an_object(READY), id="ready"),
        pytest.param(an_object(NOT_READY, MOVING), id="on its way"),
        pytest.param(an_object(NOT_READY, STUCK), id="stuck"),
        pytest.param(an_object(condition("Ready", "False", "Suspended")), id="suspended"),
        pytest.param(an_object(condition("Ready", "True", "Succeeded", observedGeneration=1), observed=1), id="behind"),
    ],
)
def test_the_lint_finds_nothing(obj: JsonObject) -> None:
    assert lint(obj) == []


@pytest.mark.parametrize(
    ("obj", "broken"),
    [
        pytest.param(an_object(), "Ready is not there", id="no conditions"),
        pytest.param(an_object(MOVING), "Ready is not there", id="no Ready"),
        pytest.param(an_object(READY, observed=-1), "conditions are there before the object was seen", id="too early"),
        pytest.param(an_object(READY, observed=3), "observedGeneration 3 is after generation 2", id="from the future"),
        pytest.param(
            an_object(NOT_READY, MOVING, STUCK), "Reconciling and Stalled are there together", id="both of them"
        ),
        pytest.param(an_object(READY, condition("Reconciling", "True", "Succeeded")),
                     "Ready is True beside Reconciling or Stalled", id="ready and moving"),
        pytest.param(an_object(READY, condition("Stalled", "True", "Succeeded")),
                     "Ready is True beside Reconciling or Stalled", id="ready and stuck"),
        pytest.param(an_object(NOT_READY, condition("Reconciling", "False")),
                     "Reconciling is there but not True", id="Reconciling that is False"),
        pytest.param(an_object(NOT_READY, condition("Stalled", "Unknown")),
                     "Stalled is there but not True", id="Stalled that is Unknown"),
        pytest.param(an_object(NOT_READY), "Ready is not True, and nothing says whether to wait or to act", id="mute"),
        pytest.param(an_object(NOT_READY, condition("Stalled", "True", "Crashed")),
                     "Reconciling or Stalled has another reason than Ready", id="two reasons"),
        pytest.param(an_object(READY, READY), "a condition is there twice: ['Ready', 'Ready']", id="twice"),
        pytest.param(an_object(condition("Ready", "Yes", "Succeeded"), STUCK),
                     "Ready: its status is not True, False or Unknown", id="another status"),
        pytest.param(an_object(condition("Ready", "True", "Fine")),
                     "Ready: its reason Fine is not in the table", id="an unknown reason"),
        pytest.param(an_object(condition("Ready", "True", "all well")),
                     "Ready: its reason is not CamelCase", id="words"),
        pytest.param(an_object(condition("Ready", "True", "Succeeded", message="  ")),
                     "Ready: its message is empty", id="no message"),
        pytest.param(an_object(condition("Ready", "True", "Succeeded", message="x" * 1025)),
                     "Ready: its message is too long", id="too long a message"),
        pytest.param(an_object(condition("Ready", "True", "Succeeded", message="It is so.")),
                     "Ready: its message ends in a full stop", id="a full stop"),
        pytest.param(an_object(condition("Ready", "True", "Succeeded", lastTransitionTime="2026-05-01")),
                     "Ready: its time is not RFC 3339 in UTC", id="a date"),
        pytest.param(an_object(condition("Ready", "True", "Succeeded", lastTransitionTime="2026-13-01T12:00:00Z")),
                     "Ready: its time is not RFC 3339 in UTC", id="a month that is none"),
        pytest.param(an_object(condition("Ready", "True", "Succeeded", observedGeneration=3)),
                     "Ready: it was decided for a later generation", id="a later generation"),
    ],
)  # fmt: skip
def test_the_lint_finds(obj: JsonObject, broken: str) -> None:
    assert broken in lint(obj)


def said(report: Report) -> dict[str, tuple[str, str]]:
    """Status and reason by type."""
    return {one.type: (one.status, one.reason) for one in report.conditions()}


def report(*before: Condition, now: datetime = NOON) -> Report:
    """A report of generation 2."""
    return Report(before, 2, now)


def test_the_last_outcome_that_is_said_is_the_one_that_counts() -> None:
    it = report()
    it.stalled("Crashed", "no")
    it.reconciling("Training", "still")
    assert said(it) == {"Ready": ("False", "Training"), "Reconciling": ("True", "Training")}
    it.ready("Succeeded", "done")
    assert said(it) == {"Ready": ("True", "Succeeded")}
    it.paused("Suspended", "off")
    assert said(it) == {"Ready": ("False", "Suspended")}


def test_a_reconciler_that_says_nothing_of_ready_is_a_mistake() -> None:
    it = report()
    it.mark("Gated", True, "GatesPassed", "so")
    with pytest.raises(AssertionError, match="must say whether its object is Ready"):
        it.conditions()


def test_times_move_with_the_status_only() -> None:
    first = report()
    first.reconciling("Ingesting", "it is read")
    second = report(*first.conditions(), now=NOON + ONE)
    second.stalled("SourceNotFound", "no file")
    times = {one.type: one.last_transition_time for one in second.conditions()}
    assert times == {"Ready": "2026-05-01T12:00:00Z", "Stalled": "2026-05-01T13:00:00Z"}
    third = report(*second.conditions(), now=NOON + 2 * ONE)
    third.ready("Succeeded", "done")
    assert third.conditions()[0].last_transition_time == "2026-05-01T14:00:00Z"


def test_an_event_is_said_once_for_a_reason_and_warns_where_a_person_must_act() -> None:
    first = report()
    first.reconciling("Ingesting", "it is read")
    assert [(event.type, event.reason) for event in first.events()] == [("Normal", "Ingesting")]
    again = report(*first.conditions())
    again.reconciling("Ingesting", "it is still read")
    assert again.events() == ()
    broken = report(*first.conditions())
    broken.reconciling("SourceNotFound", "no file; it is tried again")
    assert [event.type for event in broken.events()] == ["Warning"]


def test_of_a_condition_that_is_marked_to_be_told_every_change_is() -> None:
    def marked(*before: Condition, reason: str, message: str) -> Report:
        it = report(*before)
        it.ready("Packaged", "there it is")
        it.mark("Approved", reason == "Approved", reason, message, tell=True)
        return it

    first = marked(reason="AwaitingApproval", message="nobody has said a word")
    said = [(event.type, event.reason) for event in first.events()]
    assert said == [("Normal", "Packaged"), ("Warning", "AwaitingApproval")]
    assert marked(*first.conditions(), reason="AwaitingApproval", message="nobody has said a word").events() == ()
    second = marked(*first.conditions(), reason="Approved", message="by ana")
    assert [(event.type, event.message) for event in second.events()] == [("Normal", "by ana")]
    third = marked(*second.conditions(), reason="Approved", message="by ben")
    assert [(event.type, event.message) for event in third.events()] == [("Normal", "by ben")]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        pytest.param(
            "0/1 nodes are available: 1 Insufficient cpu.", "0/1 nodes are available: 1 Insufficient cpu", id="."
        ),
        pytest.param("x" * 2000, "x" * 1023 + "…", id="a long one is cut"),
        pytest.param("", "Crashed", id="an empty one is at least the reason"),
        pytest.param(" \n", "Crashed", id="so is a blank one"),
    ],
)
def test_messages_are_bounded_and_end_without_a_full_stop(message: str, words: str) -> None:
    it = report()
    it.stalled("Crashed", message)
    assert it.conditions()[0].message == words


def test_a_refused_write_turns_a_decided_status_to_stalled_and_keeps_the_rest() -> None:
    before = report()
    before.reconciling("Ingesting", "it is read")
    decided = report(*before.conditions())
    decided.ready("Succeeded", "done")
    decided.mark("Validated", True, "ChecksPassed", "every check holds")
    status: JsonObject = {"observedGeneration": 2, "rows": 3, "conditions": conditions.dump(decided.conditions())}
    told, events = conditions.stalled_by_write(status, before.conditions(), 2, "Forbidden", "quota.", NOON + ONE)
    found = {one["type"]: (one["status"], one["reason"]) for one in cast(list[JsonObject], told["conditions"])}
    assert found == {
        "Ready": ("False", "Forbidden"),
        "Stalled": ("True", "Forbidden"),
        "Validated": ("True", "ChecksPassed"),
    }
    assert told["rows"] == 3
    assert [(event.type, event.reason) for event in events] == [("Warning", "Forbidden")]
    assert lint({"metadata": {"generation": 2}, "status": told}) == []


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"observedGeneration": -1}, id="never seen"),
        pytest.param(
            {"observedGeneration": 1, "rows": 3, "conditions": [READY | {"observedGeneration": 1}]}, id="seen"
        ),
    ],
)
def test_an_object_that_cannot_be_read_is_stalled_and_keeps_its_status(status: JsonObject) -> None:
    obj = {**samples.dataset(), "metadata": {"name": "flights", "generation": 2}, "status": status}
    told, _ = conditions.invalid(obj, "spec.split: unknown field `stratify`", NOON)
    assert lint({**obj, "status": told}) == []
    assert told["observedGeneration"] == 2
    assert told.get("rows") == status.get("rows")
    parsed = Dataset.parse({**obj, "status": told}).status
    assert (parsed.condition("Ready"), parsed.condition("Stalled")) != (None, None)


def test_times_are_read_as_they_are_written() -> None:
    assert conditions.moment(conditions.timestamp(NOON)) == NOON


def test_every_worker_reason_is_in_the_table() -> None:
    assert set(WORKER_REASONS) <= set(REASONS)


def test_a_reason_that_nobody_knows_is_for_a_person() -> None:
    assert outlook("Novel") == "act"


def test_every_reason_is_one_that_some_code_says_and_has_whole_sentences() -> None:
    assert sorted(set(REASONS) - literals() - set(WORKER_REASONS)) == []
    for name, reason in REASONS.items():
        assert reason.meaning.endswith("."), name
        assert reason.remedy.endswith("."), name


def test_every_reason_that_code_says_is_in_the_table() -> None:
    assert sorted(spoken() - set(REASONS)) == []


def test_every_aspect_names_reasons_of_the_table() -> None:
    named = {reason for aspect in conditionsdoc.ASPECTS.values() for reason in aspect.reasons or ()}
    assert named <= set(REASONS)


def test_the_page_is_as_the_table_has_it() -> None:
    assert (ROOT / "docs/conditions.md").read_text() == conditionsdoc.page().rstrip() + "\n"


def trees() -> list[ast.Module]:
    """The operator's modules but for the table itself and the page."""
    modules = (ROOT / "operator/modelwright").rglob("*.py")
    return [ast.parse(path.read_text()) for path in modules if path.name not in ("reasons.py", "conditionsdoc.py")]


def literals() -> set[str]:
    """Every string that the operator's code writes out."""
    return {
        node.value
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


SPEAKERS = {"ready": 0, "reconciling": 0, "stalled": 0, "paused": 0, "mark": 2, "Blocked": 0, "Died": 0, "Refused": 0}
"""Calls that say a reason, and which argument it is."""


def spoken() -> set[str]:
    """Every reason that is written out where a condition is said."""
    found: set[str] = set()
    for node in (node for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in SPEAKERS or len(node.args) <= SPEAKERS[name]:
            continue
        constants = [n for n in ast.walk(node.args[SPEAKERS[name]]) if isinstance(n, ast.Constant)]
        found |= {n.value for n in constants if isinstance(n.value, str) and n.value[:1].isupper()}
    return found
