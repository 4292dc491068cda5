"""Roles: given on a node from a day on, and ended.  Whoever gives must hold all that the role may do."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from anxiao.accounts.commands.accounts import provision_account
from anxiao.accounts.models import Grant, User
from anxiao.accounts.names import Verb
from anxiao.accounts.queries.grants import counsellors_without_role, roles_without_counsellor
from anxiao.accounts.rules import FOUNDING_ROLES, PLACE_ROLES, ROLE_NODES, ROLE_PLACES, may_give
from anxiao.base.clock import day_of
from anxiao.base.errors import Invalid, NotYours
from anxiao.base.permissions import Permission, Role
from anxiao.base.scope import SHARED_SCHOOL, Scope, system_scope
from anxiao.directory.models import Organisation, Person, Place
from anxiao.ledger.commands import Line, record, record_many


@transaction.atomic
def give_grant(
    *,
    by: Scope,
    now: datetime,
    user: User,
    role: Role,
    organisation: Organisation,
    place: Place | None = None,
    valid_from: date,
    valid_to: date | None = None,
    deputy_for: Grant | None = None,
) -> Grant:
    """Give a role on a node.  ``valid_to`` is the first day without it; a person may hold several.

    A deputy stands in for ``deputy_for`` between two days.
    """
    if not by.may(Permission.GRANT_MANAGE, organisation.path):
        raise NotYours
    _check(by, now, user, role, organisation, place, valid_from, valid_to)
    return _give(
        by=by,
        now=now,
        user=user,
        role=role,
        organisation=organisation,
        place=place,
        valid_from=valid_from,
        valid_to=valid_to,
        deputy_for=deputy_for,
    )


@transaction.atomic
def give_grant_to_person(
    *,
    by: Scope,
    now: datetime,
    person: Person,
    username: str = "",
    role: Role,
    organisation: Organisation,
    place: Place | None = None,
    valid_from: date,
    valid_to: date | None = None,
    deputy_for: Grant | None = None,
) -> Grant:
    """The same for somebody of the directory, whose account is made when there is none."""
    if not by.may(Permission.GRANT_MANAGE, organisation.path) or person.school_id != organisation.school_id:
        raise NotYours
    user = provision_account(by=by, now=now, person=person, username=username)
    return give_grant(
        by=by,
        now=now,
        user=user,
        role=role,
        organisation=organisation,
        place=place,
        valid_from=valid_from,
        valid_to=valid_to,
        deputy_for=deputy_for,
    )


@transaction.atomic
def give_counsellors_their_role(*, by: Scope, now: datetime, school: Organisation) -> int:
    """Every counsellor whom the directory names for a class gets the role on it; returns how many grants were given."""
    if not by.may(Permission.GRANT_MANAGE, school.path) or not may_give(by, Role.COUNSELLOR, school.path):
        raise NotYours
    today = day_of(now)
    missing = counsellors_without_role(by, school, today)
    for link in missing:
        _give(
            by=by,
            now=now,
            user=provision_account(by=by, now=now, person=link.person),
            role=Role.COUNSELLOR,
            organisation=link.organisation,
            place=None,
            valid_from=today,
            valid_to=link.valid_to,
        )
    return len(missing)


@transaction.atomic
def end_roles_the_roster_took_back(*, school_id: int, since: date, now: datetime, **_: Any) -> None:
    """Listens to ``roster.changed``: whom the directory no longer names for a class loses the counsellor's role on it.

    Only what the directory gave is taken: a deputy whom it never named, or who got the role afterwards, keeps it.
    """
    today = day_of(now)
    ended = roles_without_counsellor(school_id, since, today)
    Grant.objects.filter(pk__in=[grant.pk for grant in ended]).update(valid_to=today)
    record_many(
        by=system_scope("roster"),
        now=now,
        lines=[
            Line(
                Verb.GRANT_ENDED,
                "grant",
                grant.pk,
                school_id,
                {"account": grant.user_id, "role": grant.role, "organisation": grant.organisation_id},
            )
            for grant in ended
        ],
    )


@transaction.atomic
def give_founding_grant(*, by: Scope, now: datetime, user: User, role: Role, organisation: Organisation) -> Grant:
    """The two roles with which a school begins; the province gives them by approving its application."""
    if not by.may(Permission.ONBOARDING_APPROVE, organisation.path):
        raise NotYours
    if role not in FOUNDING_ROLES:
        raise Invalid({"role": _("This role is given by the school itself.")})
    return _give(by=by, now=now, user=user, role=role, organisation=organisation, place=None, valid_from=day_of(now))


@transaction.atomic
def end_grant(*, by: Scope, now: datetime, grant: Grant) -> None:
    """End a role at once: the holder's next request is judged without it.  The grant itself stays on record."""
    node = grant.organisation
    if not by.may(Permission.GRANT_MANAGE, node.path) or not may_give(by, Role(grant.role), node.path):
        raise NotYours
    today = day_of(now)
    grant.valid_to = max(today, grant.valid_from)
    Grant.objects.filter(Q(valid_to=None) | Q(valid_to__gt=today), pk=grant.pk).update(valid_to=grant.valid_to)
    record(
        by=by,
        now=now,
        verb=Verb.GRANT_ENDED,
        object_type="grant",
        object_id=grant.pk,
        school_id=node.school_id,
        facts={"account": grant.user_id, "role": grant.role, "organisation": node.pk},
    )


def _check(
    by: Scope,
    now: datetime,
    user: User,
    role: Role,
    organisation: Organisation,
    place: Place | None,
    valid_from: date,
    valid_to: date | None,
) -> None:
    faults: dict[str, str] = {}
    if not may_give(by, role, organisation.path):
        faults["role"] = _("You cannot give this role: it may do more than you may do yourself.")
    elif organisation.kind not in ROLE_NODES[role]:
        faults["organisation"] = _("This role does not belong to this kind of node.")
    if role in PLACE_ROLES and place is None:
        faults["place"] = _("Please choose the building.")
    elif place is not None and place.kind not in ROLE_PLACES.get(role, ()):
        # narrowed to a building, a counsellor would see the health of all who live there and nobody of the class
        faults["place"] = _("This role does not belong to this kind of place.")
    if place is not None and place.school_id != organisation.school_id:
        raise NotYours
    if user.home_school_id not in (None, organisation.school_id) or organisation.school_id == SHARED_SCHOOL:
        raise NotYours
    if valid_from < day_of(now):
        faults["valid_from"] = _("A role cannot begin in the past.")
    if valid_to is not None and valid_to <= valid_from:
        faults["valid_to"] = _("The last day lies before the first.")
    held = Grant.objects.filter(user=user, role=role, organisation=organisation, place=place)
    if not faults and held.filter(Q(valid_to=None) | Q(valid_to__gt=valid_from)).exists():
        faults["role"] = _("This person holds the role here already.")
    if faults:
        raise Invalid(faults)


def _give(
    *,
    by: Scope,
    now: datetime,
    user: User,
    role: Role,
    organisation: Organisation,
    place: Place | None,
    valid_from: date,
    valid_to: date | None = None,
    deputy_for: Grant | None = None,
) -> Grant:
    grant = Grant.objects.create(
        user=user,
        role=role,
        organisation=organisation,
        place=place,
        valid_from=valid_from,
        valid_to=valid_to,
        given_by=by.user_id,
        given_at=now,
        deputy_for=deputy_for,
    )
    record(
        by=by,
        now=now,
        verb=Verb.GRANT_GIVEN,
        object_type="grant",
        object_id=grant.pk,
        school_id=organisation.school_id,
        facts={
            "account": user.pk,
            "role": role,
            "organisation": organisation.pk,
            "place": place.pk if place else None,
            "from": valid_from,
            "to": valid_to,
            "deputy_for": deputy_for.pk if deputy_for else None,
        },
    )
    return grant
