from typing import ClassVar

from django.db import migrations

from anxiao.base.schema import DEFAULT_PRIVILEGES, REFUSE_FUNCTION, SCOPE_FUNCTION


class Migration(migrations.Migration):
    """The scope function, the refusing trigger and the default privileges must stand before the first table."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    run_before: ClassVar[list[tuple[str, str]]] = [
        ("contenttypes", "0001_initial"),
        ("directory", "0001_initial"),
        ("questionnaires", "0001_initial"),
    ]
    operations: ClassVar[list[migrations.RunSQL]] = [
        migrations.RunSQL(DEFAULT_PRIVILEGES, migrations.RunSQL.noop),
        migrations.RunSQL(SCOPE_FUNCTION, "DROP FUNCTION anxiao_scope(text)"),
        migrations.RunSQL(REFUSE_FUNCTION, "DROP FUNCTION anxiao_refuse_change()"),
    ]
