"""What is wrong with a row only because of other rows or of the roster: the judge's second half, in SQL.

Each check adds ``Fault.as_json()`` to the rows of ``import_stage`` it concerns.  The kinds and their sentences are
those of ``faults``; a row may have faults of the reader and of these checks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from anxiao.directory.importing.faults import FaultKind, NoteKind
from anxiao.directory.importing.staging import run
from anxiao.directory.importing.templates import BY_KIND, Field, Kind
from anxiao.directory.names import Audience

_OTHERS_SHOWN = 5

_FOUND = """
CREATE TEMPORARY TABLE import_fault (
    position int NOT NULL, kind text NOT NULL, field text NOT NULL, params jsonb NOT NULL
) ON COMMIT DROP
"""

# Digits alone can lose zeros; 30 characters is the longest number.
_NUMBERS = f"""
INSERT INTO import_fault (position, kind, field, params)
SELECT s.position, '{FaultKind.NUMBER_OTHER_AUDIENCE}', 'number', '{{}}'
FROM import_stage s JOIN import_known k ON k.folded = lower(s.number) AND k.audience <> %(audience)s
UNION ALL
SELECT s.position, '{FaultKind.NUMBER_CASE}', 'number', jsonb_build_object('known', min(k.number))
FROM import_stage s JOIN import_known k ON k.folded = lower(s.number) AND k.audience = %(audience)s
WHERE s.number ~ '[A-Za-z]'
GROUP BY s.position HAVING bool_and(k.number <> s.number)
UNION ALL
SELECT s.position, '{FaultKind.NUMBER_ZEROS_LOST}', 'number',
       jsonb_build_object('known', jsonb_agg(k.number ORDER BY length(k.number)))
FROM import_stage s
JOIN import_known k ON ltrim(k.number, '0') = ltrim(s.number, '0') AND k.audience = %(audience)s
WHERE s.number_stored = 'n' AND s.number ~ '^[0-9]+$' AND k.number <> s.number
  AND NOT EXISTS (SELECT FROM import_known same WHERE same.folded = lower(s.number))
GROUP BY s.position
"""

NUMBER_TWICE = f"""
INSERT INTO import_fault (position, kind, field, params)
SELECT s.position, CASE WHEN g.exact THEN '{FaultKind.NUMBER_TWICE}' ELSE '{FaultKind.NUMBER_TWICE_BY_CASE}' END,
       'number',
       jsonb_build_object('places', (
           SELECT jsonb_agg(place) FROM (SELECT place FROM jsonb_array_elements(g.places) place
                                         WHERE place <> jsonb_build_array(s.sheet, s.row) LIMIT {_OTHERS_SHOWN}) shown))
FROM (
    SELECT folded, min(number) = max(number) AS exact,
           jsonb_agg(jsonb_build_array(sheet, row) ORDER BY position)
               FILTER (WHERE nth <= {_OTHERS_SHOWN + 1}) AS places
    FROM (SELECT lower(number) AS folded, number, sheet, row, position,
                 row_number() OVER (PARTITION BY lower(number) ORDER BY position) AS nth
          FROM import_stage WHERE lower(number) IN (
              SELECT lower(number) FROM import_stage WHERE number IS NOT NULL GROUP BY 1 HAVING count(*) > 1)) numbered
    GROUP BY folded
) g
JOIN import_stage s ON lower(s.number) = g.folded
"""

FOLD = "lower(regexp_replace(normalize({}, NFKC), '[[:space:]]', '', 'g'))"

# Judged once for every counsellor named, not once a row.
_COUNSELLORS = f"""
WITH named AS MATERIALIZED (
    SELECT DISTINCT counsellor_number AS number, counsellor_name AS name FROM import_stage
    WHERE counsellor_number IS NOT NULL
), judged AS MATERIALIZED (
    SELECT n.number, n.name, CASE
        WHEN staff.id IS NOT NULL THEN '{FaultKind.COUNSELLOR_NAME_DIFFERS}'
        WHEN k.id IS NOT NULL THEN '{FaultKind.COUNSELLOR_IS_STUDENT}'
        WHEN padded.known IS NOT NULL THEN '{FaultKind.COUNSELLOR_ZEROS_LOST}'
        ELSE '{FaultKind.COUNSELLOR_UNKNOWN}' END AS kind,
        CASE WHEN staff.id IS NOT NULL THEN jsonb_build_object('number', n.number, 'known', staff.name)
             WHEN k.id IS NULL AND padded.known IS NOT NULL THEN jsonb_build_object('known', padded.known)
             ELSE '{{}}' END AS params
    FROM named n
    LEFT JOIN import_known staff ON staff.number = n.number AND staff.audience = {int(Audience.STAFF)}
    LEFT JOIN import_known k ON k.number = n.number AND k.audience = {int(Audience.STUDENT)}
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(z.number ORDER BY length(z.number)) AS known FROM import_known z
        WHERE staff.id IS NULL AND k.id IS NULL AND n.number ~ '^[0-9]+$' AND z.audience = {int(Audience.STAFF)}
          AND ltrim(z.number, '0') = ltrim(n.number, '0') AND z.number <> n.number
    ) padded ON true
    WHERE staff.id IS NULL
       OR (n.name <> staff.name AND {FOLD.format("n.name")} <> {FOLD.format("staff.name")})
)
INSERT INTO import_fault (position, kind, field, params)
SELECT s.position, j.kind,
       CASE WHEN j.kind = '{FaultKind.COUNSELLOR_NAME_DIFFERS}' THEN 'counsellor_name' ELSE 'counsellor_number' END,
       j.params
FROM judged j
JOIN import_stage s ON s.counsellor_number = j.number AND s.counsellor_name IS NOT DISTINCT FROM j.name
"""

_TWO_COUNSELLORS = f"""
WITH sound AS MATERIALIZED (
    SELECT s.position, s.college, s.grade, s.class, s.counsellor_number AS number, s.counsellor_name AS name
    FROM import_stage s
    WHERE s.college <> '' AND s.grade <> '' AND s.class <> '' AND s.counsellor_number <> ''
      AND NOT EXISTS (SELECT FROM jsonb_array_elements(s.faults) f
                      WHERE f ->> 'field' IN ('counsellor_number', 'counsellor_name'))
), classes AS MATERIALIZED (
    SELECT college, grade, class FROM sound GROUP BY 1, 2, 3 HAVING min(number) <> max(number)
), said AS (
    SELECT college, grade, class, jsonb_agg(number || ' ' || name || ' (' || n || ')' ORDER BY number) AS counsellors
    FROM (SELECT college, grade, class, number, count(*) AS n,
                 coalesce((array_agg(name ORDER BY position))[1], '') AS name
          FROM sound JOIN classes USING (college, grade, class) GROUP BY 1, 2, 3, 4) one
    GROUP BY 1, 2, 3
)
INSERT INTO import_fault (position, kind, field, params)
SELECT s.position, '{FaultKind.CLASS_TWO_COUNSELLORS}', 'counsellor_number',
       jsonb_build_object('class', s.grade || ' ' || s.class, 'counsellors', d.counsellors)
FROM said d JOIN sound s USING (college, grade, class)
"""

_PHONES = f"""
UPDATE import_stage s SET notes = coalesce(s.notes, '[]') || jsonb_build_array(jsonb_build_object(
    'kind', '{NoteKind.COUNSELLOR_PHONE_DIFFERS}', 'field', 'counsellor_phone', 'header', %(header)s::text,
    'column', coalesce(%(letters)s::jsonb -> s.sheet ->> 'counsellor_phone', ''),
    'value', coalesce(s.raw ->> %(header)s, s.counsellor_phone), 'params', '{{}}'::jsonb))
FROM import_known k
WHERE k.number = s.counsellor_number AND k.audience = {int(Audience.STAFF)}
  AND s.counsellor_phone <> k.phone AND k.phone <> ''
"""


def begin_faults() -> None:
    """Make the empty table in which checks write what they find."""
    run("DROP TABLE IF EXISTS pg_temp.import_fault", {})
    run(_FOUND, {})


def check_people(kind: Kind, letters: Mapping[str, Mapping[str, str]], school_name: str) -> None:
    """All checks of a list of people, over ``import_stage`` and ``import_known``."""
    audience = Audience.STUDENT if kind is Kind.STUDENTS else Audience.STAFF
    begin_faults()
    run(_NUMBERS, {"audience": int(audience)})
    run(NUMBER_TWICE, {})
    if audience is Audience.STUDENT:
        run(_COUNSELLORS, {})
    report_faults(kind, letters, school_name)
    if audience is Audience.STUDENT:
        run("TRUNCATE import_fault", {})
        run(_TWO_COUNSELLORS, {})
        report_faults(kind, letters, school_name)
        run(_PHONES, {"header": BY_KIND[kind].header_of(Field.COUNSELLOR_PHONE), "letters": json.dumps(letters)})


def report_faults(kind: Kind, letters: Mapping[str, Mapping[str, str]], school_name: str) -> None:
    """Move what was found to the rows, with the cells as they stand, from left to right as a person mends them."""
    if not run("SELECT 1 FROM import_fault LIMIT 1", {}):
        return
    template = BY_KIND[kind]
    shown = []
    params: dict[str, Any] = {"letters": json.dumps(letters), "school": school_name}
    headers = {}
    for field, header in template.columns:
        params[f"h_{field.value}"] = header
        headers[field.value] = header
        shown += [f"%(h_{field.value})s::text", _as_typed(field)]
    params["headers"] = json.dumps(headers)
    run(
        f"""
        WITH cells AS MATERIALIZED (
            SELECT s.position, s.sheet, coalesce(s.raw, jsonb_build_object({", ".join(shown)})) AS raw
            FROM import_stage s WHERE s.position IN (SELECT position FROM import_fault)
        ), added AS (
            SELECT f.position, c.raw, jsonb_build_object(
                'kind', f.kind, 'field', f.field, 'header', %(headers)s::jsonb ->> f.field,
                'column', coalesce(%(letters)s::jsonb -> c.sheet ->> f.field, ''),
                'value', coalesce(c.raw ->> (%(headers)s::jsonb ->> f.field), ''), 'params', f.params) AS fault
            FROM import_fault f JOIN cells c USING (position)
        ), whole AS (
            SELECT a.position, a.raw, jsonb_agg(a.fault) AS faults FROM added a GROUP BY 1, 2
        )
        UPDATE import_stage s SET verdict = 'rejected', raw = w.raw, faults = (
            SELECT jsonb_agg(f.value ORDER BY length(f.value ->> 'column'), f.value ->> 'column', f.ordinality)
            FROM jsonb_array_elements(coalesce(s.faults, '[]') || w.faults) WITH ORDINALITY f)
        FROM whole w WHERE w.position = s.position
        """,
        params,
    )


def _as_typed(field: Field) -> str:
    """A value as somebody would have typed it, where the cell itself was not handed on."""
    if field is Field.SCHOOL:
        return "%(school)s::text"
    if field is Field.SEX:
        return "CASE s.sex WHEN 'M' THEN '男' WHEN 'F' THEN '女' ELSE '' END"
    return f's."{field.value}"'
