"""What the pages of the import ask: the school's imports so far, the choice of who leaves, rows that change nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import Count, Q

from anxiao.base.scope import Scope
from anxiao.directory.models import DirectoryImport, ImportRow, School
from anxiao.directory.names import AT_WORK, ImportState, ImportTemplate, RowVerdict

OFFERED = (ImportTemplate.STUDENTS, ImportTemplate.STAFF, ImportTemplate.DORMITORY)
"""Lists that can be brought in by the pages: those whose rows can be compared and written."""

_UNCHANGED = """
SELECT n.position, p.number, p.name, k.name, coalesce(u.name, ''), o.kind, coalesce(o.name, ''), coalesce(o.grade, '')
FROM import_unchanged i
CROSS JOIN LATERAL unnest(i.people[%(first)s:%(last)s]) WITH ORDINALITY AS n(person, position)
JOIN person p ON p.school_id = i.school_id AND p.id = n.person
JOIN category k ON k.id = p.category_id
LEFT JOIN membership m ON m.school_id = p.school_id AND m.person_id = p.id AND m.superseded_at IS NULL
     AND m.valid_from <= %(today)s AND (m.valid_to IS NULL OR m.valid_to > %(today)s)
LEFT JOIN organisation o ON o.id = m.organisation_id
LEFT JOIN organisation u ON u.id = o.parent_id AND o.kind = 'class'
WHERE i.school_id = %(school)s AND i.source_id = %(source)s
ORDER BY n.position
"""


@dataclass(frozen=True, slots=True)
class History:
    """Some imports, newest first. `newer` and `older` are the keys of the pages around them; None where is none."""

    imports: list[DirectoryImport]
    newer: int | None
    older: int | None


def history(
    scope: Scope, school: School, *, before: int | None = None, after: int | None = None, size: int = 10
) -> History:
    """The school's imports; ``before`` an id for older ones, ``after`` for newer ones."""
    of_school = DirectoryImport.objects.filter(school_id=school.pk)
    if after is not None:
        back = list(of_school.filter(id__gt=after).order_by("id")[: size + 1])
        found = back[:size][::-1]
        return History(found, found[0].pk if len(back) > size else None, found[-1].pk if found else None)
    ahead = of_school if before is None else of_school.filter(id__lt=before)
    page = list(ahead.order_by("-id")[: size + 1])
    found = page[:size]
    return History(
        found, found[0].pk if found and before is not None else None, found[-1].pk if len(page) > size else None
    )


def unfinished(scope: Scope, school: School) -> list[DirectoryImport]:
    """Imports that wait for somebody or are at work, newest first; at most five."""
    waiting = (*AT_WORK, ImportState.MAPPING, ImportState.PREVIEWED)
    return list(DirectoryImport.objects.filter(school_id=school.pk, state__in=waiting).order_by("-id")[:5])


@dataclass(frozen=True, slots=True)
class Leaving:
    """Of ``total`` people who are not in the file, ``chosen`` leave."""

    total: int
    chosen: int


def leaving(scope: Scope, import_: DirectoryImport) -> Leaving:
    """How many of those not in the file have been chosen to leave."""
    found = ImportRow.objects.filter(school_id=import_.school_id, source=import_, verdict=RowVerdict.LEAVES).aggregate(
        total=Count("pk"), chosen=Count("pk", filter=Q(chosen=True))
    )
    return Leaving(found["total"], found["chosen"])


def chosen_leavers(scope: Scope, import_: DirectoryImport) -> list[int]:
    """Ids of the rows whose people have been chosen to leave."""
    return list(
        ImportRow.objects.filter(
            school_id=import_.school_id, source=import_, verdict=RowVerdict.LEAVES, chosen=True
        ).values_list("pk", flat=True)
    )


@dataclass(frozen=True, slots=True)
class SamePerson:
    """Somebody whose row says what the directory says."""

    number: str
    name: str
    category: str
    unit: str
    phone: str = ""


@dataclass(frozen=True, slots=True)
class SamePage:
    """Some of them in the order of the file; ``before`` and ``after`` are positions for the pages around."""

    rows: list[SamePerson]
    before: int | None
    after: int | None


def page_of_unchanged(
    scope: Scope, import_: DirectoryImport, today: date, *, after: int = 0, size: int = 50
) -> SamePage:
    """One page of the people whose rows change nothing, behind position ``after`` of the file."""
    params: dict[str, Any] = {
        "school": import_.school_id,
        "source": import_.pk,
        "today": today,
        "first": after + 1,
        "last": after + size + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(_UNCHANGED, params)
        found = cursor.fetchall()
    rows = [
        SamePerson(number, name, category, unit_label(college, kind, unit, grade))
        for _position, number, name, category, college, kind, unit, grade in found[:size]
    ]
    return SamePage(rows, max(0, after - size) if after else None, after + size if len(found) > size else None)


def unit_label(college: str, kind: str | None, name: str, grade: str) -> str:
    """A class with its college and grade, as the sheets say it; any other node by its name alone."""
    if kind != "class":
        return name
    return " / ".join(part for part in (college, f"{grade} {name}".strip()) if part)
