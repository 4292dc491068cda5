"""Words of the directory, as the notice uses them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class OrganisationKind(models.TextChoices):
    MINISTRY = "ministry", _("Ministry")
    PROVINCE = "province", _("Province")
    SCHOOL = "school", _("School")
    COLLEGE = "college", _("College")
    DEPARTMENT = "department", _("Department")
    CLASS = "class", _("Class")


class PlaceKind(models.TextChoices):
    CAMPUS = "campus", _("Campus")
    BUILDING = "building", _("Building")
    FLOOR = "floor", _("Floor")
    ROOM = "room", _("Room")
    CLINIC = "clinic", _("Clinic")
    GATE = "gate", _("Gate")


class Audience(models.IntegerChoices):
    """The two kinds of people who report.  Numbers, because counters and reports carry them by the million."""

    STUDENT = 1, _("Students")
    STAFF = 2, _("Staff")


class Sex(models.TextChoices):
    MALE = "M", _("Male")
    FEMALE = "F", _("Female")


class SchoolState(models.TextChoices):
    REGISTERED = "registered", _("Not yet applied")
    APPLIED = "applied", _("Application waiting")
    ACTIVE = "active", _("In use")


class ImportTemplate(models.TextChoices):
    """What a file is a list of."""

    STUDENTS = "students", _("Students")
    STAFF = "staff", _("Staff")
    DORMITORY = "dormitory", _("Dormitories")
    RESPONSIBLES = "responsibles", _("Responsible persons of the grid")

    @property
    def audience(self) -> Audience | None:
        """Whose list it is; None for the lists of places."""
        return {"students": Audience.STUDENT, "staff": Audience.STAFF}.get(self.value)


def template_of(kind: ImportTemplate | Audience) -> ImportTemplate:
    """The template that a caller names by itself or by its audience."""
    if isinstance(kind, ImportTemplate):
        return kind
    return ImportTemplate.STUDENTS if kind is Audience.STUDENT else ImportTemplate.STAFF


class ImportState(models.TextChoices):
    """A file's way.  `reading`, `applying` and `undoing` belong to the worker, all others wait for a person or rest."""

    READING = "reading", _("Being read")
    MAPPING = "mapping", _("Columns to be named")
    PREVIEWED = "previewed", _("Waiting for your decision")
    APPLYING = "applying", _("Being applied")
    APPLIED = "applied", _("Applied")
    UNDOING = "undoing", _("Being undone")
    UNDONE = "undone", _("Undone")
    DISCARDED = "discarded", _("Discarded")
    FAILED = "failed", _("Could not be read")
    CANCELLED = "cancelled", _("Cancelled")


AT_WORK = (ImportState.READING, ImportState.APPLYING, ImportState.UNDOING)
"""States in which a job works on the import and the page only asks how far it is."""


class RowVerdict(models.TextChoices):
    """What a row of the difference is.  Somebody who moves and changes otherwise is a move."""

    JOINS = "joins", _("Joins")
    MOVES = "moves", _("Moves")
    CHANGED = "changed", _("Changed")
    LEAVES = "leaves", _("Not in the file")
    COUNSELLOR = "counsellor", _("Counsellor of a class")
    UNCHANGED = "unchanged", _("Unchanged")
    REJECTED = "rejected", _("Rejected")


class OnboardingState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    APPROVED = "approved", _("Approved")
    DECLINED = "declined", _("Declined")


ROSTER_CHANGED = "roster.changed"
"""Memberships of a school changed; facts: ``school_id``, ``since`` (first day affected), ``now``."""

NODES_MERGED = "roster.nodes_merged"
"""Nodes went over into others; facts: ``school_id``, ``pairs`` (old id -> new id), ``on``, ``now``, ``by``."""

IMPORT_UNDO_ASKED = "import.undo_asked"
"""Somebody wants to undo an import; facts: ``school_id``, ``people`` (ids it added), ``since`` (when it was applied),
``objections``: a list to which whoever built on these people appends ``(what, how many)``."""

PROFILE_CHANGED = "person.profile_changed"
"""Name, number or category of a person was corrected; facts: ``person_id``, ``school_id``, ``fields``, ``before`` (the
number), ``now``."""

NAMES_CHANGED = "person.names_changed"
"""Many people are called otherwise since an import; facts: ``school_id``, ``people`` (ids), ``now``."""

DEFAULT_CATEGORIES: dict[Audience, tuple[str, ...]] = {
    Audience.STAFF: ("内地教职工", "港澳台教职工", "离退休", "外籍教职工"),
    Audience.STUDENT: ("研究生", "本科生", "专科生", "港澳台学生", "留学生"),
}
"""Categories of the notice's two templates; every school starts with these and may add its own."""
