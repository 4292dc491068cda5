"""An import as a page shows it: plain values in words, phones masked, nothing left for the template to work out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from anxiao.directory.importing.faults import describe, describe_note
from anxiao.directory.importing.plan import Creation
from anxiao.directory.importing.report import say_finding
from anxiao.directory.importing.sheets import BLOCKING, TEMPLATES, Field, SheetProblem
from anxiao.directory.models import DirectoryImport, ImportRow
from anxiao.directory.names import Audience, RowVerdict

_LISTED = 200
_VISIBLE_SPACE = str.maketrans({"\n": "↵", "\r": "↵", "\t": "→", "\u00a0": "␣", "\u3000": "␣"})


@dataclass(frozen=True, slots=True)
class ShownFault:
    """One wrong cell: E12 手机号 “139” and why."""

    cell: str
    header: str
    value: str
    words: str


@dataclass(frozen=True, slots=True)
class ShownChange:
    """One field that becomes something else."""

    label: str
    before: str
    after: str
    is_phone: bool


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One row of the sheet."""

    sheet: str
    row: int
    number: str
    name: str
    category: str
    unit: str
    phone: str
    changes: list[ShownChange]
    faults: list[ShownFault]
    notes: list[ShownFault]


def shown_rows(import_: DirectoryImport, rows: Iterable[ImportRow]) -> list[ShownRow]:
    """The rows of one page."""
    return [_row(Audience(import_.audience), row) for row in rows]


def _row(audience: Audience, row: ImportRow) -> ShownRow:
    values: Mapping[str, Any] = row.values
    template = TEMPLATES[audience]
    number = values.get("number") or row.raw.get(template.header_of(Field.NUMBER), "")
    name = values.get("name") or row.raw.get(template.header_of(Field.NAME), "")
    unit = values.get("college", "")
    if audience is Audience.STUDENT:
        unit = " / ".join(
            part for part in (unit, f"{values.get('grade', '')} {values.get('class', '')}".strip()) if part
        )
    return ShownRow(
        sheet=row.sheet,
        row=row.row,
        number=_visible(number),
        name=_visible(name),
        category=values.get("category", ""),
        unit=unit,
        phone=values.get("phone", ""),
        changes=[_change(audience, field, before, after) for field, (before, after) in row.changes.items()],
        faults=[_cell(row, fault, describe(fault["kind"], fault["params"])) for fault in row.faults],
        notes=[_cell(row, note, describe_note(note["kind"], note["params"])) for note in values.get("notes", ())],
    )


def _visible(text: str, limit: int = 24) -> str:
    """Line breaks and odd spaces become signs; what is far too long for a cell is cut for the eye only."""
    shown = text.strip(" ").translate(_VISIBLE_SPACE)
    return shown if len(shown) <= limit else shown[:limit] + "…"


def _cell(row: ImportRow, fault: Mapping[str, Any], words: str) -> ShownFault:
    return ShownFault(f"{fault['column']}{row.row}", fault["header"], _visible(fault["value"], 40), words)


def _change(audience: Audience, field: str, before: str, after: str) -> ShownChange:
    template = TEMPLATES[audience]
    if field == "organisation":
        label = template.header_of(Field.CLASS if audience is Audience.STUDENT else Field.COLLEGE)
    else:
        label = template.header_of(Field(field))
    if field == "sex":
        words = {"M": "男", "F": "女"}
        before, after = words.get(before, before), words.get(after, after)
    return ShownChange(label, before, after, is_phone=field == "phone")


@dataclass(frozen=True, slots=True)
class ShownCreations:
    """New nodes or links of one kind."""

    label: str
    number: int
    names: list[str]
    more: int


def shown_creations(import_: DirectoryImport, creations: Iterable[Creation]) -> list[ShownCreations]:
    """What comes into being, kind by kind; names only while the import waits for a decision."""
    labels = {
        "college": _("New colleges"),
        "department": _("New departments"),
        "class": _("New classes"),
        "counsellor": _("Counsellors newly linked to a class"),
    }
    names: dict[str, list[str]] = {kind: [] for kind in labels}
    for creation in creations:
        replaced = " " + _("(until now %(name)s)") % {"name": creation.before} if creation.before else ""
        names[creation.kind].append(creation.name + replaced)
    made: Mapping[str, int] = import_.counts.get("makes", {})
    return [
        ShownCreations(label, made[kind], names[kind][:_LISTED], max(0, len(names[kind]) - _LISTED))
        for kind, label in labels.items()
        if made.get(kind)
    ]


def shown_findings(import_: DirectoryImport) -> list[tuple[str, str]]:
    """(tone, sentence) for each remark about a sheet."""
    return [
        ("warning" if SheetProblem(finding["problem"]) in BLOCKING else "info", say_finding(finding))
        for finding in import_.counts.get("findings", ())
    ]


def effects_of(import_: DirectoryImport) -> list[str]:
    """What applying will do, as sentences with numbers."""
    counts = import_.counts
    new, changed, rejected = (
        counts[verdict.value] for verdict in (RowVerdict.JOINS, RowVerdict.CHANGED, RowVerdict.REJECTED)
    )
    effects = []
    if new:
        effects.append(ngettext("%(number)s person is added.", "%(number)s people are added.", new) % {"number": new})
    if changed:
        effects.append(
            ngettext("%(number)s person is changed.", "%(number)s people are changed.", changed) % {"number": changed}
        )
    if rejected:
        effects.append(
            ngettext(
                "%(number)s rejected row stays out; you can download, mend and upload it afterwards.",
                "%(number)s rejected rows stay out; you can download, mend and upload them afterwards.",
                rejected,
            )
            % {"number": rejected}
        )
    effects.append(_("It happens all at once or not at all. Reports already made stay as they are."))
    return effects


def changes_anything(import_: DirectoryImport) -> bool:
    """Whether applying would write anything."""
    counts = import_.counts
    return bool(counts[RowVerdict.JOINS.value] or counts[RowVerdict.CHANGED.value] or any(counts["makes"].values()))
