"""What a staged import would do: the difference row by row, what comes into being, what is surprising; and what stands
in the way of an undo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet

from anxiao.base.scope import Scope
from anxiao.directory.importing import undoing
from anxiao.directory.importing.compare import new_nodes, parameters
from anxiao.directory.importing.nodes import kind_of_unit
from anxiao.directory.models import Category, DirectoryImport, ImportRow, ImportUndo, Organisation, School
from anxiao.directory.names import Audience, ImportState, OrganisationKind, RowVerdict


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


def creations(scope: Scope, import_: DirectoryImport, today: date, *, most: int = 2_000) -> list[Creation]:
    """Colleges, departments, classes and counsellor links that come out of it; at most ``most`` of a kind."""
    if import_.audience is None:
        return []
    params = parameters(import_, today)
    audience = Audience(import_.audience)
    found = new_nodes(params)
    units = sorted({college for college, _grade, _class, new in found if new})
    made = [Creation(kind_of_unit(name, audience).value, name) for name in units[:most]]
    if audience is Audience.STUDENT:
        made += [Creation("class", f"{college} / {grade} {name}") for college, grade, name, _new in found[:most]]
        links = ImportRow.objects.filter(
            school_id=import_.school_id, source=import_, verdict=RowVerdict.COUNSELLOR
        ).order_by("id")[:most]
        made += [_link(row) for row in links]
    return made


def _link(row: ImportRow) -> Creation:
    values, (before, after) = row.values, row.changes["counsellor"]
    return Creation("counsellor", f"{values['college']} / {values['grade']} {values['class']}: {after}", before)


def numbers_of(import_: DirectoryImport) -> dict[str, int]:
    """How many rows of each verdict."""
    return {verdict.value: import_.counts.get(verdict.value, 0) for verdict in RowVerdict}


def obstacles(scope: Scope, import_: DirectoryImport, today: date) -> list[str]:
    """Sentences that say what was built on an applied import; empty when it may be undone."""
    if import_.state != ImportState.APPLIED:
        return []
    kept = ImportUndo.objects.filter(school_id=import_.school_id, source=import_).first()
    return undoing.depends_on(import_, kept, today) if kept is not None else []


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


def rejected_rows(scope: Scope, import_: DirectoryImport) -> QuerySet[ImportRow]:
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
