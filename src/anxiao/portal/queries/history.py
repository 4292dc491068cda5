"""What became of one person over time: corrections and proxies of a month, and who looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from anxiao.accounts.models import User
from anxiao.base.scope import Scope
from anxiao.directory.models import Person
from anxiao.directory.names_people import LOOKING
from anxiao.ledger.queries import entries_about
from anxiao.reporting.queries.reports import Kept, PersonDay, person_days

LOOKS = 20


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody looked: when, who (as shown and as they sign in), and at what (a verb of ``LOOKING``)."""

    at: datetime
    name: str
    username: str
    verb: str


@dataclass(frozen=True, slots=True)
class LooksPage:
    rows: Sequence[Look]
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """One report that somebody else sent, or that was corrected afterwards."""

    day: PersonDay
    kept: Kept


@dataclass(frozen=True, slots=True)
class Month:
    """The rounds of a month that asked this person, newest first, and what in it was not sent by themselves at once."""

    first: date
    days: Sequence[PersonDay]
    changed: Sequence[Changed]


def month_of(scope: Scope, person: Person, first: date, today: date, now: datetime) -> Month:
    """A month of somebody whom ``access.get_person`` has handed out; five statements at most."""
    last = min((first + timedelta(days=32)).replace(day=1) - timedelta(days=1), today)
    days = person_days(scope, person, last, now, days=(last - first).days + 1) if last >= first else []
    changed = [Changed(day, kept) for day in days for kept in day.versions if kept.proxy or not kept.first]
    return Month(first, days, changed)


def looks_at(
    scope: Scope, school_id: int, person_id: int, *, before: int | None = None, limit: int = LOOKS
) -> LooksPage:
    """Who looked at a person, newest first: for the person, and for whoever may read the ledger; two statements."""
    entries = entries_about(
        school_id=school_id,
        object_type="person",
        object_id=person_id,
        verbs=LOOKING,
        before=before,
        limit=limit + 1,
    )
    shown = entries[:limit]
    users = {entry.actor_id for entry in shown if entry.actor_id}
    names = dict(User.objects.filter(pk__in=users).values_list("pk", "display_name")) if users else {}
    return LooksPage(
        [Look(entry.at, names.get(entry.actor_id, ""), entry.actor, entry.verb) for entry in shown],
        shown[-1].id if len(entries) > limit else None,
    )
