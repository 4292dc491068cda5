"""Time as the notice counts it: days and deadlines of Asia/Shanghai, whatever zone the process runs in."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def now() -> datetime:
    """The server's clock, aware, in UTC.  Commands take it as ``now=``; only doors call this."""
    return datetime.now(UTC)


def day_of(moment: datetime) -> date:
    """The reporting day (00:00-24:00 Asia/Shanghai) in which an aware ``moment`` lies."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return moment.astimezone(SHANGHAI).date()


def moment_at(day: date, at: time) -> datetime:
    """The aware moment of wall-clock time ``at`` on ``day`` in Shanghai."""
    return datetime.combine(day, at, tzinfo=SHANGHAI)


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """First moment of ``day`` and first moment of the next, in Shanghai."""
    return moment_at(day, time(0)), moment_at(day + timedelta(days=1), time(0))
