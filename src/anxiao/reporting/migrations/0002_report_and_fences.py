from typing import ClassVar

from django.db import migrations

from anxiao.base.schema import APP, BULK, SEES, WRITES, with_grants, with_school_security

CREATE = """
CREATE TABLE report (
    received_at timestamptz NOT NULL,
    captured_at timestamptz,
    key uuid NOT NULL,
    school_id int NOT NULL,
    day date NOT NULL,
    round_id int NOT NULL,
    person_id int NOT NULL,
    organisation_id int NOT NULL,
    form_version_id int NOT NULL,
    by_user_id int NOT NULL,
    symptoms int,
    region int,
    return_on date,
    version smallint NOT NULL,
    audience smallint NOT NULL,
    channel smallint NOT NULL,
    person_type smallint,
    temperature_tenths smallint,
    return_plan smallint,
    isolation smallint,
    diagnosis smallint,
    is_current boolean NOT NULL,
    late boolean NOT NULL,
    unwell boolean NOT NULL,
    fever boolean NOT NULL,
    at_school boolean,
    left_region boolean,
    crossed_border boolean,
    contact boolean,
    hubei boolean,
    reason text,
    answers jsonb,
    PRIMARY KEY (school_id, day, round_id, person_id, version),
    CHECK (version >= 1),
    CHECK (temperature_tenths BETWEEN 300 AND 450)
) PARTITION BY RANGE (day);
CREATE INDEX report_unwell ON report (school_id, day, round_id) WHERE unwell AND is_current;
"""
"""Columns stand widest first, so that a row has no padding: thirty million of them a month."""

PARTITIONS = f"""
CREATE OR REPLACE FUNCTION anxiao_report_partition(month date) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    part text := 'report_' || to_char(first, 'YYYY_MM');
BEGIN
    IF to_regclass(part) IS NOT NULL THEN
        RETURN part;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF report FOR VALUES FROM (%L) TO (%L)',
                   part, first, (first + interval '1 month')::date);
    PERFORM anxiao_fence_partition(part);
    RETURN part;
END $$;

CREATE OR REPLACE FUNCTION anxiao_fence_partition(part text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- reached directly, a partition would not know the policies of its parent
    EXECUTE format('REVOKE ALL ON %I FROM {APP}', part);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', part);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', part);
    EXECUTE format('CREATE POLICY %I ON %I USING ({SEES.replace("'", "''")}) WITH CHECK ({WRITES.replace("'", "''")})',
                   part || '_school', part);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I EXECUTE FUNCTION anxiao_refuse_change()',
                   part || '_keeps_all', part);
END $$;

CREATE TABLE report_other PARTITION OF report DEFAULT;
SELECT anxiao_fence_partition('report_other');
"""

GRANTS = f"""
GRANT SELECT, INSERT, UPDATE (is_current) ON report TO {APP};
GRANT SELECT, INSERT, UPDATE, DELETE ON report TO {BULK};
"""


class Migration(migrations.Migration):
    """Reports by month, and the fences of this room."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("reporting", "0001_initial"), ("base", "0001_functions")]
    operations: ClassVar[list[object]] = [
        migrations.RunSQL(CREATE, "DROP TABLE report"),
        with_school_security("report", "SELECT, INSERT"),
        migrations.RunSQL(GRANTS, migrations.RunSQL.noop),
        migrations.RunSQL(
            PARTITIONS, "DROP FUNCTION anxiao_report_partition(date); DROP FUNCTION anxiao_fence_partition(text)"
        ),
        with_school_security("exemption"),
        with_school_security("reminder"),
        with_school_security("day_sheet"),
        with_school_security("day_sheet_version"),
        with_grants("campaign", "SELECT, INSERT, UPDATE"),
        with_grants("round", "SELECT, INSERT"),
    ]
