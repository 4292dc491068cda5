"""Names behind the numbers: who is missing, late, exempt, unwell.

Names always lie within one school, so every statement here carries a constant ``school_id`` and joins on school and id
(``docs/house.md``, growing onto Citus).  Lists are paged by key (number, id), never by offset: page 1,000 costs what
page 1 costs.  Phone numbers leave this module masked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from django.db import connection

from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.directory.models import Organisation, Place, Residence
from anxiao.directory.names import OrganisationKind
from anxiao.questionnaires.concepts import COLUMNS, DIAGNOSES
from anxiao.reporting.models import Round
from anxiao.reporting.names import Channel
from anxiao.reporting.rules import OBSERVED_TYPES
from anxiao.ui.templatetags.ui import mask

PAGE = 50


class Listing(StrEnum):
    """Which names."""

    MISSING = "missing"
    LATE = "late"
    ON_TIME = "on_time"
    EXEMPT = "exempt"
    UNWELL = "unwell"
    FEVER = "fever"
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    ISOLATED = "isolated"

    @property
    def permission(self) -> Permission:
        """Who is unwell is health; who has not reported is not."""
        return Permission.HEALTH_VIEW if self in HEALTH else Permission.PEOPLE_VIEW


HEALTH = (Listing.UNWELL, Listing.FEVER, Listing.SUSPECTED, Listing.CONFIRMED, Listing.ISOLATED)


@dataclass(frozen=True, slots=True)
class Where:
    """Whose names: people of one school, narrowed to nodes or to places; ``None`` does not narrow."""

    school_id: int
    node_ids: tuple[int, ...] | None = None
    place_ids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """One person in a list.  ``health`` holds the report's typed columns and extra answers, in health lists only."""

    person_id: int
    school_id: int
    number: str
    name: str
    phone: str
    audience: int
    category: str
    node_id: int
    node: str
    received_at: datetime | None = None
    late: bool = False
    version: int = 0
    proxy: bool = False
    exempt_reason: str = ""
    exempt_until: date | None = None
    reminded_at: datetime | None = None
    room: str = ""
    health: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Names:
    """One page of a list.  ``before`` and ``after`` are the ids from which the neighbouring pages start, or None."""

    rows: Sequence[Name]
    before: int | None = None
    after: int | None = None


def where_node(scope: Scope, node: Organisation, permission: Permission = Permission.PEOPLE_VIEW) -> Where:
    """People of a node and everything beneath it; NotYours without ``permission``, or above the schools."""
    return where_nodes(scope, [node], permission)


def where_nodes(scope: Scope, nodes: Sequence[Organisation], permission: Permission = Permission.PEOPLE_VIEW) -> Where:
    """People of several nodes of one school (a counsellor's classes), together; at most one statement."""
    schools = {node.school_id for node in nodes}
    if len(schools) != 1 or SHARED_SCHOOL in schools:
        raise NotYours
    if not all(scope.may(permission, node.path) for node in nodes):
        raise NotYours
    (school_id,) = schools
    if any(node.kind == OrganisationKind.SCHOOL for node in nodes):
        return Where(school_id)
    # the ids of the nodes, not their paths: an id compares inside the fence of the database, a path outside it
    ids = Organisation.objects.filter(school_id=school_id, path__under=[node.path for node in nodes])
    return Where(school_id, node_ids=tuple(ids.order_by("id").values_list("id", flat=True)))


def where_place(scope: Scope, place: Place, permission: Permission = Permission.PEOPLE_VIEW) -> Where:
    """Residents of a building, floor or room; for those who hold a grant on the place or on its whole school."""
    if not reaches_place(scope, place, permission):
        raise NotYours
    ids = Place.objects.filter(school_id=place.school_id, path__under=place.path)
    return Where(place.school_id, place_ids=tuple(ids.order_by("id").values_list("id", flat=True)))


def reaches_place(scope: Scope, place: Place, permission: Permission) -> bool:
    """Whether the caller holds ``permission`` over a place: by a grant on it, or on the school it belongs to."""
    above = scope.place_paths_for(permission)
    if any(place.path == path or str(place.path).startswith(path + ".") for path in above):
        return True
    return any(
        permission in grant.permissions
        and grant.place_path is None
        and grant.node_kind == OrganisationKind.SCHOOL
        and grant.school_id == place.school_id
        for grant in scope.grants
    )


BELONGS = """
JOIN membership m ON m.school_id = p.school_id AND m.person_id = p.id AND m.superseded_at IS NULL
    AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)
"""
RESIDES = """
JOIN residence h ON h.school_id = p.school_id AND h.person_id = p.id
    AND h.valid_from <= %(day)s AND (h.valid_to IS NULL OR h.valid_to > %(day)s) AND h.place_id = ANY(%(places)s)
"""
EXCUSED = """
LEFT JOIN exemption e ON e.school_id = p.school_id AND e.person_id = p.id AND e.cancelled_at IS NULL
    AND e.valid_from <= %(day)s AND e.valid_to > %(day)s
"""
_ANSWERED = """
LEFT JOIN report r ON r.school_id = p.school_id AND r.person_id = p.id AND r.school_id = %(school)s
    AND r.day = %(day)s AND r.round_id = %(round)s AND r.{which}
"""
_ANSWERED_EACH = """
LEFT JOIN LATERAL (
    SELECT * FROM report r WHERE r.school_id = %(school)s AND r.day = %(day)s AND r.round_id = %(round)s
        AND r.person_id = p.id AND r.{which} OFFSET 0
) r ON true
"""
"""For a part of a school, one look by the whole key for each person.  On a morning of which the planner knows nothing
yet, it would else read all reports of the school's day again for each of them.
"""

_CONDITIONS: Mapping[Listing, str] = {
    Listing.MISSING: "e.person_id IS NULL AND r.person_id IS NULL",
    Listing.LATE: "e.person_id IS NULL AND r.late",
    Listing.ON_TIME: "e.person_id IS NULL AND NOT r.late",
    Listing.EXEMPT: "e.person_id IS NOT NULL",
    Listing.UNWELL: "r.unwell",
    Listing.FEVER: "r.fever",
    Listing.SUSPECTED: f"r.diagnosis = {DIAGNOSES['suspected']}",
    Listing.CONFIRMED: f"r.diagnosis = {DIAGNOSES['confirmed']}",
    Listing.ISOLATED: f"(r.isolation > 0 OR r.person_type IN ({', '.join(map(str, OBSERVED_TYPES))}))",
}

_HEALTH_COLUMNS = ", ".join(f"r.{column}" for column in COLUMNS)


def from_and_where(kind: Listing, where: Where, *, audience: int | None = None) -> str:
    """FROM and WHERE of the people of a list (tables p, m, e, r), for whoever reads or acts on exactly them."""
    whole_school = where.node_ids is None and where.place_ids is None
    joined = _ANSWERED if whole_school else _ANSWERED_EACH
    answered = joined.format(which="is_current" if kind in HEALTH else "version = 1")
    if kind in HEALTH:
        answered = answered.replace("LEFT JOIN", "JOIN", 1)
    return "".join(
        (
            "FROM person p",
            BELONGS,
            RESIDES if where.place_ids is not None else "",
            EXCUSED,
            answered,
            "WHERE p.school_id = %(school)s AND p.audience = ANY(%(audiences)s) AND ",
            _CONDITIONS[kind],
            " AND m.organisation_id = ANY(%(nodes)s)" if where.node_ids is not None else "",
            " AND p.audience = %(audience)s" if audience is not None else "",
        )
    )


_MISSING_BY_NUMBER = """
SELECT p.id, p.school_id, p.number, p.name, p.phone, p.audience, p.category_id, m.organisation_id,
       NULL AS reason, NULL AS valid_to, NULL AS received_at, NULL AS late, NULL AS version, NULL AS channel
FROM (
    SELECT * FROM person p WHERE p.school_id = %(school)s AND p.audience = ANY(%(audiences)s){keyset}
    ORDER BY p.number {direction} OFFSET 0
) p
CROSS JOIN LATERAL (
    SELECT m.organisation_id FROM membership m
    WHERE m.school_id = p.school_id AND m.person_id = p.id AND m.superseded_at IS NULL
      AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)
    LIMIT 1
) m
WHERE p.id NOT IN (
    SELECT r.person_id FROM report r
    WHERE r.school_id = %(school)s AND r.day = %(day)s AND r.round_id = %(round)s AND r.version = 1
) AND (
    SELECT e.id FROM exemption e
    WHERE e.school_id = p.school_id AND e.person_id = p.id AND e.cancelled_at IS NULL
      AND e.valid_from <= %(day)s AND e.valid_to > %(day)s
    LIMIT 1
) IS NULL
"""
"""The missing of a whole school in the order of their numbers.

Who has reported is read once, along the key of the day; then people are walked by number from where the page begins
and the walk ends with the page, so that page 1,000 costs what page 1 costs.  The laterals keep that shape: behind the
fence the planner believes that a school has a handful of people, and would otherwise sort them all.
"""


def parameters(where: Where, round: Round, *, audience: int | None = None) -> dict[str, Any]:
    """Parameters of ``from_and_where``."""
    return {
        "school": where.school_id,
        "day": round.day,
        "round": round.pk,
        "audiences": list(round.campaign.audiences),
        "nodes": list(where.node_ids or ()),
        "places": list(where.place_ids or ()),
        "audience": audience,
    }


def names(
    scope: Scope,
    kind: Listing,
    where: Where,
    round: Round,
    *,
    audience: int | None = None,
    after: int | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> Names:
    """One page of a list, ordered by number.  ``after`` / ``before`` is the id of the last / first person seen.

    ``where`` was made by ``where_node`` or ``where_place``, which asked for the permission.
    """
    params = parameters(where, round, audience=audience) | {"limit": limit + 1}
    key = after if after is not None else before
    backwards = after is None and before is not None
    keyset = ""
    if key is not None:
        number = _number_of(where.school_id, key)
        if number is not None:
            keyset = f" AND (p.number, p.id) {'<' if backwards else '>'} (%(number)s, %(key)s)"
            params |= {"number": number, "key": key}
    direction = "DESC" if backwards else "ASC"
    health = f", r.answers, r.form_version_id, {_HEALTH_COLUMNS}" if kind in HEALTH else ""
    listed = f"""
        SELECT p.id, p.school_id, p.number, p.name, p.phone, p.audience, p.category_id, m.organisation_id,
               e.reason, e.valid_to, r.received_at, r.late, r.version, r.channel{health}
        {from_and_where(kind, where, audience=audience)}{keyset}
    """
    whole_school = where.node_ids is None and where.place_ids is None
    if whole_school and kind is Listing.MISSING:
        narrowed = keyset + (" AND p.audience = %(audience)s" if audience is not None else "")
        listed = _MISSING_BY_NUMBER.format(keyset=narrowed, direction=direction)
    elif not whole_school:
        # few people: OFFSET 0 keeps the planner from walking through the whole school in the order of numbers
        listed = f"SELECT * FROM ({listed} OFFSET 0) p"
    sql = f"""
        WITH page AS ({listed} ORDER BY p.number {direction}, p.id {direction} LIMIT %(limit)s)
        SELECT page.*, c.name AS category, o.name AS node, o.grade,
               (SELECT max(x.sent_at) FROM reminder x WHERE x.school_id = page.school_id AND x.person_id = page.id
                AND x.round_id = %(round)s) AS reminded_at
        FROM page
        JOIN category c ON c.school_id = page.school_id AND c.id = page.category_id
        JOIN organisation o ON o.id = page.organisation_id
        ORDER BY page.number {direction}, page.id {direction}
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        titles = [column.name for column in cursor.description]
        found = [dict(zip(titles, values, strict=True)) for values in cursor.fetchall()]
    more = len(found) > limit
    found = found[:limit]
    if backwards:
        found.reverse()
    rooms = rooms_of(where.school_id, [row["id"] for row in found], round.day)
    rows = [_name(row, rooms.get(row["id"], ""), kind) for row in found]
    earlier = more if backwards else bool(keyset)
    later = bool(keyset) if backwards else more
    return Names(
        rows,
        before=rows[0].person_id if rows and earlier else None,
        after=rows[-1].person_id if rows and later else None,
    )


def missing_people(
    scope: Scope, node: Organisation, round: Round, after: int | None = None, limit: int = PAGE
) -> Names:
    """Expected people beneath ``node`` of whom nothing has arrived."""
    return names(scope, Listing.MISSING, where_node(scope, node), round, after=after, limit=limit)


def unwell_people(scope: Scope, node: Organisation, round: Round, after: int | None = None, limit: int = PAGE) -> Names:
    """People beneath ``node`` whose standing report names a symptom or a fever."""
    where = where_node(scope, node, Permission.HEALTH_VIEW)
    return names(scope, Listing.UNWELL, where, round, after=after, limit=limit)


def late_people(scope: Scope, node: Organisation, round: Round, after: int | None = None, limit: int = PAGE) -> Names:
    """Expected people beneath ``node`` whose first report came from the deadline on."""
    return names(scope, Listing.LATE, where_node(scope, node), round, after=after, limit=limit)


def exempt_people(scope: Scope, node: Organisation, round: Round, after: int | None = None, limit: int = PAGE) -> Names:
    """People beneath ``node`` of whom nothing is expected, with those of them who reported anyway."""
    return names(scope, Listing.EXEMPT, where_node(scope, node), round, after=after, limit=limit)


def count_names(scope: Scope, kind: Listing, where: Where, round: Round, *, audience: int | None = None) -> int:
    """How many stand in a list.  For buildings and filters, which no counter knows; a node's number is on its board."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) {from_and_where(kind, where, audience=audience)}",
            parameters(where, round, audience=audience),
        )
        (count,) = cursor.fetchone()
    return int(count)


def rooms_of(school_id: int, people: Sequence[int], day: date) -> dict[int, str]:
    """Building and room of people who live on campus: at most two statements."""
    if not people:
        return {}
    lived = list(
        Residence.objects.filter(school_id=school_id, person_id__in=people, valid_from__lte=day)
        .exclude(valid_to__lte=day)
        .values_list("person_id", "place__path", "bed")
    )
    ids = {int(label) for _person, path, _bed in lived for label in str(path).split(".")}
    if not ids:
        return {}
    # the campus is left out: a building's name says enough on its own campus
    known = dict(Place.objects.filter(school_id=school_id, pk__in=ids).exclude(kind="campus").values_list("id", "name"))
    rooms: dict[int, str] = {}
    for person, path, bed in lived:
        parts = [known[int(label)] for label in str(path).split(".") if int(label) in known]
        rooms[person] = " ".join([*parts, bed] if bed else parts)
    return rooms


def _number_of(school_id: int, person_id: int) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM person WHERE school_id = %s AND id = %s", [school_id, person_id])
        row = cursor.fetchone()
    return row[0] if row else None


def _name(row: Mapping[str, Any], room: str, kind: Listing) -> Name:
    return Name(
        person_id=row["id"],
        school_id=row["school_id"],
        number=row["number"],
        name=row["name"],
        phone=mask(row["phone"]),
        audience=row["audience"],
        category=row["category"],
        node_id=row["organisation_id"],
        node=f"{row['grade']} {row['node']}" if row["grade"] else row["node"],
        received_at=row["received_at"],
        late=bool(row["late"]),
        version=row["version"] or 0,
        proxy=row["channel"] == Channel.PROXY,
        exempt_reason=row["reason"] or "",
        exempt_until=row["valid_to"],
        reminded_at=row["reminded_at"],
        room=room,
        health=_health(row) if kind in HEALTH else {},
    )


def _health(row: Mapping[str, Any]) -> dict[str, Any]:
    answers = row["answers"]
    # Django's cursor hands jsonb over as text
    kept = json.loads(answers) if isinstance(answers, str) else answers
    return {c: row[c] for c in COLUMNS} | {"answers": kept, "form_version_id": row["form_version_id"]}
