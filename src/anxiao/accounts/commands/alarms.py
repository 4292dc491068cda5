"""Alarms about codes: raised by whoever tries one for somebody else or too often, settled by who looked into it."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext as _

from anxiao.accounts.models import ActivationAlarm, ActivationCode
from anxiao.accounts.names import AlarmKind, Verb
from anxiao.accounts.rules import alarm_of, plain
from anxiao.base.clock import day_of
from anxiao.base.errors import NotYours, Refused
from anxiao.base.permissions import Permission
from anxiao.base.scope import NOBODY, Scope
from anxiao.directory.access import may_reach
from anxiao.directory.models import Person
from anxiao.ledger.commands import record
from anxiao.ledger.names import Outcome

_RAISE = """
INSERT INTO activation_alarm AS l (school_id, person_id, kind, tries, tried_by_id, raised_at, last_at)
VALUES (%(school)s, %(person)s, %(kind)s, %(tries)s, %(tried_by)s, %(now)s, %(now)s)
ON CONFLICT (school_id, person_id, kind) WHERE settled_at IS NULL
    DO UPDATE SET tries = greatest(l.tries + 1, excluded.tries), last_at = excluded.last_at,
                  tried_by_id = coalesce(excluded.tried_by_id, l.tried_by_id)
RETURNING id, tries
"""


def watch_miss(*, now: datetime, code: ActivationCode, number: str, name: str, misses: int) -> None:
    """After a miss: raise an alarm, or count on, when it was somebody else's number or one miss too many.

    In the transaction of the miss.  The counsellor finds the alarm on their board, with a row in the ledger.
    """
    owner = code.person
    other = None
    if plain(number) != plain(owner.number):
        people = Person.objects.filter(school_id=code.school_id, number__iexact=number.strip())
        other = people.exclude(pk=owner.pk).first()
    said = alarm_of(is_others_number=other is not None, is_owners_name=plain(name) == plain(owner.name), misses=misses)
    if said is None:
        return
    kind = AlarmKind(said)
    tried_by = other.pk if other is not None and kind is AlarmKind.SOMEBODY_ELSE else None
    with connection.cursor() as cursor:
        cursor.execute(
            _RAISE,
            {
                "school": code.school_id,
                "person": owner.pk,
                "kind": kind,
                "tries": misses if kind is AlarmKind.TOO_OFTEN else 1,
                "tried_by": tried_by,
                "now": now,
            },
        )
        alarm_id, tries = cursor.fetchone()
    record(
        by=NOBODY,
        now=now,
        verb=Verb.ALARM_RAISED,
        object_type="person",
        object_id=owner.pk,
        school_id=code.school_id,
        facts={"alarm": alarm_id, "kind": kind, "tries": tries, "code": code.pk, "tried_by": tried_by},
        outcome=Outcome.DENIED,
    )


@transaction.atomic
def settle_alarm(*, by: Scope, now: datetime, alarm: ActivationAlarm) -> None:
    """Say that one has looked into it; another try raises a new alarm."""
    if not may_reach(by, alarm.person, day_of(now), Permission.ACTIVATION_PRINT):
        raise NotYours
    settled = ActivationAlarm.objects.filter(school_id=alarm.school_id, pk=alarm.pk, settled_at=None).update(
        settled_at=now, settled_by=by.user_id
    )
    if not settled:
        raise Refused(_("Somebody else has settled this alarm already."))
    record(
        by=by,
        now=now,
        verb=Verb.ALARM_SETTLED,
        object_type="person",
        object_id=alarm.person_id,
        school_id=alarm.school_id,
        facts={"alarm": alarm.pk},
    )
