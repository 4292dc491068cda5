from typing import ClassVar

from django.db import migrations

from anxiao.base.schema import SEES, WRITES

# The policies read the scope through a sub-select, which the planner runs once a statement instead of once a row.
AGAIN = f"""
DO $do$
DECLARE
    found record;
BEGIN
    FOR found IN SELECT tablename, policyname FROM pg_policies
                 WHERE schemaname = 'public' AND policyname = tablename || '_school' LOOP
        EXECUTE format('ALTER POLICY %I ON %I USING ({SEES.replace("'", "''")}) WITH CHECK ({WRITES.replace("'", "''")})',
                       found.policyname, found.tablename);
    END LOOP;
END $do$;
ALTER POLICY ledger_entry_reads ON ledger_entry USING {SEES};

CREATE OR REPLACE FUNCTION anxiao_fence_partition(part text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- reached directly, a partition would not know the policies of its parent
    EXECUTE format('REVOKE ALL ON %I FROM anxiao_app', part);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', part);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', part);
    EXECUTE format('CREATE POLICY %I ON %I USING ({SEES.replace("'", "''")}) WITH CHECK ({WRITES.replace("'", "''")})',
                   part || '_school', part);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I EXECUTE FUNCTION anxiao_refuse_change()',
                   part || '_keeps_all', part);
END $$;
"""


class Migration(migrations.Migration):
    """The same fences, asked once a statement."""

    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("reporting", "0003_sheets_due_at"),
        ("accounts", "0002_fences"),
        ("directory", "0003_person_name"),
        ("questionnaires", "0002_fences"),
        ("statistics", "0002_tables"),
        ("ledger", "0001_initial"),
    ]
    operations: ClassVar[list[object]] = [migrations.RunSQL(AGAIN, migrations.RunSQL.noop)]
