"""Finding people within one's reach: one box, seven ways, pages by key.

Every way has an index that gives its order (``rules_search.Way``), so a page costs what it shows and not what matches.
Comparisons are by ``<`` and ``>=``: behind the fence of the database only such may use an index.  Whoever answers for
classes or buildings and not for a whole school is answered from *their* people: what it costs, and so how long it
takes, tells nothing about anybody else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import Q, Value
from django.db.models.functions import Concat

from anxiao.base import deployment
from anxiao.base.blind import blind_index
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.directory.models import Category, Organisation, School
from anxiao.directory.names import OrganisationKind
from anxiao.directory.names_people import Presence
from anxiao.directory.queries import Reach, reach_of
from anxiao.directory.queries_ways import MOMENT, Step, from_indexes, from_ours, within
from anxiao.directory.rules_search import LAST, TAIL, Sought, Way, read_search
from anxiao.ui.templatetags.ui import mask

PAGE = 50
MOST_CLASSES, MOST_CLASSES_WIDE = 500, 60
_CURSOR = re.compile(r"([1-9])-([1-9][0-9]{0,8})\Z")
_CLASS_LIKE = re.compile(r"[0-9班级]")


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person of a list; the phone number is masked.  ``node`` is the last one of somebody who has left."""

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
    """One page of people; ``before`` and ``after`` open the neighbouring pages, or are None.

    ``cut``: more classes are called so than were searched.
    """

    rows: Sequence[PersonRow]
    before: str | None = None
    after: str | None = None
    cut: bool = False


def search_people(
    scope: Scope,
    *,
    day: date,
    text: str = "",
    node: Organisation | None = None,
    audience: int | None = None,
    category: str = "",
    presence: Presence = Presence.HERE,
    after: str | None = None,
    before: str | None = None,
    limit: int = PAGE,
    reach: Reach | None = None,
) -> PeoplePage:
    """People within the caller's reach who are here on ``day`` (or have left, or are coming), one page.

    ``text`` as typed: name, pinyin, initials, number, class, last four digits of the phone.  Exact beginnings stand
    first.  ``node`` is one on which the caller holds the permission.  Four statements at most besides the reach.
    """
    reach = _narrowed(reach or reach_of(scope), node)
    sought = read_search(text)
    of_class, cut = _classes(sought, reach, node)
    params: dict[str, Any] = {"day": day, "limit": limit + 1}
    steps = _steps(sought, reach, of_class, params)
    if not steps:
        return PeoplePage([])
    filters = _filters(reach, audience, category, params)
    backwards = after is None and before is not None
    place = _place(after or before, reach, presence, params)
    build = from_ours if reach.nodes or reach.places else from_indexes
    sql = build(steps, reach, presence, filters, place, backwards, params)
    direction = "DESC" if backwards else "ASC"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH hits AS MATERIALIZED ({sql})
            SELECT p.id, p.school_id, p.number, p.name, p.phone, p.audience, c.name, o.id, o.name, o.grade, s.name,
                   hits.way
            FROM hits
            JOIN person p ON p.school_id = hits.school_id AND p.id = hits.id
            JOIN organisation o ON o.id = hits.organisation_id
            JOIN category c ON c.school_id = p.school_id AND c.id = p.category_id
            JOIN school s ON s.id = p.school_id
            ORDER BY hits.way {direction}, hits.school_id {direction}, hits.key {direction}, hits.id {direction}
            """,
            params,
        )
        found = cursor.fetchall()
    return _page(found, limit, backwards=backwards, placed=place is not None, cut=cut)


def _page(found: list[Any], limit: int, *, backwards: bool, placed: bool, cut: bool) -> PeoplePage:
    more = len(found) > limit
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
    earlier = more if backwards else placed
    later = placed if backwards else more
    return PeoplePage(
        rows,
        before=f"{found[0][11]}-{found[0][0]}" if rows and earlier else None,
        after=f"{found[-1][11]}-{found[-1][0]}" if rows and later else None,
        cut=cut,
    )


def _narrowed(reach: Reach, node: Organisation | None) -> Reach:
    """The reach within a node that was chosen."""
    if node is None or node.school_id == SHARED_SCHOOL:
        return reach
    if node.kind == OrganisationKind.SCHOOL and (reach.everywhere or node.school_id in reach.schools):
        return Reach(False, (node.school_id,), (), ())
    beneath = Organisation.objects.filter(school_id=node.school_id, path__under=node.path)
    return replace(reach, everywhere=False, schools=(), nodes=tuple(beneath.values_list("id", flat=True)), places=())


def _classes(sought: Sought, reach: Reach, node: Organisation | None) -> tuple[list[int], bool]:
    """Ids of the classes and units that are called so, and whether there are more of them."""
    if not sought.unit or (reach.is_wide and not _CLASS_LIKE.search(sought.unit)):
        # thousands of classes over all schools carry the same subject in their name: there, one says which class
        return [], False
    found = Organisation.objects.exclude(school_id=SHARED_SCHOOL).exclude(kind=OrganisationKind.SCHOOL)
    if not reach.everywhere:
        found = found.filter(Q(school_id__in=reach.schools) | Q(pk__in=reach.nodes))
    found = found.annotate(said=Concat("grade", Value(""), "name")).filter(said__contains=sought.unit)
    most = MOST_CLASSES_WIDE if reach.is_wide else MOST_CLASSES
    ids = list(found.order_by("id").values_list("id", flat=True)[: most + 1])
    return ids[:most], len(ids) > most


def _steps(sought: Sought, reach: Reach, classes: Sequence[int], params: dict[str, Any]) -> list[Step]:
    """The ways that this text opens, in their order; without a text everybody, by number."""
    if sought.nothing:
        return [Step(Way.ALL, "true", "p.number")]
    steps = []

    def beginning(way: Way, column: str, text: str) -> None:
        params[f"{way.name}_from"], params[f"{way.name}_to"] = text, text + LAST
        condition = f"{column} >= %({way.name}_from)s AND {column} < %({way.name}_to)s"
        steps.append(Step(way, condition, column, column[0]))

    if sought.number:
        beginning(Way.NUMBER, "p.number", sought.number)
        if sought.number != sought.number.upper():
            beginning(Way.NUMBER_CAPITALS, "p.number", sought.number.upper())
    beginning(Way.NAME, "p.name", sought.name)
    if reach.is_wide:
        beginning(Way.INSIDE, "s.backwards", sought.name[::-1])
    else:
        escaped = sought.name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        params["anywhere"] = f"%{escaped}%"
        steps.append(Step(Way.INSIDE, "p.name LIKE %(anywhere)s", "p.name"))
    if sought.letters:
        beginning(Way.PINYIN, "s.pinyin", sought.letters)
        if len(sought.letters) > 1:
            beginning(Way.INITIALS, "s.initials", sought.letters)
    if sought.tail:
        index = blind_index(deployment.secret(), TAIL)
        params["tails"] = [index.of(school, sought.tail) for school in _schools_of(reach)]
        steps.append(Step(Way.TAIL, "s.tail = ANY(%(tails)s)", "p.number", "s"))
    if classes:
        params["classes"] = list(classes)
        steps.append(Step(Way.CLASS, "m.organisation_id = ANY(%(classes)s)", "m.organisation_id", "m"))
    return steps


def _schools_of(reach: Reach) -> list[int]:
    if reach.everywhere:
        return list(School.objects.order_by("id").values_list("id", flat=True))
    if reach.nodes or reach.places:
        # whose nodes these are is known to the fence: it lets no others through
        found = Organisation.objects.filter(kind=OrganisationKind.SCHOOL)
        return list(found.order_by("school_id").values_list("school_id", flat=True))
    return list(reach.schools)


def _filters(reach: Reach, audience: int | None, category: str, params: dict[str, Any]) -> str:
    conditions = []
    if audience is not None:
        conditions.append("p.audience = %(audience)s")
        params["audience"] = audience
    if category:
        found = Category.objects.filter(name=category)
        if reach.schools:
            found = found.filter(school_id__in=reach.schools)
        conditions.append("p.category_id = ANY(%(categories)s)")
        params["categories"] = list(found.values_list("id", flat=True))
    return "".join(f" AND {condition}" for condition in conditions)


def _place(cursor: str | None, reach: Reach, presence: Presence, params: dict[str, Any]) -> Way | None:
    """Where a neighbouring page begins.  Somebody beyond the reach is no place: the page is then the first."""
    match = _CURSOR.match(cursor or "")
    if match is None:
        return None
    way, person_id = int(match[1]), int(match[2])
    if way not in {*Way}:
        return None
    ours, more = within(reach)
    with connection.cursor() as rows:
        rows.execute(
            f"""
            SELECT p.school_id, p.number, p.name, s.pinyin, s.initials, s.backwards, m.organisation_id
            FROM person p LEFT JOIN person_search s ON s.person_id = p.id
            JOIN membership m ON m.school_id = p.school_id AND m.person_id = p.id AND m.superseded_at IS NULL
            WHERE p.id = %(k_id)s AND {MOMENT[presence].format(m="m")} AND {ours}
            """,
            {"k_id": person_id, "day": params["day"], **more},
        )
        found = rows.fetchone()
    if found is None:
        return None
    school, number, name, pinyin, initials, from_its_end, organisation = found
    params |= {"k_school": school, "k_id": person_id, "k_way": way}
    params |= {"k_p.number": number, "k_p.name": name, "k_m.organisation_id": organisation}
    params |= {"k_s.pinyin": pinyin or "", "k_s.initials": initials or "", "k_s.backwards": from_its_end or ""}
    return Way(way)
