"""When a schedule is due: cron rules in a time zone, across changes of the clock."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from service.errors import ServiceError


class BadRule(ServiceError):
    """A cron rule or time zone that can't be followed; `field` says which of the two."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def next_due(cron: str, zone: str, after: float) -> float:
    """The first due time after `after` (both seconds since 1970). Raises BadRule."""
    try:
        start = datetime.fromtimestamp(after, ZoneInfo(zone))
    except (ValueError, OSError, KeyError) as error:
        raise BadRule("timezone", f"there is no time zone {zone!r}; try UTC or Europe/Paris") from error
    try:
        return float(next(CronSim(cron, start)).timestamp())
    except CronSimError as error:
        right = "write minute, hour, day, month and weekday, such as 0 2 * * *"
        raise BadRule("cron", f"{cron!r} is no rule ({error}); {right}") from error
    except StopIteration as error:
        raise BadRule("cron", f"{cron!r} is never due; give days that exist") from error


def latest_due(cron: str, zone: str, first: float, now: float) -> float:
    """The last due time up to `now`, given that `first` is one: what was missed in between isn't made up for."""
    just_after = datetime.fromtimestamp(now + 1.0, ZoneInfo(zone))
    return max(first, float(next(CronSim(cron, just_after, reverse=True)).timestamp()))
