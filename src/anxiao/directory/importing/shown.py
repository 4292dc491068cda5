"""An import as a page shows it: plain values in words, phones masked, nothing left for the template to work out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from anxiao.directory.importing.faults import describe, describe_note, listed
from anxiao.directory.importing.findings import BLOCKING, SheetProblem, say_finding
from anxiao.directory.importing.pages import SamePerson
from anxiao.directory.importing.plan import Creation, Surprise
from anxiao.directory.importing.templates import BY_KIND, Field, Kind, Template
from anxiao.directory.models import DirectoryImport, ImportRow
from anxiao.directory.names import ImportTemplate, RowVerdict
from anxiao.ui.templatetags.ui import mask

_LISTED = 200
_VISIBLE_SPACE = str.maketrans({"\n": "↵", "\r": "↵", "\t": "→", "\u00a0": "␣", "\u3000": "␣"})
_PHONES = frozenset({Field.PHONE, Field.COUNSELLOR_PHONE})
_SEXES = {"M": "男", "F": "女"}


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


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One row of the difference; ``place`` says where it stands in the file and is empty when it does not."""

    key: int
    place: str
    number: str
    name: str
    category: str
    unit: str
    phone: str
    chosen: bool = False
    changes: list[ShownChange] = field(default_factory=list)
    faults: list[ShownFault] = field(default_factory=list)
    notes: list[ShownFault] = field(default_factory=list)


def template_of(import_: DirectoryImport) -> Template:
    """The sheet that an import's file was read as."""
    return BY_KIND[Kind(import_.template)]


def shown_rows(import_: DirectoryImport, rows: Iterable[ImportRow]) -> list[ShownRow]:
    """The rows of one page."""
    template = template_of(import_)
    return [_row(template, row) for row in rows]


def same_rows(people: Iterable[SamePerson]) -> list[ShownRow]:
    """People whose rows change nothing."""
    return [ShownRow(0, "", who.number, who.name, who.category, who.unit, "") for who in people]


def _row(template: Template, row: ImportRow) -> ShownRow:
    values: Mapping[str, Any] = row.values

    def value(wanted: Field) -> str:
        found = values.get(wanted.value) or (row.raw.get(template.header_of(wanted)) if _has(template, wanted) else "")
        return str(found or "")

    return ShownRow(
        key=row.pk,
        place=f"{row.sheet} · {row.row}" if row.row else "",
        number=_visible(value(Field.NUMBER)),
        name=_visible(value(Field.NAME)),
        category=values.get("category") or "",
        unit=_unit(values) or _held(row),
        phone=mask(values.get("phone")) if values.get("phone") else "",
        chosen=row.chosen,
        changes=[_change(template, name, before, after) for name, (before, after) in row.changes.items()],
        faults=[_cell(row, fault, describe(fault["kind"], fault["params"])) for fault in row.faults],
        notes=[_cell(row, note, describe_note(note["kind"], note["params"])) for note in row.notes],
    )


def _has(template: Template, wanted: Field) -> bool:
    return any(column is wanted for column, _header in template.columns)


def _unit(values: Mapping[str, Any]) -> str:
    klass = f"{values.get('grade') or ''} {values.get('class') or ''}".strip()
    place = [values.get(part) or "" for part in ("campus", "building", "room", "bed", "place_kind", "place")]
    return " / ".join(part for part in (values.get("college") or "", klass, *place) if part)


def _held(row: ImportRow) -> str:
    """The class, unit or bed of somebody who does not stand in the file."""
    before, _after = row.changes.get("organisation") or row.changes.get("room") or ("", "")
    return str(before or "")


def _visible(text: str, limit: int = 24) -> str:
    """Line breaks and odd spaces become signs; what is far too long for a cell is cut for the eye only."""
    shown = text.strip(" ").translate(_VISIBLE_SPACE)
    return shown if len(shown) <= limit else shown[:limit] + "…"


def _cell(row: ImportRow, fault: Mapping[str, Any], words: str) -> ShownFault:
    where = f"{fault['column']}{row.row}" if fault.get("column") else ""
    return ShownFault(where, fault["header"], _visible(str(fault["value"] or ""), 40), words)


def _change(template: Template, name: str, before: Any, after: Any) -> ShownChange:
    if name == "organisation":
        wanted = Field.CLASS if _has(template, Field.CLASS) else Field.COLLEGE
    elif name == "counsellor":
        return ShownChange(_("Counsellor"), str(before or ""), str(after or ""))
    else:
        wanted = Field(name) if name in set(Field) else Field.NAME
    label = template.header_of(wanted) if _has(template, wanted) else name
    before, after = str(before or ""), str(after or "")
    if wanted in _PHONES:
        before, after = mask(before), mask(after)
        if before == after:
            after = f"{after} · {_('other digits in the middle')}"
    elif wanted is Field.SEX:
        before, after = _SEXES.get(before, before), _SEXES.get(after, after)
    return ShownChange(label, before, after)


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
        "campus": _("New campuses"),
        "building": _("New buildings"),
        "floor": _("New floors"),
        "room": _("New rooms"),
    }
    names: dict[str, list[str]] = {kind: [] for kind in labels}
    for creation in creations:
        replaced = " " + _("(until now %(name)s)") % {"name": creation.before} if creation.before else ""
        names.setdefault(creation.kind, []).append(creation.name + replaced)
    made: Mapping[str, int] = import_.counts.get("makes", {})
    return [
        ShownCreations(label, made[kind], names[kind][:_LISTED], max(0, made[kind] - len(names[kind][:_LISTED])))
        for kind, label in labels.items()
        if made.get(kind)
    ]


def shown_findings(import_: DirectoryImport) -> list[tuple[str, str]]:
    """(tone, sentence) for each remark about the file and its sheets."""
    counts = import_.counts
    said = []
    if again := import_.summary.get("again"):
        said.append(("info", _("This very file was applied before, as import %(number)s.") % {"number": again}))
    if foreign := counts.get("other_school"):
        words = ngettext(
            "%(number)s row names another school. Rows of other schools are never imported.",
            "%(number)s rows name another school. Rows of other schools are never imported.",
            foreign,
        )
        said.append(("warning", words % {"number": f"{foreign:,}"}))
    if import_.full_list and (unread := counts.get("unreadable_numbers")):
        words = ngettext(
            "%(number)s row has no readable number. Who stands there may appear among those not in the file.",
            "%(number)s rows have no readable number. Who stands there may appear among those not in the file.",
            unread,
        )
        said.append(("warning", words % {"number": f"{unread:,}"}))
    return said + [
        ("warning" if SheetProblem(finding["problem"]) in BLOCKING else "info", say_finding(finding))
        for finding in import_.summary.get("findings") or counts.get("findings") or ()
    ]


def shown_surprises(surprises: Iterable[Surprise], leavers: int) -> list[str]:
    """What is so large that it must be confirmed in words; leaving counts only when somebody has been chosen."""
    said = []
    for one in surprises:
        numbers = {"count": f"{one.count:,}", "of": f"{one.of:,}"}
        if one.kind == "moving":
            said.append(_("%(count)s of %(of)s people move: more than a tenth.") % numbers)
        elif leavers and one.kind == "leaving":
            numbers["leavers"] = f"{leavers:,}"
            words = ngettext(
                "%(count)s of %(of)s people are not in the file, and %(leavers)s leaves.",
                "%(count)s of %(of)s people are not in the file, and %(leavers)s leave.",
                leavers,
            )
            said.append(words % numbers)
        elif leavers and one.kind == "class":
            numbers["names"] = listed(one.names) + ("…" if one.count > len(one.names) else "")
            said.append(
                ngettext(
                    "%(count)s whole class may end up without anybody: %(names)s.",
                    "%(count)s whole classes may end up without anybody: %(names)s.",
                    one.count,
                )
                % numbers
            )
    return said


def effects_of(import_: DirectoryImport, leavers: int) -> list[str]:
    """What applying will do, as sentences with numbers."""
    counts = import_.counts

    def of(verdict: RowVerdict) -> int:
        return int(counts.get(verdict.value) or 0)

    rejected, stay = of(RowVerdict.REJECTED), of(RowVerdict.LEAVES) - leavers
    joins, moves, changed = of(RowVerdict.JOINS), of(RowVerdict.MOVES), of(RowVerdict.CHANGED)
    if import_.template == ImportTemplate.DORMITORY:
        said = _beds(joins, moves, leavers)
    else:
        said = _people(joins, moves, changed, leavers)
    said += [
        (
            stay,
            ngettext(
                "%(number)s person who is not in the file stays as they are.",
                "%(number)s people who are not in the file stay as they are.",
                stay,
            ),
        ),
        (
            rejected,
            ngettext(
                "%(number)s rejected row stays out; you can download, mend and upload it afterwards.",
                "%(number)s rejected rows stay out; you can download, mend and upload them afterwards.",
                rejected,
            ),
        ),
    ]
    effects = [words % {"number": f"{number:,}"} for number, words in said if number]
    effects.append(_("It happens all at once or not at all, and can be undone while nothing builds on it."))
    return effects


def _people(joins: int, moves: int, changed: int, leavers: int) -> list[tuple[int, str]]:
    return [
        (joins, ngettext("%(number)s person is added.", "%(number)s people are added.", joins)),
        (
            moves,
            ngettext(
                "%(number)s person moves to another class or unit.",
                "%(number)s people move to another class or unit.",
                moves,
            ),
        ),
        (changed, ngettext("%(number)s person is changed.", "%(number)s people are changed.", changed)),
        (
            leavers,
            ngettext(
                "%(number)s person leaves the list from today; what they reported is kept.",
                "%(number)s people leave the list from today; what they reported is kept.",
                leavers,
            ),
        ),
    ]


def _beds(joins: int, moves: int, leavers: int) -> list[tuple[int, str]]:
    return [
        (joins, ngettext("%(number)s person gets a bed.", "%(number)s people get a bed.", joins)),
        (
            moves,
            ngettext("%(number)s person moves to another bed.", "%(number)s people move to another bed.", moves),
        ),
        (leavers, ngettext("%(number)s person moves out today.", "%(number)s people move out today.", leavers)),
    ]


def people_touched(import_: DirectoryImport, leavers: int) -> int:
    """How many people applying would touch."""
    counts = import_.counts
    kinds = (RowVerdict.JOINS, RowVerdict.MOVES, RowVerdict.CHANGED)
    return sum(int(counts.get(kind.value) or 0) for kind in kinds) + leavers


def changes_anything(import_: DirectoryImport, leavers: int) -> bool:
    """Whether applying would write anything."""
    counts = import_.counts
    made: Mapping[str, int] = counts.get("makes", {})
    links = counts.get(RowVerdict.COUNSELLOR.value)
    return bool(people_touched(import_, leavers) or links or any(made.values()))
