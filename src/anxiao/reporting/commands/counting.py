"""Keeping the counters equal to the truth when the roster or the exemptions move."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from anxiao.base.locks import school_roster_lock
from anxiao.base.scope import NOBODY
from anxiao.base.tenancy import school_context
from anxiao.reporting.metrics import (
    ALL_METRICS,
    BEGINNERS,
    OF_REPORTS,
    OF_ROSTER,
    REPORT_METRICS,
    ROSTER_METRICS,
    TRUTH,
)
from anxiao.reporting.queries.months import countable_from
from anxiao.statistics import commands as counters

FIRST_DAY = date(2020, 1, 1)
"""No report and no membership is older than the notice that began this."""


def recount(*, school_id: int, since: date = FIRST_DAY, using: str = DEFAULT_DB_ALIAS) -> int:
    """Mend a school's counters from ``since`` on; returns how many were wrong.  The caller holds the roster lock."""
    return sum(
        counters.mend(truth=truth, params={}, school_id=school_id, metrics=metrics, since=first, using=using)
        for truth, metrics, first in _parts(since, using)
    )


def _parts(since: date, using: str) -> list[tuple[str, list[int], date]]:
    """What is held against what, from which day.

    Counters of months that were set aside stay as they stand: their reports are elsewhere, and to count what is not at
    hand would make every number of those days zero.
    """
    countable = countable_from(NOBODY, using=using)
    if countable <= since:
        return [(TRUTH, ALL_METRICS, since)]
    return [(OF_ROSTER, ROSTER_METRICS, since), (OF_REPORTS, REPORT_METRICS, countable)]


def recount_after_roster_change(*, school_id: int, since: date, now: datetime, **_: Any) -> None:
    """Listens to ``roster.changed``: memberships moved, so people, exemptions and reports count elsewhere."""
    recount(school_id=school_id, since=since)


def note_beginners(*, school_id: int, using: str = DEFAULT_DB_ALIAS) -> int:
    """Note who has reported with their own hand, after reports came by another way than the doors; returns how many."""
    with connections[using].cursor() as cursor:
        cursor.execute(BEGINNERS, {"school_id": school_id})
        return int(cursor.rowcount)


def rebuild(*, school_id: int) -> int:
    """Recount a whole school in a transaction of its own; returns how many counters were wrong."""
    with school_context(f"0,{school_id}"):
        school_roster_lock(school_id)
        note_beginners(school_id=school_id)
        return recount(school_id=school_id)


def differences(*, school_id: int, since: date = FIRST_DAY) -> list[tuple[Any, ...]]:
    """Counters of a school that differ from the truth; empty is the promise."""
    return [
        line
        for truth, metrics, first in _parts(since, DEFAULT_DB_ALIAS)
        for line in counters.differences(
            truth=truth, params={}, school_id=school_id, metrics=metrics, since=first, using=DEFAULT_DB_ALIAS
        )
    ]
