"""Who belongs where, and since when: the organisation tree, the places, the people and their dated memberships.

Dates of validity are half-open: ``valid_from`` is the first day, ``valid_to`` the first day no longer (null = open).
A row whose ``superseded_at`` is set was believed once and is kept; only rows without it count today.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import ClassVar, Self

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.contrib.postgres.indexes import GistIndex
from django.db import models
from django.db.models import F, Func, Q

from anxiao.base.fields import LtreeField
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.names import (
    Audience,
    ImportState,
    ImportTemplate,
    OnboardingState,
    OrganisationKind,
    PlaceKind,
    RowVerdict,
    SchoolState,
    Sex,
)

DateRange = Func(F("valid_from"), F("valid_to"), function="daterange", output_field=models.TextField())


class School(models.Model):
    """The public register of a province's universities.  Its id is the ``school_id`` of every other table.

    Source: list of universities of the Ministry of Education; ``code`` is the ten-digit school code (学校标识码).
    """

    id = models.AutoField(primary_key=True)
    code = models.CharField(max_length=10, unique=True)
    name = models.CharField(max_length=100, unique=True)
    department = models.CharField(max_length=60, blank=True)
    city = models.CharField(max_length=30)
    city_code = models.CharField(max_length=6)
    level = models.CharField(max_length=10)
    private = models.BooleanField(default=False)
    state = models.CharField(max_length=12, choices=SchoolState, default=SchoolState.REGISTERED)

    class Meta:
        db_table = "school"
        ordering: ClassVar[list[str]] = ["code"]

    def __str__(self) -> str:
        return self.name


class OrganisationQuerySet(models.QuerySet["Organisation"]):
    def within(self, scope: Scope, permission: Permission) -> Self:
        """Nodes on which the caller holds ``permission``."""
        return self.filter(path__under=scope.paths_for(permission))

    def beneath(self, path: str) -> Self:
        return self.filter(path__under=path)


class Organisation(models.Model):
    """A node of the reporting tree: ministry > province > school > college > class; staff also in departments."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField(help_text="0 above the schools")
    kind = models.CharField(max_length=12, choices=OrganisationKind)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    path = LtreeField()
    name = models.CharField(max_length=100)
    code = models.CharField(max_length=30, blank=True)
    grade = models.CharField(max_length=10, blank=True, help_text="classes only, as in the sheet: 18级")
    created_at = models.DateTimeField()
    closed_on = models.DateField(null=True, help_text="first day on which nobody can belong here any more")

    objects = OrganisationQuerySet.as_manager()

    class Meta:
        db_table = "organisation"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # a node that was closed keeps its name, and another may take it
            models.UniqueConstraint(
                "school_id",
                "parent",
                "kind",
                "name",
                "grade",
                name="organisation_one_open_name",
                condition=Q(closed_on=None),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            GistIndex("path", name="organisation_path"),
            models.Index("school_id", "kind", name="organisation_school"),
        ]
        ordering: ClassVar[list[str]] = ["path"]

    def __str__(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        """The name as a school says it: a class with its grade."""
        return f"{self.grade} {self.name}" if self.grade else self.name


class Place(models.Model):
    """A node of the second tree: campus > building > floor > room.  The grid (网格)."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    kind = models.CharField(max_length=10, choices=PlaceKind)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    path = LtreeField()
    name = models.CharField(max_length=60)

    class Meta:
        db_table = "place"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint("school_id", "parent", "name", name="place_one_name", nulls_distinct=False),
        ]
        indexes: ClassVar[list[models.Index]] = [GistIndex("path", name="place_path")]
        ordering: ClassVar[list[str]] = ["path"]

    def __str__(self) -> str:
        return self.name


class Category(models.Model):
    """A kind of staff or student, as the sheet names it (内地教职工, 本科生 ...).  Data of each school."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    audience = models.SmallIntegerField(choices=Audience)
    name = models.CharField(max_length=30)
    position = models.SmallIntegerField(default=0)

    class Meta:
        db_table = "category"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint("school_id", "audience", "name", name="category_one_name"),
        ]
        ordering: ClassVar[list[str]] = ["school_id", "audience", "position", "id"]

    def __str__(self) -> str:
        return self.name


class PersonQuerySet(models.QuerySet["Person"]):
    def belonging_on(self, day: date) -> Self:
        """People with a membership valid on ``day``."""
        return self.filter(memberships__in=Membership.objects.valid_on(day))

    def beneath(self, paths: Iterable[str], day: date) -> Self:
        """People whose membership on ``day`` lies under one of the ``paths`` of the organisation tree."""
        return self.filter(
            memberships__in=Membership.objects.valid_on(day).filter(organisation__path__under=list(paths))
        )


class Person(models.Model):
    """A student or a member of staff of one school.  ``number`` (学号 / 教工号) is unique within the school."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    number = models.CharField(max_length=30)
    name = models.CharField(max_length=60)
    sex = models.CharField(max_length=1, choices=Sex)
    phone = models.CharField(max_length=24, help_text="mainland number alone, any other with country code")
    audience = models.SmallIntegerField(choices=Audience)
    category = models.ForeignKey(Category, models.PROTECT)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    objects = PersonQuerySet.as_manager()

    class Meta:
        db_table = "person"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint("school_id", "number", name="person_one_number"),
            models.UniqueConstraint("school_id", "id", name="person_in_school"),
        ]
        # search by the beginning of a name; without a school PostgreSQL skips through the schools
        indexes: ClassVar[list[models.Index]] = [
            models.Index("school_id", "name", "id", name="person_name"),
            models.Index("school_id", "id", name="person_asked", include=["audience"]),
        ]
        ordering: ClassVar[list[str]] = ["school_id", "number", "id"]

    def __str__(self) -> str:
        return self.number


class MembershipQuerySet(models.QuerySet["Membership"]):
    def valid_on(self, day: date) -> Self:
        return self.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=day), valid_from__lte=day, superseded_at=None)


class Membership(models.Model):
    """A person belongs to one node from a day to a day; a change of class ends one row and begins another."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    person = models.ForeignKey(Person, models.PROTECT, related_name="memberships")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="memberships")
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)
    known_from = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        db_table = "membership"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")), name="membership_lasts"
            ),
            models.CheckConstraint(
                condition=Q(superseded_at__isnull=True) | Q(superseded_at__gt=F("known_from")),
                name="membership_known_for_a_time",
            ),
            ExclusionConstraint(
                name="membership_one_at_a_time",
                expressions=[("person", RangeOperators.EQUAL), (DateRange, RangeOperators.OVERLAPS)],
                condition=Q(superseded_at=None),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index("school_id", "organisation", "valid_from", name="membership_node"),
            # what the morning peak asks of every reporter, answered from the index alone
            models.Index(
                "school_id",
                "person",
                name="membership_held",
                condition=Q(superseded_at=None),
                include=["organisation", "valid_from", "valid_to"],
            ),
        ]


class ClassCounsellor(models.Model):
    """The counsellor (辅导员) of a class, from a day to a day."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="counsellors")
    person = models.ForeignKey(Person, models.PROTECT, related_name="counselled")
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)

    class Meta:
        db_table = "class_counsellor"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            ExclusionConstraint(
                name="counsellor_one_at_a_time",
                expressions=[("organisation", RangeOperators.EQUAL), (DateRange, RangeOperators.OVERLAPS)],
            ),
        ]


class Residence(models.Model):
    """Where a person sleeps on campus, from a day to a day."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    person = models.ForeignKey(Person, models.PROTECT, related_name="residences")
    place = models.ForeignKey(Place, models.PROTECT, related_name="residents")
    bed = models.CharField(max_length=10, blank=True)
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)

    class Meta:
        db_table = "residence"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            ExclusionConstraint(
                name="residence_one_at_a_time",
                expressions=[("person", RangeOperators.EQUAL), (DateRange, RangeOperators.OVERLAPS)],
            ),
        ]


class DirectoryImport(models.Model):
    """One uploaded file on its way from the upload to the roster, and perhaps back.

    ``progress``: {"phase", "done", "total", "started_at"}, while a job is at it.  ``counts``: rows by verdict, "makes"
    (new nodes by kind), "people" (those on the list before).  ``summary``: what the reader found and the surprises.
    """

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    template = models.CharField(max_length=12, choices=ImportTemplate)
    audience = models.SmallIntegerField(choices=Audience, null=True, help_text="null for the lists of places")
    full_list = models.BooleanField(default=False, help_text="whoever is not in the file may have left")
    origin = models.CharField(max_length=20, default="web")
    filename = models.CharField(max_length=200)
    file_digest = models.CharField(max_length=64, blank=True)
    file_size = models.BigIntegerField(default=0, help_text="bytes, before sealing")
    state = models.CharField(max_length=10, choices=ImportState, default=ImportState.READING)
    progress = models.JSONField(default=dict)
    cancel_asked = models.BooleanField(default=False)
    counts = models.JSONField(default=dict)
    summary = models.JSONField(default=dict)
    error = models.CharField(max_length=500, blank=True)
    created_by = models.IntegerField()
    created_name = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()
    decided_by = models.IntegerField(null=True)
    decided_name = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True)
    applied_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "directory_import"
        indexes: ClassVar[list[models.Index]] = [models.Index("school_id", "id", name="directory_import_school")]
        ordering: ClassVar[list[str]] = ["-created_at", "-id"]


class ImportFile(models.Model):
    """A piece of an uploaded file, sealed under the deployment's key; read it by ``importing.vault`` only."""

    id = models.BigAutoField(primary_key=True)
    school_id = models.IntegerField()
    source = models.ForeignKey(DirectoryImport, models.CASCADE, related_name="pieces")
    part = models.IntegerField()
    sealed = models.BinaryField()

    class Meta:
        db_table = "import_file"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint("source", "part", name="import_file_part"),
        ]


class ImportRow(models.Model):
    """A row of the difference between a file and the roster; rows that change nothing stand in ``ImportUnchanged``.

    ``faults`` name cell, value and what is wrong.  ``kept`` is what an undo needs.  People who are not in the file and
    counsellors of classes have no ``sheet`` and no ``row``.
    """

    id = models.BigAutoField(primary_key=True)
    school_id = models.IntegerField()
    source = models.ForeignKey(DirectoryImport, models.CASCADE, related_name="rows")
    sheet = models.CharField(max_length=100, blank=True)
    row = models.IntegerField(default=0)
    verdict = models.CharField(max_length=10, choices=RowVerdict)
    person = models.ForeignKey(Person, models.DO_NOTHING, null=True, db_constraint=False, db_index=False)
    raw = models.JSONField(default=dict, help_text="cells as they stand in the sheet, by column name; rejected rows")
    values = models.JSONField(default=dict, help_text="normalised")
    changes = models.JSONField(default=dict, help_text="field: [before, after]")
    faults = models.JSONField(default=list)
    notes = models.JSONField(default=list)
    chosen = models.BooleanField(default=False, help_text="of those not in the file: this one leaves")
    kept = models.JSONField(default=dict, help_text="ids of what stood before and what came; for the undo")

    class Meta:
        db_table = "import_row"
        indexes: ClassVar[list[models.Index]] = [models.Index("source", "verdict", "id", name="import_row_verdict")]


class ImportUnchanged(models.Model):
    """The people whose rows say what the roster says: ids in the order of the file, 200,000 of them in one value."""

    id = models.BigAutoField(primary_key=True)
    school_id = models.IntegerField()
    source = models.OneToOneField(DirectoryImport, models.CASCADE, related_name="unchanged")
    people = ArrayField(models.IntegerField())

    class Meta:
        db_table = "import_unchanged"


class ImportUndo(models.Model):
    """What an applied import wrote, as ids: enough to take it back, whatever its size.

    ``links``: [class, link that ended or null, its last day before or null, link that began], one for every counsellor
    or responsible person; ``residences`` likewise with people.
    """

    id = models.BigAutoField(primary_key=True)
    school_id = models.IntegerField()
    source = models.OneToOneField(DirectoryImport, models.CASCADE, related_name="undo")
    day = models.DateField(help_text="from which day the import counts")
    created = ArrayField(models.IntegerField(), default=list, help_text="people")
    superseded = ArrayField(models.IntegerField(), default=list, help_text="memberships")
    begun = ArrayField(models.IntegerField(), default=list, help_text="memberships")
    nodes = ArrayField(models.IntegerField(), default=list, help_text="organisations that were made")
    places = ArrayField(models.IntegerField(), default=list, help_text="places that were made")
    links = models.JSONField(default=list)
    residences = models.JSONField(default=list)

    class Meta:
        db_table = "import_undo"


class ImportHeader(models.Model):
    """How a school calls a column, once somebody has said so."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    template = models.CharField(max_length=12, choices=ImportTemplate)
    header = models.CharField(max_length=100)
    field = models.CharField(max_length=30, blank=True, help_text="empty: this column is not read")
    said_by = models.IntegerField()
    said_at = models.DateTimeField()

    class Meta:
        db_table = "import_header"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint("school_id", "template", "header", name="import_header_once"),
        ]


class SyncKey(models.Model):
    """The key with which a school's own software brings its directory by night.  Only its hash is kept."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    name = models.CharField(max_length=60, help_text="which software")
    key_hash = models.CharField(max_length=64, unique=True)
    made_by = models.IntegerField()
    made_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "sync_key"
        ordering: ClassVar[list[str]] = ["id"]


class Onboarding(models.Model):
    """A school's application (mission A.2): who administers the platform, who answers for the epidemic reports."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    admin_name = models.CharField(max_length=60)
    admin_position = models.CharField(max_length=60)
    admin_phone = models.CharField(max_length=24)
    admin_office = models.CharField(max_length=100)
    officer_name = models.CharField(max_length=60)
    officer_position = models.CharField(max_length=60)
    officer_phone = models.CharField(max_length=24)
    officer_office = models.CharField(max_length=100)
    state = models.CharField(max_length=10, choices=OnboardingState, default=OnboardingState.WAITING)
    applied_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.IntegerField(null=True)
    decision_note = models.CharField(max_length=300, blank=True)

    class Meta:
        db_table = "onboarding"
        ordering: ClassVar[list[str]] = ["applied_at", "id"]


from anxiao.directory import models_people, models_roster  # noqa: E402, F401  (tables of the same room)
