"""Generic counters: deltas are inserted beside the fact, squashed later, and read together.

A number of a node is ``tally`` (squashed, rolled up to the root) plus the ``tally_delta`` rows beneath that node
(not yet squashed).  Both are read in one statement, so one snapshot makes the sum exact at any moment.
What the metrics mean is said by the room that counts them (``reporting/metrics.py``).
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class CounterKey(models.Model):
    school_id = models.IntegerField()
    node_id = models.IntegerField(help_text="organisation; in tally_delta always the node that holds the person")
    day = models.DateField()
    series = models.IntegerField(help_text="campaign; 0 = the roster itself")
    audience = models.SmallIntegerField()
    metric = models.SmallIntegerField()
    slot = models.SmallIntegerField(help_text="hour of the day, or 0")
    n = models.IntegerField()

    class Meta:
        abstract = True
        managed = False


class Tally(CounterKey):
    pk = models.CompositePrimaryKey("school_id", "day", "node_id", "series", "audience", "metric", "slot")

    class Meta:
        managed = False
        db_table = "tally"


class TallyDelta(CounterKey):
    pk = models.CompositePrimaryKey("school_id", "id")
    id = models.BigIntegerField(editable=False)

    class Meta:
        managed = False
        db_table = "tally_delta"
        ordering: ClassVar[list[str]] = ["id"]


class Fold(models.Model):
    """How often a school's deltas have been folded.

    Between two folds the deltas only become more, so this number and how many deltas wait tell cheaply whether anything
    was counted since one last looked (``queries.marks``).
    """

    school_id = models.IntegerField(primary_key=True)
    folds = models.BigIntegerField()

    class Meta:
        db_table = "tally_fold"
