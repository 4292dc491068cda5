from typing import ClassVar

from django.db import migrations

from anxiao.base.schema import with_grants


class Migration(migrations.Migration):
    """Row-level security and grants of this room's tables."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("questionnaires", "0001_initial"), ("base", "0001_functions")]
    operations: ClassVar[list[object]] = [
        with_grants("questionnaire", "SELECT, INSERT"),
        with_grants("questionnaire_version", "SELECT, INSERT"),
    ]
