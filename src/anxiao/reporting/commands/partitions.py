"""Partitions of the reports, one a month, made ahead of time by the owner of the tables."""

from __future__ import annotations

from datetime import date, timedelta

from django.db import connections

MONTHS_BACK, MONTHS_AHEAD = 3, 15


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
            cursor.execute("SELECT anxiao_report_partition(%s)", [month])
            names.append(cursor.fetchone()[0])
    return names
