"""Keys of programs that bring a school's directory: made once, shown once, kept as a hash, good for one school."""

from __future__ import annotations

import hmac
import re
import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from anxiao.base.errors import NotYours
from anxiao.base.permissions import Role
from anxiao.base.scope import Grant, Scope
from anxiao.directory.importing import plan
from anxiao.directory.importing.access import check_may_import
from anxiao.directory.models import School, SyncKey
from anxiao.ledger.commands import record

_FORM = re.compile(r"anxiao-([0-9]{1,9})-([A-Za-z0-9_-]{43})\Z")
_NOTED_EVERY = timedelta(minutes=10)


def make_key(*, by: Scope, school: School, name: str, now: datetime) -> str:
    """A new key; it is shown now and never again."""
    check_may_import(by, school)
    text = f"anxiao-{school.pk}-{secrets.token_urlsafe(32)}"
    key = SyncKey.objects.create(
        school_id=school.pk, name=name[:60], key_hash=_hash(text), made_by=by.user_id, made_at=now
    )
    _say(by, now, "sync_key.made", key)
    return text


def end_key(*, by: Scope, key: SyncKey, now: datetime) -> None:
    """From now on the key opens nothing."""
    check_may_import(by, School.objects.get(pk=key.school_id))
    if key.ended_at is None:
        key.ended_at = now
        key.save(update_fields=["ended_at"])
        _say(by, now, "sync_key.ended", key)


def school_of_key(text: str) -> int | None:
    """The school that a key names, before anybody knows whether it is one; None when it has not the form of a key."""
    found = _FORM.match(text)
    return int(found.group(1)) if found else None


def scope_of_key(text: str, now: datetime) -> Scope:
    """What a key may do: what the school's administrator may, in that school's context.  `NotYours` if not good."""
    school_id = school_of_key(text)
    if school_id is None:
        raise NotYours
    key = SyncKey.objects.filter(school_id=school_id, key_hash=_hash(text), ended_at=None).first()
    node = plan.school_node(school_id) if key is not None else None
    if key is None or node is None or not hmac.compare_digest(key.key_hash, _hash(text)):
        raise NotYours
    if key.used_at is None or now - key.used_at > _NOTED_EVERY:
        SyncKey.objects.filter(pk=key.pk, school_id=key.school_id).update(used_at=now)
    grant = Grant(Role.SCHOOL_ADMIN, node.pk, str(node.path), str(node.kind), node.school_id, node.name)
    # below zero: neither an account nor the house itself
    return Scope(
        user_id=-key.pk,
        username=f"key:{key.name}",
        display_name=key.name,
        school_id=node.school_id,
        grants=(grant,),
        origin="api",
    )


def _hash(text: str) -> str:
    # 256 random bits need no slow hash
    return sha256(text.encode()).hexdigest()


def _say(by: Scope, now: datetime, verb: str, key: SyncKey) -> None:
    record(by=by, now=now, verb=verb, object_type="sync_key", object_id=key.pk, school_id=key.school_id)
