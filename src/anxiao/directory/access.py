"""Objects of the directory come only through here.  Absent and not yours answer alike."""

from __future__ import annotations

from datetime import date

from django.db.models import Q

from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.access_roster import answering_node, may_manage
from anxiao.directory.models import Membership, Organisation, Person, Residence


def get_organisation(
    scope: Scope, organisation_id: int, permission: Permission = Permission.BOARD_VIEW
) -> Organisation:
    """The node, when the caller holds ``permission`` on it."""
    node = Organisation.objects.filter(pk=organisation_id).select_related("parent").first()
    if node is None or not scope.may(permission, node.path):
        raise NotYours
    return node


def get_person(scope: Scope, person_id: int, day: date, permission: Permission = Permission.PEOPLE_VIEW) -> Person:
    """The person, when the node (or the dormitory) that holds them on ``day`` lies in the caller's reach.

    One's own record is always one's own.
    """
    person = Person.objects.filter(pk=person_id).select_related("category").first()
    if person is None:
        raise NotYours
    if scope.person_id == person.pk and permission is Permission.PEOPLE_VIEW:
        return person
    if not may_reach(scope, person, day, permission) and not _answers_for_absent(scope, person, day, permission):
        raise NotYours
    return person


def may_reach(scope: Scope, person: Person, day: date, permission: Permission) -> bool:
    """Whether the caller holds ``permission`` over a person, by class or by dormitory."""
    membership = Membership.objects.valid_on(day).filter(person=person).select_related("organisation").first()
    if membership is not None and scope.may(permission, membership.organisation.path):
        return True
    places = scope.place_paths_for(permission)
    if not places:
        return False
    lives = Residence.objects.filter(Q(valid_to=None) | Q(valid_to__gt=day), person=person, valid_from__lte=day)
    return lives.filter(place__path__under=places).exists()


def _answers_for_absent(scope: Scope, person: Person, day: date, permission: Permission) -> bool:
    """Whoever manages the roster still finds those who are away, or the return could never be entered."""
    if permission is not Permission.PEOPLE_VIEW or not scope.may(Permission.ROSTER_MANAGE):
        return False
    if Membership.objects.valid_on(day).filter(person=person).exists():
        return False
    node = answering_node(person, day)
    return node is not None and may_manage(scope, node)
