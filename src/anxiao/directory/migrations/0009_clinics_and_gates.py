from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Two more kinds of cells of the grid; the column stays as it is."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("directory", "0008_import_undo")]
    operations: ClassVar[list[object]] = [
        migrations.AlterField(
            "place",
            "kind",
            models.CharField(
                choices=[
                    ("campus", "Campus"),
                    ("building", "Building"),
                    ("floor", "Floor"),
                    ("room", "Room"),
                    ("clinic", "Clinic"),
                    ("gate", "Gate"),
                ],
                max_length=10,
            ),
        ),
    ]
