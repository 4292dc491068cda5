from typing import ClassVar

from django.db import migrations, models
from django.db.models import Q

# One place decides what ends a pass, whoever writes the row: a command, an import, an operator with psql.
END_PASSES = """
CREATE FUNCTION anxiao_end_passes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.pass_version, OLD.is_active, OLD.person_id, OLD.home_school_id)
        IS DISTINCT FROM (NEW.pass_version, NEW.is_active, NEW.person_id, NEW.home_school_id) THEN
        NEW.pass_serial := OLD.pass_serial + 1;
    ELSE
        -- a row that was read long ago and is saved whole must not bring an ended pass back
        NEW.pass_serial := greatest(OLD.pass_serial, NEW.pass_serial);
    END IF;
    IF NEW.pass_serial <> OLD.pass_serial THEN
        NEW.pass_changed_at := clock_timestamp();
        PERFORM pg_notify('anxiao_passes', NEW.id || ':' || NEW.pass_serial);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER account_ends_passes BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION anxiao_end_passes();

CREATE FUNCTION anxiao_grant_ends_passes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE account SET pass_serial = pass_serial + 1 WHERE id = coalesce(NEW.user_id, OLD.user_id);
    RETURN NULL;
END $$;
CREATE TRIGGER account_grant_ends_passes AFTER INSERT OR UPDATE OR DELETE ON account_grant
    FOR EACH ROW EXECUTE FUNCTION anxiao_grant_ends_passes();
"""

UNDO = """
DROP TRIGGER account_grant_ends_passes ON account_grant;
DROP FUNCTION anxiao_grant_ends_passes();
DROP TRIGGER account_ends_passes ON account;
DROP FUNCTION anxiao_end_passes();
"""


class Migration(migrations.Migration):
    """The serial of an account's passes, moved by the database itself, and the news of it."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("accounts", "0003_sign_in")]
    operations: ClassVar[list[object]] = [
        migrations.AddField(
            "user",
            "pass_serial",
            models.IntegerField(default=1, db_default=1, help_text="moved by a trigger, never downwards"),
        ),
        migrations.AddField(
            "user",
            "pass_changed_at",
            models.DateTimeField(null=True, help_text="when pass_serial moved last"),
        ),
        migrations.AddIndex(
            "user",
            models.Index("pass_changed_at", name="account_pass_changed", condition=Q(pass_changed_at__isnull=False)),
        ),
        migrations.RunSQL(END_PASSES, UNDO),
    ]
