from typing import ClassVar

from django.db import migrations

from anxiao.base.schema import BULK

FILL = """
SELECT anxiao_scope('*');
INSERT INTO tally (school_id, node_id, day, series, audience, metric, slot, n)
SELECT above.school_id, above.id, c.day, c.series, c.audience, c.metric, c.slot, sum(c.n)
FROM organisation above
JOIN organisation node ON node.path <@ above.path AND node.kind = 'school'
JOIN tally c ON c.school_id = node.school_id AND c.node_id = node.id
WHERE above.school_id = 0
GROUP BY above.school_id, above.id, c.day, c.series, c.audience, c.metric, c.slot;
"""


class Migration(migrations.Migration):
    """Sums above the schools, made of what is counted already; and who folds may clean up behind the folds."""

    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("statistics", "0003_fold"),
        ("directory", "0002_fences"),
        ("reporting", "0004_fences_asked_once"),
    ]
    operations: ClassVar[list[object]] = [
        migrations.RunSQL(FILL, "SELECT anxiao_scope('*'); DELETE FROM tally WHERE school_id = 0;"),
        migrations.RunSQL(f"GRANT MAINTAIN ON tally_delta TO {BULK}", f"REVOKE MAINTAIN ON tally_delta FROM {BULK}"),
    ]
