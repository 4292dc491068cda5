"""The ticket: leave to hand in one version of one report, within a quarter of an hour, by one person.

It names the version that it is good for. The primary key of the reports holds each version once, so a ticket is used
up by the report itself, in every worker and after every crash, and nobody keeps a list of used tickets. Why tickets
at all: a fixed address that takes a report at any time from anywhere is what scripts of other systems lived on.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple

from anxiao.base import sealing

LIFETIME = timedelta(minutes=15)
_PURPOSE = "ticket.1"


class Ticket(NamedTuple):
    """``version``: 1 for the report itself, n + 1 for the correction of version n. ``issued_at``: Unix seconds."""

    person_id: int
    school_id: int
    day: date
    round_id: int
    form_version: int
    version: int
    issued_at: int

    def is_fresh(self, now: datetime) -> bool:
        """Whether it may still be used; one from the future (a clock that was set back) may."""
        return now.timestamp() - self.issued_at < LIFETIME.total_seconds()


def seal(secret: str, ticket: Ticket) -> str:
    """The text that the phone hands back with its report."""
    return sealing.seal(
        secret,
        _PURPOSE,
        (
            ticket.person_id,
            ticket.school_id,
            ticket.day.toordinal(),
            ticket.round_id,
            ticket.form_version,
            ticket.version,
            ticket.issued_at,
        ),
    )


def unseal(secret: str, text: str) -> Ticket | None:
    """The ticket, or None when it is forged or damaged. Whether it is fresh is asked of the ticket."""
    numbers = sealing.unseal(secret, _PURPOSE, text, 7)
    if numbers is None:
        return None
    person_id, school_id, day, round_id, form_version, version, issued_at = numbers
    return Ticket(person_id, school_id, date.fromordinal(day), round_id, form_version, version, issued_at)
