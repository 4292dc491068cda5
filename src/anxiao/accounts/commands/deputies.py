"""Deputies: the same role in the same place, between two days."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from anxiao.accounts.commands.grants import give_grant_to_person
from anxiao.accounts.models import Grant
from anxiao.base.errors import Invalid, Refused
from anxiao.base.permissions import Role
from anxiao.base.scope import Scope
from anxiao.directory.models import Person


@transaction.atomic
def appoint_deputy(
    *,
    by: Scope,
    now: datetime,
    grant: Grant,
    person: Person,
    username: str = "",
    valid_from: date,
    valid_to: date,
) -> Grant:
    """``person`` stands in for a role from ``valid_from`` until the day before ``valid_to``.

    The role itself stays with its holder; ending it does not end the deputy's, so that nobody is left without.
    """
    # two deputies appointed at once for one person must not overlap unseen
    grant = (
        Grant.objects.select_for_update(of=("self",)).select_related("organisation", "place", "user").get(pk=grant.pk)
    )
    if grant.deputy_for_id is not None:
        raise Refused(_("A deputy has no deputy. Appoint one for the role itself."))
    faults: dict[str, str] = {}
    if grant.user.person_id == person.pk:
        faults["number"] = _("This person holds the role already.")
    if valid_from < grant.valid_from:
        faults["valid_from"] = _("The role itself begins later.")
    if grant.valid_to is not None and valid_to > grant.valid_to:
        faults["valid_to"] = _("The role itself ends before.")
    same = Grant.objects.filter(
        user__person_id=person.pk, deputy_for=grant, valid_from__lt=valid_to, valid_to__gt=valid_from
    )
    if same.exists():
        faults["valid_from"] = _("This person is the deputy on some of these days already.")
    if faults:
        raise Invalid(faults)
    return give_grant_to_person(
        by=by,
        now=now,
        person=person,
        username=username,
        role=Role(grant.role),
        organisation=grant.organisation,
        place=grant.place,
        valid_from=valid_from,
        valid_to=valid_to,
        deputy_for=grant,
    )
