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


class ImportState(models.TextChoices):
    PREVIEWED = "previewed", _("Waiting for your decision")
    APPLIED = "applied", _("Applied")
    DISCARDED = "discarded", _("Discarded")


class RowVerdict(models.TextChoices):
    NEW = "new", _("New")
    CHANGED = "changed", _("Changed")
    UNCHANGED = "unchanged", _("Unchanged")
    REJECTED = "rejected", _("Rejected")


class OnboardingState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    APPROVED = "approved", _("Approved")
    DECLINED = "declined", _("Declined")


ROSTER_CHANGED = "roster.changed"
"""Memberships of a school changed; facts: ``school_id``, ``since`` (first day affected), ``now``."""

DEFAULT_CATEGORIES: dict[Audience, tuple[str, ...]] = {
    Audience.STAFF: ("内地教职工", "港澳台教职工", "离退休", "外籍教职工"),
    Audience.STUDENT: ("研究生", "本科生", "专科生", "港澳台学生", "留学生"),
}
"""Categories of the notice's two templates; every school starts with these and may add its own."""
