"""A school applies, the province decides; approving opens the school and makes the two accounts it begins with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from anxiao.accounts.commands.grants import give_founding_grant
from anxiao.accounts.models import User
from anxiao.accounts.names import Verb
from anxiao.accounts.queries.onboarding import province_of
from anxiao.accounts.rules import new_password
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.permissions import Permission, Role
from anxiao.base.scope import NOBODY, Scope
from anxiao.directory.commands import open_school
from anxiao.directory.models import Onboarding, School
from anxiao.directory.names import OnboardingState, SchoolState
from anxiao.ledger.commands import record


@dataclass(frozen=True, slots=True)
class Contact:
    """A responsible person as the school's information form names them."""

    name: str
    position: str
    phone: str
    office: str


@dataclass(frozen=True, slots=True)
class Credential:
    """A new account with its first password: readable here and nowhere else, to be changed at the first sign-in."""

    role: Role
    name: str
    username: str
    password: str


@transaction.atomic
def apply_for_school(*, now: datetime, school_id: int, admin: Contact, officer: Contact) -> Onboarding:
    """Hand in the information form of a school (mission A.2).  Nobody is signed in; one application waits at a time."""
    # the row lock makes two applications of one school wait for each other
    school = School.objects.select_for_update().get(pk=school_id)
    if school.state == SchoolState.ACTIVE:
        raise Invalid({"school": _("This school uses the platform already. Its administrator can give you a role.")})
    if school.state == SchoolState.APPLIED:
        raise Invalid({"school": _("This school has applied already; the province is looking at it.")})
    application = Onboarding.objects.create(
        school_id=school.pk,
        admin_name=admin.name,
        admin_position=admin.position,
        admin_phone=admin.phone,
        admin_office=admin.office,
        officer_name=officer.name,
        officer_position=officer.position,
        officer_phone=officer.phone,
        officer_office=officer.office,
        applied_at=now,
    )
    School.objects.filter(pk=school.pk).update(state=SchoolState.APPLIED)
    record(
        by=NOBODY,
        now=now,
        verb=Verb.APPLIED,
        object_type="onboarding",
        object_id=application.pk,
        school_id=school.pk,
    )
    return application


@transaction.atomic
def approve_application(*, by: Scope, now: datetime, application: Onboarding) -> tuple[Credential, Credential]:
    """Open the school and make the accounts of its administrator and its epidemic officer."""
    school = _decide(by, now, application, OnboardingState.APPROVED)
    province = province_of(by)
    if province is None:
        raise NotYours
    node = open_school(by=by, now=now, school=school, province=province)
    made: list[Credential] = []
    for role, name, ending in (
        (Role.SCHOOL_ADMIN, application.admin_name, "admin"),
        (Role.EPIDEMIC_OFFICER, application.officer_name, "officer"),
    ):
        user, credential = _found_account(by=by, now=now, school=school, role=role, name=name, ending=ending)
        give_founding_grant(by=by, now=now, user=user, role=role, organisation=node)
        made.append(credential)
    record(
        by=by,
        now=now,
        verb=Verb.APPROVED,
        object_type="onboarding",
        object_id=application.pk,
        school_id=school.pk,
        facts={"accounts": [c.username for c in made]},
    )
    return made[0], made[1]


@transaction.atomic
def decline_application(*, by: Scope, now: datetime, application: Onboarding, reason: str) -> None:
    """Decline with a reason; the school may apply again."""
    clean = reason.strip()
    if not clean:
        raise Invalid({"reason": _("Please write the reason; the school is told it.")})
    school = _decide(by, now, application, OnboardingState.DECLINED, note=clean)
    School.objects.filter(pk=school.pk).update(state=SchoolState.REGISTERED)
    record(
        by=by,
        now=now,
        verb=Verb.DECLINED,
        object_type="onboarding",
        object_id=application.pk,
        school_id=school.pk,
    )


def _decide(by: Scope, now: datetime, application: Onboarding, state: OnboardingState, note: str = "") -> School:
    if not by.may(Permission.ONBOARDING_APPROVE):
        raise NotYours
    decided = Onboarding.objects.filter(
        school_id=application.school_id, pk=application.pk, state=OnboardingState.WAITING
    ).update(state=state, decided_at=now, decided_by=by.user_id, decision_note=note)
    if not decided:
        raise Refused(_("This application has been decided already. Passwords are shown only once."))
    return School.objects.get(pk=application.school_id)


def _found_account(
    *, by: Scope, now: datetime, school: School, role: Role, name: str, ending: str
) -> tuple[User, Credential]:
    password = new_password()
    user = User(
        username=f"{school.code}-{ending}",
        display_name=name,
        home_school_id=school.pk,
        must_change_password=True,
        date_joined=now,
    )
    user.set_password(password)
    user.save(force_insert=True)
    record(by=by, now=now, verb=Verb.PROVISIONED, object_type="account", object_id=user.pk, school_id=school.pk)
    return user, Credential(role, name, user.username, password)
