"""The first accounts of an installation: made from the shell, for there is nobody yet who could give them."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from anxiao.accounts.commands.accounts import chosen_username
from anxiao.accounts.commands.onboarding import Credential
from anxiao.accounts.models import Grant, User
from anxiao.accounts.names import Verb
from anxiao.accounts.rules import new_password
from anxiao.base.clock import day_of
from anxiao.base.errors import Invalid, NotYours
from anxiao.base.permissions import Role
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.directory.models import Organisation
from anxiao.directory.names import OrganisationKind
from anxiao.ledger.commands import record


@transaction.atomic
def found_officer(
    *, by: Scope, now: datetime, username: str, display_name: str, role: Role, province: Organisation
) -> Credential:
    """An officer above the schools, with a first password to be changed at the first sign-in.

    ``by`` must be the house itself (``system_scope``): no account gives these roles to another.
    """
    if by.is_known or by.origin == "web":
        raise NotYours
    if role not in (Role.PROVINCE_OFFICER, Role.OPERATOR) or province.kind != OrganisationKind.PROVINCE:
        raise Invalid({"role": _("Only roles above the schools are given here.")})
    password = new_password()
    user = User(
        username=chosen_username(username), display_name=display_name, must_change_password=True, date_joined=now
    )
    user.set_password(password)
    user.save(force_insert=True)
    grant = Grant.objects.create(
        user=user, role=role, organisation=province, valid_from=day_of(now), given_by=by.user_id, given_at=now
    )
    record(
        by=by,
        now=now,
        verb=Verb.GRANT_GIVEN,
        object_type="grant",
        object_id=grant.pk,
        school_id=SHARED_SCHOOL,
        facts={"account": user.pk, "role": role, "organisation": province.pk},
    )
    return Credential(role, display_name, user.username, password)
