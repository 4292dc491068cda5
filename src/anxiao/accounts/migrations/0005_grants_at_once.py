from typing import ClassVar

from django.db import migrations

from anxiao.base.schema import APP, BULK

# The scope of a request is made of these rows, so they are read before there is one: the function brings its own sight
# and gives back the one it found.
CREATE = f"""
CREATE FUNCTION anxiao_grants(who int, on_day date)
RETURNS TABLE (id int, role text, node_id int, node_path text, node_kind text, school_id int, node_name text,
               place_path text)
LANGUAGE plpgsql AS $$
DECLARE
    before text := coalesce(current_setting('anxiao.schools', true), '');
BEGIN
    PERFORM set_config('anxiao.schools', '*', true);
    RETURN QUERY
        SELECT g.id, g.role::text, o.id, o.path::text, o.kind::text, o.school_id, o.name::text, p.path::text
        FROM account_grant g
        JOIN organisation o ON o.id = g.organisation_id
        LEFT JOIN place p ON p.id = g.place_id
        WHERE g.user_id = who AND g.valid_from <= on_day AND (g.valid_to IS NULL OR g.valid_to > on_day)
        ORDER BY g.id;
    PERFORM set_config('anxiao.schools', before, true);
END $$;
REVOKE ALL ON FUNCTION anxiao_grants(int, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION anxiao_grants(int, date) TO {APP}, {BULK};
"""


class Migration(migrations.Migration):
    """The roles of an account with their nodes and places, in one statement instead of a transaction."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("accounts", "0004_pass_serial"), ("directory", "0002_fences")]
    operations: ClassVar[list[migrations.RunSQL]] = [
        migrations.RunSQL(CREATE, "DROP FUNCTION anxiao_grants(int, date)"),
    ]
