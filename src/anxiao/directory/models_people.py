"""What stands beside a person: the keys by which they are found, and what they ask to be corrected."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from anxiao.directory.names_people import ProfileField, ProposalState


class PersonSearch(models.Model):
    """The keys by which a person is found besides name and number, made from their name and phone (``rules_search``).

    A row is out of date when its ``made_from`` is not the person's ``changed_at`` or its ``key_id`` is not that of the
    deployment's blind index; ``commands_search`` makes missing and outdated rows again.
    """

    # no constraint: written by the million, and nobody may delete a person
    person = models.OneToOneField(
        "directory.Person", models.PROTECT, primary_key=True, related_name="search", db_constraint=False
    )
    school_id = models.IntegerField()
    pinyin = models.TextField()
    initials = models.TextField()
    backwards = models.TextField(help_text="the name from its end")
    tail = models.BigIntegerField(null=True, help_text="blind index of the last four digits of the phone")
    key_id = models.IntegerField(help_text="under which key the tail was hashed")
    made_from = models.DateTimeField()

    class Meta:
        db_table = "person_search"
        # compared by < and >= only: such comparisons may use an index behind the fence of the database
        indexes: ClassVar[list[models.Index]] = [
            models.Index("school_id", "pinyin", "person", name="person_search_pinyin"),
            models.Index("school_id", "initials", "person", name="person_search_initials"),
            models.Index("school_id", "backwards", "person", name="person_search_backwards"),
            models.Index("tail", "school_id", name="person_search_tail"),
        ]


class ProfileProposal(models.Model):
    """Somebody asks to have one fact about themselves corrected; whoever answers for them confirms or declines it."""

    id = models.AutoField(primary_key=True)
    school_id = models.IntegerField()
    person = models.ForeignKey("directory.Person", models.PROTECT, related_name="proposals")
    field = models.CharField(max_length=10, choices=ProfileField)
    before = models.CharField(max_length=130, help_text="as it was shown when they asked")
    wanted = models.CharField(max_length=130, help_text="as it is shown")
    wanted_id = models.IntegerField(null=True, help_text="the class or category that is meant")
    reason = models.CharField(max_length=300)
    state = models.CharField(max_length=10, choices=ProposalState, default=ProposalState.OPEN)
    asked_by = models.IntegerField()
    asked_at = models.DateTimeField()
    decided_by = models.IntegerField(null=True)
    decided_by_name = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=300, blank=True)

    class Meta:
        db_table = "profile_proposal"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint("person", "field", condition=Q(state="open"), name="profile_proposal_one_open"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index("school_id", "id", condition=Q(state="open"), name="profile_proposal_open"),
            models.Index("person", "id", name="profile_proposal_person"),
        ]
        ordering: ClassVar[list[str]] = ["-id"]
