"""Reading the roster with its two times: what is valid on a day, and what was known of it at a moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.models import Membership, Organisation, Person, School
from anxiao.directory.models_roster import Exchange, OrganisationName, RosterChange
from anxiao.directory.names import OrganisationKind
from anxiao.directory.names_roster import AWAY, ChangeKind

PAGE = 50

KNOWN = "m.known_from <= %(known)s AND (m.superseded_at IS NULL OR m.superseded_at > %(known)s)"
VALID = "m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)"
"""Conditions on ``membership m``: as known at the moment ``known``, as valid on the day ``day``."""

_PLACES = f"""
SELECT m.person_id, m.organisation_id FROM membership m
WHERE m.school_id = %(school)s AND {VALID} AND {KNOWN}
ORDER BY m.person_id
"""

_TWICE = """
SELECT guest.school_id, guest.person_id, home.school_id, home.id, e.valid_from
FROM exchange e
JOIN roster_change c ON c.school_id = e.school_id AND c.id = e.change_id AND c.undone_at IS NULL
JOIN membership guest ON guest.school_id = e.school_id AND guest.person_id = e.person_id
    AND guest.superseded_at IS NULL AND guest.valid_from <= %(day)s
    AND (guest.valid_to IS NULL OR guest.valid_to > %(day)s)
JOIN person home ON home.school_id = e.other_school_id AND home.number = e.other_number
JOIN membership m ON m.school_id = home.school_id AND m.person_id = home.id AND m.superseded_at IS NULL
    AND m.valid_from <= %(day)s AND (m.valid_to IS NULL OR m.valid_to > %(day)s)
WHERE e.side = 'host' AND e.valid_from <= %(day)s AND (e.valid_to IS NULL OR e.valid_to > %(day)s)
ORDER BY guest.school_id, guest.person_id
LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A membership with both its times.  ``until`` is the last day, included; ``known_until`` is None while it stands.

    ``change`` is the decision with which it began, where there was one: an import leaves none.
    """

    membership_id: int
    node: Organisation
    trail: str
    since: date
    until: date | None
    known_from: datetime
    known_until: datetime | None
    change: RosterChange | None

    @property
    def stands(self) -> bool:
        return self.known_until is None


@dataclass(frozen=True, slots=True)
class History:
    """Everything known of a person's places: what stands, by day, and what was believed once, the latest first."""

    standing: Sequence[Line]
    believed: Sequence[Line]
    changes: Sequence[RosterChange]


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """A page of decisions; ``after`` is the id from which the next page starts, or None."""

    rows: Sequence[RosterChange]
    after: int | None


@dataclass(frozen=True, slots=True)
class Twice:
    """A student who is expected at two schools on the same day, because her home school has not sent her out."""

    host: School
    host_person_id: int
    home: School
    home_person_id: int
    since: date


def history_of(scope: Scope, person: Person) -> History:
    """A person's memberships with both times, and the decisions about them.  Three statements."""
    rows = list(
        Membership.objects.filter(school_id=person.school_id, person=person)
        .select_related("organisation")
        .order_by("valid_from", "known_from", "id")
    )
    ids = [row.pk for row in rows]
    changes = list(
        RosterChange.objects.filter(
            Q(person=person) | Q(person=None, begun__overlap=ids) | Q(person=None, superseded__overlap=ids),
            school_id=person.school_id,
        )
        .select_related("node", "to_node")
        .order_by("-id")
        if ids
        else []
    )
    began = {i: change for change in changes for i in change.begun}
    above = _above([row.organisation for row in rows])
    lines = [
        Line(
            membership_id=row.pk,
            node=row.organisation,
            trail=above.get(row.organisation_id, ""),
            since=row.valid_from,
            until=row.valid_to - timedelta(days=1) if row.valid_to else None,
            known_from=row.known_from,
            known_until=row.superseded_at,
            change=began.get(row.pk),
        )
        for row in rows
    ]
    believed = [line for line in lines if not line.stands]
    believed.sort(key=lambda line: (line.known_until or line.known_from, line.membership_id), reverse=True)
    return History([line for line in lines if line.stands][::-1], believed, changes)


def places_as_known(scope: Scope, *, school_id: int, day: date, known: datetime) -> dict[int, int]:
    """Where everybody of a school belonged on ``day``, as it was known at ``known``: person id -> node id."""
    with connection.cursor() as cursor:
        cursor.execute(_PLACES, {"school": school_id, "day": day, "known": known})
        return dict(cursor.fetchall())


def names_as_known(scope: Scope, *, nodes: Collection[int], day: date, known: datetime) -> dict[int, str]:
    """What nodes were called on ``day``, as known at ``known``; only those that were ever renamed.  One statement."""
    rows = OrganisationName.objects.filter(
        Q(valid_to=None) | Q(valid_to__gt=day),
        Q(superseded_at=None) | Q(superseded_at__gt=known),
        organisation_id__in=list(nodes),
        valid_from__lte=day,
        known_from__lte=known,
    )
    return {row.organisation_id: f"{row.grade} {row.name}" if row.grade else row.name for row in rows}


def changes_in(
    scope: Scope,
    *,
    day: date,
    coming: bool = False,
    away: bool = False,
    node: Organisation | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> ChangesPage:
    """Decisions about nodes that the caller answers for, latest first, a page; one statement.

    ``coming``: only those whose day has not come; ``away``: only absences of this day.
    """
    paths = scope.paths_for(Permission.ROSTER_MANAGE)
    found: QuerySet[RosterChange] = RosterChange.objects.filter(
        Q(node__path__under=paths) | Q(to_node__path__under=paths), school_id__in=schools_managed(scope)
    )
    if node is not None:
        found = found.filter(Q(node__path__under=node.path) | Q(to_node__path__under=node.path))
    if coming:
        found = found.filter(effective_on__gt=day, undone_at=None)
    if away:
        held = Membership.objects.valid_on(day).filter(person_id=OuterRef("person_id"))
        found = found.filter(
            Q(until=None) | Q(until__gt=day), ~Exists(held), kind__in=AWAY, effective_on__lte=day, undone_at=None
        )
    if after is not None:
        found = found.filter(pk__lt=after)
    rows = list(found.select_related("person", "node", "to_node").order_by("-id")[: limit + 1])
    return ChangesPage(rows[:limit], rows[limit - 1].pk if len(rows) > limit else None)


def expected_twice(scope: Scope, *, day: date, limit: int = PAGE) -> list[Twice]:
    """Exchange students whom both schools expect on ``day``; sees as far as the caller's schools.  Two statements."""
    with connection.cursor() as cursor:
        cursor.execute(_TWICE, {"day": day, "limit": limit})
        rows = cursor.fetchall()
    schools = {s.pk: s for s in School.objects.filter(pk__in={i for row in rows for i in (row[0], row[2])})}
    return [Twice(schools[host], guest, schools[home], person, since) for host, guest, home, person, since in rows]


def exchange_of(scope: Scope, person: Person, day: date) -> Exchange | None:
    """The exchange that holds for a person on ``day``; one statement."""
    return (
        Exchange.objects.filter(
            Q(valid_to=None) | Q(valid_to__gt=day),
            school_id=person.school_id,
            person=person,
            valid_from__lte=day,
            change__undone_at=None,
        )
        .select_related("other_school")
        .order_by("-id")
        .first()
    )


def absence_of(scope: Scope, person: Person, day: date) -> RosterChange | None:
    """The leave, exchange or graduation because of which a person belongs nowhere on ``day``; one statement."""
    return (
        RosterChange.objects.filter(
            Q(until=None) | Q(until__gt=day),
            school_id=person.school_id,
            person=person,
            kind__in=(*AWAY, ChangeKind.GRADUATION),
            effective_on__lte=day,
            undone_at=None,
        )
        .order_by("-id")
        .first()
    )


def schools_managed(scope: Scope) -> list[int]:
    """The schools in which the caller manages some node's roster."""
    return sorted({g.school_id for g in scope.grants if Permission.ROSTER_MANAGE in g.permissions})


def _above(nodes: Iterable[Organisation]) -> Mapping[int, str]:
    """What lies above each node within its school, as words; one statement."""
    wanted = {node.pk: [int(label) for label in str(node.path).split(".")][:-1] for node in nodes}
    ids = {i for above in wanted.values() for i in above}
    found = {o.pk: o for o in Organisation.objects.filter(pk__in=ids)} if ids else {}
    return {
        pk: " · ".join(found[i].label for i in above if i in found and found[i].kind == OrganisationKind.COLLEGE)
        for pk, above in wanted.items()
    }
