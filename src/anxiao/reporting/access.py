"""Objects of the daily report come only through here.  Absent and not yours answer alike."""

from __future__ import annotations

from datetime import date

from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope, lies_under
from anxiao.directory.access import get_person
from anxiao.directory.models import Membership, Person, Place
from anxiao.reporting.models import Exemption, Round
from anxiao.reporting.queries.people import reaches_place


def get_round(scope: Scope, round_id: int, person: Person) -> Round:
    """A round that asks this person, by campaign and by audience."""
    found = Round.objects.filter(pk=round_id).select_related("campaign__organisation", "version").first()
    if found is None or person.audience not in found.campaign.audiences:
        raise NotYours
    membership = (
        Membership.objects.valid_on(found.day)
        .filter(school_id=person.school_id, person=person)
        .select_related("organisation")
        .first()
    )
    if membership is None or not lies_under(membership.organisation.path, found.campaign.organisation.path):
        raise NotYours
    return found


def get_exemption(scope: Scope, exemption_id: int, day: date) -> Exemption:
    """An exemption of a person for whom the caller may grant exemptions."""
    found = Exemption.objects.filter(pk=exemption_id).first()
    if found is None:
        raise NotYours
    get_person(scope, found.person_id, day, Permission.EXEMPT)
    return found


def get_place(scope: Scope, place_id: int, permission: Permission = Permission.PEOPLE_VIEW) -> Place:
    """A place over which the caller holds ``permission``: by a grant on it, or on its school."""
    place = Place.objects.filter(pk=place_id).select_related("parent").first()
    if place is None or not reaches_place(scope, place, permission):
        raise NotYours
    return place
