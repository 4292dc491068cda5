"""What people asked to have corrected: one's own proposals, and those that wait for the caller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope, lies_under
from anxiao.directory.models import Organisation, Person
from anxiao.directory.models_people import ProfileProposal
from anxiao.directory.names import Audience, OrganisationKind
from anxiao.directory.names_people import ProfileField

PAGE = 50
MOST_COUNTED = 100
"""A number on a menu needs no more: 99+."""

_OPEN = """
FROM profile_proposal q
JOIN membership m ON m.school_id = q.school_id AND m.person_id = q.person_id AND m.superseded_at IS NULL
    AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)
JOIN organisation o ON o.id = m.organisation_id
WHERE q.state = 'open' AND q.school_id = ANY(%(schools)s) AND o.path <@ ANY(%(paths)s::ltree[])
  AND q.person_id <> %(me)s
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A proposal as whoever decides sees it; ``mine`` is False when the other class belongs to somebody else."""

    proposal: ProfileProposal
    person: Person
    node: str
    mine: bool


@dataclass(frozen=True, slots=True)
class WaitingPage:
    rows: Sequence[Waiting]
    after: int | None = None


def proposals_of(scope: Scope, person_id: int, limit: int = 20) -> list[ProfileProposal]:
    """What a person asked for, newest first; for themselves and for whoever may see the person."""
    return list(ProfileProposal.objects.filter(person_id=person_id).order_by("-id")[:limit])


def units_for(person: Person) -> QuerySet[Organisation]:
    """What a person may ask to belong to: a student to a class, staff to a college or department of the school."""
    kinds = (
        (OrganisationKind.CLASS,)
        if person.audience == Audience.STUDENT
        else (OrganisationKind.COLLEGE, OrganisationKind.DEPARTMENT)
    )
    return Organisation.objects.filter(school_id=person.school_id, kind__in=kinds, closed_on=None)


def open_count(scope: Scope, day: date) -> int:
    """How many proposals wait for the caller, at most 100; one statement."""
    params = _mine(scope, day)
    if params is None:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM (SELECT 1 {_OPEN} LIMIT {MOST_COUNTED}) q", params)
        return int(cursor.fetchone()[0])


def open_proposals(scope: Scope, day: date, after: int | None = None, limit: int = PAGE) -> WaitingPage:
    """Proposals that wait for the caller, the oldest first; three statements."""
    params = _mine(scope, day)
    if params is None:
        return WaitingPage([])
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT q.id, o.name, o.grade {_OPEN} AND q.id > %(after)s ORDER BY q.id LIMIT %(limit)s",
            {**params, "after": after or 0, "limit": limit + 1},
        )
        nodes = {row[0]: f"{row[2]} {row[1]}".strip() for row in cursor.fetchall()}
    ids = list(nodes)[:limit]
    found = ProfileProposal.objects.filter(pk__in=ids).select_related("person__category").order_by("id")
    proposals = list(found)
    targets = dict(
        Organisation.objects.filter(
            pk__in=[p.wanted_id for p in proposals if p.field == ProfileField.CLASS]
        ).values_list("pk", "path")
    )
    paths = scope.paths_for(Permission.PROFILE_CONFIRM)
    rows = [
        Waiting(
            proposal=p,
            person=p.person,
            node=nodes[p.pk],
            mine=p.field != ProfileField.CLASS
            or any(lies_under(str(targets.get(p.wanted_id or 0, "")), path) for path in paths),
        )
        for p in proposals
    ]
    return WaitingPage(rows, ids[-1] if len(nodes) > limit else None)


def _mine(scope: Scope, day: date) -> dict[str, Any] | None:
    grants = [g for g in scope.grants if Permission.PROFILE_CONFIRM in g.permissions and g.place_path is None]
    if not grants:
        return None
    return {
        "day": day,
        "schools": sorted({g.school_id for g in grants}),
        "paths": list(scope.paths_for(Permission.PROFILE_CONFIRM)),
        "me": scope.person_id or 0,
    }
