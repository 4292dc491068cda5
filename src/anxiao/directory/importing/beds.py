"""The dormitory sheet: who sleeps where.  Checked and compared like a list of people, written as residences.

A room is found by its name anywhere in its building, whatever floors stand between; a place that does not exist yet is
made.  With a full list, whoever has a bed today and is not in the file is shown as moving out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from anxiao.base.scope import Scope
from anxiao.directory.importing.checks import FOLD, NUMBER_TWICE, begin_faults, report_faults
from anxiao.directory.importing.compare import LEAST_SURPRISING, SURPRISING_SHARE, parameters
from anxiao.directory.importing.faults import FaultKind
from anxiao.directory.importing.staging import ground_must_stand, know, run
from anxiao.directory.importing.templates import Kind
from anxiao.directory.models import DirectoryImport, ImportUndo
from anxiao.directory.names import RowVerdict
from anxiao.ledger.commands import record_rows

_FAULTS = f"""
INSERT INTO import_fault (position, kind, field, params)
SELECT s.position, CASE WHEN z.known IS NULL THEN '{FaultKind.PERSON_UNKNOWN}' ELSE '{FaultKind.PERSON_ZEROS_LOST}' END,
       'number', CASE WHEN z.known IS NULL THEN '{{}}' ELSE jsonb_build_object('known', z.known) END
FROM import_stage s
LEFT JOIN import_known k ON k.number = s.number
LEFT JOIN LATERAL (SELECT jsonb_agg(z.number ORDER BY length(z.number)) AS known FROM import_known z
                   WHERE k.id IS NULL AND s.number ~ '^[0-9]+$'
                     AND ltrim(z.number, '0') = ltrim(s.number, '0')) z ON true
WHERE s.number IS NOT NULL AND k.id IS NULL
UNION ALL
SELECT s.position, '{FaultKind.PERSON_NAME_DIFFERS}', 'name', jsonb_build_object('number', k.number, 'known', k.name)
FROM import_stage s JOIN import_known k ON k.number = s.number
WHERE s.name <> k.name AND {FOLD.format("s.name")} <> {FOLD.format("k.name")}
UNION ALL
SELECT s.position, '{FaultKind.BED_TWICE}', 'bed', jsonb_build_object('places', (
           SELECT jsonb_agg(place) FROM (SELECT place FROM jsonb_array_elements(g.places) place
                                         WHERE place <> jsonb_build_array(s.sheet, s.row) LIMIT 5) shown))
FROM (SELECT campus, building, room, bed,
             jsonb_agg(jsonb_build_array(sheet, row) ORDER BY position) FILTER (WHERE nth <= 6) AS places
      FROM (SELECT *, row_number() OVER (PARTITION BY campus, building, room, bed ORDER BY position) AS nth
            FROM import_stage WHERE bed <> '') numbered
      GROUP BY 1, 2, 3, 4 HAVING count(*) > 1) g
JOIN import_stage s USING (campus, building, room, bed)
"""

_PLACES = """
said AS MATERIALIZED (SELECT DISTINCT campus, building, room FROM {rows} WHERE campus <> '' AND room <> ''),
spots AS MATERIALIZED (
    SELECT s.*, c.id AS campus_id, b.id AS building_id, r.id AS room_id
    FROM said s
    LEFT JOIN place c ON c.school_id = %(school)s AND c.kind = 'campus' AND c.parent_id IS NULL AND c.name = s.campus
    LEFT JOIN place b ON b.school_id = %(school)s AND b.kind = 'building' AND b.parent_id = c.id AND b.name = s.building
    LEFT JOIN LATERAL (
        SELECT id FROM place WHERE school_id = %(school)s AND kind = 'room' AND name = s.room AND path <@ b.path
        ORDER BY id LIMIT 1
    ) r ON true
)
"""

_LIVING = """
living AS MATERIALIZED (
    SELECT r.id, r.person_id, r.place_id, r.bed, r.valid_from, r.valid_to FROM residence r
    WHERE r.school_id = %(school)s AND r.valid_from <= %(today)s AND (r.valid_to IS NULL OR r.valid_to > %(today)s)
)
"""

_LABEL = """(SELECT string_agg(above.name, ' / ' ORDER BY nlevel(above.path))
           FROM place spot JOIN place above ON above.path @> spot.path AND above.school_id = spot.school_id
           WHERE spot.id = {place}) || CASE WHEN {bed} <> '' THEN ' · ' || {bed} ELSE '' END"""

_KEEP = """
INSERT INTO import_row (school_id, source_id, sheet, row, verdict, person_id, raw, "values", changes, faults, notes,
                        chosen, kept)
"""

_COMPARE = f"""
WITH {_PLACES.format(rows="import_stage")}, {_LIVING},
compared AS MATERIALIZED (
    SELECT s.position, k.id AS person_id, k.name, l.id AS residence, l.place_id, l.bed AS held,
           CASE WHEN s.verdict = 'rejected' THEN 'rejected' WHEN l.id IS NULL THEN 'joins'
                WHEN l.place_id = p.room_id AND l.bed = coalesce(s.bed, '') THEN 'unchanged' ELSE 'moves' END AS verdict
    FROM import_stage s
    LEFT JOIN import_known k ON k.number = s.number
    LEFT JOIN spots p USING (campus, building, room)
    LEFT JOIN living l ON l.person_id = k.id
), kept AS (
    {_KEEP}
    SELECT %(school)s, %(source)s, left(s.sheet, 100), s.row, d.verdict,
           CASE WHEN d.verdict <> 'rejected' THEN d.person_id END, coalesce(s.raw, '{{}}'),
           jsonb_strip_nulls(jsonb_build_object('number', s.number, 'name', coalesce(s.name, d.name),
               'campus', s.campus, 'building', s.building, 'room', s.room, 'bed', coalesce(s.bed, ''))),
           CASE WHEN d.verdict = 'rejected' THEN '{{}}' ELSE jsonb_build_object('room', jsonb_build_array(
               coalesce({_LABEL.format(place="d.place_id", bed="d.held")}, ''),
               s.campus || ' / ' || s.building || ' / ' || s.room
                   || CASE WHEN s.bed <> '' THEN ' · ' || s.bed ELSE '' END)) END,
           coalesce(s.faults, '[]'), coalesce(s.notes, '[]'), false,
           jsonb_strip_nulls(jsonb_build_object('residence', d.residence))
    FROM compared d JOIN import_stage s USING (position) WHERE d.verdict <> 'unchanged' ORDER BY s.position
), unchanged AS (
    INSERT INTO import_unchanged (school_id, source_id, people)
    SELECT %(school)s, %(source)s, coalesce(array_agg(person_id ORDER BY position), '{{}}')
    FROM compared WHERE verdict = 'unchanged'
)
SELECT verdict, count(*) FROM compared GROUP BY verdict
"""

_ABSENT = f"""
WITH {_LIVING}, absent AS MATERIALIZED (
    SELECT l.*, k.number, k.name FROM living l JOIN import_known k ON k.id = l.person_id
    WHERE NOT EXISTS (SELECT FROM import_stage s WHERE ltrim(lower(s.number), '0') = ltrim(k.folded, '0'))
)
"""
_COUNT_ABSENT = f"{_ABSENT} SELECT count(*) FROM absent"
_LEAVE = f"""
{_ABSENT}, kept AS (
    {_KEEP}
    SELECT %(school)s, %(source)s, '', 0, 'leaves', a.person_id, '{{}}',
           jsonb_build_object('number', a.number, 'name', a.name),
           jsonb_build_object('room', jsonb_build_array({_LABEL.format(place="a.place_id", bed="a.bed")}, '')),
           '[]', '[]', false, jsonb_build_object('residence', a.id)
    FROM absent a ORDER BY a.place_id, a.bed
)
SELECT count(*) FROM absent
"""

_GOING = """
going AS MATERIALIZED (
    SELECT r.id, r.person_id, r."values" ->> 'campus' AS campus, r."values" ->> 'building' AS building,
           r."values" ->> 'room' AS room, r."values" ->> 'bed' AS bed, (r.kept ->> 'residence')::int AS residence
    FROM import_row r
    WHERE r.school_id = %(school)s AND r.source_id = %(source)s AND r.verdict IN ('joins', 'moves')
)
"""

_MADE = f"WITH {_GOING}, {_PLACES.format(rows='going')} "
_MAKES = f"""{_MADE}
SELECT count(DISTINCT campus) FILTER (WHERE campus_id IS NULL),
       count(DISTINCT (campus, building)) FILTER (WHERE building_id IS NULL), count(*) FILTER (WHERE room_id IS NULL)
FROM spots
"""

_ADD_PLACES = {
    "campus": (
        "SELECT DISTINCT campus AS name, NULL::int AS parent, NULL::ltree AS path FROM spots WHERE campus_id IS NULL"
    ),
    "building": (
        "SELECT DISTINCT s.building, c.id, c.path FROM spots s JOIN place c ON c.id = s.campus_id"
        " WHERE s.building_id IS NULL"
    ),
    "room": "SELECT s.room, b.id, b.path FROM spots s JOIN place b ON b.id = s.building_id WHERE s.room_id IS NULL",
}

# Whoever moved or left otherwise since the preview, or is somebody else's neighbour in the bed by now.
_MOVED_GROUND = f"""
WITH {_GOING}, {_PLACES.format(rows="going")}, {_LIVING}
SELECT count(*) FROM going g
LEFT JOIN living l ON l.person_id = g.person_id
LEFT JOIN spots p USING (campus, building, room)
WHERE l.id IS DISTINCT FROM g.residence AND (l.place_id IS DISTINCT FROM p.room_id OR l.bed IS DISTINCT FROM g.bed)
"""

_SETTLE = f"""
WITH {_GOING}, {_PLACES.format(rows="going")}, {_LIVING},
wanted AS (
    SELECT g.person_id, p.room_id, g.bed FROM going g JOIN spots p USING (campus, building, room)
    UNION ALL
    SELECT r.person_id, NULL, '' FROM import_row r
    WHERE r.school_id = %(school)s AND r.source_id = %(source)s AND r.verdict = 'leaves' AND r.chosen
)
SELECT w.person_id, w.room_id, w.bed, l.id, l.valid_to,
       coalesce(l.valid_to, (SELECT min(n.valid_from) FROM residence n
                             WHERE n.school_id = %(school)s AND n.person_id = w.person_id AND n.valid_from > %(today)s))
FROM wanted w LEFT JOIN living l ON l.person_id = w.person_id
WHERE (w.room_id IS NOT NULL OR l.id IS NOT NULL) AND (w.room_id, w.bed) IS DISTINCT FROM (l.place_id, l.bed)
ORDER BY w.person_id
"""


def check_and_compare(
    import_: DirectoryImport, letters: Mapping[str, Mapping[str, str]], school_name: str, params: dict[str, Any]
) -> None:
    """Keep the difference of ``import_stage`` and the beds of today; sets ``counts`` and surprises, saves nothing."""
    begin_faults()
    run(_FAULTS, {})
    run(NUMBER_TWICE, {})
    report_faults(Kind.DORMITORY, letters, school_name)
    counts: dict[str, Any] = {verdict.value: 0 for verdict in RowVerdict} | dict(run(_COMPARE, params))
    counts["people"] = run(f"WITH {_LIVING} SELECT count(*) FROM living", params)[0][0]
    counts["absent"] = run(_LEAVE if import_.full_list else _COUNT_ABSENT, params)[0][0]
    if import_.full_list:
        counts[RowVerdict.LEAVES.value] = counts["absent"]
    counts["unreadable_numbers"] = run("SELECT count(*) FROM import_stage WHERE number IS NULL", {})[0][0]
    made = zip(("campus", "building", "room"), run(_MAKES, params)[0], strict=True)
    counts["makes"] = {kind: number for kind, number in made if number}
    import_.counts = counts
    found = []
    for kind, verdict in (("leaving", RowVerdict.LEAVES), ("moving", RowVerdict.MOVES)):
        number = counts[verdict.value]
        if number >= LEAST_SURPRISING and number > counts["people"] * SURPRISING_SHARE:
            found.append({"kind": kind, "count": number, "of": counts["people"]})
    import_.summary = {**import_.summary, "surprises": found}


def write_beds(import_: DirectoryImport, *, by: Scope, today: date, now: datetime, told: Callable[[str], None]) -> None:
    """Write the difference; `Refused` ("stale") when somebody sleeps elsewhere by now than the preview showed."""
    params = {**parameters(import_, today), "now": now}
    told("comparing")
    know(import_.school_id, today)
    ground_must_stand(_MOVED_GROUND, params)
    told("people")
    places, made = [], {}
    for kind, rows in _ADD_PLACES.items():
        added = run(
            f"""{_MADE}, lacking AS ({rows}), fresh AS MATERIALIZED (
                SELECT nextval(pg_get_serial_sequence('place', 'id')) AS id, l.* FROM lacking l ORDER BY 2)
            INSERT INTO place (id, school_id, kind, parent_id, path, name)
            SELECT f.id, %(school)s, '{kind}', f.parent,
                   (coalesce(f.path::text || '.', '') || f.id)::ltree, f.name FROM fresh f (id, name, parent, path)
            RETURNING id""",
            params,
        )
        places += [key for (key,) in added]
        if added:
            made[kind] = len(added)
    told("memberships")
    found = run(_SETTLE, params)
    ended = [row[3] for row in found if row[3] is not None]
    run(
        "UPDATE residence SET valid_to = %(today)s WHERE school_id = %(school)s AND id = ANY (%(ended)s::int[])",
        {**params, "ended": ended},
    )
    begun = dict(
        run(
            "INSERT INTO residence (school_id, person_id, place_id, bed, valid_from, valid_to)"
            " SELECT %(school)s, u.person, u.place, u.bed, %(today)s, u.until"
            " FROM unnest(%(people)s::int[], %(places)s::int[], %(beds)s::text[], %(untils)s::date[])"
            " AS u(person, place, bed, until) ORDER BY 2 RETURNING person_id, id",
            {
                **params,
                "people": [row[0] for row in found if row[1]],
                "places": [row[1] for row in found if row[1]],
                "beds": [row[2] for row in found if row[1]],
                "untils": [row[5] for row in found if row[1]],
            },
        )
    )
    told("ledger")
    people = {**params, "people": [row[0] for row in found]}
    record_rows(
        by=by,
        now=now,
        school_id=import_.school_id,
        rows="SELECT 'person.settled' AS verb, 'person' AS object_type, u.id AS object_id,"
        " jsonb_build_object('import', %(source)s) AS facts FROM unnest(%(people)s::int[]) AS u(id)",
        params=people,
    )
    left = sum(1 for row in found if row[1] is None)
    written = {"created": len(begun) - len(ended) + left, "changed": 0, "left": left, "moved": len(ended) - left}
    import_.counts = {**import_.counts, "makes": made, "written": written}
    ImportUndo.objects.create(
        school_id=import_.school_id,
        source=import_,
        day=today,
        places=places,
        residences=[
            [person, old, last.isoformat() if last else None, begun.get(person)]
            for person, _p, _b, old, last, _u in found
        ],
    )


_UNDO = """
WITH kept AS (
    SELECT (r ->> 0)::int AS person, (r ->> 1)::int AS old, (r ->> 2)::date AS last, (r ->> 3)::int AS begun
    FROM jsonb_array_elements(%(residences)s::jsonb) r
)
"""


def changed_since(import_: DirectoryImport, kept: ImportUndo) -> int:
    """How many of the people have another bed by now than this import gave them."""
    return int(
        run(
            f"{_UNDO} SELECT count(*) FROM kept k WHERE EXISTS (SELECT FROM residence r WHERE r.school_id = %(school)s"
            " AND r.person_id = k.person AND r.id > coalesce(k.begun, k.old))",
            {"school": import_.school_id, "residences": json.dumps(kept.residences)},
        )[0][0]
    )


def take_beds_back(import_: DirectoryImport, kept: ImportUndo) -> None:
    """Everybody sleeps again where they slept; places that were made stay."""
    params = {"school": import_.school_id, "residences": json.dumps(kept.residences)}
    run(
        f"{_UNDO} UPDATE residence r SET valid_to = r.valid_from FROM kept k"
        " WHERE r.school_id = %(school)s AND r.id = k.begun",
        params,
    )
    run(
        f"{_UNDO} UPDATE residence r SET valid_to = k.last FROM kept k WHERE r.school_id = %(school)s AND r.id = k.old",
        params,
    )
