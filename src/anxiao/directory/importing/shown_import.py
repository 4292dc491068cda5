"""One import and the list of them in words: its numbers, its steps, who did what and when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from anxiao.directory.models import DirectoryImport
from anxiao.directory.names import ImportState, ImportTemplate, RowVerdict

ORDER = (
    RowVerdict.REJECTED,
    RowVerdict.LEAVES,
    RowVerdict.JOINS,
    RowVerdict.MOVES,
    RowVerdict.CHANGED,
    RowVerdict.COUNSELLOR,
    RowVerdict.UNCHANGED,
)
"""What needs somebody comes first."""
_TONES = {
    RowVerdict.JOINS: "good",
    RowVerdict.MOVES: "info",
    RowVerdict.CHANGED: "info",
    RowVerdict.LEAVES: "late",
    RowVerdict.UNCHANGED: "",
    RowVerdict.REJECTED: "missing",
}


def number_of(import_: DirectoryImport, verdict: RowVerdict) -> int:
    """How many rows of a kind the difference has."""
    return int(import_.counts.get(verdict.value) or 0)


def steps_of(import_: DirectoryImport) -> tuple[list[str], int]:
    """The steps of the way and the one we are at, counted from 1."""
    labels = [_("Choose a file"), _("Read"), _("Preview"), _("Result")]
    match ImportState(import_.state):
        case ImportState.READING | ImportState.MAPPING | ImportState.FAILED | ImportState.CANCELLED:
            return labels, 2
        case ImportState.PREVIEWED | ImportState.DISCARDED:
            return labels, 3
    return labels, 4


def heading_of(import_: DirectoryImport) -> str:
    """What the page of this import is called."""
    match ImportState(import_.state):
        case ImportState.READING:
            return _("The file is being read")
        case ImportState.APPLYING:
            return _("The import is being written")
        case ImportState.UNDOING:
            return _("The import is being taken back")
        case ImportState.FAILED:
            return _("The file could not be read")
        case ImportState.DISCARDED:
            return _("Discarded import")
        case ImportState.CANCELLED:
            return _("Stopped import")
        case ImportState.UNDONE:
            return _("Import taken back")
    return _("Result of the import")


def tiles(import_: DirectoryImport, leavers: int) -> list[tuple[str, int, str, str, str, str]]:
    """(label, number, tone, address, meaning, note) of each kind of row, those that need somebody first."""
    shown = [verdict for verdict in ORDER if verdict in _TONES]
    if not import_.full_list:
        shown.remove(RowVerdict.LEAVES)
    return [
        (
            str(verdict.label),
            number_of(import_, verdict),
            _TONES[verdict] if number_of(import_, verdict) else "",
            f"?rows={verdict.value}#rows",
            meaning(verdict, beds=import_.template == ImportTemplate.DORMITORY),
            _leaving_note(import_, leavers) if verdict is RowVerdict.LEAVES else "",
        )
        for verdict in shown
    ]


def _leaving_note(import_: DirectoryImport, leavers: int) -> str:
    if not number_of(import_, RowVerdict.LEAVES):
        return ""
    if import_.state == ImportState.PREVIEWED:
        if not leavers:
            return _("all stay, unless you choose")
        return ngettext("%(number)s leaves", "%(number)s leave", leavers) % {"number": f"{leavers:,}"}
    return ngettext("%(number)s left", "%(number)s left", leavers) % {"number": f"{leavers:,}"}


def meaning(verdict: RowVerdict, *, beds: bool = False) -> str:
    """What a kind of row is, in a list of people or of beds."""
    match verdict:
        case RowVerdict.JOINS if beds:
            return _("People of the directory who have no bed on campus today.")
        case RowVerdict.MOVES if beds:
            return _("People who sleep in another room or bed today.")
        case RowVerdict.LEAVES if beds:
            return _("People with a bed on campus who do not stand in the file. Nobody moves out unless you choose so.")
        case RowVerdict.JOINS:
            return _("People whom the directory does not have yet, or who are on no list today.")
        case RowVerdict.MOVES:
            return _("People on the list who stand in the file with another college or class.")
        case RowVerdict.CHANGED:
            return _("People on the list with another name, sex, phone or category in the file.")
        case RowVerdict.LEAVES:
            return _("People on the list who do not stand in the file. Nobody leaves unless you choose so.")
        case RowVerdict.UNCHANGED:
            return _("Rows that say exactly what the directory says.")
        case RowVerdict.COUNSELLOR:
            return _("Classes that get another counsellor.")
    return _("Rows in which at least one cell is wrong. They are not imported; all others are.")


_COLUMNS = (RowVerdict.JOINS, RowVerdict.MOVES, RowVerdict.CHANGED, RowVerdict.LEAVES, RowVerdict.REJECTED)


def columns_of_history(
    imports: Iterable[DirectoryImport],
) -> tuple[list[str], list[tuple[DirectoryImport, list[tuple[str, int | None]]]]]:
    """Labels of the figures, and each import with its figures; None where there is nothing to count."""
    labels = [str(verdict.label) for verdict in _COLUMNS]
    lines = []
    for import_ in imports:
        counted = any(verdict.value in import_.counts for verdict in _COLUMNS)
        figures = [
            number_of(import_, verdict) if counted and (verdict is not RowVerdict.LEAVES or import_.full_list) else None
            for verdict in _COLUMNS
        ]
        lines.append((import_, list(zip(labels, figures, strict=True))))
    return labels, lines


def facts_of(import_: DirectoryImport) -> list[tuple[str, str]]:
    """Who did what and when, the file's size and its fingerprint."""
    facts = [
        (_("File"), import_.filename),
        (_("Uploaded"), _moment(import_.created_at, import_.created_name)),
    ]
    if import_.decided_at and import_.state in (ImportState.APPLIED, ImportState.UNDOING, ImportState.UNDONE):
        facts.append((_("Applied"), _moment(import_.applied_at or import_.decided_at, import_.decided_name)))
    elif import_.decided_at:
        facts.append((_("Decided"), _moment(import_.decided_at, import_.decided_name)))
    if import_.undone_at:
        facts.append((_("Taken back"), _moment(import_.undone_at, "")))
    rows = import_.summary.get("rows")
    if rows:
        facts.append((_("Rows"), f"{rows:,}"))
    if import_.file_size:
        facts.append((_("Size"), size_of(import_.file_size)))
    if import_.file_digest:
        facts.append((_("Fingerprint (SHA-256)"), import_.file_digest))
    facts.append((_("Number of the import"), str(import_.pk)))
    return facts


def _moment(moment: Any, who: str) -> str:
    said = date_format(timezone.localtime(moment), "Y-m-d H:i")
    return f"{said} · {who}" if who else said


def size_of(size: int) -> str:
    """A number of bytes as people read it."""
    if size < 1024 * 1024:
        return f"{-(-size // 1024):,} KB"
    return f"{size / 1024 / 1024:,.1f} MB"


def undo_effects(import_: DirectoryImport, leavers: int) -> list[str]:
    """What taking an import back will do, as sentences with numbers."""
    joins = number_of(import_, RowVerdict.JOINS)
    back = number_of(import_, RowVerdict.MOVES) + number_of(import_, RowVerdict.CHANGED)
    said = [
        (
            joins,
            ngettext(
                "%(number)s person who came by this import goes.",
                "%(number)s people who came by this import go.",
                joins,
            ),
        ),
        (
            back,
            ngettext(
                "%(number)s person is again as before.",
                "%(number)s people are again as before.",
                back,
            ),
        ),
        (
            leavers,
            ngettext(
                "%(number)s person who left by this import comes back.",
                "%(number)s people who left by this import come back.",
                leavers,
            ),
        ),
    ]
    effects = [words % {"number": f"{number:,}"} for number, words in said if number]
    effects.append(_("It happens all at once or not at all."))
    return effects
