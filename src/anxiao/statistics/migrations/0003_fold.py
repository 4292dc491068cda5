from typing import ClassVar

from django.db import migrations, models

from anxiao.base.schema import with_school_security


class Migration(migrations.Migration):
    """How often each school's deltas were folded; written by the bypass role, together with the fold."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("statistics", "0002_tables")]
    operations: ClassVar[list[object]] = [
        migrations.CreateModel(
            name="Fold",
            fields=[
                ("school_id", models.IntegerField(primary_key=True, serialize=False)),
                ("folds", models.BigIntegerField()),
            ],
            options={"db_table": "tally_fold"},
        ),
        with_school_security("tally_fold", "SELECT"),
    ]
