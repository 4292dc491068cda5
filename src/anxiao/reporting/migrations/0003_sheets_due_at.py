from datetime import time
from typing import ClassVar

from django.db import migrations, models
from django.db.models import F, Q

CAMPAIGNS = "UPDATE campaign SET sheets_due_at = deadline_at WHERE sheets_due_at < deadline_at"

ROUNDS = "UPDATE round SET sheets_due_at = deadline_at"
"""A day that has begun keeps the rule it began with: signed versions say ``late`` by it, and their digests cover that."""


class Migration(migrations.Migration):
    """Day sheets have a due time of their own; until now they were due with the reports."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("reporting", "0002_report_and_fences")]
    operations: ClassVar[list[object]] = [
        migrations.AddField(
            "campaign",
            "sheets_due_at",
            models.TimeField(default=time(16), help_text="Asia/Shanghai"),
            preserve_default=False,
        ),
        migrations.RunSQL(CAMPAIGNS, migrations.RunSQL.noop),
        migrations.AddConstraint(
            "campaign",
            models.CheckConstraint(
                condition=Q(sheets_due_at__gte=F("deadline_at")), name="campaign_sheets_after_reports"
            ),
        ),
        migrations.AddField("round", "sheets_due_at", models.DateTimeField(null=True)),
        migrations.RunSQL(ROUNDS, migrations.RunSQL.noop),
        migrations.AlterField("round", "sheets_due_at", models.DateTimeField()),
        migrations.AddConstraint(
            "round",
            models.CheckConstraint(condition=Q(sheets_due_at__gte=F("deadline_at")), name="round_sheets_after_reports"),
        ),
    ]
