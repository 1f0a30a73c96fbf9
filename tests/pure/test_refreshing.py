"""A Dataset that is looked at again: due times, readings without news, poisoned data, an operator that comes and goes.

The clock of these worlds begins on Friday, 2026-05-01 at 12:00 UTC.
"""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwright import schedules
from modelwright.conditions import moment
from modelwright.observe import POD_GRACE
from pure import samples
from pure.world import World, fork

ME = ("Dataset", "flights")
HOURLY = {"schedule": "0 * * * *"}
CHECK = {"checks": [{"name": "enough", "rowCount": {"min": 50}}]}


def a_dataset(**spec: object) -> World:
    """A world with a Dataset that is read every hour, and was read for the first time."""
    world = World()
    world.apply(samples.dataset(**{"refresh": HOURLY, **spec}))
    world.settle()
    end(world, "first")
    return world


def end(world: World, content: str, **more: object) -> None:
    """The Job ends well; the same `content` has the same digest."""
    job = world.the_job(ME)
    report = json.loads(samples.success(world.task(job)))
    report |= {"digest": samples.digest(content), "objects": 3, "read": 3, **more}
    world.start(job)
    world.end(job, json.dumps(report))
    world.finish(job)
    world.settle()


def status_of(world: World) -> dict[str, Any]:
    """The Dataset's status as JSON."""
    status = world.objects[ME]["status"]
    assert isinstance(status, dict)
    return status


def digest(world: World) -> str:
    """The digest of the version that is there."""
    found = status_of(world)["version"]["digest"]
    assert isinstance(found, str)
    return found


def refreshing(world: World) -> tuple[bool, str]:
    """Whether Refreshing is True, and its reason."""
    return world.holds(*ME, "Refreshing"), world.said_reason(*ME, "Refreshing")


def reasons(world: World) -> list[str]:
    """The reasons of the Dataset's Events."""
    return [event.reason for id_, event in world.events if id_ == ME]


def test_nothing_is_done_before_it_is_due_and_the_time_is_told() -> None:
    world = a_dataset()
    assert status_of(world)["refresh"]["nextAt"] == "2026-05-01T13:00:00Z"
    assert refreshing(world) == (False, "NotStarted")
    assert world.decide(*ME).requeue_after == timedelta(hours=1)
    world.pass_time(minutes=59)
    world.settle()
    assert not world.unfinished()
    assert len(world.jobs_made) == 1


def test_at_a_due_time_the_source_is_looked_at_and_the_version_stays_ready() -> None:
    world = a_dataset()
    first = status_of(world)["version"]
    world.pass_time(hours=1)
    world.settle()
    task = world.task(world.the_job(ME))
    assert (task["previous"], task["keepCopies"]) == (first["result"], True)
    assert world.ready(*ME) == ("True", "Succeeded")
    assert refreshing(world) == (True, "Refreshing")
    assert status_of(world)["version"] == first
    assert status_of(world)["refresh"]["lastAt"] == "2026-05-01T13:00:00Z"


def test_unchanged_data_makes_no_version_and_no_news() -> None:
    world = a_dataset()
    before, told = status_of(world), len(world.events)
    for hour in range(1, 4):
        world.pass_time(hours=1)
        world.settle()
        end(world, "first", read=0)
        assert status_of(world)["refresh"]["lastAt"] == f"2026-05-01T{12 + hour}:00:00Z"
    now = status_of(world)
    assert now["versions"] == before["versions"]
    assert {**now["version"], "result": ""} == {**before["version"], "result": ""}
    assert (now["refresh"]["objects"], now["refresh"]["read"]) == (3, 0)
    assert refreshing(world) == (False, "Refreshed")
    assert world.said(*ME, "Refreshing") == "looked at for 2026-05-01T15:00:00Z: 0 of 3 files had changed"
    assert len(world.events) == told
    assert len(set(world.jobs_made)) == 4


def test_each_reading_is_compared_with_the_last_that_succeeded() -> None:
    world = a_dataset()
    world.pass_time(hours=1)
    world.settle()
    second = world.task(world.the_job(ME))["key"]
    end(world, "first", read=0)
    world.pass_time(hours=1)
    world.settle()
    assert world.task(world.the_job(ME))["previous"] == second


def test_new_content_is_a_new_version_and_an_event() -> None:
    world = a_dataset()
    world.pass_time(hours=1)
    world.settle()
    end(world, "second", rows=120)
    assert digest(world) == samples.digest("second")
    assert [one["digest"] for one in status_of(world)["versions"]] == [
        samples.digest("second"), samples.digest("first")
    ]  # fmt: skip
    assert reasons(world)[-1] == "NewVersion"
    assert world.ready(*ME) == ("True", "Succeeded")


def test_poisoned_data_is_told_and_the_good_version_stays_ready_until_the_data_is_good_again() -> None:
    world = a_dataset(**CHECK)
    good = status_of(world)["version"]
    world.pass_time(hours=1)
    world.settle()
    message = "enough: 3 rows, must be at least 50"
    world.tell(world.the_job(ME), "CheckFailed", retry=True, message=message, violations=1)
    world.settle()
    for _ in range(3):
        assert world.ready(*ME) == ("True", "Succeeded")
        assert not world.holds(*ME, "Validated")
        assert world.said(*ME, "Validated") == message
        assert status_of(world)["violations"]["total"] == 1
        assert status_of(world)["version"] == good
        assert refreshing(world) == (True, "CheckFailed")
        assert f"version {good['digest'][:19]} stays" in world.said(*ME, "Refreshing")
        world.pass_time(minutes=20)
        world.settle()
        world.tell(world.the_job(ME), "CheckFailed", retry=True, message=message, violations=1)
        world.settle()
    # The next due time is another reading, of data that may be as bad: nothing is unsaid before one succeeds.
    world.pass_time(hours=1)
    world.settle()
    assert status_of(world)["refresh"]["lastAt"] != "2026-05-01T13:00:00Z"
    assert world.said(*ME, "Validated") == message
    world.tell(world.the_job(ME), "StoreUnreachable", retry=True, message="can't reach it")
    world.settle()
    assert world.said(*ME, "Validated") == message
    assert refreshing(world) == (True, "StoreUnreachable")
    assert reasons(world).count("CheckFailed") == 1
    world.pass_time(minutes=10)
    world.settle()
    end(world, "first", read=0)
    assert world.holds(*ME, "Validated")
    assert refreshing(world) == (False, "Refreshed")
    assert status_of(world)["violations"]["total"] == 0
    assert "attempt" not in status_of(world)


def test_a_store_that_is_away_for_five_minutes_is_told_tried_again_and_costs_nothing() -> None:
    world = a_dataset()
    good = status_of(world)["version"]
    world.pass_time(hours=1)
    tries = 0
    for _ in range(60):
        world.settle()
        if world.unfinished():
            tries += 1
            world.tell(world.the_job(ME), "StoreUnreachable", retry=True, message="can't reach http://s3")
            world.settle()
        assert world.ready(*ME) == ("True", "Succeeded")
        assert refreshing(world) == (True, "StoreUnreachable")
        assert world.holds(*ME, "Validated")
        world.pass_time(seconds=5)
    assert 3 < tries < 12
    assert reasons(world).count("StoreUnreachable") == 1
    world.pass_time(minutes=5)
    world.settle()
    end(world, "first", read=0)
    assert status_of(world)["version"] | {"result": ""} == good | {"result": ""}
    assert refreshing(world) == (False, "Refreshed")


def test_what_is_given_up_is_told_and_the_next_due_time_is_another_try() -> None:
    world = a_dataset()
    world.pass_time(hours=1)
    world.settle()
    world.tell(world.the_job(ME), "ColumnNotFound", retry=False, message="there is no column carrier")
    world.settle()
    assert refreshing(world) == (False, "ColumnNotFound")
    assert world.ready(*ME) == ("True", "Succeeded")
    world.pass_time(minutes=59)
    world.settle()
    assert not world.unfinished()
    world.pass_time(minutes=1)
    world.settle()
    end(world, "second")
    assert digest(world) == samples.digest("second")


def test_times_that_were_missed_count_once() -> None:
    world = a_dataset()
    world.pass_time(days=2, hours=3, minutes=30)
    world.settle()
    assert status_of(world)["refresh"]["nextAt"] == "2026-05-03T16:00:00Z"
    end(world, "first", read=0)
    assert not world.unfinished()
    assert len(world.jobs_made) == 2


def test_a_reading_that_takes_longer_than_the_interval_is_not_cut_off() -> None:
    world = a_dataset()
    world.pass_time(hours=1)
    world.settle()
    job = world.the_job(ME)
    world.start(job)
    world.pass_time(hours=2, minutes=30)
    world.settle()
    assert world.the_job(ME) == job
    assert world.decide(*ME).requeue_after == POD_GRACE  # nobody is asked again and again meanwhile
    end(world, "second")
    assert world.the_job(ME) != job
    end(world, "second", read=0)
    assert not world.unfinished()
    assert status_of(world)["refresh"]["nextAt"] == "2026-05-01T16:00:00Z"


def test_an_operator_that_is_killed_before_it_writes_status_begins_the_same_reading() -> None:
    world = a_dataset()
    world.pass_time(hours=1)
    before = fork(world)
    plan = world.decide(*ME)
    before.pass_time(hours=5)
    later = before.decide(*ME)
    assert [child.name for child in plan.children] == [child.name for child in later.children]
    assert len(plan.children) == 1


def test_an_edit_of_the_spec_is_read_at_once_and_the_schedule_begins_anew() -> None:
    world = a_dataset()
    world.pass_time(minutes=30)
    world.edit(*ME, split={"seed": 7})
    world.settle()
    assert world.ready(*ME) == ("False", "Ingesting")
    assert refreshing(world) == (False, "NotStarted")
    assert world.task(world.the_job(ME))["previous"] is None
    end(world, "third")
    assert world.ready(*ME) == ("True", "Succeeded")
    assert status_of(world)["refresh"]["nextAt"] == "2026-05-01T13:00:00Z"


def test_an_edit_in_the_middle_of_a_reading_ends_it() -> None:
    world = a_dataset()
    world.pass_time(hours=1)
    world.settle()
    job = world.the_job(ME)
    world.edit(*ME, split={"seed": 7})
    world.settle()
    assert ("Job", job) not in world.objects
    assert world.ready(*ME) == ("False", "Ingesting")


def test_a_spec_that_was_read_at_another_time_is_looked_at_anew() -> None:
    """Its earlier result lies in the store, and may be older than what was read meanwhile under another spec."""
    world = a_dataset()
    world.edit(*ME, split={"seed": 7})
    world.settle()
    end(world, "seeded", repeated=True)
    assert digest(world) == samples.digest("seeded")
    assert refreshing(world) == (True, "Refreshing")
    task = world.task(world.the_job(ME))
    assert task["previous"] == status_of(world)["version"]["result"]
    end(world, "newer")
    assert digest(world) == samples.digest("newer")
    assert not world.unfinished()


def test_without_a_schedule_a_repeated_result_is_taken_as_it_is() -> None:
    world = World()
    world.apply(samples.dataset())
    world.settle()
    end(world, "first", repeated=True)
    assert not world.unfinished()
    assert "refresh" not in status_of(world)


@pytest.mark.parametrize(
    ("refresh", "says"),
    [
        pytest.param({"schedule": "0 25 * * *"}, 'schedule "0 25 * * *" is not five fields of cron', id="no hour"),
        pytest.param({"schedule": "0 0 30 2 *"}, "or never due", id="never due"),
        pytest.param({"schedule": "0 * * * *", "timeZone": "Europe/Atlantis"}, "Europe/Atlantis", id="no zone"),
    ],
)
def test_a_schedule_that_can_not_be_kept_is_told_once_the_data_is_there(refresh: dict[str, str], says: str) -> None:
    world = a_dataset(refresh=refresh)
    assert world.ready(*ME) == ("False", "ScheduleInvalid")
    assert world.holds(*ME, "Stalled")
    assert says in world.said(*ME)
    assert world.said(*ME).startswith("spec.refresh: ")
    assert digest(world) == samples.digest("first")
    world.edit(*ME, refresh=HOURLY)
    world.settle()
    assert world.ready(*ME) == ("True", "Succeeded")
    assert len(world.jobs_made) == 1


def test_another_schedule_reads_nothing_by_itself_and_is_kept_from_then_on() -> None:
    world = a_dataset()
    world.pass_time(minutes=10)
    world.edit(*ME, refresh={"schedule": "15 14 * * *", "timeZone": "Europe/Berlin"})
    world.settle()
    assert not world.unfinished()
    assert status_of(world)["refresh"]["nextAt"] == "2026-05-01T12:15:00Z"
    world.edit(*ME, refresh={})
    world.settle()
    assert "refresh" not in status_of(world)
    assert world.said(*ME, "Refreshing") == ""
    world.pass_time(days=3)
    world.settle()
    assert not world.unfinished()


def test_a_ceiling_that_was_lowered_is_told_and_takes_no_version_away() -> None:
    world = a_dataset()
    world.config = samples.config(ceilings={"memory": "1Gi"})
    world.pass_time(hours=1)
    world.settle()
    assert world.ready(*ME) == ("True", "Succeeded")
    assert refreshing(world) == (True, "ResourcesAboveCeiling")
    assert not world.unfinished()
    world.config = samples.config()
    world.settle()
    end(world, "second")
    assert digest(world) == samples.digest("second")


def test_a_pod_that_can_not_start_is_told_without_a_loss_of_ready() -> None:
    world = a_dataset()
    world.pass_time(hours=1)
    world.settle()
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    world.pod(world.the_job(ME), {"phase": "Pending", "conditions": [unschedulable]})
    world.pass_time(minutes=2)
    world.settle()
    assert world.ready(*ME) == ("True", "Succeeded")
    assert refreshing(world) == (True, "Unschedulable")


def test_a_new_token_is_compared_with_what_was_read_before() -> None:
    world = a_dataset(refresh={"token": "may"})
    first = status_of(world)["version"]
    world.edit(*ME, refresh={"token": "june"})
    world.settle()
    assert world.ready(*ME) == ("False", "Ingesting")
    task = world.task(world.the_job(ME))
    assert (task["previous"], task["keepCopies"]) == (first["result"], True)
    end(world, "first", read=0)
    now = status_of(world)
    assert now["version"]["createdAt"] == first["createdAt"]
    assert len(now["versions"]) == 1
    assert world.ready(*ME) == ("True", "Succeeded")


def test_a_token_whose_data_fails_its_checks_leaves_the_good_version_ready() -> None:
    world = a_dataset(refresh={"token": "may"}, **CHECK)
    good = status_of(world)["version"]
    world.edit(*ME, refresh={"token": "june"})
    world.settle()
    assert world.ready(*ME)[0] == "False"
    world.tell(world.the_job(ME), "CheckFailed", retry=True, message="enough: 3 rows", violations=1)
    world.settle()
    assert world.ready(*ME) == ("True", "Succeeded")
    assert "the newest data failed its checks, see Validated" in world.said(*ME)
    assert world.said(*ME, "Validated") == "enough: 3 rows"
    assert status_of(world)["version"] == good
    world.pass_time(minutes=5)
    world.settle()
    assert world.unfinished()
    assert world.ready(*ME) == ("True", "Succeeded")
    end(world, "second")
    assert world.holds(*ME, "Validated")
    assert digest(world) == samples.digest("second")


def test_another_check_that_fails_is_no_refresh() -> None:
    world = a_dataset()
    world.edit(*ME, **CHECK)
    world.settle()
    world.tell(world.the_job(ME), "CheckFailed", retry=True, message="enough: 3 rows")
    world.settle()
    assert world.ready(*ME) == ("False", "CheckFailed")


Ends = st.sampled_from(["good", "same", "poisoned", "away", "broken", "nothing"])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 200), Ends, st.booleans()), max_size=12))
def test_whatever_happens_the_version_stays_ready_and_due_times_go_on(story: list[tuple[int, str, bool]]) -> None:
    world = a_dataset(refresh={"schedule": "*/20 * * * *"}, **CHECK)
    number, last = 0, ""
    for minutes, what, killed in story:
        world.pass_time(minutes=minutes)
        world = fork(world) if killed else world
        world.settle()
        assert world.ready(*ME) == ("True", "Succeeded")
        refresh = status_of(world)["refresh"]
        assert refresh.get("lastAt", "") >= last
        last = refresh.get("lastAt", "")
        good = digest(world)
        if not world.unfinished() or what == "nothing":
            continue
        if what in ("good", "same"):
            number += what == "good"
            end(world, f"content {number}" if number else "first")
            assert digest(world) == (samples.digest(f"content {number}") if number else good)
            assert world.holds(*ME, "Validated")
        else:
            told = {"poisoned": ("CheckFailed", True), "away": ("StoreUnreachable", True)}
            reason, retry = told.get(what, ("ColumnNotFound", False))
            valid = world.holds(*ME, "Validated") and what != "poisoned"
            world.tell(world.the_job(ME), reason, retry=retry)
            world.settle()
            assert digest(world) == good
            assert world.holds(*ME, "Validated") is valid
    world.pass_time(minutes=21)
    world.settle()
    assert world.unfinished()


def test_a_clock_that_is_set_back_delays_nothing() -> None:
    world = a_dataset()
    world.pass_time(hours=1)
    world.settle()
    end(world, "first", read=0)
    world.now -= timedelta(days=30)
    world.settle()
    assert status_of(world)["refresh"]["nextAt"] == "2026-04-01T14:00:00Z"
    world.pass_time(hours=1)
    world.settle()
    assert world.unfinished()


def test_the_next_time_is_in_the_users_own_zone() -> None:
    world = a_dataset(refresh={"schedule": "30 3 * * 1", "timeZone": "America/New_York"})
    expected = schedules.next_after("30 3 * * 1", "America/New_York", world.now)
    assert moment(status_of(world)["refresh"]["nextAt"]) == expected
