"""Reading the directory: who is where, found by name, number or class.

Search goes by the *beginning* of a name or number, because those comparisons may use an index behind the fence of the
database (a LIKE may not).  Inside one school, whose people are few, any part of a name is found.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Concat

from anxiao.base.permissions import Permission
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.directory.models import ClassCounsellor, Membership, Organisation, Person, Place, Residence, School
from anxiao.directory.names import OrganisationKind
from anxiao.ui.templatetags.ui import mask

PAGE = 50
MOST_CLASSES = 500
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person of a list; the phone number is masked."""

    person_id: int
    school_id: int
    school: str
    number: str
    name: str
    phone: str
    audience: int
    category: str
    node_id: int
    node: str


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """One page of people; ``before`` and ``after`` are the ids from which the neighbouring pages start, or None."""

    rows: Sequence[PersonRow]
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose records a caller may read: all schools, whole schools, nodes, places."""

    everywhere: bool
    schools: tuple[int, ...]
    nodes: tuple[int, ...]
    places: tuple[int, ...]

    @property
    def is_wide(self) -> bool:
        """Too many people for a search by any part of a name."""
        return self.everywhere or len(self.schools) > 1


@dataclass(frozen=True, slots=True)
class Stay:
    """A membership or a residence with its first and last day; ``superseded`` ones were believed once."""

    label: str
    trail: str
    since: date
    until: date | None  # the last day, included
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class PersonFile:
    """What the directory knows about one person; the phone number is masked."""

    person: Person
    school: str
    phone: str
    node: Organisation | None
    trail: Sequence[Organisation]
    memberships: Sequence[Stay]
    residences: Sequence[Stay]
    counsellors: Sequence[str]


def reach_of(scope: Scope, permission: Permission = Permission.PEOPLE_VIEW) -> Reach:
    """How far ``permission`` reaches, as ids that the database compares inside its fence; two statements at most."""
    grants = [g for g in scope.grants if permission in g.permissions]
    everywhere = any(g.school_id == SHARED_SCHOOL and g.place_path is None for g in grants)
    whole = {g.school_id for g in grants if g.node_kind == OrganisationKind.SCHOOL and g.place_path is None}
    paths = [g.node_path for g in grants if g.place_path is None and g.school_id not in whole]
    schools = {g.school_id for g in grants if g.place_path is None and g.school_id not in whole}
    nodes: tuple[int, ...] = ()
    if paths and not everywhere:
        found = Organisation.objects.filter(school_id__in=schools, path__under=paths)
        nodes = tuple(found.order_by("id").values_list("id", flat=True))
    places: tuple[int, ...] = ()
    held = scope.place_paths_for(permission)
    if held and not everywhere:
        rooms = Place.objects.filter(school_id__in={g.school_id for g in grants if g.place_path}, path__under=held)
        places = tuple(rooms.order_by("id").values_list("id", flat=True))
    return Reach(everywhere, tuple(sorted(whole)), nodes, places)


_MEMBER = """
JOIN membership m ON m.school_id = p.school_id AND m.person_id = p.id AND m.superseded_at IS NULL
    AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)
"""
_PLACE = """
SELECT m.organisation_id FROM membership m
WHERE m.school_id = p.school_id AND m.person_id = p.id AND m.superseded_at IS NULL
  AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)
LIMIT 1
"""


def search_people(
    scope: Scope,
    *,
    day: date,
    text: str = "",
    node: Organisation | None = None,
    audience: int | None = None,
    after: int | None = None,
    before: int | None = None,
    limit: int = PAGE,
    reach: Reach | None = None,
) -> PeoplePage:
    """People who belong to somewhere within the caller's reach on ``day``, by school and number, one page.

    ``text`` is the beginning of a name or number, any part of a name within one school, or part of a class's name.
    """
    reach = reach or reach_of(scope)
    conditions, params = _within(reach)
    params |= {"day": day, "limit": limit + 1}
    wanted = unicodedata.normalize("NFKC", text).strip()[:60]
    if wanted:
        condition, more = _matching(wanted, reach)
        conditions.append(condition)
        params |= more
    if node is not None:
        conditions.append("m.school_id = %(of_school)s AND m.organisation_id = ANY(%(of_nodes)s)")
        beneath = Organisation.objects.filter(school_id=node.school_id, path__under=node.path)
        params |= {"of_school": node.school_id, "of_nodes": list(beneath.values_list("id", flat=True))}
    if audience is not None:
        conditions.append("p.audience = %(audience)s")
        params["audience"] = audience
    key = after if after is not None else before
    backwards = after is None and before is not None
    keyed = _key_of(key) if key is not None else None
    if keyed is not None:
        sign = "<" if backwards else ">"
        conditions.append(f"(p.school_id, p.number, p.id) {sign} (%(k_school)s, %(k_number)s, %(k_id)s)")
        params |= {"k_school": keyed[0], "k_number": keyed[1], "k_id": key}
    direction = "DESC" if backwards else "ASC"
    order = f"ORDER BY p.school_id {direction}, p.number {direction}, p.id {direction}"
    columns = "p.id, p.school_id, p.number, p.name, p.phone, p.audience, p.category_id, m.organisation_id"
    where = " AND ".join(conditions) or "true"
    # the page is chosen before anything is joined to it, so that the index on (school, number) gives the order
    page = f"SELECT {columns} FROM person p {_MEMBER} WHERE {where} {order} LIMIT %(limit)s"
    if "m." not in where:
        # thousands may be called so: only those who come onto the page are asked where they belong
        page = f"""
            SELECT {columns}
            FROM (SELECT * FROM person p WHERE {where} {order} OFFSET 0) p CROSS JOIN LATERAL ({_PLACE}) m
            {order} LIMIT %(limit)s
        """
    sql = f"""
        WITH page AS ({page})
        SELECT page.id, page.school_id, page.number, page.name, page.phone, page.audience, c.name,
               o.id, o.name, o.grade, s.name
        FROM page
        JOIN organisation o ON o.id = page.organisation_id
        JOIN category c ON c.school_id = page.school_id AND c.id = page.category_id
        JOIN school s ON s.id = page.school_id
        ORDER BY page.school_id {direction}, page.number {direction}, page.id {direction}
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found = cursor.fetchall()
    more_rows = len(found) > limit
    found = found[:limit]
    if backwards:
        found.reverse()
    rows = [
        PersonRow(
            person_id=row[0],
            school_id=row[1],
            school=row[10],
            number=row[2],
            name=row[3],
            phone=mask(row[4]),
            audience=row[5],
            category=row[6],
            node_id=row[7],
            node=f"{row[9]} {row[8]}" if row[9] else row[8],
        )
        for row in found
    ]
    earlier = more_rows if backwards else keyed is not None
    later = keyed is not None if backwards else more_rows
    return PeoplePage(
        rows,
        before=rows[0].person_id if rows and earlier else None,
        after=rows[-1].person_id if rows and later else None,
    )


def person_file(scope: Scope, person: Person, day: date) -> PersonFile:
    """Everything the directory knows about a person whom ``access.get_person`` has handed out; six statements."""
    memberships = list(
        Membership.objects.filter(school_id=person.school_id, person=person)
        .select_related("organisation")
        .order_by("-valid_from", "-id")
    )
    current = next(
        (
            m
            for m in memberships
            if m.superseded_at is None and m.valid_from <= day and (m.valid_to is None or m.valid_to > day)
        ),
        None,
    )
    nodes = _nodes_by_id([str(m.organisation.path) for m in memberships])
    residences = list(
        Residence.objects.filter(school_id=person.school_id, person=person)
        .select_related("place")
        .order_by("-valid_from", "-id")
    )
    places = _places_by_id(person.school_id, [str(r.place.path) for r in residences])
    school = School.objects.filter(pk=person.school_id).values_list("name", flat=True).first()
    counsellors: list[str] = []
    if current is not None:
        held = ClassCounsellor.objects.filter(
            Q(valid_to=None) | Q(valid_to__gt=day),
            school_id=person.school_id,
            organisation_id=current.organisation_id,
            valid_from__lte=day,
        )
        counsellors = list(held.order_by("id").values_list("person__name", flat=True))
    return PersonFile(
        person=person,
        school=school or "",
        phone=mask(person.phone),
        node=current.organisation if current else None,
        trail=[nodes[i] for i in _ids(current.organisation.path) if i in nodes] if current else [],
        memberships=[
            Stay(
                label=m.organisation.label,
                trail=" · ".join(
                    nodes[i].label for i in _ids(m.organisation.path)[:-1] if i in nodes and nodes[i].school_id
                ),
                since=m.valid_from,
                until=_last_day(m.valid_to),
                superseded=m.superseded_at is not None,
            )
            for m in memberships
        ],
        residences=[
            Stay(
                label=" ".join([*(places[i] for i in _ids(r.place.path) if i in places), *([r.bed] if r.bed else [])]),
                trail="",
                since=r.valid_from,
                until=_last_day(r.valid_to),
            )
            for r in residences
        ],
        counsellors=counsellors,
    )


def filter_nodes(scope: Scope, permission: Permission = Permission.PEOPLE_VIEW) -> list[Organisation]:
    """The nodes that a caller of one school may filter by: colleges and classes within reach, in tree order.

    Empty for those above the schools, who choose a school by the board.
    """
    paths = scope.paths_for(permission)
    schools = {g.school_id for g in scope.grants if permission in g.permissions and g.place_path is None}
    if not paths or SHARED_SCHOOL in schools:
        return []
    found: QuerySet[Organisation] = Organisation.objects.filter(school_id__in=schools, path__under=paths).exclude(
        kind=OrganisationKind.SCHOOL
    )
    return list(found.order_by("school_id", "path")[:MOST_CLASSES])


def _within(reach: Reach) -> tuple[list[str], dict[str, Any]]:
    if reach.everywhere:
        return [], {}
    parts = []
    params: dict[str, Any] = {}
    if reach.schools:
        parts.append("p.school_id = ANY(%(schools)s)")
        params["schools"] = list(reach.schools)
    if reach.nodes:
        parts.append("m.organisation_id = ANY(%(nodes)s)")
        params["nodes"] = list(reach.nodes)
    if reach.places:
        parts.append(
            "p.id IN (SELECT h.person_id FROM residence h WHERE h.place_id = ANY(%(places)s)"
            " AND h.valid_from <= %(day)s AND (h.valid_to IS NULL OR h.valid_to > %(day)s))"
        )
        params["places"] = list(reach.places)
    return [f"({' OR '.join(parts)})" if parts else "false"], params


def _matching(text: str, reach: Reach) -> tuple[str, dict[str, Any]]:
    params: dict[str, Any] = {"from": text, "to": text + _LAST}
    parts = ["(p.number >= %(from)s AND p.number < %(to)s)", "(p.name >= %(from)s AND p.name < %(to)s)"]
    if not reach.is_wide:
        parts.append("p.name LIKE %(anywhere)s")
        escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        params["anywhere"] = f"%{escaped}%"
    if len(text) < 2:
        return f"({' OR '.join(parts)})", params
    classes = (
        Organisation.objects.exclude(school_id=SHARED_SCHOOL)
        .exclude(kind=OrganisationKind.SCHOOL)
        .annotate(said=Concat("grade", Value(""), "name"))
        .filter(Q(said__contains=text.replace(" ", "")) | Q(name__contains=text))
    )
    if not reach.everywhere:
        classes = classes.filter(Q(school_id__in=reach.schools) | Q(pk__in=reach.nodes))
    ids = list(classes.order_by("id").values_list("id", flat=True)[:MOST_CLASSES])
    if ids:
        parts.append("m.organisation_id = ANY(%(classes)s)")
        params["classes"] = ids
    return f"({' OR '.join(parts)})", params


def _key_of(person_id: int) -> tuple[int, str] | None:
    return Person.objects.filter(pk=person_id).values_list("school_id", "number").first()


def _last_day(valid_to: date | None) -> date | None:
    return valid_to - timedelta(days=1) if valid_to else None


def _ids(path: object) -> list[int]:
    return [int(label) for label in str(path).split(".")]


def _nodes_by_id(paths: Sequence[str]) -> Mapping[int, Organisation]:
    ids = {i for path in paths for i in _ids(path)}
    return {o.pk: o for o in Organisation.objects.filter(pk__in=ids)}


def _places_by_id(school_id: int, paths: Sequence[str]) -> Mapping[int, str]:
    ids = {i for path in paths for i in _ids(path)}
    if not ids:
        return {}
    return dict(Place.objects.filter(school_id=school_id, pk__in=ids).values_list("id", "name"))
