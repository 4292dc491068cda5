"""Whom the directory names as the counsellor of a class."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction
from django.db.models import Q

from anxiao.base.errors import NotYours
from anxiao.base.locks import school_roster_lock
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.models import ClassCounsellor, Person
from anxiao.ledger.commands import Line, record_many


@transaction.atomic
def hand_over_classes(*, by: Scope, now: datetime, leaver: Person, to: Person, on: date) -> int:
    """From the day ``on`` the directory names ``to`` wherever it named ``leaver``; returns for how many classes."""
    if leaver.school_id != to.school_id:
        raise NotYours
    school_roster_lock(leaver.school_id)
    links = list(
        ClassCounsellor.objects.filter(
            Q(valid_to=None) | Q(valid_to__gt=on), school_id=leaver.school_id, person=leaver
        ).select_related("organisation")
    )
    if any(not by.may(Permission.GRANT_MANAGE, link.organisation.path) for link in links):
        raise NotYours
    later = [link.pk for link in links if link.valid_from >= on]
    standing = [link for link in links if link.valid_from < on]
    ClassCounsellor.objects.filter(school_id=leaver.school_id, pk__in=later).update(person=to)
    ClassCounsellor.objects.filter(school_id=leaver.school_id, pk__in=[link.pk for link in standing]).update(
        valid_to=on
    )
    ClassCounsellor.objects.bulk_create(
        ClassCounsellor(
            school_id=link.school_id,
            organisation=link.organisation,
            person=to,
            valid_from=on,
            valid_to=link.valid_to,
        )
        for link in standing
    )
    record_many(
        by=by,
        now=now,
        lines=[
            Line(
                "class.counsellor_changed",
                "organisation",
                link.organisation_id,
                link.school_id,
                {"from": leaver.pk, "to": to.pk, "on": on},
            )
            for link in links
        ],
    )
    return len(links)
