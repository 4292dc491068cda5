"""Who somebody is: the account of a name, and the scope of a request."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from allauth.mfa.models import Authenticator
from django.db import connection

from anxiao.accounts.models import Grant as GrantRow
from anxiao.accounts.models import User
from anxiao.accounts.rules import PLACE_ROLES, fold_username
from anxiao.base.clock import day_of
from anxiao.base.permissions import Role
from anxiao.base.scope import Grant, Scope

_GRANTS = """
SELECT id, role, node_id, node_path, node_kind, school_id, node_name, place_path FROM anxiao_grants(%s, %s)
"""


def scope_of(user: User, day: date) -> Scope:
    """The scope of an account on ``day``: one query, before any school's rows may be seen.

    Nodes and places have a school, so a function of the database reads them with a sight of its own, the caller's rows.
    """
    with connection.cursor() as cursor:
        cursor.execute(_GRANTS, [user.pk, day])
        rows = cursor.fetchall()
    grants = tuple(
        Grant(
            id=row[0],
            role=Role(row[1]),
            node_id=row[2],
            node_path=row[3],
            node_kind=row[4],
            school_id=row[5],
            node_name=row[6],
            place_path=row[7] if row[1] in PLACE_ROLES else None,
        )
        for row in rows
    )
    return Scope(
        user_id=user.pk,
        username=user.username,
        display_name=user.display_name,
        person_id=user.person_id,
        school_id=user.home_school_id,
        grants=grants,
        demo=user.is_demo,
    )


def bare_scope(user: User) -> Scope:
    """Who an account is, without any reach: for the ledger, and for what everybody may do with their own account."""
    return Scope(
        user_id=user.pk,
        username=user.username,
        display_name=user.display_name,
        person_id=user.person_id,
        school_id=user.home_school_id,
        demo=user.is_demo,
    )


def user_called(name: str) -> User | None:
    """The account of a typed name.  Capitals count only where two accounts differ by nothing else."""
    folded = fold_username(name)
    found = list(User.objects.filter(username__iexact=folded).order_by("id")[:2])
    if len(found) == 2:
        return User.objects.filter(username=name.strip()).first()
    return found[0] if found else None


def needs_second_factor(user: User, day: date) -> bool:
    """Whether the account holds a role on ``day``; accounts of the demo are let off."""
    return not user.is_demo and GrantRow.objects.filter(user=user).valid_on(day).exists()


def has_second_factor(user: User) -> bool:
    """Whether a one-time code generator or a passkey is set up.  Recovery codes alone are none."""
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=kinds).exists())


_STANDING = """
SELECT w.user_id, w.session, concat_ws(' ', a.pass_version, md5(a.password), (
    SELECT string_agg(concat_ws(':', g.id, g.role, g.organisation_id, g.place_id), ' ' ORDER BY g.id)
    FROM account_grant g
    WHERE g.user_id = a.id AND g.valid_from <= %(day)s AND (g.valid_to IS NULL OR g.valid_to > %(day)s)
))
FROM unnest(%(users)s::int[], %(sessions)s::text[]) AS w (user_id, session)
JOIN account a ON a.id = w.user_id AND a.is_active AND NOT a.must_change_password
JOIN django_session s ON s.session_key = w.session AND s.expire_date > %(now)s
"""


def standings(held: Iterable[tuple[int, str]], now: datetime) -> dict[tuple[int, str], str]:
    """What each (account, session) may do at this moment, as text that changes when it changes; one statement.

    Absent is who may do nothing any more: signed out, disabled, held at a first password.
    """
    pairs = list(held)
    with connection.cursor() as cursor:
        cursor.execute(
            _STANDING,
            {
                "users": [user for user, _session in pairs],
                "sessions": [session for _user, session in pairs],
                "day": day_of(now),
                "now": now,
            },
        )
        return {(user, session): standing for user, session, standing in cursor.fetchall()}
