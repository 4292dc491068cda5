"""Somebody leaves: all that they answered for goes to somebody else on one day."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from anxiao.accounts.commands.accounts import provision_account
from anxiao.accounts.models import Grant, User
from anxiao.accounts.names import Verb
from anxiao.accounts.queries.handover import Fate, Move, Plan, handover_plan
from anxiao.base.clock import day_of
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.commands_counsellors import hand_over_classes
from anxiao.directory.models import Person
from anxiao.ledger.commands import Line, record, record_many


@transaction.atomic
def hand_over(*, by: Scope, now: datetime, user: User, to: Person, on: date, username: str = "") -> Plan:
    """From the day ``on`` every role of ``user`` that the caller may give is held by ``to``; all or nothing.

    Deputies go on for the new holder, and the directory names ``to`` for the classes.  Returns what was moved.
    """
    if not by.may(Permission.GRANT_MANAGE) or to.school_id != user.home_school_id:
        raise NotYours
    if on < day_of(now):
        raise Invalid({"on": _("A handover cannot lie in the past.")})
    if user.person_id == to.pk:
        raise Invalid({"number": _("This is the same person.")})
    # nobody gives or ends a role of this account meanwhile
    list(Grant.objects.select_for_update().filter(user=user).order_by("id").values_list("pk", flat=True))
    plan = handover_plan(by, user, to, on)
    if not plan.anything:
        raise Refused(_("There is no role that you could hand over."))
    successor = provision_account(by=by, now=now, person=to, username=username)
    for move in plan.moves:
        if move.fate is not Fate.STAYS:
            _move(by, now, move, successor, on)
    if plan.classes and user.person is not None:
        hand_over_classes(by=by, now=now, leaver=user.person, to=to, on=on)
    record(
        by=by,
        now=now,
        verb=Verb.HANDED_OVER,
        object_type="account",
        object_id=user.pk,
        school_id=to.school_id,
        facts={
            "to": successor.pk,
            "on": on,
            "roles": sum(move.fate is not Fate.STAYS for move in plan.moves),
            "classes": len(plan.classes),
        },
    )
    return plan


def _move(by: Scope, now: datetime, move: Move, successor: User, on: date) -> None:
    old = move.grant
    lines = [
        Line(
            Verb.GRANT_ENDED,
            "grant",
            old.pk,
            old.organisation.school_id,
            {"account": old.user_id, "role": old.role, "organisation": old.organisation_id, "on": on},
        )
    ]
    if move.fate is Fate.MOVES:
        new = Grant.objects.create(
            user=successor,
            role=old.role,
            organisation=old.organisation,
            place=old.place,
            valid_from=max(old.valid_from, on),
            valid_to=old.valid_to,
            given_by=by.user_id,
            given_at=now,
            deputy_for_id=old.deputy_for_id,
        )
        Grant.objects.filter(deputy_for=old, valid_to__gt=on).exclude(user=successor).update(deputy_for=new)
        lines.append(
            Line(
                Verb.GRANT_GIVEN,
                "grant",
                new.pk,
                old.organisation.school_id,
                {
                    "account": successor.pk,
                    "role": old.role,
                    "organisation": old.organisation_id,
                    "place": old.place_id,
                    "from": new.valid_from,
                    "to": new.valid_to,
                },
            )
        )
    Grant.objects.filter(Q(valid_to=None) | Q(valid_to__gt=on), pk=old.pk).update(valid_to=max(on, old.valid_from))
    record_many(by=by, now=now, lines=lines)
