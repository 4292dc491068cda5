from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Search for people by the beginning of their name."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("directory", "0002_fences")]
    operations: ClassVar[list[object]] = [
        migrations.AddIndex("person", models.Index("school_id", "name", "id", name="person_name")),
    ]
