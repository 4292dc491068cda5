"""Helping somebody back in who lost the phone or the password."""

from __future__ import annotations

from datetime import datetime

from allauth.mfa.models import Authenticator
from django.db import transaction

from anxiao.accounts.commands.onboarding import Credential
from anxiao.accounts.commands.sessions import end_all_sessions
from anxiao.accounts.models import User
from anxiao.accounts.names import Verb
from anxiao.accounts.queries.grants import roles_held
from anxiao.accounts.rules import FOUNDING_ROLES, may_help, new_password
from anxiao.base.clock import day_of
from anxiao.base.errors import NotYours
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.ledger.commands import record


@transaction.atomic
def reset_second_factor(*, by: Scope, now: datetime, user: User) -> None:
    """Take the one-time code generator, passkeys and recovery codes off an account whose phone is lost.

    Every session ends; at the next sign-in a new second factor must be set up.
    """
    held = roles_held([user.pk], day_of(now))[user.pk]
    if not held or not may_help(by, held):
        raise NotYours
    removed, _by_kind = Authenticator.objects.filter(user_id=user.pk).delete()
    end_all_sessions(by=by, now=now, user=user)
    record(
        by=by,
        now=now,
        verb=Verb.SECOND_FACTOR_RESET,
        object_type="account",
        object_id=user.pk,
        school_id=user.home_school_id or SHARED_SCHOOL,
        facts={"removed": removed},
    )


@transaction.atomic
def renew_first_password(*, by: Scope, now: datetime, user: User) -> Credential:
    """A new first password for one of the two accounts with which a school began; the second factor goes too."""
    held = roles_held([user.pk], day_of(now))[user.pk]
    founding = [role for role, _path in held if role in FOUNDING_ROLES]
    if not founding or user.person_id is not None:
        raise NotYours
    reset_second_factor(by=by, now=now, user=user)
    password = new_password()
    user.set_password(password)
    user.must_change_password = True
    user.save(update_fields=["password", "must_change_password"])
    record(
        by=by,
        now=now,
        verb=Verb.PASSWORD_RENEWED,
        object_type="account",
        object_id=user.pk,
        school_id=user.home_school_id or SHARED_SCHOOL,
    )
    return Credential(founding[0], user.display_name, user.username, password)
