"""``anxiao partitions``: the months of reports in lines for the person at the shell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from anxiao.base.clock import now
from anxiao.base.scope import system_scope
from anxiao.reporting.commands.partitions import set_aside, take_back, those_before
from anxiao.reporting.queries.months import months


def run(*, keep_months: int | None, detach: bool, attach: date | None) -> Iterator[str]:
    """Do what was asked and tell it; without a wish, list all months. Django is set up."""
    by = system_scope("shell")
    if attach is not None:
        yield f"{take_back(by=by, now=now(), first=attach).table}: taken back"
    if keep_months is not None and not detach:
        for month in those_before(by, now=now(), keep_months=keep_months):
            yield f"{month.table}: would be set aside with --detach"
    if keep_months is not None and detach:
        for month in set_aside(by=by, now=now(), keep_months=keep_months):
            yield f"{month.table}: set aside"
    for month in months(by, using="owner"):
        place = "at hand" if month.at_hand else "set aside"
        yield f"{month.first:%Y-%m}  {place:<9}  about {month.rows:>10} reports  {month.size / 2**20:>9.1f} MB"
