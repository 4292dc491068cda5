"""Writing the difference of an import into the roster: one transaction under the school's roster lock.

Everything is a statement over sets.  What is written is the difference that was shown: a row whose ground has moved
since then (its people were changed otherwise, its category went) refuses the whole, and the file is read again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from django.db import connection

from anxiao.base.events import publish
from anxiao.base.scope import Scope
from anxiao.directory import commands_search, storage
from anxiao.directory.importing import compare
from anxiao.directory.importing.nodes import kind_of_unit, nodes_of
from anxiao.directory.importing.staging import ground_must_stand, know, run
from anxiao.directory.models import DirectoryImport, ImportUndo, Organisation
from anxiao.directory.names import NAMES_CHANGED, Audience
from anxiao.ledger.commands import record_rows

_GOING = """
CREATE TEMPORARY TABLE import_going ON COMMIT DROP AS
SELECT r.id, r.changes AS shown, v.number, v.name, v.sex, v.phone, v.category, v.college,
       coalesce(v.grade, '') AS grade, coalesce(v."class", '') AS class,
       NULL::int AS organisation_id, NULL::int AS person_id, NULL::int AS held,
       false AS created, '{}'::jsonb AS changes
FROM import_row r,
     LATERAL jsonb_to_record(r."values") AS v(number text, name text, sex text, phone text, category text,
                                             college text, grade text, "class" text)
WHERE r.school_id = %(school)s AND r.source_id = %(source)s AND r.verdict IN ('joins', 'moves', 'changed')
"""

_COMPARE_AGAIN = f"""
WITH {nodes_of("import_going")},
now_so AS (
    SELECT s.id, k.id AS person_id, k.organisation_id AS held, n.organisation_id,
           CASE WHEN k.id IS NULL THEN '{{}}' ELSE {compare.CHANGES} END AS changes
    FROM import_going s
    LEFT JOIN import_known k ON k.number = s.number
    LEFT JOIN category c ON c.school_id = %(school)s AND c.id = k.category_id
    LEFT JOIN nodes n ON n.college = s.college AND n.grade = s.grade AND n.class = s.class
)
UPDATE import_going g
SET person_id = o.person_id, held = o.held, organisation_id = o.organisation_id, changes = o.changes
FROM now_so o WHERE o.id = g.id
"""

# A change that was not shown like this, a category that went, a number that became somebody of the other list.
_MOVED_GROUND = """
SELECT (SELECT count(*) FROM import_going g
        WHERE EXISTS (SELECT FROM jsonb_each(g.changes) c WHERE g.shown -> c.key IS DISTINCT FROM c.value)
           OR NOT EXISTS (SELECT FROM category k WHERE k.school_id = %(school)s AND k.audience = %(audience)s
                                                   AND k.name = g.category)
           OR EXISTS (SELECT FROM import_known k WHERE k.id = g.person_id AND k.audience <> %(audience)s))
     + (SELECT count(*) FROM import_row r
        WHERE r.school_id = %(school)s AND r.source_id = %(source)s AND r.verdict = 'counsellor'
          AND NOT EXISTS (SELECT FROM import_known k WHERE k.id = r.person_id AND k.audience = %(staff)s))
"""

_ADD_UNITS = """
INSERT INTO organisation (id, school_id, kind, parent_id, path, name, code, grade, created_at)
SELECT n.id, %(school)s, n.kind, %(node)s, (%(path)s || '.' || n.id)::ltree, n.name, '', '', %(now)s
FROM (SELECT nextval(pg_get_serial_sequence('organisation', 'id')) AS id, u.kind, u.name
      FROM unnest(%(kinds)s::text[], %(names)s::text[]) AS u(kind, name)) n
RETURNING id
"""

_ADD_CLASSES = f"""
WITH {nodes_of("import_going")},
fresh AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('organisation', 'id')) AS id, n.* FROM nodes n
    WHERE n.organisation_id IS NULL ORDER BY college, grade, class
)
INSERT INTO organisation (id, school_id, kind, parent_id, path, name, code, grade, created_at)
SELECT f.id, %(school)s, 'class', g.id, (g.path::text || '.' || f.id)::ltree, f.class, '', f.grade, %(now)s
FROM fresh f JOIN colleges g ON g.name = f.college
RETURNING id
"""

_FIND_NODES = f"""
WITH {nodes_of("import_going")}
UPDATE import_going g SET organisation_id = n.organisation_id
FROM nodes n WHERE n.college = g.college AND n.grade = g.grade AND n.class = g.class AND g.organisation_id IS NULL
"""

_ADD_PEOPLE = """
WITH added AS (
    INSERT INTO person (school_id, number, name, sex, phone, audience, category_id, created_at, changed_at)
    SELECT %(school)s, g.number, g.name, g.sex, g.phone, %(audience)s, c.id, %(now)s, %(now)s
    FROM import_going g
    JOIN category c ON c.school_id = %(school)s AND c.audience = %(audience)s AND c.name = g.category
    WHERE g.person_id IS NULL ORDER BY g.id
    RETURNING id, number
)
UPDATE import_going g SET person_id = a.id, created = true FROM added a WHERE a.number = g.number
"""

_CHANGE_PEOPLE = """
UPDATE person p
SET name = g.name, sex = g.sex, phone = g.phone, category_id = c.id, changed_at = %(now)s
FROM import_going g
JOIN category c ON c.school_id = %(school)s AND c.audience = %(audience)s AND c.name = g.category
WHERE p.school_id = %(school)s AND p.id = g.person_id AND NOT g.created AND g.changes - 'organisation' <> '{}'
"""

_WANT = """
INSERT INTO roster_wanted (person_id, organisation_id, valid_from)
SELECT person_id, organisation_id, %(today)s FROM import_going WHERE held IS DISTINCT FROM organisation_id
"""

_CHOSEN_LEAVE = """
SELECT r.person_id FROM import_row r JOIN import_known k ON k.id = r.person_id
WHERE r.school_id = %(school)s AND r.source_id = %(source)s AND r.verdict = 'leaves' AND r.chosen
  AND k.organisation_id IS NOT NULL
"""

_COUNSELLORS = f"""
WITH going AS MATERIALIZED (
    SELECT id, person_id, "values" ->> 'college' AS college, "values" ->> 'grade' AS grade,
           "values" ->> 'class' AS class
    FROM import_row WHERE school_id = %(school)s AND source_id = %(source)s AND verdict = 'counsellor'
), {nodes_of("going")}
SELECT n.organisation_id, g.person_id, cc.id, cc.valid_to,
       coalesce(cc.valid_to, (SELECT min(later.valid_from) FROM class_counsellor later
                              WHERE later.school_id = %(school)s AND later.organisation_id = n.organisation_id
                                AND later.valid_from > %(today)s))
FROM going g JOIN nodes n USING (college, grade, class)
LEFT JOIN class_counsellor cc ON cc.school_id = %(school)s AND cc.organisation_id = n.organisation_id
     AND cc.valid_from <= %(today)s AND (cc.valid_to IS NULL OR cc.valid_to > %(today)s)
WHERE n.organisation_id IS NOT NULL AND cc.person_id IS DISTINCT FROM g.person_id
ORDER BY n.organisation_id
"""

_ENTRIES = """
SELECT CASE WHEN g.created THEN 'person.created' ELSE 'person.changed' END AS verb, 'person' AS object_type,
       g.person_id AS object_id,
       jsonb_build_object('import', %(source)s) || CASE WHEN g.created THEN '{}' ELSE jsonb_build_object(
           'fields', (SELECT jsonb_agg(key ORDER BY key) FROM jsonb_object_keys(g.changes) key)) END AS facts
FROM import_going g WHERE g.created OR g.changes <> '{}'
UNION ALL
SELECT 'person.left', 'person', w.person_id, jsonb_build_object('import', %(source)s)
FROM roster_wanted w WHERE w.organisation_id IS NULL
"""


def write_people(
    import_: DirectoryImport,
    *,
    by: Scope,
    node: Organisation,
    today: date,
    now: datetime,
    told: Callable[[str], None],
) -> date | None:
    """Write the joining, moving, changed and chosen leaving people of a difference, and the counsellors of classes.

    The caller holds the roster lock.  Returns the first day whose roster may differ, None when nothing changed.  Raises
    `Refused` ("stale") when the ground has moved.  ``told`` hears the name of each step before it begins.
    """
    params = {**compare.parameters(import_, today), "now": now, "staff": int(Audience.STAFF)}
    told("comparing")
    know(import_.school_id, today)
    run("DROP TABLE IF EXISTS pg_temp.import_going", {})
    run(_GOING, params)
    run("ANALYZE import_going", {})
    run(_COMPARE_AGAIN, params)
    ground_must_stand(_MOVED_GROUND, params)
    told("people")
    made, nodes = _add_nodes(import_, node, params)
    run(_FIND_NODES, params)
    run(_ADD_PEOPLE, params)
    run(_CHANGE_PEOPLE, params)
    _refresh_search()
    renamed = run("SELECT person_id FROM import_going WHERE NOT created AND changes ? 'name'", {})
    if renamed:
        publish(NAMES_CHANGED, school_id=import_.school_id, people=[person for (person,) in renamed], now=now)
    told("memberships")
    with connection.cursor() as cursor:
        storage.begin(cursor)
        cursor.execute(_WANT, params)
        storage.keep_what_is_planned(cursor, import_.school_id)
        # whoever leaves leaves for good: what was planned for later falls
        cursor.execute(
            f"INSERT INTO roster_wanted (person_id, valid_from) SELECT q.person_id, %(today)s FROM ({_CHOSEN_LEAVE}) q",
            params,
        )
        outcome = storage.rewrite(cursor, school_id=import_.school_id, now=now)
        superseded, begun = storage.rewritten_ids(cursor)
    told("counsellors")
    links = _link_counsellors(params) if params["student"] else []
    if links:
        made["counsellor"] = len(links)
    told("ledger")
    record_rows(by=by, now=now, school_id=import_.school_id, rows=_ENTRIES, params=params)
    written = run(
        "SELECT count(*) FILTER (WHERE created), count(*) FILTER (WHERE NOT created AND changes <> '{}'),"
        " array_agg(person_id ORDER BY person_id) FILTER (WHERE created) FROM import_going",
        {},
    )[0]
    left = run("SELECT count(*) FROM roster_wanted WHERE organisation_id IS NULL", {})[0][0]
    import_.counts = {
        **import_.counts,
        "makes": made,
        "written": {"created": written[0], "changed": written[1], "left": left, "moved": len(superseded)},
    }
    ImportUndo.objects.create(
        school_id=import_.school_id,
        source=import_,
        day=today,
        created=written[2] or [],
        superseded=superseded,
        begun=begun,
        nodes=nodes,
        links=links,
    )
    if outcome.since is None and (written[1] or links):
        return today
    return outcome.since


def _refresh_search() -> None:
    """Those who are new or have changed are found from now on by what they are called now."""
    changed = run("SELECT person_id FROM import_going WHERE created OR changes - 'organisation' <> '{}'", {})
    people = [person for (person,) in changed]
    for start in range(0, len(people), commands_search.BATCH):
        commands_search.refresh(people[start : start + commands_search.BATCH])


def _add_nodes(
    import_: DirectoryImport, node: Organisation, params: dict[str, Any]
) -> tuple[dict[str, int], list[int]]:
    """Make the colleges, departments and classes that do not exist yet; how many by kind, and their ids."""
    audience = Audience(params["audience"])
    lacking = run(
        f"WITH {nodes_of('import_going')} SELECT DISTINCT college FROM nodes WHERE college_id IS NULL ORDER BY 1",
        params,
    )
    names = [name for (name,) in lacking]
    kinds = [kind_of_unit(name, audience).value for name in names]
    nodes: list[int] = []
    if names:
        nodes += [
            key
            for (key,) in run(
                _ADD_UNITS, {**params, "node": node.pk, "path": node.path, "kinds": kinds, "names": names}
            )
        ]
    made: dict[str, int] = {kind: kinds.count(kind) for kind in ("college", "department") if kind in kinds}
    if params["student"]:
        classes = [key for (key,) in run(_ADD_CLASSES, params)]
        nodes += classes
        if classes:
            made["class"] = len(classes)
    return made, nodes


def _link_counsellors(params: dict[str, Any]) -> list[list[Any]]:
    """Begin and end links. One that began today ends today: it was never valid, and stays as what was said once."""
    found = run(_COUNSELLORS, params)
    ended = [link for _node, _person, link, _last, _until in found if link is not None]
    if ended:
        run(
            "UPDATE class_counsellor SET valid_to = %(today)s WHERE school_id = %(school)s AND id = ANY(%(ended)s)",
            {**params, "ended": ended},
        )
    if not found:
        return []
    begun = dict(
        run(
            "INSERT INTO class_counsellor (school_id, organisation_id, person_id, valid_from, valid_to)"
            " SELECT %(school)s, u.node, u.person, %(today)s, u.until"
            " FROM unnest(%(nodes)s::int[], %(people)s::int[], %(untils)s::date[]) AS u(node, person, until)"
            " ORDER BY u.node RETURNING organisation_id, id",
            {
                **params,
                "nodes": [row[0] for row in found],
                "people": [row[1] for row in found],
                "untils": [row[4] for row in found],
            },
        )
    )
    return [[node, link, last.isoformat() if last else None, begun[node]] for node, _p, link, last, _u in found]
