from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

from anxiao.base.schema import with_school_security

# One place decides who is activated, whoever writes the row. Accounts come before a scope, so the functions bring their
# own sight and give back the one they found.
TRIGGERS = """
CREATE FUNCTION anxiao_is_activated(a account) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT a.is_active AND NOT a.must_change_password AND a.password NOT LIKE '!%'
$$;

CREATE FUNCTION anxiao_accounts_came() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := coalesce(current_setting('anxiao.schools', true), '');
BEGIN
    PERFORM set_config('anxiao.schools', '*', true);
    INSERT INTO activation AS a (person_id, school_id, activated)
    SELECT p.id, p.school_id, true FROM came JOIN person p ON p.id = came.person_id
    WHERE came.is_active AND NOT came.must_change_password AND came.password NOT LIKE '!%'
    ORDER BY p.school_id, p.id
    ON CONFLICT (person_id) DO UPDATE SET activated = true WHERE NOT a.activated;
    PERFORM set_config('anxiao.schools', before, true);
    RETURN NULL;
END $$;
CREATE TRIGGER account_activates AFTER INSERT ON account REFERENCING NEW TABLE AS came
    FOR EACH STATEMENT EXECUTE FUNCTION anxiao_accounts_came();

CREATE FUNCTION anxiao_account_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := coalesce(current_setting('anxiao.schools', true), '');
BEGIN
    PERFORM set_config('anxiao.schools', '*', true);
    IF OLD.person_id IS DISTINCT FROM NEW.person_id THEN
        UPDATE activation SET activated = false WHERE person_id = OLD.person_id AND activated;
    END IF;
    INSERT INTO activation AS a (person_id, school_id, activated)
    SELECT p.id, p.school_id, anxiao_is_activated(NEW) FROM person p WHERE p.id = NEW.person_id
    ON CONFLICT (person_id) DO UPDATE SET activated = excluded.activated WHERE a.activated <> excluded.activated;
    PERFORM set_config('anxiao.schools', before, true);
    RETURN NULL;
END $$;
CREATE TRIGGER account_activation_changes AFTER UPDATE OF password, is_active, must_change_password, person_id
    ON account FOR EACH ROW
    WHEN (OLD.person_id IS DISTINCT FROM NEW.person_id OR anxiao_is_activated(OLD) <> anxiao_is_activated(NEW))
    EXECUTE FUNCTION anxiao_account_changed();

SELECT anxiao_scope('*');
INSERT INTO activation (person_id, school_id, activated)
SELECT p.id, p.school_id, true FROM account a JOIN person p ON p.id = a.person_id WHERE anxiao_is_activated(a);
"""

UNDO = """
DROP TRIGGER account_activation_changes ON account;
DROP TRIGGER account_activates ON account;
DROP FUNCTION anxiao_account_changed();
DROP FUNCTION anxiao_accounts_came();
DROP FUNCTION anxiao_is_activated(account);
"""


class Migration(migrations.Migration):
    """The way in, person by person: delivered codes, who is activated, alarms; and deputies of roles."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("accounts", "0005_grants_at_once"), ("directory", "0004_asked_by_the_door")]
    operations: ClassVar[list[object]] = [
        migrations.AddField(
            "activationcode",
            "delivery",
            models.CharField(
                choices=[("printed", "Printed"), ("handed", "Handed out"), ("sent", "Sent")],
                db_default="printed",
                default="printed",
                max_length=10,
            ),
        ),
        migrations.AddField(
            "activationcode",
            "delivered_at",
            models.DateTimeField(null=True, help_text="when it was marked as handed out or sent"),
        ),
        migrations.AddField("activationcode", "delivered_by", models.IntegerField(null=True)),
        migrations.AddField(
            "grant",
            "deputy_for",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deputies",
                to="accounts.grant",
            ),
        ),
        migrations.CreateModel(
            "Activation",
            [
                (
                    "person",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="activation",
                        serialize=False,
                        to="directory.person",
                    ),
                ),
                ("school_id", models.IntegerField()),
                (
                    "delivered",
                    models.BooleanField(
                        db_default=False, default=False, help_text="the code that is open was delivered"
                    ),
                ),
                ("activated", models.BooleanField(db_default=False, default=False)),
                (
                    "reported",
                    models.BooleanField(db_default=False, default=False, help_text="once, with one's own hand"),
                ),
            ],
            options={
                "db_table": "activation",
                "indexes": [
                    models.Index("school_id", "person", name="activation_unreported", condition=Q(reported=False))
                ],
            },
        ),
        migrations.CreateModel(
            "ActivationAlarm",
            [
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("school_id", models.IntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("somebody_else", "Tried by somebody else"),
                            ("too_often", "Tried too often"),
                        ],
                        max_length=15,
                    ),
                ),
                ("tries", models.IntegerField(default=1)),
                ("raised_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
                ("settled_by", models.IntegerField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        help_text="whose code it is",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="activation_alarms",
                        to="directory.person",
                    ),
                ),
                (
                    "tried_by",
                    models.ForeignKey(
                        help_text="whose number and name were typed",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="directory.person",
                    ),
                ),
            ],
            options={
                "db_table": "activation_alarm",
                "constraints": [
                    models.UniqueConstraint(
                        "school_id",
                        "person",
                        "kind",
                        condition=Q(settled_at=None),
                        name="activation_alarm_one_open",
                    )
                ],
            },
        ),
        with_school_security("activation", "SELECT, INSERT, UPDATE"),
        with_school_security("activation_alarm", "SELECT, INSERT, UPDATE"),
        migrations.RunSQL(TRIGGERS, UNDO),
    ]
