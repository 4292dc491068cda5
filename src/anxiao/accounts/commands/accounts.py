"""Making accounts for people of the directory."""

from __future__ import annotations

import re
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from anxiao.accounts.models import User
from anxiao.accounts.names import Verb
from anxiao.accounts.rules import fold_username, person_username
from anxiao.base.errors import Invalid
from anxiao.base.scope import Scope
from anxiao.directory.models import Person, School
from anxiao.ledger.commands import record

_CHOSEN = re.compile(r"[a-z][a-z0-9._-]{2,39}\Z")


@transaction.atomic
def provision_account(*, by: Scope, now: datetime, person: Person, username: str = "") -> User:
    """The account of a person, made if there is none: without a password, to be taken over by an activation code.

    ``username`` may be chosen by staff with a role; everybody else signs in by school and number.
    """
    standing = User.objects.filter(person=person).first()
    if standing is not None:
        return standing
    name = chosen_username(username) if username.strip() else _from_directory(person)
    user = User(
        username=name,
        display_name=person.name,
        person=person,
        home_school_id=person.school_id,
        date_joined=now,
    )
    user.set_unusable_password()
    user.save(force_insert=True)
    record(
        by=by,
        now=now,
        verb=Verb.PROVISIONED,
        object_type="account",
        object_id=user.pk,
        school_id=person.school_id,
        facts={"person": person.pk},
    )
    return user


def _from_directory(person: Person) -> str:
    return person_username(School.objects.values_list("code", flat=True).get(pk=person.school_id), person.number)


def chosen_username(username: str) -> str:
    """A user name of somebody's choice in its one form, or what is wrong with it."""
    name = fold_username(username)
    if not _CHOSEN.match(name):
        raise Invalid(
            {"username": _("3 to 40 letters, digits, dots or dashes, beginning with a letter, for example zhang.san")}
        )
    if User.objects.filter(username__iexact=name).exists():
        raise Invalid({"username": _("This user name is taken. Please choose another.")})
    return name
