"""What people and programs may do with an import.  Long steps are handed to the worker; the page only asks how far.

``preview_import`` and ``apply_at_once`` do the same steps in the caller's transaction: the command line, tests.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Literal

from django.utils.translation import gettext as _

from anxiao.base import queue
from anxiao.base.boxes import Unopened
from anxiao.base.clock import day_of
from anxiao.base.errors import NotYours, Refused
from anxiao.base.scope import Scope, system_scope
from anxiao.base.tenancy import school_context
from anxiao.directory.importing import plan, undoing, vault, work
from anxiao.directory.importing.access import check_may_import
from anxiao.directory.importing.reading import NeedsMapping
from anxiao.directory.models import (
    DirectoryImport,
    ImportFile,
    ImportHeader,
    ImportRow,
    ImportUnchanged,
    ImportUndo,
    School,
)
from anxiao.directory.names import Audience, ImportState, ImportTemplate, RowVerdict, template_of
from anxiao.ledger.commands import Line, record, record_many

Leavers = Literal["none", "all"] | Collection[int]
"""Who of the people not in the file leaves: nobody, everybody, or the rows with these ids."""

KEPT_FOR = timedelta(days=30)
"""How long the file and the rows of an import that was not applied stay to be looked at or mended."""

KEPT_APPLIED_FOR = timedelta(days=180)
"""How long an applied import keeps its file, its difference and the way back."""

LARGEST_UPLOAD = 50 * 1024 * 1024
"""Bytes of a file that comes by the web, which is what the proxy lets through; the command line takes more."""

JOB = "directory.import"
_NO_LONGER = (ImportState.PREVIEWED, ImportState.MAPPING, ImportState.FAILED)


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
    `LARGEST_UPLOAD`; whatever is wrong inside the file is said later, in ``import_.error``.
    """
    import_ = _begin(by=by, school=school, kind=kind, filename=filename, full_list=full_list, now=now)
    vault.keep(import_, file, most=LARGEST_UPLOAD)
    if import_.file_size == 0:
        raise Refused(_("The file is empty."), code="empty")
    if import_.file_size > LARGEST_UPLOAD:
        raise Refused(
            _("This file is larger than %(size)s MB.") % {"size": LARGEST_UPLOAD // 1024 // 1024}, code="too_large"
        )
    _say(by, now, "import.uploaded", import_, digest=import_.file_digest, bytes=import_.file_size)
    _hand_over(import_, "read")
    return import_


def choose_mapping(
    *, by: Scope, import_: DirectoryImport, mapping: Mapping[str, str], now: datetime
) -> DirectoryImport:
    """Say what the unknown columns are (header: field, "" = not read), remember it for the school, read again."""
    import_ = _held(by, import_)
    if import_.state != ImportState.MAPPING:
        raise Refused(_("The columns of this file are not asked for any more."), code="decided")
    for header, field in mapping.items():
        ImportHeader.objects.update_or_create(
            school_id=import_.school_id,
            template=import_.template,
            header=header[:100],
            defaults={"field": field, "said_by": by.user_id, "said_at": now},
        )
    _say(by, now, "import.mapped", import_, columns=len(mapping))
    return _read_again(import_)


def read_again(*, by: Scope, import_: DirectoryImport, now: datetime) -> DirectoryImport:
    """Compare the kept file with the directory once more, because one of them is looked at with other eyes by now."""
    import_ = _held(by, import_)
    if import_.state not in _NO_LONGER:
        raise Refused(_("This import has already been decided. Nothing was changed."), code="decided")
    _say(by, now, "import.read_again", import_)
    return _read_again(import_)


def apply_import(
    *,
    by: Scope,
    import_: DirectoryImport,
    leavers: Leavers = "none",
    confirmation: str = "",
    now: datetime,
) -> DirectoryImport:
    """Decide for a preview and hand it to the worker; the import comes back as `applying`.

    Refused: decided already, or a surprise whose words were not typed (``confirmation``, see
    `plan.confirmation_words`).  Rejected rows, those that name another school among them, are written nowhere.
    """
    import_ = _decide(by=by, import_=import_, leavers=leavers, confirmation=confirmation, now=now)
    _hand_over(import_, "apply")
    return import_


def cancel_import(*, by: Scope, import_: DirectoryImport, now: datetime) -> DirectoryImport:
    """Ask the job to stop.  Reading ends as `cancelled`, applying as `previewed` again: nothing was written."""
    import_ = _held(by, import_)
    if import_.state not in (ImportState.READING, ImportState.APPLYING, ImportState.MAPPING):
        raise Refused(_("There is nothing to cancel any more."), code="decided")
    _say(by, now, "import.cancelled", import_, state=import_.state)
    if import_.state == ImportState.MAPPING or not import_.progress:
        # no job has begun: it will find nothing to do
        import_.state = ImportState.PREVIEWED if import_.state == ImportState.APPLYING else ImportState.CANCELLED
        import_.save(update_fields=["state"])
    else:
        import_.cancel_asked = True
        import_.save(update_fields=["cancel_asked"])
    return import_


def discard_import(*, by: Scope, import_: DirectoryImport, now: datetime) -> DirectoryImport:
    """Decide against a preview. The directory stays as it is."""
    import_ = _held(by, import_)
    if import_.state not in (ImportState.PREVIEWED, ImportState.MAPPING):
        raise Refused(_("This import has already been decided. Nothing was changed."), code="decided")
    import_.state = ImportState.DISCARDED
    import_.decided_by, import_.decided_name, import_.decided_at = by.user_id, by.username, now
    import_.save(update_fields=["state", "decided_by", "decided_name", "decided_at"])
    _say(by, now, "import.discarded", import_)
    return import_


def undo_import(*, by: Scope, import_: DirectoryImport, now: datetime) -> DirectoryImport:
    """Take an applied import back, by a job; refused, with what depends on it, while something does."""
    import_ = _may_be_undone(by, import_)
    kept = ImportUndo.objects.filter(school_id=import_.school_id, source=import_).first()
    if kept is not None and (reasons := undoing.depends_on(import_, kept, day_of(now))):
        raise Refused(undoing.refusal(reasons), code="depended_on")
    import_.state, import_.progress, import_.cancel_asked = ImportState.UNDOING, {}, False
    import_.decided_by, import_.decided_name = by.user_id, by.username
    import_.save(update_fields=["state", "progress", "cancel_asked", "decided_by", "decided_name"])
    _say(by, now, "import.undo_asked", import_)
    _hand_over(import_, "undo")
    return import_


def download_original(*, by: Scope, import_: DirectoryImport, now: datetime) -> BinaryIO:
    """The file as it was uploaded; the ledger says who took it.  The view asks for the step-up first."""
    import_ = _held(by, import_)
    out = tempfile.TemporaryFile()  # noqa: SIM115 - whoever sends it closes it
    try:
        for piece in vault.pieces(import_):
            out.write(piece)
    except Unopened as error:
        out.close()
        raise Refused(_("The file cannot be opened any more: the installation has another key."), code="key") from error
    if out.tell() == 0:
        out.close()
        raise Refused(_("The file is not kept any more."), code="forgotten")
    out.seek(0)
    _say(by, now, "import.file_taken", import_, digest=import_.file_digest)
    return out


def preview_import(
    *,
    by: Scope,
    school: School,
    kind: ImportTemplate | Audience,
    file: BinaryIO | bytes | Path,
    filename: str,
    full_list: bool = False,
    now: datetime,
) -> DirectoryImport:
    """Keep, read and compare a file at once, in the caller's transaction.

    Refused when it cannot be read, holds no sheet of the kind, or has columns that nobody has named yet.
    """
    import_ = _begin(by=by, school=school, kind=kind, filename=filename, full_list=full_list, now=now)
    if isinstance(file, Path):
        with file.open("rb") as opened:
            vault.keep(import_, opened)
    else:
        source = io.BytesIO(file) if isinstance(file, bytes) else file
        vault.keep(import_, source)
        source.seek(0)
    try:
        work.read_file(import_, file, by=by, now=now)
    except NeedsMapping as asked:
        unknown = [column.header for question in asked.questions for column in question.unknown]
        raise Refused(
            _("These columns are not known: %(columns)s. Name them once in the console, or use the notice's headers.")
            % {"columns": ", ".join(unknown)},
            code="mapping",
        ) from asked
    return import_


def apply_at_once(
    *,
    by: Scope,
    import_: DirectoryImport,
    leavers: Leavers = "none",
    confirmation: str = "",
    now: datetime,
) -> DirectoryImport:
    """`apply_import` without a worker: written when this returns and the caller's transaction commits."""
    import_ = _decide(by=by, import_=import_, leavers=leavers, confirmation=confirmation, now=now)
    return work.apply_difference(import_, by=by, now=now)


def undo_at_once(*, by: Scope, import_: DirectoryImport, now: datetime) -> DirectoryImport:
    """`undo_import` without a worker."""
    return work.undo_difference(_may_be_undone(by, import_), by=by, now=now)


def forget_rows(*, now: datetime) -> int:
    """Delete file and rows of old imports: names and phones stay no longer than their purpose; counts and ledger stay.

    An applied import can be undone and looked at for half a year, any other is kept for thirty days; a preview that
    nobody decided by then is discarded. Safe to run twice.
    """
    by = system_scope("housekeeping")
    with school_context("*"):
        old = list(
            DirectoryImport.objects.select_for_update()
            .filter(created_at__lt=now - KEPT_FOR)
            .exclude(state=ImportState.APPLIED, applied_at__gte=now - KEPT_APPLIED_FOR)
            .exclude(counts__has_key="forgotten")
            .order_by("pk")[:500]
        )
        lines = []
        for import_ in old:
            rows = 0
            for model in (ImportRow, ImportUnchanged, ImportUndo, ImportFile):
                deleted, _per_model = model.objects.filter(school_id=import_.school_id, source=import_).delete()
                rows += deleted if model is ImportRow else 0
            import_.counts = {**import_.counts, "forgotten": True}
            import_.summary = {key: value for key, value in import_.summary.items() if key != "mapping"}
            if import_.state in (ImportState.PREVIEWED, ImportState.MAPPING):
                import_.state, import_.decided_at = ImportState.DISCARDED, now
            import_.save(update_fields=["counts", "summary", "state", "decided_at"])
            lines.append(
                Line("import.rows_forgotten", "directory_import", import_.pk, import_.school_id, {"rows": rows})
            )
        record_many(by=by, now=now, lines=lines)
    return len(old)


def _begin(
    *, by: Scope, school: School, kind: ImportTemplate | Audience, filename: str, full_list: bool, now: datetime
) -> DirectoryImport:
    check_may_import(by, school)
    template = template_of(kind)
    if template is ImportTemplate.RESPONSIBLES:
        raise Refused(_("This list cannot be brought in by a file yet; give the roles in the console."), code="kind")
    return DirectoryImport.objects.create(
        school_id=school.pk,
        template=template,
        audience=template.audience,
        full_list=full_list,
        origin=by.origin[:20],
        filename=shown_name(filename),
        state=ImportState.READING,
        created_by=by.user_id,
        created_name=by.username,
        created_at=now,
    )


def _decide(
    *, by: Scope, import_: DirectoryImport, leavers: Leavers, confirmation: str, now: datetime
) -> DirectoryImport:
    import_ = _held(by, import_)
    if import_.state != ImportState.PREVIEWED:
        raise Refused(_("This import has already been decided. Nothing was changed."), code="decided")
    leaving = _choose(import_, leavers)
    surprising = [
        one
        for one in plan.surprises(by, import_)
        if one.kind == "moving" or (leaving and one.kind in ("leaving", "class"))
    ]
    if surprising and confirmation.strip() != plan.confirmation_words(by, import_):
        raise Refused(
            _("This import changes so much that it must be confirmed: type “%(words)s”. Nothing was changed.")
            % {"words": plan.confirmation_words(by, import_)},
            code="unconfirmed",
        )
    import_.state, import_.progress, import_.cancel_asked, import_.error = ImportState.APPLYING, {}, False, ""
    import_.decided_by, import_.decided_name, import_.decided_at = by.user_id, by.username, now
    import_.save()
    _say(by, now, "import.decided", import_, leaving=leaving, confirmed=bool(surprising))
    return import_


def _choose(import_: DirectoryImport, leavers: Leavers) -> int:
    """Mark who leaves; how many."""
    rows = ImportRow.objects.filter(school_id=import_.school_id, source=import_, verdict=RowVerdict.LEAVES)
    if leavers == "none":
        rows.filter(chosen=True).update(chosen=False)
        return 0
    if leavers == "all":
        rows.filter(chosen=False).update(chosen=True)
        return rows.count()
    ids = list(leavers)
    rows.exclude(pk__in=ids).filter(chosen=True).update(chosen=False)
    rows.filter(pk__in=ids, chosen=False).update(chosen=True)
    return rows.filter(chosen=True).count()


def _may_be_undone(by: Scope, import_: DirectoryImport) -> DirectoryImport:
    import_ = _held(by, import_)
    if import_.state != ImportState.APPLIED:
        raise Refused(_("Only an import that was applied can be undone."), code="decided")
    return import_


def _held(by: Scope, import_: DirectoryImport) -> DirectoryImport:
    """The import as it stands, held until the transaction ends; its school is the caller's."""
    found = DirectoryImport.objects.select_for_update().filter(pk=import_.pk, school_id=import_.school_id).first()
    if found is None:
        raise NotYours
    check_may_import(by, School.objects.get(pk=found.school_id))
    return found


def _read_again(import_: DirectoryImport) -> DirectoryImport:
    import_.state, import_.progress, import_.cancel_asked, import_.error = ImportState.READING, {}, False, ""
    import_.save(update_fields=["state", "progress", "cancel_asked", "error"])
    _hand_over(import_, "read")
    return import_


def _hand_over(import_: DirectoryImport, step: str) -> None:
    # one lock a school: its imports are worked on one after the other
    queue.defer(JOB, lock=f"school-{import_.school_id}", school_id=import_.school_id, import_id=import_.pk, step=step)


def _say(by: Scope, now: datetime, verb: str, import_: DirectoryImport, **facts: object) -> None:
    record(
        by=by,
        now=now,
        verb=verb,
        object_type="directory_import",
        object_id=import_.pk,
        school_id=import_.school_id,
        facts=facts,
    )


def shown_name(filename: str) -> str:
    """A file name to show and never to open: no folders, no signs that turn the direction of reading."""
    return "".join(character for character in re.split(r"[/\\]", filename)[-1] if character.isprintable())[-200:]
