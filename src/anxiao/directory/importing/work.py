"""The long steps of an import, each one transaction: read a file, apply a difference, take it back.

Whoever calls stands in the transaction of the school (`school_context`): a job, the command line, a test.  A step that
was cut off has left nothing and is simply done again; a step that is done is not done twice: the state says so.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.utils.translation import gettext as _

from anxiao.base.clock import day_of
from anxiao.base.errors import Refused
from anxiao.base.events import publish
from anxiao.base.locks import import_lock, school_roster_lock
from anxiao.base.scope import Scope
from anxiao.directory.importing import applying, beds, compare, plan, staging, undoing
from anxiao.directory.importing.checks import check_people
from anxiao.directory.importing.reading import Expectation, Kind, read
from anxiao.directory.importing.watch import Unwatched, Watch
from anxiao.directory.models import (
    Category,
    DirectoryImport,
    ImportHeader,
    ImportRow,
    ImportUnchanged,
    ImportUndo,
    School,
)
from anxiao.directory.names import ROSTER_CHANGED, ImportState, ImportTemplate
from anxiao.ledger.commands import record

UNWATCHED = Unwatched()


def expectation_of(import_: DirectoryImport, school: School, now: datetime) -> Expectation:
    """What the reader is told about the school."""
    names: dict[int, list[str]] = {}
    found = Category.objects.filter(school_id=school.pk).order_by("position", "id")
    for audience, name in found.values_list("audience", "name"):
        names.setdefault(audience, []).append(name)
    own = names.pop(import_.audience or 0, [])
    said = ImportHeader.objects.filter(school_id=school.pk, template=import_.template)
    return Expectation(
        kind=Kind(import_.template),
        school_name=school.name,
        today=day_of(now),
        categories=tuple(own),
        other_categories=frozenset(name for others in names.values() for name in others),
        mapping=dict(said.values_list("header", "field")),
    )


def read_file(
    import_: DirectoryImport, source: Path | BinaryIO | bytes, *, by: Scope, now: datetime, watch: Watch = UNWATCHED
) -> None:
    """Stage a file, compare it with the roster and keep the difference; the import becomes `previewed`.

    Raises `Refused` when the file cannot be read and `NeedsMapping` when its columns must be named first.
    """
    import_lock(import_.pk)
    school = School.objects.get(pk=import_.school_id)
    _forget_difference(import_)
    kind = Kind(import_.template)
    staging.begin(kind)
    with read(source, expectation_of(import_, school, now)) as reading:
        watch.phase("reading", lambda: (reading.progress.done, reading.progress.total))
        staging.fill(reading.columns, reading.lines(), watch.check)
        summary = reading.summary
        assert summary is not None
        watch.phase("comparing", lambda: (summary.rows, summary.rows))
    today = day_of(now)
    import_.file_digest = import_.file_digest or summary.sha256
    import_.file_size = import_.file_size or summary.bytes
    import_.summary = {**summary.as_json(), "again": _applied_before(import_)}
    _compare(import_, kind, school, compare.parameters(import_, today))
    import_.counts["findings"] = import_.summary["findings"]
    import_.state = ImportState.PREVIEWED
    import_.progress, import_.error = {}, ""
    import_.save(update_fields=["counts", "summary", "state", "file_digest", "file_size", "progress", "error"])
    record(
        by=by,
        now=now,
        verb="import.previewed",
        object_type="directory_import",
        object_id=import_.pk,
        school_id=school.pk,
        facts={"template": import_.template, "digest": import_.file_digest, **plan.numbers_of(import_)},
    )


def _compare(import_: DirectoryImport, kind: Kind, school: School, params: dict[str, Any]) -> None:
    staging.know(school.pk, params["today"])
    letters = staging.letters_of(import_.summary["sheets"])
    if kind is Kind.DORMITORY:
        beds.check_and_compare(import_, letters, school.name, params)
        return
    check_people(kind, letters, school.name)
    compare.compare_people(import_, params)


def apply_difference(
    import_: DirectoryImport, *, by: Scope, now: datetime, watch: Watch = UNWATCHED
) -> DirectoryImport:
    """Write the difference under the roster lock: all of it or, when the ground has moved, nothing (`Refused`)."""
    watch.phase("waiting")
    school_roster_lock(import_.school_id)
    node = plan.school_node(import_.school_id)
    if node is None:
        raise Refused(_("This school is not in use yet: approve its application first."), code="not_in_use")
    today = day_of(now)
    since = None
    if import_.template == ImportTemplate.DORMITORY:
        beds.write_beds(import_, by=by, today=today, now=now, told=watch.phase)
    else:
        since = applying.write_people(import_, by=by, node=node, today=today, now=now, told=watch.phase)
    record(
        by=by,
        now=now,
        verb="import.applied",
        object_type="directory_import",
        object_id=import_.pk,
        school_id=import_.school_id,
        facts={"template": import_.template, **import_.counts["written"], "makes": import_.counts["makes"]},
    )
    watch.phase("counting")
    if since is not None:
        publish(ROSTER_CHANGED, school_id=import_.school_id, since=since, now=now)
    import_.state, import_.applied_at, import_.progress, import_.error = ImportState.APPLIED, now, {}, ""
    import_.save(update_fields=["state", "applied_at", "counts", "progress", "error"])
    return import_


def undo_difference(import_: DirectoryImport, *, by: Scope, now: datetime, watch: Watch = UNWATCHED) -> DirectoryImport:
    """Take an applied import back; `Refused` ("depended_on") with the reasons when something was built on it."""
    watch.phase("waiting")
    school_roster_lock(import_.school_id)
    today = day_of(now)
    kept = ImportUndo.objects.filter(school_id=import_.school_id, source=import_).first()
    if kept is None:
        raise Refused(_("What this import changed is not kept any more, so it cannot be undone."), code="forgotten")
    watch.phase("comparing")
    if reasons := undoing.depends_on(import_, kept, today):
        raise Refused(undoing.refusal(reasons), code="depended_on")
    watch.phase("memberships")
    since = undoing.take_back(import_, kept, by=by, today=today, now=now)
    record(
        by=by,
        now=now,
        verb="import.undone",
        object_type="directory_import",
        object_id=import_.pk,
        school_id=import_.school_id,
        facts={"template": import_.template, "created": len(kept.created), "moved": len(kept.begun)},
    )
    watch.phase("counting")
    if since is not None:
        publish(ROSTER_CHANGED, school_id=import_.school_id, since=since, now=now)
    import_.state, import_.undone_at, import_.progress, import_.error = ImportState.UNDONE, now, {}, ""
    import_.save(update_fields=["state", "undone_at", "progress", "error"])
    return import_


def _forget_difference(import_: DirectoryImport) -> None:
    for model in (ImportRow, ImportUnchanged):
        found = model.objects.filter(school_id=import_.school_id, source=import_)
        if found.exists():
            found.delete()


def _applied_before(import_: DirectoryImport) -> int | None:
    """The import by which this very file was applied and not undone, if there is one."""
    return (
        DirectoryImport.objects.filter(
            school_id=import_.school_id,
            template=import_.template,
            file_digest=import_.file_digest,
            state=ImportState.APPLIED,
        )
        .exclude(pk=import_.pk)
        .order_by("-id")
        .values_list("pk", flat=True)
        .first()
    )
