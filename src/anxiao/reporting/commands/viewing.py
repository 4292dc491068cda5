"""Looking at health answers is an act: it is written down who looked at whose."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.access import may_reach
from anxiao.directory.models import Person
from anxiao.ledger.commands import record
from anxiao.reporting.models import Round


@transaction.atomic
def open_answers(*, by: Scope, now: datetime, person: Person, round: Round) -> None:
    """Open somebody's health answers; refuses whoever may not see health."""
    if not may_reach(by, person, round.day, Permission.HEALTH_VIEW):
        raise NotYours
    record(
        by=by,
        now=now,
        verb="person.viewed",
        object_type="person",
        object_id=person.pk,
        school_id=person.school_id,
        facts={"round": round.pk},
    )


@transaction.atomic
def open_health_list(
    *,
    by: Scope,
    now: datetime,
    kind: str,
    object_type: str,
    object_id: object,
    school_id: int,
    round: Round,
    people: int,
) -> None:
    """Open a list of the unwell; one row with how many were shown, because a row each would only hide the searcher."""
    record(
        by=by,
        now=now,
        verb="health.listed",
        object_type=object_type,
        object_id=object_id,
        school_id=school_id,
        facts={"round": round.pk, "kind": kind, "people": people},
    )
