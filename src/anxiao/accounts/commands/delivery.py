"""What becomes of printed codes: handed out, sent, or taken back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext as _

from anxiao.accounts.models import ActivationCode
from anxiao.accounts.names import Delivery, Verb
from anxiao.accounts.rules import CODE_ATTEMPTS
from anxiao.base.clock import day_of
from anxiao.base.errors import NotYours, Refused
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.models import Membership, Organisation
from anxiao.ledger.commands import record

_NOTE = """
INSERT INTO activation AS a (person_id, school_id, delivered)
SELECT person_id, %(school)s, %(delivered)s FROM unnest(%(persons)s::int[]) AS person_id ORDER BY person_id
ON CONFLICT (person_id) DO UPDATE SET delivered = excluded.delivered WHERE a.delivered <> excluded.delivered
"""


@transaction.atomic
def mark_delivered(
    *, by: Scope, now: datetime, node: Organisation, how: Delivery, person_ids: Collection[int] | None = None
) -> int:
    """Say what became of the codes of the people directly in ``node``: those chosen, or all who hold one.

    Counts only codes that can still be used.  ``Delivery.PRINTED`` takes a mark back.  Returns how many were marked.
    """
    if not by.may(Permission.ACTIVATION_PRINT, node.path):
        raise NotYours
    people = Membership.objects.valid_on(day_of(now)).filter(school_id=node.school_id, organisation=node)
    if person_ids is not None:
        people = people.filter(person_id__in=person_ids)
    codes = ActivationCode.objects.select_for_update().filter(
        school_id=node.school_id,
        person_id__in=people.values("person_id"),
        used_at=None,
        replaced_at=None,
        expires_at__gt=now,
        attempts__lt=CODE_ATTEMPTS,
    )
    found = dict(codes.exclude(delivery=how).order_by("person_id").values_list("person_id", "id"))
    if not found:
        raise Refused(_("No code here can be marked: print the slips first, or they are marked already."))
    delivered = how is not Delivery.PRINTED
    ActivationCode.objects.filter(school_id=node.school_id, pk__in=found.values()).update(
        delivery=how, delivered_at=now if delivered else None, delivered_by=by.user_id if delivered else None
    )
    note_delivered(node.school_id, found, delivered=delivered)
    record(
        by=by,
        now=now,
        verb=Verb.CODES_DELIVERED,
        object_type="organisation",
        object_id=node.pk,
        school_id=node.school_id,
        facts={"count": len(found), "how": how},
    )
    return len(found)


def note_delivered(school_id: int, person_ids: Collection[int], *, delivered: bool) -> None:
    """Whether these people hold a code.  In the transaction of the act that decided it."""
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, {"school": school_id, "persons": sorted(person_ids), "delivered": delivered})
