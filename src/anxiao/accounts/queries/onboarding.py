"""Schools on their way onto the platform."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.models import Onboarding, Organisation, School
from anxiao.directory.names import OnboardingState, OrganisationKind, SchoolState


@dataclass(frozen=True, slots=True)
class Application:
    """One application with the school it is for."""

    row: Onboarding
    school: School


@dataclass(frozen=True, slots=True)
class Register:
    """The register of schools: how many are in which state."""

    schools: tuple[School, ...]
    registered: int
    applied: int
    active: int


def register_of_schools() -> Register:
    """All schools of the public register.  It has no secret: name, code, city, and whether the school takes part."""
    schools = tuple(School.objects.order_by("code"))
    states = Counter(s.state for s in schools)
    return Register(schools, states[SchoolState.REGISTERED], states[SchoolState.APPLIED], states[SchoolState.ACTIVE])


def open_schools() -> Sequence[School]:
    """Schools whose people can sign in."""
    return tuple(School.objects.filter(state=SchoolState.ACTIVE).order_by("code"))


def school_called(code: str) -> School | None:
    return School.objects.filter(code=code).first()


def school_of(school_id: int) -> School:
    """The register's entry of a school known to exist."""
    return School.objects.get(pk=school_id)


def applications(scope: Scope, state: OnboardingState) -> list[Application]:
    """Applications in one state: waiting ones first come first, decided ones newest first."""
    if not scope.may(Permission.ONBOARDING_APPROVE):
        return []
    order = ("applied_at", "id") if state is OnboardingState.WAITING else ("-decided_at", "-id")
    rows = list(Onboarding.objects.filter(state=state).order_by(*order)[:200])
    schools = School.objects.in_bulk([row.school_id for row in rows])
    return [Application(row, schools[row.school_id]) for row in rows]


def count_by_state(scope: Scope) -> dict[str, int]:
    """How many applications are waiting, approved and declined."""
    if not scope.may(Permission.ONBOARDING_APPROVE):
        return {}
    return dict(Counter(Onboarding.objects.values_list("state", flat=True)))


def province_of(scope: Scope) -> Organisation | None:
    """The province node on which the caller decides about schools."""
    return (
        Organisation.objects.within(scope, Permission.ONBOARDING_APPROVE).filter(kind=OrganisationKind.PROVINCE).first()
    )
