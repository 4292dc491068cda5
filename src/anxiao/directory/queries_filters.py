"""What the people page can be filtered by: only what lies within the caller's reach is ever offered or accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Min, QuerySet

from anxiao.base.scope import Scope
from anxiao.directory.models import Category, Organisation
from anxiao.directory.names import OrganisationKind
from anxiao.directory.queries import Reach

MOST = 500


@dataclass(frozen=True, slots=True)
class Level:
    """One choice of the tree: school, college or class; ``chosen`` is the id that the page is filtered by."""

    name: str
    options: Sequence[Organisation]
    chosen: int | None


def levels(reach: Reach, node: Organisation | None) -> list[Level]:
    """School, then its colleges and units, then the classes of one; levels without a choice are left out."""
    found: list[Level] = []
    school_id = node.school_id if node else (reach.schools[0] if len(reach.schools) == 1 and not reach.nodes else None)
    if reach.is_wide:
        schools = Organisation.objects.filter(kind=OrganisationKind.SCHOOL)
        if not reach.everywhere:
            schools = schools.filter(school_id__in=reach.schools)
        options = list(schools.order_by("school_id")[:MOST])
        found.append(Level("school", options, next((o.pk for o in options if o.school_id == school_id), None)))
    if reach.nodes:
        return [*found, *_of_few(reach, node)]
    if not school_id:
        return found
    inside = Organisation.objects.filter(school_id=school_id)
    units = list(inside.exclude(kind__in=(OrganisationKind.SCHOOL, OrganisationKind.CLASS)).order_by("path")[:MOST])
    unit = next((u for u in units if node is not None and f"{node.path}.".startswith(f"{u.path}.")), None)
    found.append(Level("college", units, unit.pk if unit else None))
    if unit is not None:
        found.append(_classes(inside.filter(kind=OrganisationKind.CLASS, path__under=unit.path), node))
    return found


def _of_few(reach: Reach, node: Organisation | None) -> list[Level]:
    """Some colleges or classes: all of them are known by their ids."""
    mine = Organisation.objects.filter(pk__in=reach.nodes)
    units = list(mine.exclude(kind=OrganisationKind.CLASS).order_by("path")[:MOST])
    unit = next((u for u in units if node is not None and f"{node.path}.".startswith(f"{u.path}.")), None)
    found = [Level("college", units, unit.pk if unit else None)] if len(units) > 1 else []
    classes = mine.filter(kind=OrganisationKind.CLASS)
    if len(units) > 1:
        classes = classes.filter(path__under=unit.path) if unit else classes.none()
    level = _classes(classes, node)
    return [*found, level] if len(level.options) > 1 else found


def _classes(classes: QuerySet[Organisation], node: Organisation | None) -> Level:
    options = list(classes.order_by("grade", "path")[:MOST])
    return Level("class", options, next((o.pk for o in options if node is not None and o.pk == node.pk), None))


def category_names(scope: Scope, reach: Reach, audience: int | None = None) -> list[str]:
    """Names of the categories in use within reach, students' and staff's, in the order of the sheets."""
    found = Category.objects.all()
    if not reach.everywhere and reach.schools and not reach.nodes:
        found = found.filter(school_id__in=reach.schools)
    if audience is not None:
        found = found.filter(audience=audience)
    rows = found.values("audience", "name").annotate(first=Min("position")).order_by("audience", "first", "name")
    return [row["name"] for row in rows]
