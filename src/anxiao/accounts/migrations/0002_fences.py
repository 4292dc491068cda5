from typing import ClassVar

from django.db import migrations

from anxiao.base.schema import with_grants, with_school_security


class Migration(migrations.Migration):
    """Row-level security and grants of this room's tables."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("accounts", "0001_initial"), ("base", "0001_functions")]
    operations: ClassVar[list[object]] = [
        with_school_security("activation_code", "SELECT, INSERT, UPDATE"),
        with_grants("account", "SELECT, INSERT, UPDATE"),
        with_grants("account_grant", "SELECT, INSERT, UPDATE"),
    ]
