"""What a staged list of people says other than the roster: the difference, set by set, and what is surprising in it.

One statement compares; rows that say what the roster says are kept as ids only.  Before an import is applied the rows
of the difference are compared once more (`applying`), because the directory may have moved in between.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from anxiao.directory.importing.nodes import LABEL, kind_of_unit, nodes_of
from anxiao.directory.importing.staging import run
from anxiao.directory.models import DirectoryImport
from anxiao.directory.names import Audience, RowVerdict

SURPRISING_SHARE = 0.1
LEAST_SURPRISING = 5
"""Fewer people than this are never a surprise, whatever their share."""
_NAMED = 20

CHANGES = f"""jsonb_strip_nulls(jsonb_build_object(
    'name', CASE WHEN k.name <> s.name THEN jsonb_build_array(k.name, s.name) END,
    'sex', CASE WHEN k.sex <> s.sex THEN jsonb_build_array(k.sex, s.sex) END,
    'phone', CASE WHEN k.phone <> s.phone THEN jsonb_build_array(k.phone, s.phone) END,
    'category', CASE WHEN c.name <> s.category THEN jsonb_build_array(c.name, s.category) END,
    'organisation', CASE WHEN k.organisation_id IS DISTINCT FROM n.organisation_id OR n.organisation_id IS NULL THEN
        jsonb_build_array(coalesce({LABEL.format("k.organisation_id")}, ''),
                          CASE WHEN %(student)s THEN n.college || ' / ' || n.grade || ' ' || n.class
                               ELSE n.college END) END))"""
"""What a row (``s``, its node ``n``) says other than the directory (``k``, its category ``c``)."""

_SAME = """k.name = s.name AND k.sex = s.sex AND k.phone = s.phone AND c.name = s.category
    AND k.organisation_id = n.organisation_id"""

_VALUES = """jsonb_strip_nulls(jsonb_build_object(
    'number', s.number, 'name', s.name, 'sex', s.sex, 'phone', s.phone, 'category', s.category, 'college', s.college,
    'grade', s.grade, 'class', s.class, 'counsellor_number', s.counsellor_number,
    'counsellor_name', s.counsellor_name))"""

_COMPARE = f"""
WITH {nodes_of("import_stage")},
compared AS MATERIALIZED (
    SELECT s.position, k.id AS person_id, k.organisation_id AS held, n.organisation_id AS target,
        CASE WHEN s.verdict = 'rejected' THEN 'rejected'
             WHEN k.id IS NULL OR k.organisation_id IS NULL THEN 'joins'
             WHEN {_SAME} THEN 'unchanged'
             WHEN k.organisation_id IS DISTINCT FROM n.organisation_id THEN 'moves'
             ELSE 'changed' END AS verdict,
        CASE WHEN s.verdict = 'rejected' OR k.id IS NULL OR ({_SAME}) THEN '{{}}' ELSE {CHANGES} END AS changes
    FROM import_stage s
    LEFT JOIN import_known k ON k.number = s.number
    LEFT JOIN category c ON c.school_id = %(school)s AND c.id = k.category_id
    LEFT JOIN nodes n ON n.college = s.college AND n.grade = coalesce(s.grade, '') AND n.class = coalesce(s.class, '')
), kept AS (
    INSERT INTO import_row (school_id, source_id, sheet, row, verdict, person_id, raw, "values", changes, faults, notes,
                            chosen, kept)
    SELECT %(school)s, %(source)s, left(s.sheet, 100), s.row, d.verdict,
           CASE WHEN d.verdict <> 'rejected' THEN d.person_id END, coalesce(s.raw, '{{}}'), {_VALUES},
           d.changes, coalesce(s.faults, '[]'), coalesce(s.notes, '[]'), false,
           jsonb_strip_nulls(jsonb_build_object('from', d.held, 'to', d.target))
    FROM compared d JOIN import_stage s USING (position)
    WHERE d.verdict <> 'unchanged' ORDER BY s.position
), unchanged AS (
    INSERT INTO import_unchanged (school_id, source_id, people)
    SELECT %(school)s, %(source)s, coalesce(array_agg(person_id ORDER BY position), '{{}}')
    FROM compared WHERE verdict = 'unchanged'
)
SELECT verdict, count(*) FROM compared GROUP BY verdict
"""

# A number written with other capitals or without its zeros is a fault of the row, not a person who has left.
_ABSENT = """
absent AS MATERIALIZED (
    SELECT k.* FROM import_known k
    WHERE k.audience = %(audience)s AND k.organisation_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM import_stage s WHERE ltrim(lower(s.number), '0') = ltrim(k.folded, '0'))
)
"""

_COUNT_ABSENT = f"WITH {_ABSENT} SELECT count(*) FROM absent"

_LEAVE = f"""
WITH {_ABSENT}, kept AS (
    INSERT INTO import_row (school_id, source_id, sheet, row, verdict, person_id, raw, "values", changes, faults, notes,
                            chosen, kept)
    SELECT %(school)s, %(source)s, '', 0, 'leaves', k.id, '{{}}',
           jsonb_build_object('number', k.number, 'name', k.name, 'sex', k.sex, 'phone', k.phone, 'category', c.name),
           jsonb_build_object('organisation', jsonb_build_array({LABEL.format("k.organisation_id")}, '')),
           '[]', '[]', false, jsonb_build_object('from', k.organisation_id)
    FROM absent k JOIN category c ON c.school_id = %(school)s AND c.id = k.category_id
    ORDER BY k.organisation_id, k.number
)
SELECT count(*) FROM absent
"""

_COUNSELLORS = f"""
WITH {nodes_of("import_stage")},
wanted AS MATERIALIZED (
    SELECT DISTINCT college, grade, "class", counsellor_number FROM import_stage
    WHERE verdict = 'accepted' AND counsellor_number IS NOT NULL
)
INSERT INTO import_row (school_id, source_id, sheet, row, verdict, person_id, raw, "values", changes, faults, notes,
                        chosen, kept)
SELECT %(school)s, %(source)s, '', 0, 'counsellor', p.id, '{{}}',
       jsonb_build_object('college', w.college, 'grade', w.grade, 'class', w.class, 'number', p.number, 'name', p.name),
       jsonb_build_object('counsellor', jsonb_build_array(
           coalesce(old.name || ' (' || old.number || ')', ''), p.name || ' (' || p.number || ')')),
       '[]', '[]', false, jsonb_strip_nulls(jsonb_build_object('from', old.id, 'to', n.organisation_id))
FROM wanted w
JOIN nodes n ON n.college = w.college AND n.grade = w.grade AND n.class = w.class
JOIN import_known p ON p.number = w.counsellor_number AND p.audience = {int(Audience.STAFF)}
LEFT JOIN class_counsellor cc ON cc.school_id = %(school)s AND cc.organisation_id = n.organisation_id
     AND cc.valid_from <= %(today)s AND (cc.valid_to IS NULL OR cc.valid_to > %(today)s)
LEFT JOIN import_known old ON old.id = cc.person_id
WHERE cc.person_id IS DISTINCT FROM p.id
ORDER BY w.college, w.grade, w.class
"""

_VANISHING = """
WITH standing AS (
    SELECT organisation_id AS node, count(*) AS n FROM import_known
    WHERE audience = %(audience)s AND organisation_id IS NOT NULL GROUP BY 1
), gone AS (
    SELECT (kept ->> 'from')::int AS node, count(*) FILTER (WHERE verdict = 'moves') AS moved,
           count(*) FILTER (WHERE verdict = 'leaves') AS leaving
    FROM import_row
    WHERE school_id = %(school)s AND source_id = %(source)s AND verdict IN ('moves', 'leaves') GROUP BY 1
), coming AS (
    SELECT DISTINCT (kept ->> 'to')::int AS node FROM import_row
    WHERE school_id = %(school)s AND source_id = %(source)s AND verdict IN ('joins', 'moves') AND kept ? 'to'
)
SELECT ltrim(o.grade || ' ' || o.name), s.n
FROM standing s JOIN gone g USING (node) JOIN organisation o ON o.id = s.node AND o.kind = 'class'
WHERE s.n >= %(least)s AND g.leaving > 0 AND g.moved + g.leaving >= s.n AND s.node NOT IN (SELECT node FROM coming)
ORDER BY o.path
"""

_OTHER_SCHOOL = """
SELECT count(*) FROM import_row WHERE school_id = %(school)s AND source_id = %(source)s AND verdict = 'rejected'
  AND faults @> '[{"kind": "school_other"}]'
"""

_MADE = f"""
WITH going AS MATERIALIZED (
    SELECT DISTINCT "values" ->> 'college' AS college, coalesce("values" ->> 'grade', '') AS grade,
           coalesce("values" ->> 'class', '') AS class
    FROM import_row WHERE school_id = %(school)s AND source_id = %(source)s AND verdict IN ('joins', 'moves')
), {nodes_of("going")}
SELECT college, grade, class, college_id IS NULL FROM nodes WHERE organisation_id IS NULL ORDER BY 1, 2, 3
"""


def parameters(import_: DirectoryImport, today: date) -> dict[str, Any]:
    """What the statements of this room are given."""
    return {
        "school": import_.school_id,
        "source": import_.pk,
        "audience": import_.audience or 0,
        "student": import_.audience == Audience.STUDENT,
        "today": today,
        "least": LEAST_SURPRISING,
    }


def compare_people(import_: DirectoryImport, params: dict[str, Any]) -> None:
    """Keep the difference of ``import_stage`` and ``import_known``; sets ``counts`` and surprises, saves nothing."""
    counts: dict[str, Any] = {verdict.value: 0 for verdict in RowVerdict} | dict(run(_COMPARE, params))
    people = run(
        "SELECT count(*) FROM import_known WHERE audience = %(audience)s AND organisation_id IS NOT NULL", params
    )[0][0]
    counts["people"] = people
    counts["absent"] = run(_LEAVE if import_.full_list else _COUNT_ABSENT, params)[0][0]
    if import_.full_list:
        counts[RowVerdict.LEAVES.value] = counts["absent"]
    if params["student"]:
        run(_COUNSELLORS, params)
        counts[RowVerdict.COUNSELLOR.value] = run(
            "SELECT count(*) FROM import_row WHERE school_id = %(school)s AND source_id = %(source)s"
            " AND verdict = 'counsellor'",
            params,
        )[0][0]
    counts["unreadable_numbers"] = run("SELECT count(*) FROM import_stage WHERE number IS NULL", {})[0][0]
    counts["other_school"] = run(_OTHER_SCHOOL, params)[0][0] if counts[RowVerdict.REJECTED.value] else 0
    counts["makes"] = _made(params) | (
        {"counsellor": counts[RowVerdict.COUNSELLOR.value]} if counts[RowVerdict.COUNSELLOR.value] else {}
    )
    import_.counts = counts
    import_.summary = {**import_.summary, "surprises": _surprises(counts, params)}


def new_nodes(params: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """(college, grade, class, whether the college is new too) of all nodes that joining and moving people need."""
    return run(_MADE, params)


def _made(params: dict[str, Any]) -> dict[str, int]:
    found = new_nodes(params)
    made: dict[str, int] = {}
    for college in {college for college, _grade, _class, new in found if new}:
        kind = kind_of_unit(college, Audience(params["audience"])).value
        made[kind] = made.get(kind, 0) + 1
    if params["student"] and found:
        made["class"] = len(found)
    return made


def _surprises(counts: dict[str, Any], params: dict[str, Any]) -> list[dict[str, Any]]:
    """What is so large that somebody must type the school's name: see `plan.Surprise`."""
    people, found = counts["people"], []
    for kind, verdict in (("leaving", RowVerdict.LEAVES), ("moving", RowVerdict.MOVES)):
        count = counts[verdict.value]
        if count >= LEAST_SURPRISING and count > people * SURPRISING_SHARE:
            found.append({"kind": kind, "count": count, "of": people})
    if not counts[RowVerdict.LEAVES.value]:
        return found
    names = [name for name, _people in run(_VANISHING, params)]
    if names:
        found.append({"kind": "class", "count": len(names), "of": 0, "names": names[:_NAMED]})
    return found
