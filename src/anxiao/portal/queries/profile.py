"""What the phone offers for one's own facts."""

from __future__ import annotations

from anxiao.directory.models import Category, Organisation, Person
from anxiao.directory.names import Audience, OrganisationKind
from anxiao.directory.names_people import ProfileField
from anxiao.directory.queries_profile import units_for
from anxiao.portal.queries.phone import Me


def choices_for(who: Me, field: ProfileField, college_id: int | None) -> list[tuple[str, str]]:
    """(id, label) of the categories, or of the classes of one college, that somebody may ask for."""
    if field is ProfileField.CATEGORY:
        found = Category.objects.filter(school_id=who.school_id, audience=who.audience)
        return [(str(pk), name) for pk, name in found.values_list("pk", "name")]
    if field is not ProfileField.CLASS:
        return []
    units = units_for(Person(school_id=who.school_id, audience=who.audience))
    if who.audience == Audience.STUDENT:
        units = units.filter(parent_id=college_id)
    return [(str(node.pk), node.label) for node in units.order_by("-grade", "path")[:500]]


def colleges_for(who: Me, field: ProfileField) -> list[tuple[int, str, str]]:
    """(id, name, path) of the colleges among which a student looks for a class; nothing for anybody else."""
    if field is not ProfileField.CLASS or who.audience != Audience.STUDENT:
        return []
    found = Organisation.objects.filter(school_id=who.school_id, kind=OrganisationKind.COLLEGE, closed_on=None)
    return [(pk, name, str(path)) for pk, name, path in found.order_by("path").values_list("pk", "name", "path")]
