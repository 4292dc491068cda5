"""A student in two schools: each school writes its own side, on its own record of her (docs/adr/0019)."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from anxiao.base.errors import Invalid, Refused
from anxiao.base.scope import Scope
from anxiao.directory.commands_roster import Change, check_held, standing_on
from anxiao.directory.models import Person, School
from anxiao.directory.models_roster import Exchange, RosterChange
from anxiao.directory.names_roster import ChangeKind, Side
from anxiao.directory.storage import Wanted


@transaction.atomic
def send_out(
    *, by: Scope, now: datetime, person: Person, host: School, on: date, until: date | None, reason: str
) -> RosterChange:
    """Exchange at another school, written by the home school: until ``until`` she is expected there and not here."""
    change = Change(by, now, ChangeKind.SENT, on, reason, until=until)
    node = change.of_person(person)
    _check_other(person, host)
    check_held(person, on)
    made = change.made(node=node, wanted=[Wanted(person.pk, None, on, until)])
    _remember_exchange(made, person, Side.HOME, host, "")
    return made


@transaction.atomic
def receive_guest(
    *,
    by: Scope,
    now: datetime,
    person: Person,
    home: School,
    home_number: str,
    on: date,
    until: date | None,
    reason: str,
) -> RosterChange:
    """Guest of the host school, on the host's own record of her: expected here from ``on`` until ``until`` only."""
    change = Change(by, now, ChangeKind.GUEST, on, reason, until=until)
    node = change.of_person(person)
    _check_other(person, home)
    if not home_number.strip():
        raise Invalid({"home_number": _("Please enter the number this person has at the home school.")})
    standing = standing_on(person, on)
    wanted = [Wanted(person.pk, node.pk, on, until)]
    if standing is not None and standing.valid_from < on:
        wanted.append(Wanted(person.pk, None, standing.valid_from, on))
    if until is not None:
        wanted.append(Wanted(person.pk, None, until))
    made = change.made(node=node, wanted=wanted, even_if_nothing=True)
    _remember_exchange(made, person, Side.HOST, home, home_number.strip()[:30])
    return made


def _check_other(person: Person, other: School) -> None:
    if other.pk == person.school_id:
        raise Refused(_("An exchange is with another school. Enter a transfer instead."))


def _remember_exchange(change: RosterChange, person: Person, side: Side, other: School, number: str) -> None:
    Exchange.objects.create(
        school_id=change.school_id,
        person=person,
        side=side,
        other_school_id=other.pk,
        other_number=number,
        valid_from=change.effective_on,
        valid_to=change.until,
        change=change,
    )
