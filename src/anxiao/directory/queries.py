"""Reading the directory: how far somebody may look, and who is where.  Finding people: ``queries_search``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Q, QuerySet

from anxiao.base.permissions import Permission
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.directory.models import ClassCounsellor, Membership, Organisation, Person, Place, Residence, School
from anxiao.directory.names import OrganisationKind
from anxiao.ui.templatetags.ui import mask

MOST_CLASSES = 500


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
