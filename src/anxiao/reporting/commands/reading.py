"""Reading what was sent to oneself."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from anxiao.base.errors import NotYours
from anxiao.base.scope import Scope
from anxiao.ledger.commands import record
from anxiao.reporting.models import Reminder


@transaction.atomic
def mark_reminders_read(*, by: Scope, now: datetime) -> int:
    """Note that the caller has seen the reminders sent to them; returns how many were new."""
    if by.person_id is None or by.school_id is None:
        raise NotYours
    count = Reminder.objects.filter(school_id=by.school_id, person_id=by.person_id, read_at=None).update(read_at=now)
    if count:
        record(
            by=by,
            now=now,
            verb="reminder.read",
            object_type="person",
            object_id=by.person_id,
            school_id=by.school_id,
            facts={"count": count},
        )
    return count
