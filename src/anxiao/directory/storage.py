"""Rewriting memberships: the one set of statements by which every change of the roster is written.

A caller says what is wanted in the temporary table ``roster_wanted`` and rewrites::

    with connection.cursor() as cursor:                      # inside a transaction that holds the roster lock alone
        storage.begin(cursor)
        cursor.execute("INSERT INTO roster_wanted ...")      # or COPY, or storage.want(cursor, [Wanted(...), ...])
        storage.keep_what_is_planned(cursor, school_id)      # only if a planned later change shall still happen
        outcome = storage.rewrite(cursor, school_id=school_id, now=now)
        cursor.execute("INSERT INTO my_undo SELECT ..., membership_id, begun FROM roster_rewritten")
    publish(ROSTER_CHANGED, school_id=school_id, since=outcome.since, now=now)   # when outcome.changed

``roster_wanted(person_id int, organisation_id int null, valid_from date, valid_to date null)``: from ``valid_from`` on
(until ``valid_to``; null = for good) the person belongs to this node; no node = nowhere.  What was planned for days
inside that span no longer holds; days outside it stay as they are.  Several spans a person are fine, overlapping ones
are not: the exclusion constraint refuses them.

Rows are never deleted and their days never edited: the rows that no longer say the truth are superseded, and new rows
say it.  A row that would be written again as it stands is left alone, so the same wish twice changes nothing.
Neighbouring spans of one node become one row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol

from anxiao.base import pgarrays


class Cursor(Protocol):
    """What is needed of a database cursor, Django's or psycopg's."""

    def execute(self, sql: Any, params: Any = None, /) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> Any: ...


class Wanted(NamedTuple):
    """Where somebody shall belong from a day on; ``until`` is the first day no longer (None = for good)."""

    person_id: int
    organisation_id: int | None
    since: date
    until: date | None = None


class Rewritten(NamedTuple):
    """What a rewriting did; the rows themselves stand in ``roster_rewritten`` until the transaction ends.

    ``since``: the first day whose roster may differ (None: nothing changed).  ``moment``: when it became known, which
    is ``now`` unless a clock went back: what was known before stays known before.
    """

    superseded: int
    begun: int
    since: date | None
    moment: datetime

    @property
    def changed(self) -> bool:
        return bool(self.superseded or self.begun)


class StrangersWanted(Exception):
    """A wanted row names a person or a node that the school does not have."""


_BEGIN = """
DROP TABLE IF EXISTS pg_temp.roster_wanted, pg_temp.roster_rewritten;
CREATE TEMPORARY TABLE roster_wanted (
    person_id int NOT NULL, organisation_id int, valid_from date NOT NULL, valid_to date CHECK (valid_to > valid_from)
) ON COMMIT DROP;
CREATE TEMPORARY TABLE roster_rewritten (
    membership_id int, person_id int, organisation_id int, valid_from date, valid_to date, begun boolean
) ON COMMIT DROP
"""

_WANT = """
INSERT INTO roster_wanted (person_id, organisation_id, valid_from, valid_to)
SELECT * FROM unnest(%(people)s::int[], %(nodes)s::int[], %(since)s::date[], %(until)s::date[])
"""

_KEEP_PLANNED = """
UPDATE roster_wanted w SET valid_to = planned.day
FROM (
    SELECT v.person_id, v.valid_from,
           coalesce(max(m.valid_to) FILTER (WHERE m.valid_from <= v.valid_from),
                    min(m.valid_from) FILTER (WHERE m.valid_from > v.valid_from)) AS day
    FROM roster_wanted v
    JOIN membership m ON m.school_id = %(school)s AND m.person_id = v.person_id AND m.superseded_at IS NULL
        AND (m.valid_to IS NULL OR m.valid_to > v.valid_from)
    WHERE v.valid_to IS NULL
    GROUP BY v.person_id, v.valid_from
) planned
WHERE planned.person_id = w.person_id AND planned.valid_from = w.valid_from AND w.valid_to IS NULL
    AND planned.day IS NOT NULL
"""

_STRANGERS = """
SELECT (SELECT min(w.person_id) FROM roster_wanted w
        WHERE NOT EXISTS (SELECT FROM person p WHERE p.school_id = %(school)s AND p.id = w.person_id)),
       (SELECT min(w.organisation_id) FROM roster_wanted w
        WHERE w.organisation_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM organisation o WHERE o.school_id = %(school)s AND o.id = w.organisation_id))
"""

# Days are counted as ranges: what stands, less all that is wanted of the person, plus what is wanted, by node.
_COMPARE = """
WITH touched AS MATERIALIZED (
    SELECT person_id, range_agg(daterange(valid_from, valid_to)) AS days FROM roster_wanted GROUP BY person_id
), standing AS MATERIALIZED (
    SELECT m.id, m.person_id, m.organisation_id, daterange(m.valid_from, m.valid_to) AS days, t.days AS touched
    FROM touched t
    JOIN membership m ON m.school_id = %(school)s AND m.person_id = t.person_id AND m.superseded_at IS NULL
), pieces AS (
    SELECT person_id, organisation_id, datemultirange(days) - touched AS days FROM standing
    UNION ALL
    SELECT person_id, organisation_id, datemultirange(daterange(valid_from, valid_to)) FROM roster_wanted
    WHERE organisation_id IS NOT NULL
), target AS (
    SELECT person_id, organisation_id, unnest(range_agg(days)) AS days FROM pieces GROUP BY person_id, organisation_id
), differing AS (
    SELECT s.id, coalesce(s.person_id, t.person_id) AS person_id,
           coalesce(s.organisation_id, t.organisation_id) AS organisation_id, coalesce(s.days, t.days) AS days
    FROM standing s
    FULL JOIN target t ON t.person_id = s.person_id AND t.organisation_id = s.organisation_id AND t.days = s.days
    WHERE s.id IS NULL OR t.person_id IS NULL
)
INSERT INTO roster_rewritten (membership_id, person_id, organisation_id, valid_from, valid_to, begun)
SELECT CASE WHEN id IS NULL THEN nextval(pg_get_serial_sequence('membership', 'id')) ELSE id END,
       person_id, organisation_id, lower(days), upper(days), id IS NULL
FROM (SELECT * FROM differing ORDER BY person_id, lower(days)) d
"""

_SUMMARY = """
SELECT count(*) FILTER (WHERE NOT begun), count(*) FILTER (WHERE begun),
       (SELECT min(w.valid_from) FROM roster_wanted w
        WHERE EXISTS (SELECT FROM roster_rewritten r WHERE r.person_id = w.person_id)),
       (SELECT greatest(%(now)s::timestamptz, max(m.superseded_at), max(m.known_from) + interval '1 microsecond')
        FROM membership m
        WHERE m.school_id = %(school)s AND m.person_id IN (SELECT person_id FROM roster_rewritten))
FROM roster_rewritten
"""

_SUPERSEDE = """
UPDATE membership m SET superseded_at = %(moment)s
FROM roster_rewritten r
WHERE NOT r.begun AND m.school_id = %(school)s AND m.id = r.membership_id AND m.superseded_at IS NULL
"""

_INSERT = """
INSERT INTO membership (id, school_id, person_id, organisation_id, valid_from, valid_to, known_from)
SELECT membership_id, %(school)s, person_id, organisation_id, valid_from, valid_to, %(moment)s
FROM roster_rewritten WHERE begun ORDER BY person_id, valid_from
"""

_UNDO_TABLE = """
DROP TABLE IF EXISTS pg_temp.roster_undo;
CREATE TEMPORARY TABLE roster_undo (membership_id int NOT NULL, begun boolean NOT NULL) ON COMMIT DROP
"""

_RECORDED = """
recorded AS MATERIALIZED (
    SELECT m.id, m.person_id, m.organisation_id, daterange(m.valid_from, m.valid_to) AS days, u.begun,
           m.superseded_at IS NULL AS stands
    FROM roster_undo u JOIN membership m ON m.school_id = %(school)s AND m.id = u.membership_id
), span AS MATERIALIZED (
    SELECT person_id, range_agg(days) AS days,
           coalesce(range_agg(days) FILTER (WHERE begun), '{}')
               - coalesce(range_agg(days) FILTER (WHERE NOT begun), '{}') AS nowhere
    FROM recorded GROUP BY person_id
)
"""

_DEPENDING = f"""
WITH {_RECORDED}
SELECT person_id FROM recorded WHERE begun AND NOT stands
UNION
SELECT m.person_id FROM span s
JOIN membership m ON m.school_id = %(school)s AND m.person_id = s.person_id AND m.superseded_at IS NULL
    AND s.days && daterange(m.valid_from, m.valid_to)
WHERE NOT EXISTS (SELECT FROM recorded r WHERE r.id = m.id AND r.begun)
ORDER BY 1
"""

_WANT_BACK = f"""
WITH {_RECORDED}
INSERT INTO roster_wanted (person_id, organisation_id, valid_from, valid_to)
SELECT person_id, organisation_id, lower(days), upper(days) FROM recorded WHERE NOT begun
UNION ALL
SELECT person_id, NULL, lower(days), upper(days) FROM (SELECT person_id, unnest(nowhere) AS days FROM span) s
"""


def begin(cursor: Cursor) -> None:
    """Make the empty tables ``roster_wanted`` and ``roster_rewritten``; they vanish with the transaction."""
    cursor.execute(_BEGIN)


def want(cursor: Cursor, rows: Iterable[Wanted]) -> None:
    """Write some wishes down; a caller with many fills ``roster_wanted`` by its own statement."""
    cursor.execute(_WANT, _wanted_arrays(list(rows)))


def keep_what_is_planned(cursor: Cursor, school_id: int) -> None:
    """Wishes without an end last only until the next change that stands already: a planned transfer still happens."""
    cursor.execute(_KEEP_PLANNED, {"school": school_id})


def rewrite(cursor: Cursor, *, school_id: int, now: datetime) -> Rewritten:
    """Make the roster of a school say what ``roster_wanted`` wants, as known from ``now`` on.

    The same few statements whatever the number of rows.  Afterwards ``roster_rewritten(membership_id, person_id,
    organisation_id, valid_from, valid_to, begun)`` holds the rows that were superseded and those that began.
    Raises `StrangersWanted`, and IntegrityError where two wishes of one person overlap.
    """
    params: dict[str, Any] = {"school": school_id, "now": now}
    cursor.execute("ANALYZE roster_wanted")
    cursor.execute(_STRANGERS, params)
    person, node = cursor.fetchone()
    if person is not None or node is not None:
        raise StrangersWanted(f"school {school_id} does not have person {person} or node {node}")
    cursor.execute("TRUNCATE roster_rewritten")
    cursor.execute(_COMPARE, params)
    cursor.execute("ANALYZE roster_rewritten")
    cursor.execute(_SUMMARY, params)
    superseded, begun, since, moment = cursor.fetchone()
    if superseded or begun:
        # superseded first: the constraint looks at every row that is written
        cursor.execute(_SUPERSEDE, {**params, "moment": moment})
        cursor.execute(_INSERT, {**params, "moment": moment})
    return Rewritten(superseded, begun, since, moment)


def rewritten_ids(cursor: Cursor) -> tuple[list[int], list[int]]:
    """Ids of the memberships that the last rewriting superseded, and of those that it began."""
    cursor.execute("SELECT membership_id, begun FROM roster_rewritten ORDER BY membership_id")
    found = cursor.fetchall()
    return [i for i, begun in found if not begun], [i for i, begun in found if begun]


def begin_undo(cursor: Cursor) -> None:
    """`begin`, and an empty table ``roster_undo(membership_id, begun)`` for the rows of the rewriting to be undone."""
    begin(cursor)
    cursor.execute(_UNDO_TABLE)


def depending(cursor: Cursor, school_id: int) -> list[int]:
    """Ids of people whose days were changed again since ``roster_undo`` was written: an undo would undo that too."""
    # a table of this transaction has no statistics: 20,000 rows took 25 seconds instead of a thirtieth of one
    cursor.execute("ANALYZE roster_undo")
    cursor.execute(_DEPENDING, {"school": school_id})
    return [person for (person,) in cursor.fetchall()]


def want_back(cursor: Cursor, school_id: int) -> None:
    """Fill ``roster_wanted`` with what stood before the rewriting in ``roster_undo``; `rewrite` then undoes it."""
    cursor.execute(_WANT_BACK, {"school": school_id})


def _wanted_arrays(rows: Sequence[Wanted]) -> Mapping[str, str]:
    return {
        "people": pgarrays.plain(row.person_id for row in rows),
        "nodes": pgarrays.plain(row.organisation_id for row in rows),
        "since": pgarrays.plain(row.since for row in rows),
        "until": pgarrays.plain(row.until for row in rows),
    }
