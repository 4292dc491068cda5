"""What a staged import would do: the facts the judge needs, the comparison with the roster, and the pages about it.

The comparison is one statement over the staged rows. It runs at the preview, and again when the import is applied,
because the directory may have moved in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

from anxiao.base.scope import Scope
from anxiao.directory.importing.judging import Facts, StaffFact
from anxiao.directory.models import Category, DirectoryImport, ImportRow, Organisation, Person, School
from anxiao.directory.names import Audience, OrganisationKind, RowVerdict

STAGED = """
staged AS MATERIALIZED (
    SELECT r.id, v.number, v.name, v.sex, v.phone, v.category, v.college,
           coalesce(v.grade, '') AS grade, coalesce(v."class", '') AS class, v.counsellor_number AS counsellor
    FROM import_row r,
         LATERAL jsonb_to_record(r."values") AS v(number text, name text, sex text, phone text, category text,
                                                 college text, grade text, "class" text, counsellor_number text)
    WHERE r.school_id = %(school)s AND r.source_id = %(source)s AND r.verdict <> 'rejected'
)
"""
"""The accepted rows of an import as columns."""

COLLEGES = """
colleges AS MATERIALIZED (
    SELECT DISTINCT ON (name) id, name, path FROM organisation
    WHERE school_id = %(school)s AND kind IN ('college', 'department')
    ORDER BY name, (kind = 'college') DESC, nlevel(path), id
)
"""
"""Colleges and departments by name. Where both kinds carry one name, the college is meant."""

TARGETS = """
targets AS MATERIALIZED (
    SELECT s.*, CASE WHEN %(student)s THEN c.id ELSE g.id END AS organisation_id
    FROM staged s
    LEFT JOIN colleges g ON g.name = s.college
    LEFT JOIN organisation c ON %(student)s AND c.school_id = %(school)s AND c.kind = 'class'
        AND c.parent_id = g.id AND c.grade = s.grade AND c.name = s.class
)
"""
"""The node each row belongs to; null while it does not exist yet."""

CURRENT = """
current_membership AS MATERIALIZED (
    SELECT m.id, m.person_id, m.organisation_id, m.valid_from, m.valid_to
    FROM membership m
    WHERE m.school_id = %(school)s AND m.superseded_at IS NULL
      AND m.valid_from <= %(today)s AND (m.valid_to IS NULL OR m.valid_to > %(today)s)
)
"""

CLASSIFY = f"""
WITH {STAGED}, {COLLEGES}, {TARGETS}, {CURRENT},
compared AS (
    SELECT t.id, p.id AS person_id,
        jsonb_strip_nulls(jsonb_build_object(
            'name', CASE WHEN p.name <> t.name THEN jsonb_build_array(p.name, t.name) END,
            'sex', CASE WHEN p.sex <> t.sex THEN jsonb_build_array(p.sex, t.sex) END,
            'phone', CASE WHEN p.phone <> t.phone THEN jsonb_build_array(p.phone, t.phone) END,
            'category', CASE WHEN k.name <> t.category THEN jsonb_build_array(k.name, t.category) END,
            'organisation', CASE WHEN m.organisation_id IS NULL OR m.organisation_id IS DISTINCT FROM t.organisation_id
                THEN jsonb_build_array(
                    coalesce(CASE WHEN o.kind = 'class' THEN u.name || ' / ' || ltrim(o.grade || ' ' || o.name)
                                  ELSE o.name END, ''),
                    CASE WHEN %(student)s THEN t.college || ' / ' || t.grade || ' ' || t.class ELSE t.college END
                ) END
        )) AS changes
    FROM targets t
    LEFT JOIN person p ON p.school_id = %(school)s AND p.number = t.number
    LEFT JOIN category k ON k.id = p.category_id
    LEFT JOIN current_membership m ON m.person_id = p.id
    LEFT JOIN organisation o ON o.id = m.organisation_id
    LEFT JOIN organisation u ON u.id = o.parent_id
)
UPDATE import_row r
SET verdict = CASE WHEN c.person_id IS NULL THEN 'joins' WHEN c.changes = '{{}}' THEN 'unchanged' ELSE 'changed' END,
    changes = CASE WHEN c.person_id IS NULL THEN '{{}}' ELSE c.changes END
FROM compared c
WHERE r.id = c.id AND r.school_id = %(school)s
"""

STALE = f"""
WITH {STAGED}
SELECT count(*) FROM staged s
WHERE NOT EXISTS (SELECT FROM category k
                  WHERE k.school_id = %(school)s AND k.audience = %(audience)s AND k.name = s.category)
   OR EXISTS (SELECT FROM person p
              WHERE p.school_id = %(school)s AND p.number = s.number AND p.audience <> %(audience)s)
   OR (%(student)s AND NOT EXISTS (SELECT FROM person p
              WHERE p.school_id = %(school)s AND p.number = s.counsellor AND p.audience = {int(Audience.STAFF)}))
"""
"""Accepted rows whose ground has moved since they were judged: their category, number or counsellor."""

NEW_COLLEGES = f"""
WITH {STAGED}, {COLLEGES}
SELECT DISTINCT s.college FROM staged s LEFT JOIN colleges g ON g.name = s.college WHERE g.id IS NULL ORDER BY 1
"""

NEW_CLASSES = f"""
WITH {STAGED}, {COLLEGES}, {TARGETS}
SELECT DISTINCT t.college, t.grade, t.class FROM targets t WHERE t.organisation_id IS NULL ORDER BY 1, 2, 3
"""

NEW_COUNSELLORS = f"""
WITH {STAGED}, {COLLEGES}, {TARGETS},
wanted AS (SELECT DISTINCT college, grade, class, organisation_id, counsellor FROM targets)
SELECT w.college, w.grade, w.class, coalesce(old.name, ''), p.name, p.number
FROM wanted w
JOIN person p ON p.school_id = %(school)s AND p.number = w.counsellor
LEFT JOIN class_counsellor cc ON cc.school_id = %(school)s AND cc.organisation_id = w.organisation_id
     AND cc.valid_from <= %(today)s AND (cc.valid_to IS NULL OR cc.valid_to > %(today)s)
LEFT JOIN person old ON old.id = cc.person_id
WHERE cc.person_id IS DISTINCT FROM p.id
ORDER BY 1, 2, 3
"""

ABSENT = f"""
WITH {STAGED}, {CURRENT}
SELECT count(*) FROM person p
JOIN current_membership m ON m.person_id = p.id
WHERE p.school_id = %(school)s AND p.audience = %(audience)s
  AND NOT EXISTS (SELECT FROM import_row r
                  WHERE r.school_id = %(school)s AND r.source_id = %(source)s AND r."values" ->> 'number' = p.number)
"""
"""People on the list who do not stand in the file. They stay; the number is only said."""


def parameters(import_: DirectoryImport, today: date) -> dict[str, Any]:
    """What all statements above are given."""
    return {
        "school": import_.school_id,
        "source": import_.pk,
        "audience": int(import_.audience),
        "student": import_.audience == Audience.STUDENT,
        "today": today,
    }


def run(statement: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run one statement over the staged rows and fetch what it returns.

    Freshly staged rows have no statistics, so the planner expects one row and would join thousands by nested loops:
    3.6 s instead of 0.1 s for 5,000 rows. Within this statement it may not.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_nestloop = off")
        cursor.execute(statement, params)
        rows = cursor.fetchall() if cursor.description else []
        cursor.execute("SET LOCAL enable_nestloop = on")
        return rows


def facts_for(scope: Scope, school: School, audience: Audience, today: date) -> Facts:
    """What the judge must know about the school: its lists and the numbers in use."""
    names: dict[int, list[str]] = {Audience.STUDENT: [], Audience.STAFF: []}
    for kind, name in Category.objects.filter(school_id=school.pk).values_list("audience", "name"):
        names[kind].append(name)
    numbers: dict[int, set[str]] = {Audience.STUDENT: set(), Audience.STAFF: set()}
    staff: dict[str, StaffFact] = {}
    people = Person.objects.filter(school_id=school.pk).order_by().values_list("audience", "number", "name", "phone")
    for kind, number, name, phone in people.iterator(chunk_size=5_000):
        numbers[kind].add(number)
        if kind == Audience.STAFF:
            staff[number] = StaffFact(name, phone)
    other = Audience.STAFF if audience is Audience.STUDENT else Audience.STUDENT
    return Facts(
        audience=audience,
        school_name=school.name,
        today=today,
        categories=tuple(names[audience]),
        other_categories=frozenset(names[other]),
        numbers=frozenset(numbers[audience]),
        other_numbers=frozenset(numbers[other]),
        staff=staff,
    )


def categories_of(scope: Scope, school: School, audience: Audience) -> list[str]:
    """The school's current categories, in the order of the console."""
    return list(
        Category.objects.filter(school_id=school.pk, audience=audience)
        .order_by("position", "id")
        .values_list("name", flat=True)
    )


@dataclass(frozen=True, slots=True)
class Creation:
    """A node or link that the import would make."""

    kind: str
    name: str
    before: str = ""


def kind_of_unit(name: str, audience: Audience) -> OrganisationKind:
    """Whether a new unit is a college or a department. Units with students are colleges; the preview names the kind."""
    teaching = name.endswith(("学院", "书院", "研究院", "系", "学部"))
    return OrganisationKind.COLLEGE if audience is Audience.STUDENT or teaching else OrganisationKind.DEPARTMENT


def creations(scope: Scope, import_: DirectoryImport, today: date) -> list[Creation]:
    """Colleges, departments, classes and counsellor links that come out of the accepted rows."""
    params = parameters(import_, today)
    audience = Audience(import_.audience)
    made = [Creation(str(kind_of_unit(name, audience)), name) for (name,) in run(NEW_COLLEGES, params)]
    if audience is Audience.STUDENT:
        made += [Creation("class", f"{college} / {grade} {name}") for college, grade, name in run(NEW_CLASSES, params)]
        made += [
            Creation("counsellor", f"{college} / {grade} {klass}: {name} ({number})", before)
            for college, grade, klass, before, name, number in run(NEW_COUNSELLORS, params)
        ]
    return made


def verdict_counts(import_: DirectoryImport) -> dict[str, int]:
    """How many rows of each verdict."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT verdict, count(*) FROM import_row WHERE school_id = %s AND source_id = %s GROUP BY verdict",
            [import_.school_id, import_.pk],
        )
        found = dict(cursor.fetchall())
    return {verdict.value: found.get(verdict.value, 0) for verdict in RowVerdict}


@dataclass(frozen=True, slots=True)
class RowPage:
    """Some rows in file order. `before` and `after` are the keys for the pages around it; None where there is none."""

    rows: list[ImportRow]
    before: int | None
    after: int | None


def page_of_rows(
    scope: Scope,
    import_: DirectoryImport,
    verdict: RowVerdict,
    *,
    after: int | None = None,
    before: int | None = None,
    size: int = 50,
) -> RowPage:
    """One page of the rows with a verdict, by key and never by counting."""
    rows = ImportRow.objects.filter(school_id=import_.school_id, source=import_, verdict=verdict)
    if before is not None:
        back = list(rows.filter(id__lt=before).order_by("-id")[: size + 1])
        found = back[:size][::-1]
        return RowPage(found, found[0].pk if len(back) > size else None, found[-1].pk if found else None)
    ahead = list(rows.filter(id__gt=after or 0).order_by("id")[: size + 1])
    found = ahead[:size]
    return RowPage(
        found, found[0].pk if found and after is not None else None, found[-1].pk if len(ahead) > size else None
    )


@dataclass(frozen=True, slots=True)
class Surprise:
    """Something so large that it must be confirmed in words.  `kind`: "leaving", "moving" or "class"."""

    kind: str
    count: int
    of: int
    names: tuple[str, ...] = ()
    """The classes that would stand empty; at most twenty."""


def surprises(scope: Scope, import_: DirectoryImport) -> list[Surprise]:
    """What a person must confirm before this import is applied; "leaving" and "class" only if leavers are chosen."""
    return [
        Surprise(one["kind"], one["count"], one["of"], tuple(one.get("names", ())))
        for one in import_.summary.get("surprises", ())
    ]


def confirmation_words(scope: Scope, import_: DirectoryImport) -> str:
    """What must be typed to confirm a surprise: the name of the school."""
    return School.objects.get(pk=import_.school_id).name


def rejected_rows(scope: Scope, import_: DirectoryImport) -> Iterable[ImportRow]:
    """All rejected rows in file order."""
    return ImportRow.objects.filter(school_id=import_.school_id, source=import_, verdict=RowVerdict.REJECTED).order_by(
        "id"
    )


def recent_imports(scope: Scope, school: School, *, size: int = 10) -> list[DirectoryImport]:
    """The school's last imports, newest first."""
    return list(DirectoryImport.objects.filter(school_id=school.pk).order_by("-created_at", "-id")[:size])


def school_node(school_id: int) -> Organisation | None:
    """The school's own node in the organisation tree; None while the school is not in use."""
    return Organisation.objects.filter(school_id=school_id, kind=OrganisationKind.SCHOOL).first()
