"""Who holds which role, for those who manage roles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db.models import Exists, OuterRef, Prefetch, Q

from anxiao.accounts.models import Grant, User
from anxiao.accounts.rules import FOUNDING_ROLES
from anxiao.base.permissions import Permission, Role
from anxiao.base.scope import Scope
from anxiao.directory.models import ClassCounsellor, Organisation, Person, Place
from anxiao.directory.names import OrganisationKind, PlaceKind

PAGE = 100


@dataclass(frozen=True, slots=True)
class GrantPage:
    """Grants in the order in which they were given, newest first; ``after`` continues."""

    grants: tuple[Grant, ...]
    after: int | None
    total: int


def managed_grants(scope: Scope, day: date, *, role: str = "", words: str = "", before: int | None = None) -> GrantPage:
    """Grants valid on ``day`` or later on nodes whose roles the caller manages."""
    rows = Grant.objects.filter(
        Q(valid_to=None) | Q(valid_to__gt=day), organisation__path__under=scope.paths_for(Permission.GRANT_MANAGE)
    )
    if role:
        rows = rows.filter(role=role)
    if words:
        rows = rows.filter(
            Q(user__display_name__icontains=words)
            | Q(user__username__icontains=words)
            | Q(user__person__number__iexact=words)
        )
    total = rows.count()
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(
        rows.select_related("user__person", "organisation", "place", "deputy_for__user")
        .prefetch_related(_deputies(day))
        .order_by("-pk")[: PAGE + 1]
    )
    return GrantPage(tuple(found[:PAGE]), found[PAGE - 1].pk if len(found) > PAGE else None, total)


def person_by_number(scope: Scope, school_id: int, number: str) -> Person | None:
    """Somebody of a school by their number, as typed."""
    return Person.objects.filter(school_id=school_id, number__iexact=number.strip()).order_by("id").first()


def account_of(scope: Scope, person: Person) -> User | None:
    return User.objects.filter(person=person).first()


def nodes_of_school(scope: Scope, school_id: int, permission: Permission) -> list[Organisation]:
    """The tree of a school as far as the caller holds ``permission`` on it: school, colleges, departments, classes."""
    order = {OrganisationKind.SCHOOL: 0, OrganisationKind.COLLEGE: 1, OrganisationKind.DEPARTMENT: 2}
    nodes = Organisation.objects.within(scope, permission).filter(school_id=school_id).select_related("parent")
    return sorted(nodes, key=lambda n: (order.get(OrganisationKind(n.kind), 3), n.parent_id or 0, n.grade, n.name))


def cells_of_school(scope: Scope, school_id: int) -> list[Place]:
    """The cells of the grid for which somebody may answer: campuses, buildings, clinics, gates."""
    kinds = (PlaceKind.CAMPUS, PlaceKind.BUILDING, PlaceKind.CLINIC, PlaceKind.GATE)
    return list(Place.objects.filter(school_id=school_id, kind__in=kinds).select_related("parent"))


def counsellors_without_role(scope: Scope, school: Organisation, day: date) -> list[ClassCounsellor]:
    """Counsellors whom the directory names for a class on ``day`` and who hold no counsellor's role on it."""
    held = Grant.objects.valid_on(day).filter(
        role=Role.COUNSELLOR, organisation_id=OuterRef("organisation_id"), user__person_id=OuterRef("person_id")
    )
    return list(
        ClassCounsellor.objects.filter(
            Q(valid_to=None) | Q(valid_to__gt=day),
            ~Exists(held),
            school_id=school.school_id,
            organisation__path__under=school.path,
            valid_from__lte=day,
        )
        .select_related("person", "organisation")
        .order_by("organisation_id", "id")
    )


def roles_without_counsellor(school_id: int, since: date, day: date) -> list[Grant]:
    """Counsellors' roles valid on ``day`` whose holder was the class's counsellor in the directory until a day between
    ``since`` and ``day``, and is not any more.  Locked, for they are about to end.

    A role that was given later than that is nothing the directory could take back.
    """
    links = ClassCounsellor.objects.filter(
        school_id=school_id, organisation_id=OuterRef("organisation_id"), person_id=OuterRef("user__person_id")
    )
    ended = links.filter(valid_to__range=(since, day), valid_to__gte=OuterRef("valid_from"))
    standing = links.filter(Q(valid_to=None) | Q(valid_to__gt=day), valid_from__lte=day)
    rows = Grant.objects.valid_on(day).filter(
        Exists(ended), ~Exists(standing), role=Role.COUNSELLOR, organisation__school_id=school_id
    )
    return list(rows.select_for_update(of=("self",)).order_by("id"))


def roles_held(user_ids: Iterable[int], day: date) -> dict[int, list[tuple[Role, str]]]:
    """(role, path of the node) of each account's grants valid on ``day`` or beginning later."""
    found: dict[int, list[tuple[Role, str]]] = {user_id: [] for user_id in user_ids}
    rows = Grant.objects.filter(Q(valid_to=None) | Q(valid_to__gt=day), user_id__in=list(found))
    for user_id, role, path in rows.values_list("user_id", "role", "organisation__path"):
        found[user_id].append((Role(role), path))
    return found


def grants_of(scope: Scope, user: User, day: date) -> list[Grant]:
    """An account's roles that are valid on ``day`` or begin later."""
    rows = Grant.objects.filter(Q(valid_to=None) | Q(valid_to__gt=day), user=user)
    return list(
        rows.select_related("organisation", "place", "deputy_for__user").prefetch_related(_deputies(day)).order_by("id")
    )


def standing_in(scope: Scope, grant: Grant, day: date) -> list[Grant]:
    """The deputies of a role on ``day`` or later."""
    return list(Grant.objects.filter(deputy_for=grant, valid_to__gt=day).select_related("user").order_by("valid_from"))


def _deputies(day: date) -> Prefetch[str]:
    """Who stands in for a role on ``day`` or later, as ``standing_in``."""
    rows = Grant.objects.filter(valid_to__gt=day).select_related("user").order_by("valid_from", "id")
    return Prefetch("deputies", queryset=rows, to_attr="standing_in")


def founding_accounts(scope: Scope, school_id: int, day: date) -> list[Grant]:
    """Who administers a school's platform and who answers for its epidemic reports."""
    rows = Grant.objects.valid_on(day).filter(
        organisation__school_id=school_id,
        role__in=FOUNDING_ROLES,
        organisation__path__under=scope.paths_for(Permission.ONBOARDING_APPROVE),
    )
    return list(rows.select_related("user").order_by("id"))
