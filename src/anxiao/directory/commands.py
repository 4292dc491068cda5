"""Writes of the directory besides the import: the tree, the schools, the categories."""

from __future__ import annotations

from datetime import date, datetime

from django.db import connection, transaction
from django.utils.translation import gettext as _

from anxiao.base.clock import day_of
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.permissions import Permission
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.directory.access import may_reach
from anxiao.directory.models import Category, Organisation, Person, Place, Residence, School
from anxiao.directory.names import (
    DEFAULT_CATEGORIES,
    Audience,
    OrganisationKind,
    PlaceKind,
    SchoolState,
)
from anxiao.ledger.commands import record

_NEXT_ID = "SELECT nextval(pg_get_serial_sequence(%s, 'id'))"


@transaction.atomic
def add_organisation(
    *,
    by: Scope,
    now: datetime,
    kind: OrganisationKind,
    name: str,
    parent: Organisation | None,
    school_id: int = SHARED_SCHOOL,
    code: str = "",
    grade: str = "",
) -> Organisation:
    """Add a node beneath ``parent`` (or the root).  The path ends in the node's own id, so the id is taken first."""
    node_id = _next_id("organisation")
    node = Organisation.objects.create(
        id=node_id,
        school_id=school_id,
        kind=kind,
        parent=parent,
        path=f"{parent.path}.{node_id}" if parent else str(node_id),
        name=name,
        code=code,
        grade=grade,
        created_at=now,
    )
    record(
        by=by, now=now, verb="organisation.added", object_type="organisation", object_id=node.pk, school_id=school_id
    )
    return node


@transaction.atomic
def add_place(*, by: Scope, now: datetime, kind: PlaceKind, name: str, parent: Place | None, school_id: int) -> Place:
    """Add a campus, building, floor or room."""
    place_id = _next_id("place")
    place = Place.objects.create(
        id=place_id,
        school_id=school_id,
        kind=kind,
        parent=parent,
        path=f"{parent.path}.{place_id}" if parent else str(place_id),
        name=name,
    )
    record(by=by, now=now, verb="place.added", object_type="place", object_id=place.pk, school_id=school_id)
    return place


@transaction.atomic
def open_school(*, by: Scope, now: datetime, school: School, province: Organisation) -> Organisation:
    """Give a registered school its node in the tree and the notice's categories; opening it again changes nothing."""
    standing = Organisation.objects.filter(school_id=school.pk, kind=OrganisationKind.SCHOOL).first()
    if standing is not None:
        return standing
    node = add_organisation(
        by=by,
        now=now,
        kind=OrganisationKind.SCHOOL,
        name=school.name,
        parent=province,
        school_id=school.pk,
        code=school.code,
    )
    Category.objects.bulk_create(
        [
            Category(school_id=school.pk, audience=audience, name=name, position=position)
            for audience, names in DEFAULT_CATEGORIES.items()
            for position, name in enumerate(names)
        ],
        ignore_conflicts=True,
    )
    School.objects.filter(pk=school.pk).update(state=SchoolState.ACTIVE)
    record(by=by, now=now, verb="school.opened", object_type="school", object_id=school.pk, school_id=school.pk)
    return node


@transaction.atomic
def add_category(*, by: Scope, now: datetime, school_id: int, audience: Audience, name: str) -> Category:
    """Add a kind of staff or student.  Categories are added here and never by a sheet (mission A.3)."""
    node = Organisation.objects.filter(school_id=school_id, kind=OrganisationKind.SCHOOL).first()
    if node is None or not by.may(Permission.CATEGORY_MANAGE, node.path):
        raise NotYours
    clean = name.strip()
    if not clean:
        raise Invalid({"name": _("Please enter a name.")})
    if Category.objects.filter(school_id=school_id, audience=audience, name=clean).exists():
        raise Invalid({"name": _("There is a category of this name already.")})
    last = Category.objects.filter(school_id=school_id, audience=audience).count()
    category = Category.objects.create(school_id=school_id, audience=audience, name=clean, position=last)
    record(by=by, now=now, verb="category.added", object_type="category", object_id=category.pk, school_id=school_id)
    return category


@transaction.atomic
def settle_in(*, by: Scope, now: datetime, person: Person, place: Place, bed: str, on: date) -> Residence:
    """Give a person a bed from the day ``on``; the bed before ends."""
    if place.school_id != person.school_id:
        raise Refused(_("This place belongs to another school."))
    Residence.objects.filter(person=person, valid_to=None, valid_from__lt=on).update(valid_to=on)
    residence = Residence.objects.create(school_id=person.school_id, person=person, place=place, bed=bed, valid_from=on)
    record(by=by, now=now, verb="person.settled", object_type="person", object_id=person.pk, school_id=person.school_id)
    return residence


@transaction.atomic
def reveal_phone(*, by: Scope, now: datetime, person: Person) -> str:
    """The unmasked number of one person, and the ledger row that says who looked."""
    if not may_reach(by, person, day_of(now), Permission.PHONE_REVEAL):
        raise NotYours
    record(by=by, now=now, verb="phone.revealed", object_type="person", object_id=person.pk, school_id=person.school_id)
    return person.phone


def _next_id(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_ID, [table])
        (value,) = cursor.fetchone()
    return int(value)
