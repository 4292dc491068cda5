"""What the roster keeps beside the memberships: decisions with their reasons, names with their dates, exchanges."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.db import models
from django.db.models import F, Q

from anxiao.directory.models import DateRange, Organisation, Person, School
from anxiao.directory.names_roster import ChangeKind, Side


class RosterChange(models.Model):
    """One decision about the roster: of what kind, from which day, why, by whom, and which memberships it moved.

    ``person`` is null where many were moved (``people`` says how many).  ``until`` is the first day after it.
    """

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    kind = models.CharField(max_length=12, choices=ChangeKind)
    person = models.ForeignKey(Person, models.PROTECT, null=True, related_name="roster_changes")
    node = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="+")
    to_node = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="+")
    effective_on = models.DateField()
    until = models.DateField(null=True)
    reason = models.CharField(max_length=200)
    people = models.IntegerField(default=1)
    superseded = ArrayField(models.IntegerField(), default=list, help_text="memberships")
    begun = ArrayField(models.IntegerField(), default=list, help_text="memberships")
    facts = models.JSONField(default=dict, help_text="ids that an undo needs")
    made_by = models.IntegerField()
    made_by_name = models.CharField(max_length=150)
    made_at = models.DateTimeField()
    undone_by = models.IntegerField(null=True)
    undone_by_name = models.CharField(max_length=150, blank=True)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "roster_change"
        indexes: ClassVar[list[models.Index]] = [models.Index("school_id", "effective_on", name="roster_change_school")]
        ordering: ClassVar[list[str]] = ["-id"]


class OrganisationName(models.Model):
    """What a node was called from a day to a day, as known from a moment to a moment; only of nodes once renamed.

    ``organisation.name`` is the name of today; the housekeeper carries a name over when its day comes.
    """

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="names")
    name = models.CharField(max_length=100)
    grade = models.CharField(max_length=10, blank=True)
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)
    known_from = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "organisation_name"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")), name="name_lasts"
            ),
            ExclusionConstraint(
                name="name_one_at_a_time",
                expressions=[("organisation", RangeOperators.EQUAL), (DateRange, RangeOperators.OVERLAPS)],
                condition=Q(superseded_at=None),
            ),
        ]
        ordering: ClassVar[list[str]] = ["valid_from", "id"]


class Exchange(models.Model):
    """One school's word about a student who spends a time at another: each side writes its own row (ADR 0019).

    ``other_number`` is the student's number at the other school.  It holds while its ``change`` is not undone.
    """

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    person = models.ForeignKey(Person, models.PROTECT, related_name="exchanges")
    side = models.CharField(max_length=4, choices=Side)
    other_school = models.ForeignKey(School, models.PROTECT, related_name="+")
    other_number = models.CharField(max_length=30, blank=True)
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)
    change = models.OneToOneField(RosterChange, models.PROTECT, related_name="exchange")

    class Meta:
        db_table = "exchange"
        indexes: ClassVar[list[models.Index]] = [models.Index("school_id", "person", name="exchange_person")]
