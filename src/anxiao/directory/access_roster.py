"""Who may change whose place in the roster, and which decisions one may see."""

from __future__ import annotations

from datetime import date

from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.models import Membership, Organisation, Person
from anxiao.directory.models_roster import RosterChange


def is_the_house(scope: Scope) -> bool:
    """Whether the house itself acts: a job or the command line, never a request."""
    return scope.user_id == 0 and scope.origin != "web"


def may_manage(scope: Scope, node: Organisation) -> bool:
    """Whether the caller may change the roster of a node."""
    return is_the_house(scope) or scope.may(Permission.ROSTER_MANAGE, node.path)


def answering_node(person: Person, day: date) -> Organisation | None:
    """The node that answers for a person on ``day``: which holds them, or else held them last, or will hold them first.

    One statement.
    """
    rows = Membership.objects.filter(school_id=person.school_id, person=person, superseded_at=None)
    nearest = min(rows.select_related("organisation"), key=lambda row: _distance(row, day), default=None)
    return nearest.organisation if nearest else None


def get_managed_person(scope: Scope, person_id: int, day: date) -> tuple[Person, Organisation]:
    """A person whose place in the roster the caller may change, and the node that answers for them on ``day``.

    Also those who are on leave or have left: whoever answered for them last still does.
    """
    person = Person.objects.filter(pk=person_id).select_related("category").first()
    node = answering_node(person, day) if person else None
    if person is None or node is None or not may_manage(scope, node):
        raise NotYours
    return person, node


def get_managed_node(scope: Scope, node_id: int) -> Organisation:
    """A node whose roster the caller may change."""
    node = Organisation.objects.filter(pk=node_id).select_related("parent").first()
    if node is None or not node.school_id or not may_manage(scope, node):
        raise NotYours
    return node


def get_change(scope: Scope, change_id: int) -> RosterChange:
    """A decision about nodes or people for which the caller answers."""
    change = RosterChange.objects.filter(pk=change_id).select_related("person", "node", "to_node").first()
    if change is None or not all(may_manage(scope, node) for node in nodes_of(change)):
        raise NotYours
    return change


def nodes_of(change: RosterChange) -> list[Organisation]:
    """The nodes that a decision was about; never empty."""
    return [node for node in (change.node, change.to_node) if node is not None]


def _distance(row: Membership, day: date) -> tuple[int, int]:
    if row.valid_from > day:
        return 2, (row.valid_from - day).days
    if row.valid_to is None or row.valid_to > day:
        return 0, 0
    return 1, (day - row.valid_to).days
