"""Excusing people from reporting (免报), with reason and dates."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from anxiao.base.clock import day_of
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.locks import school_roster_lock
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.access import may_reach
from anxiao.directory.models import Person
from anxiao.ledger.commands import record
from anxiao.reporting.commands.counting import FIRST_DAY, recount
from anxiao.reporting.models import Exemption
from anxiao.reporting.names import ExemptionReason

LAST_DAY = date(2099, 12, 31)


@transaction.atomic
def exempt(
    *,
    by: Scope,
    now: datetime,
    person: Person,
    reason: ExemptionReason,
    first_day: date,
    last_day: date,
    note: str = "",
) -> Exemption:
    """Expect nothing of ``person`` from ``first_day`` to ``last_day``, both included."""
    if not may_reach(by, person, day_of(now), Permission.EXEMPT):
        raise NotYours
    if first_day < FIRST_DAY or last_day > LAST_DAY:
        field = "first_day" if first_day < FIRST_DAY else "last_day"
        raise Invalid({field: _("Please choose a day between 2020 and 2099.")})
    if last_day < first_day:
        raise Invalid({"last_day": _("The last day lies before the first.")})
    school_roster_lock(person.school_id)
    after = date.fromordinal(last_day.toordinal() + 1)
    overlapping = Exemption.objects.filter(
        person=person, cancelled_at=None, valid_from__lt=after, valid_to__gt=first_day
    ).first()
    if overlapping is not None:
        raise Refused(
            _("This person is already exempt from %(first)s to %(last)s.")
            % {
                "first": overlapping.valid_from,
                "last": date.fromordinal(overlapping.valid_to.toordinal() - 1),
            }
        )
    exemption = Exemption.objects.create(
        school_id=person.school_id,
        person=person,
        reason=reason,
        note=note.strip(),
        valid_from=first_day,
        valid_to=after,
        created_by=by.user_id,
        created_at=now,
    )
    record(
        by=by,
        now=now,
        verb="exemption.granted",
        object_type="person",
        object_id=person.pk,
        school_id=person.school_id,
        facts={"reason": reason, "first_day": first_day, "last_day": last_day},
    )
    recount(school_id=person.school_id, since=first_day)
    return exemption


@transaction.atomic
def cancel_exemption(*, by: Scope, now: datetime, exemption: Exemption) -> None:
    """Take an exemption back, as if it had never been; the row stays with who cancelled it and when."""
    if not may_reach(by, exemption.person, day_of(now), Permission.EXEMPT):
        raise NotYours
    school_roster_lock(exemption.school_id)
    changed = Exemption.objects.filter(pk=exemption.pk, cancelled_at=None).update(
        cancelled_at=now, cancelled_by=by.user_id
    )
    if not changed:
        raise Refused(_("This exemption was already cancelled."))
    record(
        by=by,
        now=now,
        verb="exemption.cancelled",
        object_type="person",
        object_id=exemption.person_id,
        school_id=exemption.school_id,
        facts={"exemption": exemption.pk},
    )
    recount(school_id=exemption.school_id, since=exemption.valid_from)
