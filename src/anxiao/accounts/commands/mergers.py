"""Roles follow the classes that moved into another college; whoever answered for a class still does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from anxiao.accounts.models import Grant
from anxiao.accounts.names import Verb
from anxiao.base.clock import day_of
from anxiao.base.scope import Scope
from anxiao.directory.models import Organisation
from anxiao.directory.names import OrganisationKind
from anxiao.ledger.commands import Line, record_many


@transaction.atomic
def move_roles_with_classes(
    *, school_id: int, pairs: Mapping[int, int], on: date, now: datetime, by: Scope, **_: Any
) -> None:
    """Listens to ``roster.nodes_merged``: a role on a class goes on at the class's new node from the day ``on``.

    Roles on the college itself stay behind: who answered for one college does not answer for both.
    """
    start = max(on, day_of(now))
    classes = set(
        Organisation.objects.filter(school_id=school_id, pk__in=list(pairs), kind=OrganisationKind.CLASS).values_list(
            "pk", flat=True
        )
    )
    held = list(
        Grant.objects.select_for_update()
        .filter(Q(valid_to=None) | Q(valid_to__gt=start), organisation_id__in=classes)
        .order_by("pk")
    )
    if not held:
        return
    moved = Grant.objects.bulk_create(
        [
            Grant(
                user_id=grant.user_id,
                role=grant.role,
                organisation_id=pairs[grant.organisation_id],
                place_id=grant.place_id,
                valid_from=max(start, grant.valid_from),
                valid_to=grant.valid_to,
                given_by=by.user_id,
                given_at=now,
            )
            for grant in held
        ]
    )
    became = {old.pk: new.pk for old, new in zip(held, moved, strict=True)}
    for old, new in zip(held, moved, strict=True):
        old.valid_to = max(start, old.valid_from)
        new.deputy_for_id = became.get(old.deputy_for_id or 0, old.deputy_for_id)
    Grant.objects.bulk_update(held, ["valid_to"])
    Grant.objects.bulk_update([new for new in moved if new.deputy_for_id], ["deputy_for"])
    record_many(
        by=by,
        now=now,
        lines=[
            Line(
                Verb.GRANT_GIVEN,
                "grant",
                grant.pk,
                school_id,
                {"account": grant.user_id, "role": grant.role, "organisation": grant.organisation_id, "after": old.pk},
            )
            for old, grant in zip(held, moved, strict=True)
        ],
    )
