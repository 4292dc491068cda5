"""The append-only record of who did what.  No foreign keys: the ledger outlives everything it speaks of."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Entry(models.Model):
    """One act: who, when, what, on what, with which outcome.  Written in the transaction of the act itself."""

    pk = models.CompositePrimaryKey("school_id", "id")
    school_id = models.IntegerField()
    id = models.BigIntegerField(editable=False)
    at = models.DateTimeField()
    actor_id = models.IntegerField(help_text="account; 0 = the house itself")
    actor = models.CharField(max_length=150)
    verb = models.CharField(max_length=60)
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=60)
    outcome = models.CharField(max_length=10)
    facts = models.JSONField()

    class Meta:
        managed = False  # partition-ready and identity inside a composite key: the migration writes the SQL
        db_table = "ledger_entry"
        ordering: ClassVar[list[str]] = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.verb} {self.object_type} {self.object_id}"
