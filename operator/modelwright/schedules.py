"""Five-field cron expressions in a time zone, as in a CronJob's `schedule` and `timeZone`."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError


def problem(schedule: str, time_zone: str) -> str | None:
    """What is wrong with a schedule, and what to write instead; None where nothing is."""
    try:
        next_after(schedule, time_zone, datetime(2000, 1, 1, tzinfo=UTC))
    except ValueError as error:
        return str(error)
    return None


def next_after(schedule: str, time_zone: str, after: datetime) -> datetime:
    """The first due time later than `after`, in UTC. Raises ValueError with what to write instead.

    Where a clock change leaves a time out, it is due when the clock has moved; where one comes twice, it is due once.
    """
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f'timeZone "{time_zone}" is not known; write a name of the IANA database, for example Europe/Berlin'
        raise ValueError(message) from None
    try:
        return next(CronSim(schedule, after.astimezone(zone))).astimezone(UTC)
    except (CronSimError, StopIteration):
        message = (
            f'schedule "{schedule}" is not five fields of cron, or never due; write minute, hour, day, month and '
            'weekday, for example "0 3 * * 1"'
        )
        raise ValueError(message) from None
