"""Coming in, going out, and ending every session at once."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F

from anxiao.accounts.models import User
from anxiao.accounts.names import Verb
from anxiao.accounts.queries.scopes import user_called
from anxiao.accounts.rules import name_fingerprint
from anxiao.base.scope import NOBODY, SHARED_SCHOOL, Scope
from anxiao.ledger.commands import record
from anxiao.ledger.names import Outcome


@transaction.atomic
def note_sign_in(*, by: Scope, now: datetime) -> None:
    """Write that an account came in, by whichever way."""
    _note(by, now, Verb.SIGNED_IN)


@transaction.atomic
def note_sign_out(*, by: Scope, now: datetime) -> None:
    """Write that an account went out."""
    _note(by, now, Verb.SIGNED_OUT)


@transaction.atomic
def note_failed_sign_in(*, name: str, now: datetime) -> None:
    """Write that somebody was refused.  A name that no account has is kept as a fingerprint only: people type their
    password into the wrong field."""
    user = user_called(name)
    record(
        by=NOBODY,
        now=now,
        verb=Verb.SIGN_IN_FAILED,
        object_type="account",
        object_id=user.pk if user else name_fingerprint(settings.SECRET_KEY, name),
        school_id=(user.home_school_id if user else None) or SHARED_SCHOOL,
        facts={"known": user is not None},
        outcome=Outcome.DENIED,
    )


@transaction.atomic
def change_password(*, by: Scope, now: datetime, user: User, password: str) -> None:
    """Set a password; the passes of all phones end with the old one."""
    user.set_password(password)
    user.must_change_password = False
    user.pass_version += 1
    user.save(update_fields=["password", "must_change_password", "pass_version"])
    user.refresh_from_db(fields=["pass_serial"])
    record(
        by=by,
        now=now,
        verb=Verb.PASSWORD_CHANGED,
        object_type="account",
        object_id=user.pk,
        school_id=user.home_school_id or SHARED_SCHOOL,
    )


@transaction.atomic
def end_all_sessions(*, by: Scope, now: datetime, user: User) -> None:
    """End every session and every phone's pass of an account, at its next request.

    The session carries ``pass_version`` in its check value, and the pass a serial that moves with it.
    """
    User.objects.filter(pk=user.pk).update(pass_version=F("pass_version") + 1)
    user.refresh_from_db(fields=["pass_version", "pass_serial"])
    record(
        by=by,
        now=now,
        verb=Verb.SESSIONS_ENDED,
        object_type="account",
        object_id=user.pk,
        school_id=user.home_school_id or SHARED_SCHOOL,
    )


def note_second_factor(*, by: Scope, now: datetime, kind: str, added: bool) -> None:
    """Write that an account got or lost a one-time code generator, a passkey or recovery codes."""
    record(
        by=by,
        now=now,
        verb=Verb.SECOND_FACTOR_ADDED if added else Verb.SECOND_FACTOR_REMOVED,
        object_type="account",
        object_id=by.user_id,
        school_id=by.school_id or SHARED_SCHOOL,
        facts={"kind": kind},
    )


def _note(by: Scope, now: datetime, verb: Verb) -> None:
    record(
        by=by,
        now=now,
        verb=verb,
        object_type="account",
        object_id=by.user_id,
        school_id=by.school_id or SHARED_SCHOOL,
    )
