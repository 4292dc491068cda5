"""Partitions of the reports, one a month, made ahead of time by the owner of the tables, and old ones set aside.

A month that is set aside stays in the database as a table of its own under the same fence, ``report_2020_02``: nothing
is deleted, and it can be taken back. Its counters stay as they are: boards and day sheets of those days show what they
showed; names and answers of those days are no longer at hand, and pages say so.
"""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta

from django.db import IntegrityError, OperationalError, connections, transaction
from psycopg import errors

from anxiao.base.clock import day_of
from anxiao.base.errors import Refused
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.base.tenancy import school_context
from anxiao.ledger.commands import record
from anxiao.reporting.queries.months import Month, months

MONTHS_BACK, MONTHS_AHEAD = 3, 15
FEWEST_MONTHS = 3
"""Fewer would take away what people still correct and look up."""

SET_ASIDE, TAKEN_BACK = "reports.set_aside", "reports.taken_back"

_TRIES = 8
_PATIENCE = "400ms"


def ensure_partitions(*, day: date, using: str = "owner") -> list[str]:
    """Make the partitions around ``day``; what exists stays.  Days outside fall into ``report_other``: none is lost."""
    first = (day.replace(day=1) - timedelta(days=31 * MONTHS_BACK)).replace(day=1)
    months = []
    for _ in range(MONTHS_BACK + MONTHS_AHEAD + 1):
        months.append(first)
        first = (first + timedelta(days=32)).replace(day=1)
    with connections[using].cursor() as cursor:
        names = []
        for month in months:
            try:
                with transaction.atomic(using=using):
                    cursor.execute("SELECT anxiao_report_partition(%s)", [month])
                    names.append(cursor.fetchone()[0])
            except IntegrityError as error:
                # Reports of this month stand in report_other already, and stay there; the later months are made.
                if not isinstance(error.__cause__, errors.CheckViolation):
                    raise
    return names


def set_aside(*, by: Scope, now: datetime, keep_months: int, using: str = "owner") -> list[Month]:
    """Take months out of the running table that ended more than ``keep_months`` whole months ago; returns them.

    PostgreSQL detaches without a lock only where no default partition stands, and ours must stand (no report may be
    lost for want of a partition). So the lock is asked for with little patience, and again: nobody waits behind us for
    long.
    """
    old = those_before(by, now=now, keep_months=keep_months, using=using)
    for month in old:
        _alter(f"ALTER TABLE report DETACH PARTITION {month.table}", by, now, month, SET_ASIDE, using)
    return old


def those_before(by: Scope, *, now: datetime, keep_months: int, using: str = "owner") -> list[Month]:
    """The months at hand that a policy would set aside."""
    if keep_months < FEWEST_MONTHS:
        raise Refused(f"At least {FEWEST_MONTHS} months stay at hand.")
    limit = _months_before(day_of(now).replace(day=1), keep_months)
    return [month for month in months(by, using=using) if month.at_hand and month.after <= limit]


def take_back(*, by: Scope, now: datetime, first: date, using: str = "owner") -> Month:
    """Put a month that was set aside back into the running table; ``first`` is any of its days."""
    for month in months(by, using=using):
        if month.first == first.replace(day=1) and not month.at_hand:
            bounds = f"FROM ('{month.first}') TO ('{month.after}')"
            statement = f"ALTER TABLE report ATTACH PARTITION {month.table} FOR VALUES {bounds}"
            _alter(statement, by, now, month, TAKEN_BACK, using)
            return month
    raise Refused(f"The month {first:%Y-%m} is not set aside.")


def _alter(statement: str, by: Scope, now: datetime, month: Month, verb: str, using: str) -> None:
    for tried in range(_TRIES):
        try:
            with school_context("*", using=using):
                with connections[using].cursor() as cursor:
                    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [_PATIENCE])
                    cursor.execute(statement)
                facts = {"table": month.table, "rows": month.rows}
                record(
                    by=by,
                    now=now,
                    verb=verb,
                    object_type="reports",
                    object_id=f"{month.first:%Y-%m}",
                    school_id=SHARED_SCHOOL,
                    facts=facts,
                    using=using,
                )
        except OperationalError as error:
            if not isinstance(error.__cause__, errors.LockNotAvailable):
                raise
            time.sleep(0.1 * (tried + 1))
        else:
            return
    raise Refused("The reports are in use without a pause; nothing was changed. Try again at a quieter hour.")


def _months_before(first: date, count: int) -> date:
    years, month = divmod(first.year * 12 + first.month - 1 - count, 12)
    return date(years, month + 1, 1)
