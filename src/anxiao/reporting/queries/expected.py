"""Who was expected, recomputed: as valid on a day *and* as known at a moment.

Boards and sheets read counters, which say what is known now.  Here the same numbers come from the rows themselves, with
both times, so that a rate of last week can be had again as it stood at 14:00 of that day.  An audience, and the tree
above a class, have no second time: neither ever changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.models import Organisation
from anxiao.directory.queries_roster import KNOWN, VALID
from anxiao.reporting.models import Round
from anxiao.reporting.queries.boards import Figures

_EXEMPT = """
EXISTS (SELECT FROM exemption e WHERE e.school_id = m.school_id AND e.person_id = m.person_id
        AND e.valid_from <= %(day)s AND e.valid_to > %(day)s
        AND e.created_at <= %(known)s AND (e.cancelled_at IS NULL OR e.cancelled_at > %(known)s))
"""

_AS_KNOWN = f"""
WITH wanted AS MATERIALIZED (
    SELECT id, path FROM organisation WHERE id = ANY(%(nodes)s)
), beneath AS MATERIALIZED (
    SELECT DISTINCT o.id, o.school_id, o.path FROM wanted w JOIN organisation o ON o.path <@ w.path
), held AS (
    SELECT m.school_id, m.organisation_id, m.person_id, p.audience, {_EXEMPT} AS exempt
    FROM beneath b
    JOIN membership m ON m.school_id = b.school_id AND m.organisation_id = b.id AND {VALID} AND {KNOWN}
    JOIN person p ON p.school_id = m.school_id AND p.id = m.person_id AND p.audience = ANY(%(audiences)s)
), counted AS (
    SELECT h.organisation_id, count(*)::int AS people, count(*) FILTER (WHERE h.exempt)::int AS exempt,
           count(*) FILTER (WHERE NOT h.exempt AND NOT r.late)::int AS on_time,
           count(*) FILTER (WHERE NOT h.exempt AND r.late)::int AS late,
           count(*) FILTER (WHERE h.exempt AND r.late IS NOT NULL)::int AS exempt_reported
    FROM held h
    LEFT JOIN report r ON r.school_id = h.school_id AND r.day = %(day)s AND r.round_id = %(round)s
        AND r.person_id = h.person_id AND r.version = 1 AND r.received_at <= %(known)s
    GROUP BY h.organisation_id
)
SELECT w.id, sum(c.people)::int, sum(c.exempt)::int, sum(c.on_time)::int, sum(c.late)::int, sum(c.exempt_reported)::int
FROM counted c JOIN beneath b ON b.id = c.organisation_id JOIN wanted w ON b.path <@ w.path
GROUP BY w.id
"""

_SINCE = f"""
WITH touched AS (
    SELECT m.person_id FROM membership m
    WHERE m.school_id = %(school)s AND {VALID} AND (m.known_from > %(since)s OR m.superseded_at > %(since)s)
    UNION
    SELECT e.person_id FROM exemption e
    WHERE e.school_id = %(school)s AND e.valid_from <= %(day)s AND e.valid_to > %(day)s
      AND (e.created_at > %(since)s OR e.cancelled_at > %(since)s)
), judged AS (
    SELECT {{then}} AS before, {{now}} AS after
    FROM touched t JOIN person p ON p.school_id = %(school)s AND p.id = t.person_id
    WHERE p.audience = ANY(%(audiences)s)
)
SELECT count(*) FILTER (WHERE after AND NOT before)::int, count(*) FILTER (WHERE before AND NOT after)::int FROM judged
"""


def _expected(known: str) -> str:
    """Whether a touched person was expected, as known at the moment that the parameter ``known`` names."""
    held = (
        f"SELECT FROM membership m WHERE m.school_id = %(school)s AND m.person_id = t.person_id AND {VALID} AND {KNOWN}"
    )
    return f"EXISTS ({held} AND NOT {_EXEMPT})".replace("%(known)s", f"%({known})s")


_MOVED_SINCE = _SINCE.format(then=_expected("since"), now=_expected("now"))


@dataclass(frozen=True, slots=True)
class RosterSince:
    """What became known of a day's roster after a moment: people expected now who were not, and the reverse."""

    came: int
    left: int

    @property
    def changed(self) -> bool:
        return bool(self.came or self.left)


def figures_as_known(scope: Scope, nodes: Iterable[Organisation], round: Round, known: datetime) -> dict[int, Figures]:
    """People, exempt, on time and late of several nodes on the round's day, as known at ``known``; one statement.

    What the reports say is not recomputed.  Nodes that nobody belonged to have no entry.
    """
    found = list(nodes)
    if not all(scope.may(Permission.BOARD_VIEW, node.path) for node in found):
        raise NotYours
    with connection.cursor() as cursor:
        cursor.execute(
            _AS_KNOWN,
            {
                "nodes": [node.pk for node in found],
                "audiences": list(round.campaign.audiences),
                "round": round.pk,
                "day": round.day,
                "known": known,
            },
        )
        return {
            node: Figures(people=people, exempt=exempt, on_time=on_time, late=late, exempt_reported=reported)
            for node, people, exempt, on_time, late, reported in cursor.fetchall()
        }


def roster_since(
    scope: Scope, *, school_id: int, day: date, audiences: Iterable[int], since: datetime, now: datetime
) -> RosterSince:
    """Who of a school is expected on ``day``, or no longer, by what became known after ``since``; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVED_SINCE,
            {"school": school_id, "day": day, "audiences": list(audiences), "since": since, "now": now},
        )
        return RosterSince(*cursor.fetchone())
