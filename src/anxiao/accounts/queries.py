"""Reading accounts: chiefly, building the scope of a request."""

from __future__ import annotations

from datetime import date

from anxiao.accounts.models import Grant as GrantRow
from anxiao.accounts.models import User
from anxiao.base.permissions import Role
from anxiao.base.scope import Grant, Scope
from anxiao.base.tenancy import school_context


def scope_of(user: User, day: date) -> Scope:
    """The scope of an account on ``day``: one query, before any school's rows may be seen.

    Nodes and places have a school, so the grants are read inside a context of their own; the rows are the caller's.
    """
    with school_context("*"):
        rows = list(
            GrantRow.objects.filter(user=user)
            .valid_on(day)
            .order_by("id")
            .values_list(
                "id",
                "role",
                "organisation_id",
                "organisation__path",
                "organisation__kind",
                "organisation__school_id",
                "organisation__name",
                "place__path",
            )
        )
    grants = tuple(
        Grant(
            id=row[0],
            role=Role(row[1]),
            node_id=row[2],
            node_path=row[3],
            node_kind=row[4],
            school_id=row[5],
            node_name=row[6],
            place_path=row[7],
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
