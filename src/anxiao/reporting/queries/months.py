"""The months of reports: which are at hand, and which an operator has set aside (``commands.partitions``)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.db import DEFAULT_DB_ALIAS, connections

from anxiao.base.scope import Scope

# Naming the parent holds off whoever would set a month aside until the end of this transaction: what follows, a count
# of the reports for instance, sees the same months.
_MONTHS = """
SELECT to_date(substr(c.relname, 8), 'YYYY_MM'), c.relispartition, greatest(c.reltuples, 0)::bigint,
       pg_total_relation_size(c.oid)
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^report_[0-9]{4}_[0-9]{2}$'
  AND NOT EXISTS (SELECT 1 FROM report WHERE false)
ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Month:
    """A month of reports; ``rows`` is the database's estimate, ``size`` is in bytes with indexes."""

    first: date
    at_hand: bool
    rows: int
    size: int

    @property
    def table(self) -> str:
        return f"report_{self.first:%Y_%m}"

    @property
    def after(self) -> date:
        """The first day of the next month."""
        return (self.first + timedelta(days=32)).replace(day=1)


def months(scope: Scope, *, using: str = DEFAULT_DB_ALIAS) -> list[Month]:
    """All months that have a table, oldest first; they are the same for everybody."""
    with connections[using].cursor() as cursor:
        cursor.execute(_MONTHS)
        return [Month(*row) for row in cursor.fetchall()]


def is_set_aside(scope: Scope, day: date) -> bool:
    """Whether the reports of a day are no longer at hand."""
    return any(not month.at_hand and month.first <= day < month.after for month in months(scope))


def countable_from(scope: Scope, *, using: str = DEFAULT_DB_ALIAS) -> date:
    """The first day from which all reports are at hand; counters of earlier days can no longer be held against them."""
    return max((month.after for month in months(scope, using=using) if not month.at_hand), default=date.min)
