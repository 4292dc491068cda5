from typing import ClassVar

from django.db import migrations

# Whoever comes one step further on the way in is counted in the same transaction, where they belong; the numbers are
# those of rules.Metric. The roster of the school is held still meanwhile, as for a report (base.locks.ROSTER).
STEPS = """
    SELECT m.school_id, m.organisation_id, s.day, 0, p.audience, x.metric, 0, sum(s.n * x.n)::int
    FROM {changed} c
    JOIN person p ON p.school_id = c.school_id AND p.id = c.person_id
    JOIN membership m ON m.school_id = c.school_id AND m.person_id = c.person_id AND m.superseded_at IS NULL
    CROSS JOIN LATERAL (VALUES (m.valid_from, 1), (m.valid_to, -1)) AS s(day, n)
    CROSS JOIN LATERAL (VALUES (3, c.delivered), (4, c.activated), (5, c.begun)) AS x(metric, n)
    WHERE s.day IS NOT NULL AND x.n <> 0
    GROUP BY m.school_id, m.organisation_id, s.day, p.audience, x.metric HAVING sum(s.n * x.n) <> 0
    ORDER BY m.school_id, m.organisation_id
"""
HOLDS = "({0}.delivered OR {0}.activated)::int", "{0}.activated::int", "({0}.activated AND {0}.reported)::int"
CAME = "(SELECT n.school_id, n.person_id, {} AS delivered, {} AS activated, {} AS begun FROM {} n)".format(
    *(h.format("n") for h in HOLDS), "{}"
)
CHANGED = "(SELECT n.school_id, n.person_id, {} AS delivered, {} AS activated, {} AS begun FROM {} )".format(
    *(f"{h.format('n')} - {h.format('o')}" for h in HOLDS), "newer n JOIN older o USING (person_id)"
)
INSERT = "INSERT INTO tally_delta (school_id, node_id, day, series, audience, metric, slot, n)"


def function(name: str, changed: str) -> str:
    return f"""
    CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        before text := coalesce(current_setting('anxiao.schools', true), '');
    BEGIN
        IF NOT EXISTS (SELECT FROM newer) THEN
            RETURN NULL;
        END IF;
        PERFORM set_config('anxiao.schools', '*', true);
        PERFORM pg_advisory_xact_lock_shared(41001, school_id)
        FROM (SELECT DISTINCT school_id FROM newer ORDER BY school_id) schools;
        {INSERT}
        {STEPS.format(changed=changed)};
        PERFORM set_config('anxiao.schools', before, true);
        RETURN NULL;
    END $$;
    """


CREATE = f"""
{function("anxiao_activation_came", CAME.format("newer"))}
CREATE TRIGGER activation_counts_new AFTER INSERT ON activation REFERENCING NEW TABLE AS newer
    FOR EACH STATEMENT EXECUTE FUNCTION anxiao_activation_came();
{function("anxiao_activation_changed", CHANGED)}
CREATE TRIGGER activation_counts_changed AFTER UPDATE ON activation
    REFERENCING OLD TABLE AS older NEW TABLE AS newer
    FOR EACH STATEMENT EXECUTE FUNCTION anxiao_activation_changed();
"""

# What stood before the triggers, counted once.
FILL = f"""
SELECT anxiao_scope('*');
UPDATE activation a SET reported = true WHERE EXISTS (
    SELECT FROM report r WHERE r.school_id = a.school_id AND r.person_id = a.person_id AND r.channel IN (1, 2)
);
{INSERT}
{STEPS.format(changed=CAME.format("activation"))};
"""

UNDO = """
DROP TRIGGER activation_counts_changed ON activation;
DROP TRIGGER activation_counts_new ON activation;
DROP FUNCTION anxiao_activation_changed();
DROP FUNCTION anxiao_activation_came();
"""


class Migration(migrations.Migration):
    """Counters of the way in: delivered, activated, begun."""

    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("reporting", "0004_fences_asked_once"),
        ("accounts", "0006_way_in"),
        ("statistics", "0004_above_the_schools"),
    ]
    operations: ClassVar[list[object]] = [migrations.RunSQL(FILL + CREATE, UNDO)]
