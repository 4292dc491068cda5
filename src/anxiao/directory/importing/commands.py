"""Staging, applying and discarding an import. Applying is one transaction: all of it or nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Literal

from django.db import connection, transaction
from django.utils.translation import gettext as _

from anxiao.base.clock import day_of
from anxiao.base.errors import NotYours, Refused
from anxiao.base.events import publish
from anxiao.base.locks import school_roster_lock
from anxiao.base.scope import Scope, system_scope
from anxiao.base.tables import UnreadableTable, Workbook, read_workbook
from anxiao.base.tenancy import school_context
from anxiao.directory.importing import plan
from anxiao.directory.importing.access import check_may_import
from anxiao.directory.importing.judging import JudgedRow, Judgement, judge
from anxiao.directory.importing.report import error_workbook, say_finding
from anxiao.directory.importing.sheets import BLOCKING
from anxiao.directory.models import DirectoryImport, ImportRow, Organisation, School
from anxiao.directory.names import ROSTER_CHANGED, Audience, ImportState, ImportTemplate, RowVerdict, template_of
from anxiao.ledger.commands import Line, record, record_many

Leavers = Literal["none", "all"] | Collection[int]
"""Who of the people not in the file leaves: nobody, everybody, or the rows with these ids."""

KEPT_FOR = timedelta(days=30)
"""How long the rows of an import stay to be looked at or mended."""

# A row id per staged row keeps the file's order; arrays make it one statement whatever the number of rows.
_STAGE = """
INSERT INTO import_row
    (school_id, source_id, sheet, row, verdict, raw, "values", changes, faults, notes, chosen, kept)
SELECT %(school)s, %(source)s, u.sheet, u.number, u.verdict, u.raw, u.accepted, '{}', u.faults, '[]', false, '{}'
FROM unnest(%(sheets)s::text[], %(numbers)s::int[], %(verdicts)s::text[], %(raw)s::jsonb[], %(accepted)s::jsonb[],
            %(faults)s::jsonb[]) WITH ORDINALITY AS u(sheet, number, verdict, raw, accepted, faults, position)
ORDER BY u.position
RETURNING id
"""

_ADD_UNITS = """
INSERT INTO organisation (id, school_id, kind, parent_id, path, name, code, grade, created_at)
SELECT n.id, %(school)s, n.kind, %(node)s, (%(path)s || '.' || n.id)::ltree, n.name, '', '', %(now)s
FROM (SELECT nextval(pg_get_serial_sequence('organisation', 'id')) AS id, u.kind, u.name
      FROM unnest(%(kinds)s::text[], %(names)s::text[]) AS u(kind, name)) n
ON CONFLICT DO NOTHING
RETURNING id
"""

_ADD_CLASSES = f"""
WITH {plan.STAGED}, {plan.COLLEGES}, {plan.TARGETS},
wanted AS (SELECT DISTINCT college, grade, class FROM targets WHERE organisation_id IS NULL),
fresh AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('organisation', 'id')) AS id, w.* FROM wanted w
)
INSERT INTO organisation (id, school_id, kind, parent_id, path, name, code, grade, created_at)
SELECT f.id, %(school)s, 'class', g.id, (g.path::text || '.' || f.id)::ltree, f.class, '', f.grade, %(now)s
FROM fresh f JOIN colleges g ON g.name = f.college
ON CONFLICT DO NOTHING
RETURNING id
"""

_WRITE_PEOPLE = f"""
WITH {plan.STAGED}
INSERT INTO person (school_id, number, name, sex, phone, audience, category_id, created_at, changed_at)
SELECT %(school)s, s.number, s.name, s.sex, s.phone, %(audience)s, k.id, %(now)s, %(now)s
FROM staged s
JOIN category k ON k.school_id = %(school)s AND k.audience = %(audience)s AND k.name = s.category
ORDER BY s.id
ON CONFLICT (school_id, number) DO UPDATE
SET name = excluded.name, sex = excluded.sex, phone = excluded.phone, category_id = excluded.category_id,
    changed_at = excluded.changed_at
WHERE (person.name, person.sex, person.phone, person.category_id)
      IS DISTINCT FROM (excluded.name, excluded.sex, excluded.phone, excluded.category_id)
RETURNING id
"""

_MOVES = f"""
WITH {plan.STAGED}, {plan.COLLEGES}, {plan.TARGETS}, {plan.CURRENT}
SELECT p.id, t.organisation_id, m.id, m.organisation_id, m.valid_from,
       coalesce(m.valid_to, (SELECT min(later.valid_from) FROM membership later
                             WHERE later.school_id = %(school)s AND later.person_id = p.id
                               AND later.superseded_at IS NULL AND later.valid_from > %(today)s))
FROM targets t
JOIN person p ON p.school_id = %(school)s AND p.number = t.number
LEFT JOIN current_membership m ON m.person_id = p.id
WHERE m.organisation_id IS DISTINCT FROM t.organisation_id
ORDER BY p.id
"""
"""Who belongs elsewhere from today on. A planned end, or a later membership already known, still holds."""

_SUPERSEDE = """
UPDATE membership SET superseded_at = %(now)s
WHERE school_id = %(school)s AND id = ANY(%(ids)s) AND superseded_at IS NULL
RETURNING id
"""

_ADD_MEMBERSHIPS = """
INSERT INTO membership (school_id, person_id, organisation_id, valid_from, valid_to, known_from)
SELECT %(school)s, u.person, u.organisation, u.valid_from, u.valid_to, %(now)s
FROM unnest(%(people)s::int[], %(organisations)s::int[], %(froms)s::date[], %(tos)s::date[])
     AS u(person, organisation, valid_from, valid_to)
ORDER BY u.person, u.valid_from
RETURNING id
"""

_COUNSELLORS = f"""
WITH {plan.STAGED}, {plan.COLLEGES}, {plan.TARGETS},
wanted AS (SELECT DISTINCT organisation_id, counsellor FROM targets)
SELECT w.organisation_id, p.id, cc.id,
       coalesce(cc.valid_to, (SELECT min(later.valid_from) FROM class_counsellor later
                              WHERE later.school_id = %(school)s AND later.organisation_id = w.organisation_id
                                AND later.valid_from > %(today)s))
FROM wanted w
JOIN person p ON p.school_id = %(school)s AND p.number = w.counsellor
LEFT JOIN class_counsellor cc ON cc.school_id = %(school)s AND cc.organisation_id = w.organisation_id
     AND cc.valid_from <= %(today)s AND (cc.valid_to IS NULL OR cc.valid_to > %(today)s)
WHERE cc.person_id IS DISTINCT FROM p.id
ORDER BY w.organisation_id
"""


def upload_import(
    *,
    by: Scope,
    school: School,
    kind: ImportTemplate | Audience,
    file: BinaryIO,
    filename: str,
    full_list: bool,
    now: datetime,
) -> DirectoryImport:
    """Keep a file, sealed, and hand it to the worker; the import comes back as `reading`.

    ``full_list``: whoever of the audience is not in the file is shown as leaving.  Refused: empty, or larger than
    `LARGEST_FILE`; whatever is wrong inside the file is said later, in ``import_.error``.
    """
    raise NotImplementedError


def choose_mapping(
    *, by: Scope, import_: DirectoryImport, mapping: Mapping[str, str], now: datetime
) -> DirectoryImport:
    """Say what the unknown columns are (header: field, "" = not read), remember it for the school, read again."""
    raise NotImplementedError


def cancel_import(*, by: Scope, import_: DirectoryImport, now: datetime) -> DirectoryImport:
    """Ask the job to stop.  Reading ends as `cancelled`, applying as `previewed` again: nothing was written."""
    raise NotImplementedError


def undo_import(*, by: Scope, import_: DirectoryImport, now: datetime) -> DirectoryImport:
    """Take an applied import back, by a job; refused, with what depends on it, while something does."""
    raise NotImplementedError


def download_original(*, by: Scope, import_: DirectoryImport, now: datetime) -> Iterator[bytes]:
    """The file as it was uploaded, in pieces; the ledger says who took it.  The view asks for the step-up first."""
    raise NotImplementedError


def preview_import(
    *, by: Scope, school: School, kind: Audience, file: BinaryIO | bytes | Path, filename: str, now: datetime
) -> DirectoryImport:
    """Read, judge and compare a file, and keep the outcome for somebody to decide. Nothing in the directory changes.

    The file itself is not kept, only its rows. Refused when it cannot be read or holds no sheet of the kind.
    """
    check_may_import(by, school)
    return preview_book(by=by, school=school, kind=kind, book=open_book(file), filename=filename, now=now)


def open_book(file: BinaryIO | bytes | Path) -> Workbook:
    """Read a file in the cage; `Refused` with a sentence when it cannot be read."""
    try:
        return read_workbook(file)
    except UnreadableTable as refused:
        raise Refused(refused.message, code=refused.problem.value) from refused


def preview_book(
    *, by: Scope, school: School, kind: Audience, book: Workbook, filename: str, now: datetime
) -> DirectoryImport:
    """`preview_import` for a file that has been read already."""
    check_may_import(by, school)
    today = day_of(now)
    judgement = judge(book, plan.facts_for(by, school, kind, today))
    _check_readable(judgement)
    with transaction.atomic():
        import_ = DirectoryImport.objects.create(
            school_id=school.pk,
            template=template_of(kind),
            audience=kind,
            filename=_shown_name(filename),
            file_digest=_digest(book),
            state=ImportState.PREVIEWED,
            created_by=by.user_id,
            created_at=now,
        )
        _stage(import_, judgement.rows)
        params = plan.parameters(import_, today)
        plan.run(plan.CLASSIFY, params)
        made: dict[str, int] = {}
        for creation in plan.creations(by, import_, today):
            made[creation.kind] = made.get(creation.kind, 0) + 1
        import_.counts = {
            **plan.verdict_counts(import_),
            "makes": made,
            "absent": plan.run(plan.ABSENT, params)[0][0],
            "findings": [finding.as_json() for finding in judgement.findings],
        }
        import_.save(update_fields=["counts"])
        record(
            by=by,
            now=now,
            verb="import.previewed",
            object_type="directory_import",
            object_id=import_.pk,
            school_id=school.pk,
            facts={"audience": int(kind), "digest": import_.file_digest, **_numbers_of(import_)},
        )
    return import_


def apply_import(
    *,
    by: Scope,
    import_: DirectoryImport,
    leavers: Leavers = "none",
    confirmation: str = "",
    now: datetime,
) -> DirectoryImport:
    """Write the accepted rows of a preview into the directory, in one transaction.

    Two imports of one school wait for each other. The comparison with the roster is made again under the lock; when
    the ground of an accepted row has moved since the preview, everything is refused and nothing is written.
    """
    with transaction.atomic():
        school_roster_lock(import_.school_id)
        import_ = (
            DirectoryImport.objects.select_for_update().filter(pk=import_.pk, school_id=import_.school_id).first()
        ) or _absent()
        school = School.objects.get(pk=import_.school_id)
        node = check_may_import(by, school)
        if import_.state != ImportState.PREVIEWED:
            raise Refused(_("This import has already been decided. Nothing was changed."), code="decided")
        today = day_of(now)
        params = {**plan.parameters(import_, today), "now": now}
        stale = plan.run(plan.STALE, params)[0][0]
        if stale:
            raise Refused(
                _(
                    "The directory has changed since this preview, and %(rows)s rows no longer fit. Nothing was"
                    " changed. Upload the file again."
                )
                % {"rows": stale},
                code="stale",
            )
        plan.run(plan.CLASSIFY, params)
        made = _add_organisations(import_, node, params)
        plan.run(_WRITE_PEOPLE, params)
        moved = _move(params)
        made["counsellor"] = _link_counsellors(params) if params["student"] else 0
        counts = plan.verdict_counts(import_)
        _write_entries(by, import_, now)
        import_.state = ImportState.APPLIED
        import_.decided_at = now
        import_.counts = {**import_.counts, **counts, "makes": made, "moved": moved}
        import_.save(update_fields=["state", "decided_at", "counts"])
        record(
            by=by,
            now=now,
            verb="import.applied",
            object_type="directory_import",
            object_id=import_.pk,
            school_id=school.pk,
            facts={"audience": int(import_.audience), "makes": made, **_numbers_of(import_)},
        )
        if counts[RowVerdict.JOINS] or counts[RowVerdict.CHANGED] or made["counsellor"]:
            publish(ROSTER_CHANGED, school_id=school.pk, since=today, now=now)
    return import_


def discard_import(*, by: Scope, import_: DirectoryImport, now: datetime) -> DirectoryImport:
    """Decide against a preview. The directory stays as it is."""
    with transaction.atomic():
        import_ = (
            DirectoryImport.objects.select_for_update().filter(pk=import_.pk, school_id=import_.school_id).first()
        ) or _absent()
        check_may_import(by, School.objects.get(pk=import_.school_id))
        if import_.state != ImportState.PREVIEWED:
            raise Refused(_("This import has already been decided. Nothing was changed."), code="decided")
        import_.state = ImportState.DISCARDED
        import_.decided_at = now
        import_.save(update_fields=["state", "decided_at"])
        record(
            by=by,
            now=now,
            verb="import.discarded",
            object_type="directory_import",
            object_id=import_.pk,
            school_id=import_.school_id,
        )
    return import_


def export_errors(*, by: Scope, import_: DirectoryImport, now: datetime) -> bytes:
    """The rejected rows as a workbook to mend and send again.

    It carries names and phones, so the ledger says who took it.
    """
    school = School.objects.get(pk=import_.school_id)
    check_may_import(by, school)
    audience = Audience(import_.audience)
    with transaction.atomic():
        record(
            by=by,
            now=now,
            verb="import.errors_exported",
            object_type="directory_import",
            object_id=import_.pk,
            school_id=school.pk,
            facts={"rows": import_.counts[RowVerdict.REJECTED.value]},
        )
        return error_workbook(
            audience, plan.rejected_rows(by, import_), plan.categories_of(by, school, audience), school.name
        )


def forget_rows(*, now: datetime) -> int:
    """Delete the rows of imports older than thirty days: names and phones stay no longer than their purpose.

    Counts and ledger stay. A preview that nobody decided by then is discarded. Safe to run twice.
    """
    by = system_scope("housekeeping")
    with school_context("*"):
        old = list(
            DirectoryImport.objects.select_for_update()
            .filter(created_at__lt=now - KEPT_FOR)
            .exclude(counts__has_key="forgotten")
            .order_by("pk")[:500]
        )
        lines = []
        for import_ in old:
            rows, _per_model = ImportRow.objects.filter(school_id=import_.school_id, source=import_).delete()
            import_.counts = {**import_.counts, "forgotten": True}
            if import_.state == ImportState.PREVIEWED:
                import_.state, import_.decided_at = ImportState.DISCARDED, now
            import_.save(update_fields=["counts", "state", "decided_at"])
            lines.append(
                Line("import.rows_forgotten", "directory_import", import_.pk, import_.school_id, {"rows": rows})
            )
        record_many(by=by, now=now, lines=lines)
    return len(old)


def _absent() -> DirectoryImport:
    raise NotYours


def _keys(statement: str, params: dict[str, Any]) -> list[int]:
    return [key for (key,) in plan.run(statement, params)]


def _numbers_of(import_: DirectoryImport) -> dict[str, int]:
    return {verdict.value: import_.counts[verdict.value] for verdict in RowVerdict}


def _shown_name(filename: str) -> str:
    """A file name to show and never to open: no folders, no signs that turn the direction of reading."""
    return "".join(character for character in re.split(r"[/\\]", filename)[-1] if character.isprintable())[-200:]


def _digest(book: Workbook) -> str:
    """A fingerprint of what the file says, whichever program saved it."""
    digest = hashlib.sha256()
    for sheet in book.sheets:
        digest.update(repr((sheet.name, sheet.hidden)).encode("utf-8", "surrogatepass"))
        for row in sheet.rows:
            cells = [(cell.column, cell.text, cell.kind.value) for cell in row.cells.values()]
            digest.update(repr((row.number, cells)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _check_readable(judgement: Judgement) -> None:
    if judgement.rows:
        return
    blocking = [finding for finding in judgement.findings if finding.problem in BLOCKING]
    words = [say_finding(finding.as_json()) for finding in blocking] or [_("The file has no row with a person.")]
    raise Refused(" ".join(words), code="no_rows")


def _stored(value: object) -> str:
    """JSON that PostgreSQL accepts: it has no NUL and no half surrogate pair."""
    text = json.dumps(value, ensure_ascii=False).replace("\\u0000", "\\ufffd")
    return text.encode("utf-8", "replace").decode("utf-8")


def _stage(import_: DirectoryImport, rows: Sequence[JudgedRow]) -> None:
    accepted = []
    for row in rows:
        values: dict[str, Any] = dict(row.values)
        if row.notes:
            values["notes"] = [note.as_json() for note in row.notes]
        accepted.append(_stored(values))
    plan.run(
        _STAGE,
        {
            "school": import_.school_id,
            "source": import_.pk,
            "sheets": [row.sheet.replace("\x00", "")[:100] for row in rows],
            "numbers": [row.row for row in rows],
            "verdicts": [(RowVerdict.REJECTED if row.rejected else RowVerdict.JOINS).value for row in rows],
            "raw": [_stored(row.raw) for row in rows],
            "accepted": accepted,
            "faults": [_stored([fault.as_json() for fault in row.faults]) for row in rows],
        },
    )


def _add_organisations(import_: DirectoryImport, node: Organisation, params: dict[str, Any]) -> dict[str, int]:
    audience = Audience(import_.audience)
    names = [name for (name,) in plan.run(plan.NEW_COLLEGES, params)]
    kinds = [plan.kind_of_unit(name, audience).value for name in names]
    if names:
        _keys(_ADD_UNITS, {**params, "node": node.pk, "path": node.path, "kinds": kinds, "names": names})
    made = {kind: kinds.count(kind) for kind in ("college", "department")}
    made["class"] = len(_keys(_ADD_CLASSES, params)) if params["student"] else 0
    return made


def _move(params: dict[str, Any]) -> int:
    """Begin and end memberships. What was known before stays, as superseded: old figures can be recomputed."""
    today: date = params["today"]
    ended: list[int] = []
    people: list[int] = []
    organisations: list[int] = []
    froms: list[date] = []
    tos: list[date | None] = []
    for person, target, old, old_organisation, since, until in plan.run(_MOVES, params):
        if old is not None:
            ended.append(old)
            if since < today:
                people.append(person)
                organisations.append(old_organisation)
                froms.append(since)
                tos.append(today)
        people.append(person)
        organisations.append(target)
        froms.append(today)
        tos.append(until)
    # Superseded first: no moment may have two valid memberships, and the constraint looks at every statement.
    if ended:
        _keys(_SUPERSEDE, {**params, "ids": ended})
    if people:
        _keys(
            _ADD_MEMBERSHIPS,
            {**params, "people": people, "organisations": organisations, "froms": froms, "tos": tos},
        )
    return len(ended)


def _link_counsellors(params: dict[str, Any]) -> int:
    """Begin and end links. One that began today ends today: it was never valid, and stays as what was said once."""
    today: date = params["today"]
    found = plan.run(_COUNSELLORS, params)
    ended = [link for _node, _person, link, _until in found if link is not None]
    with connection.cursor() as cursor:
        if ended:
            cursor.execute(
                "UPDATE class_counsellor SET valid_to = %s WHERE school_id = %s AND id = ANY(%s)",
                [today, params["school"], ended],
            )
        if found:
            cursor.execute(
                "INSERT INTO class_counsellor (school_id, organisation_id, person_id, valid_from, valid_to)"
                " SELECT %s, u.node, u.person, %s, u.until"
                " FROM unnest(%s::int[], %s::int[], %s::date[]) AS u(node, person, until) ORDER BY u.node",
                [
                    params["school"],
                    today,
                    [node for node, _person, _link, _until in found],
                    [person for _node, person, _link, _until in found],
                    [until for _node, _person, _link, until in found],
                ],
            )
    return len(found)


def _write_entries(by: Scope, import_: DirectoryImport, now: datetime) -> None:
    """One ledger row per person created or changed: ids and names of fields, never values."""
    found = plan.run(
        """
        SELECT p.id, r.verdict,
               coalesce((SELECT array_agg(key ORDER BY key) FROM jsonb_object_keys(r.changes) AS key), '{}')
        FROM import_row r
        JOIN person p ON p.school_id = r.school_id AND p.number = r."values" ->> 'number'
        WHERE r.school_id = %(school)s AND r.source_id = %(source)s AND r.verdict IN ('joins', 'changed')
        ORDER BY p.id
        """,
        {"school": import_.school_id, "source": import_.pk},
    )
    lines = [
        Line(
            "person.created" if verdict == RowVerdict.JOINS else "person.changed",
            "person",
            person,
            import_.school_id,
            {"import": import_.pk, **({"fields": fields} if fields else {})},
        )
        for person, verdict, fields in found
    ]
    record_many(by=by, now=now, lines=lines)
