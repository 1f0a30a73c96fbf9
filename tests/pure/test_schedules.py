"""When a schedule is due."""

from datetime import UTC, datetime, timedelta

import pytest

from modelwright import schedules

AT = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "zone", "after", "due"),
    [
        ("0 * * * *", "UTC", AT, datetime(2026, 5, 1, 13, 0, tzinfo=UTC)),
        ("0 3 * * 1", "Europe/Berlin", AT, datetime(2026, 5, 4, 1, 0, tzinfo=UTC)),
        ("*/5 * * * *", "UTC", datetime(2026, 5, 1, 12, 5, tzinfo=UTC), datetime(2026, 5, 1, 12, 10, tzinfo=UTC)),
        # Half past two does not exist that night, and comes twice in autumn.
        ("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        (
            "30 2 * * *",
            "Europe/Berlin",
            datetime(2026, 10, 24, 12, tzinfo=UTC),
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
            datetime(2026, 10, 26, 1, 30, tzinfo=UTC),
        ),
    ],
)
def test_the_next_time(schedule: str, zone: str, after: datetime, due: datetime) -> None:
    assert schedules.next_after(schedule, zone, after) == due


def test_it_is_always_later() -> None:
    at = AT
    for _ in range(200):
        due = schedules.next_after("7 */3 * * *", "America/New_York", at)
        assert at < due <= at + timedelta(hours=4, minutes=1)
        at = due


@pytest.mark.parametrize(
    ("schedule", "zone", "words"),
    [
        ("0 3 * *", "UTC", "five fields of cron"),
        ("61 3 * * *", "UTC", "five fields of cron"),
        ("0 3 30 2 *", "UTC", "never due"),
        ("0 3 31 2,4 *", "UTC", "never due"),
        ("0 3 * * *", "Europe/Atlantis", "IANA database"),
        ("0 3 * * *", "../etc/passwd", "IANA database"),
    ],
)
def test_what_is_wrong_is_told(schedule: str, zone: str, words: str) -> None:
    found = schedules.problem(schedule, zone)
    assert found is not None
    assert words in found
    assert schedules.problem("0 3 * * *", "UTC") is None
