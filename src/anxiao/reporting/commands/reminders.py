"""Reminding those who have not reported.  Quiet: who has reported is not reminded, nobody is reminded twice an hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from anxiao.base.errors import NotYours, Refused
from anxiao.base.locks import REMINDERS
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.access import may_reach
from anxiao.directory.models import Organisation, Person, Place
from anxiao.ledger.commands import record
from anxiao.reporting.models import Round
from anxiao.reporting.queries.people import Listing, Where, from_and_where, parameters, where_nodes, where_place

QUIET = timedelta(hours=1)

# The same FROM and WHERE as the list of the missing, so that who is shown is who is reminded, and a report that
# arrived since the page was drawn keeps its author in peace.
_INSERT = """
INSERT INTO reminder (school_id, round_id, person_id, sent_by, sent_by_name, sent_at)
SELECT p.school_id, %(round)s, p.id, %(sent_by)s, %(sent_by_name)s, %(now)s
{missing}
AND NOT EXISTS (
    SELECT 1 FROM reminder x WHERE x.school_id = %(school)s AND x.person_id = p.id AND x.round_id = %(round)s
    AND x.sent_at > %(since)s
)
ON CONFLICT DO NOTHING RETURNING person_id
"""


@transaction.atomic
def remind_missing(*, by: Scope, node: Organisation, round: Round, now: datetime) -> int:
    """Remind everybody beneath ``node`` who is missing in ``round``; returns how many."""
    return _remind_nodes(by=by, nodes=[node], round=round, now=now)


@transaction.atomic
def remind_missing_of(*, by: Scope, nodes: list[Organisation], round: Round, now: datetime) -> int:
    """Remind the missing of several nodes of one school together (a counsellor's classes)."""
    return _remind_nodes(by=by, nodes=nodes, round=round, now=now)


@transaction.atomic
def remind_residents(*, by: Scope, place: Place, round: Round, now: datetime) -> int:
    """Remind the missing among the residents of a building."""
    where = where_place(by, place, Permission.REMIND)
    count = _remind(by=by, where=where, round=round, now=now)
    _enter(by=by, now=now, object_type="place", object_id=place.pk, school_id=place.school_id, round=round, count=count)
    return count


@transaction.atomic
def remind_person(*, by: Scope, person: Person, round: Round, now: datetime) -> bool:
    """Remind one person; false when they have reported, are excused, or were reminded within the hour."""
    if not may_reach(by, person, round.day, Permission.REMIND):
        raise NotYours
    count = _remind(by=by, where=Where(person.school_id), round=round, now=now, person_id=person.pk)
    if count:
        _enter(
            by=by,
            now=now,
            object_type="person",
            object_id=person.pk,
            school_id=person.school_id,
            round=round,
            count=count,
        )
    return bool(count)


def _remind_nodes(*, by: Scope, nodes: list[Organisation], round: Round, now: datetime) -> int:
    where = where_nodes(by, nodes, Permission.REMIND)
    count = _remind(by=by, where=where, round=round, now=now)
    _enter(
        by=by,
        now=now,
        object_type="organisation",
        object_id=" ".join(str(node.pk) for node in nodes)[:60],
        school_id=where.school_id,
        round=round,
        count=count,
    )
    return count


def _remind(*, by: Scope, where: Where, round: Round, now: datetime, person_id: int | None = None) -> int:
    if not round.opens_at <= now < round.closes_at:
        raise Refused(_("This round takes no reports now, so nobody was reminded."))
    missing = from_and_where(Listing.MISSING, where)
    params: dict[str, Any] = parameters(where, round) | {
        "sent_by": by.user_id,
        "sent_by_name": by.display_name[:60],
        "now": now,
        "since": now - QUIET,
        "lock": REMINDERS,
    }
    if person_id is not None:
        missing += " AND p.id = %(person)s"
        params["person"] = person_id
    with connection.cursor() as cursor:
        # two officers press at once: the second waits here, then sees what the first has sent
        cursor.execute("SELECT pg_advisory_xact_lock(%(lock)s, %(school)s)", params)
        cursor.execute(_INSERT.format(missing=missing), params)
        return len(cursor.fetchall())


def _enter(
    *, by: Scope, now: datetime, object_type: str, object_id: object, school_id: int, round: Round, count: int
) -> None:
    record(
        by=by,
        now=now,
        verb="reminder.sent",
        object_type=object_type,
        object_id=object_id,
        school_id=school_id,
        facts={"round": round.pk, "people": count},
    )
