from typing import ClassVar

from django.db import migrations

from anxiao.base.schema import with_grants, with_school_security


class Migration(migrations.Migration):
    """Row-level security and grants of this room's tables."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("directory", "0001_initial"), ("base", "0001_functions")]
    operations: ClassVar[list[object]] = [
        with_school_security("organisation", "SELECT, INSERT, UPDATE"),
        with_school_security("place", "SELECT, INSERT, UPDATE"),
        with_school_security("category", "SELECT, INSERT, UPDATE, DELETE"),
        with_school_security("person", "SELECT, INSERT, UPDATE"),
        with_school_security("membership", "SELECT, INSERT, UPDATE"),
        with_school_security("class_counsellor", "SELECT, INSERT, UPDATE"),
        with_school_security("residence", "SELECT, INSERT, UPDATE"),
        with_school_security("directory_import", "SELECT, INSERT, UPDATE"),
        with_school_security("import_row", "SELECT, INSERT, UPDATE, DELETE"),
        with_school_security("onboarding", "SELECT, INSERT, UPDATE"),
        with_grants("school", "SELECT, UPDATE"),
    ]
