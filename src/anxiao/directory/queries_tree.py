"""Reading the tree for those who change it: where to, how much hangs on a node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from django.db import connection
from django.db.models import Q

from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.models import Organisation
from anxiao.directory.names import Audience, OrganisationKind
from anxiao.directory.queries_roster import schools_managed


@dataclass(frozen=True, slots=True)
class Beneath:
    """How much hangs on a node on a day: open classes beneath it, and people."""

    node: Organisation
    classes: int
    people: int


_BENEATH = """
SELECT w.id, count(DISTINCT o.id) FILTER (WHERE o.kind = 'class' AND o.closed_on IS NULL AND o.id <> w.id)::int,
       count(m.person_id)::int
FROM organisation w
JOIN organisation o ON o.path <@ w.path AND o.school_id = w.school_id
LEFT JOIN membership m ON m.school_id = o.school_id AND m.organisation_id = o.id AND m.superseded_at IS NULL
    AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)
WHERE w.id = ANY(%(nodes)s)
GROUP BY w.id
"""


def targets_for(scope: Scope, school_id: int, audience: int) -> list[Organisation]:
    """Open nodes of a school into which the caller may move somebody, in tree order; one statement."""
    kinds = (
        (OrganisationKind.CLASS,)
        if audience == Audience.STUDENT
        else (OrganisationKind.COLLEGE, OrganisationKind.DEPARTMENT, OrganisationKind.CLASS)
    )
    nodes = (
        Organisation.objects.within(scope, Permission.ROSTER_MANAGE)
        .filter(school_id=school_id, kind__in=kinds, closed_on=None)
        .select_related("parent")
    )
    return sorted(nodes, key=lambda n: (n.parent.name if n.parent else "", n.grade, n.name))


def open_nodes(scope: Scope, school_id: int, kinds: Iterable[str]) -> list[Organisation]:
    """Open nodes of some kinds within the caller's reach, by name; one statement."""
    nodes = Organisation.objects.within(scope, Permission.ROSTER_MANAGE).filter(
        school_id=school_id, kind__in=list(kinds), closed_on=None
    )
    return list(nodes.select_related("parent").order_by("parent__name", "grade", "name"))


def units_of(scope: Scope, node: Organisation | None, day: date) -> list[Beneath]:
    """Colleges and departments within the caller's reach, or the classes of ``node``; two statements."""
    found = Organisation.objects.within(scope, Permission.ROSTER_MANAGE).filter(
        Q(closed_on=None) | Q(closed_on__gt=day), school_id__in=schools_managed(scope)
    )
    if node is not None:
        found = found.filter(parent=node)
    else:
        found = found.filter(kind__in=(OrganisationKind.COLLEGE, OrganisationKind.DEPARTMENT))
    return _counted(list(found.order_by("kind", "grade", "name", "id")), day)


def beneath_of(scope: Scope, node: Organisation, day: date) -> Beneath:
    """The same for one node; one statement."""
    return _counted([node], day)[0]


def path_of(scope: Scope, node: Organisation | None) -> list[Organisation]:
    """The nodes from the root down to ``node``; one statement."""
    if node is None:
        return []
    ids = [int(label) for label in str(node.path).split(".")]
    found = {o.pk: o for o in Organisation.objects.filter(pk__in=ids)}
    return [found[i] for i in ids if i in found]


def _counted(nodes: Sequence[Organisation], day: date) -> list[Beneath]:
    with connection.cursor() as cursor:
        cursor.execute(_BENEATH, {"nodes": [node.pk for node in nodes], "day": day})
        found = {node: (classes, people) for node, classes, people in cursor.fetchall()}
    return [Beneath(node, *found.get(node.pk, (0, 0))) for node in nodes]
