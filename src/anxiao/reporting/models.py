"""Campaigns and their rounds, the reports, who is excused, and the signed day sheets."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Self

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.db import models
from django.db.models import F, Q

from anxiao.directory.models import DateRange, Organisation, Person
from anxiao.questionnaires.models import Questionnaire, QuestionnaireVersion
from anxiao.reporting.names import Channel, ExemptionReason, SheetState


class Campaign(models.Model):
    """Who must answer which questionnaire, how often, by when (上报任务).  Here: daily.

    ``deadline_at`` is the people's; schools sign their day sheets before ``sheets_due_at`` of the same day.
    """

    id = models.AutoField(primary_key=True)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    questionnaire = models.ForeignKey(Questionnaire, models.PROTECT, related_name="+")
    title = models.CharField(max_length=100)
    title_en = models.CharField(max_length=100, blank=True)
    audiences = ArrayField(models.SmallIntegerField())
    opens_at = models.TimeField(help_text="Asia/Shanghai")
    deadline_at = models.TimeField(help_text="Asia/Shanghai")
    sheets_due_at = models.TimeField(help_text="Asia/Shanghai")
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, help_text="last day")

    class Meta:
        db_table = "campaign"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(sheets_due_at__gte=F("deadline_at")), name="campaign_sheets_after_reports"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Round(models.Model):
    """One occurrence of a campaign (场次): a day.  Closes when its day ends in Shanghai."""

    id = models.AutoField(primary_key=True)
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="rounds")
    day = models.DateField()
    version = models.ForeignKey(QuestionnaireVersion, models.PROTECT, related_name="+")
    opens_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    sheets_due_at = models.DateTimeField()
    closes_at = models.DateTimeField()

    class Meta:
        db_table = "round"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint("campaign", "day", name="round_one_a_day"),
            models.CheckConstraint(condition=Q(sheets_due_at__gte=F("deadline_at")), name="round_sheets_after_reports"),
        ]
        ordering: ClassVar[list[str]] = ["-day", "id"]


class Report(models.Model):
    """One person's answer to one round; version 1 is the report, later ones are corrections (更正).

    Typed columns hold the concepts of the provincial standard; everything else a form asks is in ``answers``.
    The application may set ``is_current`` to false and change nothing else.
    """

    pk = models.CompositePrimaryKey("school_id", "day", "round_id", "person_id", "version")
    school_id = models.IntegerField()
    day = models.DateField()
    round_id = models.IntegerField()
    person_id = models.IntegerField()
    version = models.SmallIntegerField()
    is_current = models.BooleanField()
    late = models.BooleanField()
    unwell = models.BooleanField()
    fever = models.BooleanField()
    at_school = models.BooleanField(null=True)
    left_region = models.BooleanField(null=True)
    crossed_border = models.BooleanField(null=True)
    contact = models.BooleanField(null=True)
    hubei = models.BooleanField(null=True)
    audience = models.SmallIntegerField()
    channel = models.SmallIntegerField(choices=Channel)
    person_type = models.SmallIntegerField(null=True)
    temperature_tenths = models.SmallIntegerField(null=True, help_text="tenths of a degree Celsius")
    return_plan = models.SmallIntegerField(null=True)
    isolation = models.SmallIntegerField(null=True)
    diagnosis = models.SmallIntegerField(null=True)
    symptoms = models.IntegerField(null=True, help_text="bit mask of questionnaires.concepts")
    region = models.IntegerField(null=True, help_text="GB/T 2260")
    return_on = models.DateField(null=True)
    organisation_id = models.IntegerField(help_text="the node that held the person when the report was accepted")
    form_version_id = models.IntegerField()
    by_user_id = models.IntegerField(help_text="account; 0 = the person through the phone's pass")
    received_at = models.DateTimeField()
    captured_at = models.DateTimeField(null=True, help_text="the phone's own time, for reports made offline")
    key = models.UUIDField(help_text="the sender's idempotency key")
    reason = models.TextField(null=True, help_text="corrections and proxy reports")
    answers = models.JSONField(null=True)

    class Meta:
        managed = False  # partitioned by month: the migration writes the SQL
        db_table = "report"


class ExemptionQuerySet(models.QuerySet["Exemption"]):
    def valid_on(self, day: date) -> Self:
        return self.filter(valid_from__lte=day, valid_to__gt=day, cancelled_at=None)


class Exemption(models.Model):
    """A dated reason why somebody is not expected (免报).  ``valid_to`` is the first day they are expected again."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    person = models.ForeignKey(Person, models.PROTECT, related_name="exemptions")
    reason = models.CharField(max_length=10, choices=ExemptionReason)
    note = models.CharField(max_length=200, blank=True)
    valid_from = models.DateField()
    valid_to = models.DateField()
    created_by = models.IntegerField()
    created_at = models.DateTimeField()
    cancelled_by = models.IntegerField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    objects = ExemptionQuerySet.as_manager()

    class Meta:
        db_table = "exemption"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(valid_to__gt=F("valid_from")), name="exemption_lasts"),
            ExclusionConstraint(
                name="exemption_one_at_a_time",
                expressions=[("person", RangeOperators.EQUAL), (DateRange, RangeOperators.OVERLAPS)],
                condition=Q(cancelled_at=None),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index("school_id", "valid_from", name="exemption_school")]


class Reminder(models.Model):
    """An in-app word to somebody who has not reported yet; shown on the phone until read."""

    id = models.BigAutoField(primary_key=True)
    school_id = models.IntegerField()
    round = models.ForeignKey(Round, models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, models.PROTECT, related_name="reminders")
    sent_by = models.IntegerField()
    sent_by_name = models.CharField(max_length=60)
    sent_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "reminder"
        indexes: ClassVar[list[models.Index]] = [models.Index("person", "round", name="reminder_person")]


class DaySheet(models.Model):
    """A school's signed daily summary to the province (日报表), one a day; its text is in the versions."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    round = models.ForeignKey(Round, models.PROTECT, related_name="sheets")
    day = models.DateField()
    state = models.CharField(max_length=10, choices=SheetState)
    current = models.SmallIntegerField(help_text="number of the version that counts")
    first_submitted_at = models.DateTimeField()

    class Meta:
        db_table = "day_sheet"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint("school_id", "round", name="sheet_one_a_round"),
        ]
        ordering: ClassVar[list[str]] = ["-day", "school_id"]


class DaySheetVersion(models.Model):
    """A frozen day sheet: figures, zero statements and note as signed.  Returned ones stay."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    sheet = models.ForeignKey(DaySheet, models.PROTECT, related_name="versions")
    number = models.SmallIntegerField()
    figures = models.JSONField(help_text="reporting.rules.SheetFigures")
    statements = models.JSONField(help_text="ZeroCategory: the number stated, zero included")
    note = models.TextField(blank=True)
    late = models.BooleanField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the canonical sheet")
    signed_by = models.IntegerField()
    signed_by_name = models.CharField(max_length=60)
    signed_at = models.DateTimeField()
    returned_by = models.IntegerField(null=True)
    returned_at = models.DateTimeField(null=True)
    return_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        db_table = "day_sheet_version"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint("sheet", "number", name="sheet_version_once"),
        ]
        ordering: ClassVar[list[str]] = ["sheet", "number"]
