"""What would move if somebody's roles went to somebody else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from django.db.models import Q

from anxiao.accounts.models import Grant, User
from anxiao.accounts.rules import may_give
from anxiao.base.permissions import Permission, Role
from anxiao.base.scope import Scope
from anxiao.directory.models import ClassCounsellor, Person


class Fate(StrEnum):
    """What becomes of a role at a handover."""

    MOVES = "moves"
    HELD = "held"  # the successor holds it anyhow: it only ends
    STAYS = "stays"  # not the caller's to give: a founding role is the province's


@dataclass(frozen=True, slots=True)
class Move:
    grant: Grant
    fate: Fate


@dataclass(frozen=True, slots=True)
class Plan:
    """Roles valid on the day or later with what becomes of them, and the classes for which the directory changes."""

    moves: tuple[Move, ...]
    classes: tuple[ClassCounsellor, ...]

    @property
    def anything(self) -> bool:
        return bool(self.classes) or any(move.fate is not Fate.STAYS for move in self.moves)


def handover_plan(scope: Scope, user: User, to: Person, on: date) -> Plan:
    """The roles of ``user`` from the day ``on``, and those that ``to`` holds already.  Three statements."""
    later = Q(valid_to=None) | Q(valid_to__gt=on)
    held = {
        (grant.role, grant.organisation_id, grant.place_id)
        for grant in Grant.objects.filter(later, user__person_id=to.pk, valid_from__lte=on, deputy_for=None)
        if grant.valid_to is None
    }
    moves = []
    for grant in Grant.objects.filter(later, user=user).select_related("organisation", "place").order_by("id"):
        path = grant.organisation.path
        if not (scope.may(Permission.GRANT_MANAGE, path) and may_give(scope, Role(grant.role), path)):
            fate = Fate.STAYS
        elif (grant.role, grant.organisation_id, grant.place_id) in held:
            fate = Fate.HELD
        else:
            fate = Fate.MOVES
        moves.append(Move(grant, fate))
    classes: tuple[ClassCounsellor, ...] = ()
    if user.person_id is not None:
        links = ClassCounsellor.objects.filter(later, school_id=to.school_id, person_id=user.person_id)
        classes = tuple(links.select_related("organisation").order_by("organisation_id", "id"))
    return Plan(tuple(moves), classes)
