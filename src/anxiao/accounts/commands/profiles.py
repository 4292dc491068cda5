"""An account follows its person: the user name their number, the name shown their name."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _

from anxiao.accounts.models import User
from anxiao.accounts.rules import person_username
from anxiao.base.errors import Refused
from anxiao.base.scope import system_scope
from anxiao.directory.models import Person, School
from anxiao.ledger.commands import Line, record, record_many


def follow_profile(*, person_id: int, school_id: int, fields: Collection[str], before: str, now: datetime) -> None:
    """Listens to ``person.profile_changed``.  Only accounts that were named after the number are renamed."""
    user = User.objects.filter(person_id=person_id).first()
    if user is None:
        return
    person = Person.objects.get(pk=person_id)
    code = School.objects.values_list("code", flat=True).get(pk=school_id)
    changed = []
    if "number" in fields and user.username == person_username(code, before):
        wanted = person_username(code, person.number)
        if User.objects.filter(username__iexact=wanted).exclude(pk=user.pk).exists():
            raise Refused(_("Another account is called like this number."))
        user.username = wanted
        changed.append("username")
    if "name" in fields:
        user.display_name = person.name
        changed.append("display_name")
    if changed:
        user.save(update_fields=changed)
        record(
            by=system_scope("profile"),
            now=now,
            verb="account.follows_profile",
            object_type="account",
            object_id=user.pk,
            school_id=school_id,
            facts={"fields": changed},
        )


_FOLLOW_NAMES = """
UPDATE account a SET display_name = p.name FROM person p
WHERE p.school_id = %s AND p.id = ANY (%s) AND a.person_id = p.id AND a.display_name <> p.name
RETURNING a.id
"""


def follow_names(*, school_id: int, people: Collection[int], now: datetime) -> None:
    """Listens to ``person.names_changed``: one statement, however many they are."""
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW_NAMES, [school_id, list(people)])
        changed = [account for (account,) in cursor.fetchall()]
    facts = {"fields": ["display_name"]}
    lines = [Line("account.follows_profile", "account", account, school_id, facts) for account in changed]
    record_many(by=system_scope("profile"), now=now, lines=lines)
