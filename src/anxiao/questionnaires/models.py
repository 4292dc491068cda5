"""Questionnaires and their published versions.  A published version never changes; a change is a new version."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Questionnaire(models.Model):
    """A questionnaire by its stable code (``provincial-daily``).  What it asks stands in its versions."""

    id = models.AutoField(primary_key=True)
    code = models.CharField(max_length=40, unique=True)
    title = models.CharField(max_length=100)
    title_en = models.CharField(max_length=100, blank=True)

    class Meta:
        db_table = "questionnaire"

    def __str__(self) -> str:
        return self.title


class QuestionnaireVersion(models.Model):
    """One published definition (language of the definition: ``questionnaires/README.md``)."""

    id = models.AutoField(primary_key=True)
    questionnaire = models.ForeignKey(Questionnaire, models.PROTECT, related_name="versions")
    number = models.IntegerField()
    definition = models.JSONField()
    etag = models.CharField(max_length=64)
    published_at = models.DateTimeField()

    class Meta:
        db_table = "questionnaire_version"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint("questionnaire", "number", name="questionnaire_one_number"),
        ]
        ordering: ClassVar[list[str]] = ["questionnaire", "number"]

    def __str__(self) -> str:
        return f"{self.questionnaire_id}/{self.number}"
