"""One-time codes: printed on a class sheet, used once by the person they are for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.conf import settings
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Least
from django.utils.translation import gettext as _

from anxiao.accounts.commands.accounts import provision_account
from anxiao.accounts.commands.alarms import watch_miss
from anxiao.accounts.commands.delivery import note_delivered
from anxiao.accounts.commands.sessions import change_password
from anxiao.accounts.models import ActivationCode, User
from anxiao.accounts.names import Verb
from anxiao.accounts.queries.activation import activation_people
from anxiao.accounts.queries.grants import roles_held
from anxiao.accounts.queries.scopes import bare_scope
from anxiao.accounts.rules import CODE_ATTEMPTS, CODE_LIFETIME, code_hash, may_help, new_code, plain
from anxiao.base.clock import day_of
from anxiao.base.errors import NotYours, Refused
from anxiao.base.permissions import Permission
from anxiao.base.scope import NOBODY, Grant, Scope
from anxiao.directory.models import Organisation
from anxiao.ledger.commands import record
from anxiao.ledger.names import Outcome

_MOST_COUNTED = 1000


@dataclass(frozen=True, slots=True)
class Slip:
    """One slip of a class sheet.  The only place where a code is ever readable."""

    name: str
    number: str
    code: str
    person_id: int = 0


@dataclass(frozen=True, slots=True)
class Sheet:
    """A printed class sheet; ``replaced`` earlier codes are void from now on."""

    slips: tuple[Slip, ...]
    expires_at: datetime
    replaced: int


class Answer(StrEnum):
    """What became of an attempt to use a code."""

    FITS = "fits"
    UNKNOWN = "unknown"  # never printed, replaced by a newer one, or mistyped
    USED = "used"
    EXPIRED = "expired"
    LOCKED = "locked"
    MISMATCH = "mismatch"  # number and name are not those the code is for


@dataclass(frozen=True, slots=True)
class Attempt:
    answer: Answer
    code_id: int = 0
    tries_left: int = 0
    name: str = ""


@transaction.atomic
def print_codes(*, by: Scope, now: datetime, node: Organisation, person_ids: Collection[int] | None = None) -> Sheet:
    """New codes for the people directly in ``node``: those chosen, or everybody who is not activated yet.

    Choosing somebody who is activated is how a forgotten password is replaced.
    """
    if not by.may(Permission.ACTIVATION_PRINT, node.path):
        raise NotYours
    # two people who print the same class at once would void each other's sheet without knowing it
    Organisation.objects.select_for_update().get(pk=node.pk)
    people = activation_people(by, node.pk, day_of(now), now)
    chosen = [p for p in people if (p.id in person_ids if person_ids is not None else not p.activated)]
    # a code is a way into the account: whoever prints one for a holder of roles must be able to give these roles
    accounts = dict(User.objects.filter(person_id__in=[p.id for p in chosen]).values_list("person_id", "id"))
    held = roles_held(accounts.values(), day_of(now))
    chosen = [p for p in chosen if may_help(by, held.get(accounts.get(p.id, 0), []))]
    if not chosen:
        raise Refused(_("There is nobody here for whom you can print a code: all are activated or hold a role."))
    replaced = ActivationCode.objects.filter(
        school_id=node.school_id, person_id__in=[p.id for p in chosen], used_at=None, replaced_at=None
    ).update(replaced_at=now)
    if replaced:
        note_delivered(node.school_id, [p.id for p in chosen], delivered=False)
    expires_at = now + CODE_LIFETIME
    codes = {p.id: new_code(node.school_id) for p in chosen}
    ActivationCode.objects.bulk_create(
        [
            ActivationCode(
                school_id=node.school_id,
                person_id=person_id,
                code_hash=code_hash(settings.SECRET_KEY, code),
                made_by=by.user_id,
                made_at=now,
                expires_at=expires_at,
            )
            for person_id, code in codes.items()
        ],
        ignore_conflicts=True,
        batch_size=1000,
    )
    kept = ActivationCode.objects.filter(school_id=node.school_id, made_at=now, replaced_at=None, person_id__in=codes)
    if kept.count() != len(chosen):
        raise Refused(_("Somebody else is printing codes for the same people. Please try again."))
    record(
        by=by,
        now=now,
        verb=Verb.CODES_PRINTED,
        object_type="organisation",
        object_id=node.pk,
        school_id=node.school_id,
        facts={"count": len(chosen), "replaced": replaced, "again": sorted(p.id for p in chosen if p.activated)},
    )
    return Sheet(tuple(Slip(p.name, p.number, codes[p.id], p.id) for p in chosen), expires_at, replaced)


@transaction.atomic
def try_code(*, now: datetime, school_id: int, code: str, number: str, name: str) -> Attempt:
    """Compare a code with the number and name typed beside it.  A miss counts, and is written down.

    Answers instead of raising: the count of misses must survive.
    """
    found = (
        ActivationCode.objects.select_for_update(of=("self",))
        .select_related("person")
        .filter(school_id=school_id, code_hash=code_hash(settings.SECRET_KEY, code))
        .first()
    )
    answer = _judge(found, now)
    if found is not None and answer is Answer.LOCKED:
        # still tried although it is locked: the alarm counts on
        ActivationCode.objects.filter(school_id=school_id, pk=found.pk).update(
            attempts=Least(F("attempts") + 1, Value(_MOST_COUNTED))
        )
        watch_miss(now=now, code=found, number=number, name=name, misses=found.attempts + 1)
    if found is None or answer is not Answer.FITS:
        return Attempt(answer)
    if plain(found.person.number) == plain(number) and plain(found.person.name) == plain(name):
        return Attempt(Answer.FITS, code_id=found.pk, name=found.person.name)
    ActivationCode.objects.filter(school_id=school_id, pk=found.pk).update(attempts=F("attempts") + 1)
    record(
        by=NOBODY,
        now=now,
        verb=Verb.ACTIVATION_FAILED,
        object_type="person",
        object_id=found.person_id,
        school_id=school_id,
        facts={"attempt": found.attempts + 1},
        outcome=Outcome.DENIED,
    )
    watch_miss(now=now, code=found, number=number, name=name, misses=found.attempts + 1)
    left = CODE_ATTEMPTS - found.attempts - 1
    return Attempt(Answer.MISMATCH if left > 0 else Answer.LOCKED, tries_left=left)


@transaction.atomic
def activate(*, now: datetime, school_id: int, code_id: int, password: str) -> User:
    """Use up a code that was tried before: make the account if there is none, and give it its password."""
    claimed = ActivationCode.objects.filter(
        school_id=school_id, pk=code_id, used_at=None, replaced_at=None, expires_at__gt=now, attempts__lt=CODE_ATTEMPTS
    ).update(used_at=now)
    if not claimed:
        raise Refused(_("This code can no longer be used. Please ask for a new one."))
    code = ActivationCode.objects.select_related("person").get(school_id=school_id, pk=code_id)
    person = code.person
    if not _maker_may_help(code, now):
        raise Refused(_("This code can no longer be used. Please ask for a new one."))
    user = provision_account(by=NOBODY, now=now, person=person)
    change_password(by=bare_scope(user), now=now, user=user, password=password)
    record(
        by=bare_scope(user),
        now=now,
        verb=Verb.ACTIVATED,
        object_type="person",
        object_id=person.pk,
        school_id=school_id,
        facts={"account": user.pk},
    )
    return user


def _maker_may_help(code: ActivationCode, now: datetime) -> bool:
    """Whether whoever printed the code could print it now: a role that the person got since must be theirs to give."""
    day = day_of(now)
    account_id = User.objects.filter(person_id=code.person_id).values_list("pk", flat=True).first()
    held = roles_held([account_id], day)[account_id] if account_id is not None else []
    if not held:
        return True
    maker = Scope(
        grants=tuple(
            Grant(role=role, node_id=0, node_path=path, node_kind="", school_id=code.school_id)
            for role, path in roles_held([code.made_by], day)[code.made_by]
        )
    )
    return may_help(maker, held)


def _judge(found: ActivationCode | None, now: datetime) -> Answer:
    if found is None or found.replaced_at is not None:
        return Answer.UNKNOWN
    if found.used_at is not None:
        return Answer.USED
    if found.attempts >= CODE_ATTEMPTS:
        return Answer.LOCKED
    return Answer.EXPIRED if found.expires_at <= now else Answer.FITS
