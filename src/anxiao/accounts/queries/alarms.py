"""Codes that were tried by somebody else or too often, for those who look after the people they are for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope

PAGE = 50

_ALARMS = f"""
SELECT l.id, l.kind, l.tries, l.raised_at, l.last_at, l.settled_at, p.id, p.name, p.number, o.id,
       concat_ws(' ', nullif(o.grade, ''), o.name), coalesce(t.name, ''), coalesce(t.number, ''),
       concat_ws(' ', nullif(w.grade, ''), w.name), coalesce(u.display_name, '')
FROM activation_alarm l
JOIN person p ON p.school_id = l.school_id AND p.id = l.person_id
JOIN membership m ON m.school_id = l.school_id AND m.person_id = l.person_id AND m.superseded_at IS NULL
                 AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)
JOIN organisation o ON o.id = m.organisation_id AND o.path <@ ANY(%(paths)s::ltree[])
LEFT JOIN person t ON t.school_id = l.school_id AND t.id = l.tried_by_id
LEFT JOIN membership tm ON tm.school_id = l.school_id AND tm.person_id = t.id AND tm.superseded_at IS NULL
                       AND tm.valid_from <= %(day)s AND (tm.valid_to IS NULL OR tm.valid_to > %(day)s)
LEFT JOIN organisation w ON w.id = tm.organisation_id
LEFT JOIN account u ON u.id = l.settled_by
WHERE (l.settled_at IS NULL) = %(open)s AND l.id < %(before)s
ORDER BY l.id DESC LIMIT {PAGE + 1}
"""

_OPEN = """
SELECT count(*) FROM activation_alarm l
JOIN membership m ON m.school_id = l.school_id AND m.person_id = l.person_id AND m.superseded_at IS NULL
                 AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)
JOIN organisation o ON o.id = m.organisation_id AND o.path <@ ANY(%(paths)s::ltree[])
WHERE l.settled_at IS NULL
"""

LAST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm: whose code, where they belong, who was typed instead (if that is somebody of the school)."""

    id: int
    kind: str
    tries: int
    raised_at: datetime
    last_at: datetime
    settled_at: datetime | None
    person_id: int
    name: str
    number: str
    node_id: int
    node: str
    tried_name: str
    tried_number: str
    tried_node: str
    settled_by: str


@dataclass(frozen=True, slots=True)
class Alarms:
    """A page of alarms, newest first; ``after`` continues."""

    alarms: tuple[Alarm, ...]
    after: int | None


def alarms(scope: Scope, day: date, *, settled: bool = False, before: int = LAST) -> Alarms:
    """Alarms about people for whom the caller may print codes: those that are open, or those that were settled."""
    with connection.cursor() as cursor:
        cursor.execute(_ALARMS, {"day": day, "paths": _paths(scope), "open": not settled, "before": before})
        found = [Alarm(*row) for row in cursor.fetchall()]
    return Alarms(tuple(found[:PAGE]), found[PAGE - 1].id if len(found) > PAGE else None)


def open_alarms(scope: Scope, day: date) -> int:
    """How many alarms wait for the caller.  Nothing is asked for whoever prints no codes."""
    paths = _paths(scope)
    if not paths:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, {"day": day, "paths": paths})
        (count,) = cursor.fetchone()
    return int(count)


def _paths(scope: Scope) -> list[str]:
    return list(scope.paths_for(Permission.ACTIVATION_PRINT))
