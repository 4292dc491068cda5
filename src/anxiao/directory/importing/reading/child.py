"""What the caged child does: look at the first rows of all sheets, then judge and write line by line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from anxiao.base.tables.child import Channel, run
from anxiao.base.tables.model import Limits, TableProblem, Tables, UnreadableTable, Value
from anxiao.directory.importing.faults import FaultKind
from anxiao.directory.importing.findings import SheetFinding, SheetProblem
from anxiao.directory.importing.reading.assembled import Assembler
from anxiao.directory.importing.reading.careful import CellJudge, JudgedRow, RowJudge
from anxiao.directory.importing.reading.contract import Expectation, ReadSheet
from anxiao.directory.importing.reading.headers import Place, look
from anxiao.directory.importing.reading.lines import copied, copied_json
from anxiao.directory.importing.reading.quick import QuickJudge
from anxiao.directory.importing.templates import Kind

_TOLD_EVERY = 2_000
_HELD = 20_000


def prepare() -> None:
    """Everything that is imported late otherwise: the rules of all countries' phones."""
    from phonenumbers import PhoneMetadata

    PhoneMetadata.load_all()


def told_from(value: dict[str, Any]) -> Expectation:
    """The expectation from its JSON form (`parent.told_as`)."""
    return Expectation(
        Kind(value["kind"]),
        value["school_name"],
        date.fromisoformat(value["today"]),
        tuple(value["categories"]),
        frozenset(value["other_categories"]),
        value["mapping"],
    )


def read_tables(tables: Tables, channel: Channel, value: Any, limits: Limits) -> None:
    """Write the lines; say `questions`, or `findings` and `sheets`."""
    told = told_from(value)
    seen = look(tables.sheets, told)
    if seen.questions:
        channel.say({"questions": [question.as_json() for question in seen.questions]})
        return
    findings = list(seen.findings)
    cells = CellJudge(told.school_name, told.today, told.categories, told.other_categories)
    rows = 0
    sheets: list[ReadSheet] = []
    for place in seen.places:
        sheet = _read_sheet(place, cells, tables, channel, limits.rows - rows, limits)
        rows += sheet.rows
        sheets.append(sheet)
        count, first = place.table.hidden_rows
        if count:
            shown = tuple(str(number) for number in first)
            findings.append(SheetFinding(place.table.name, SheetProblem.HIDDEN_ROWS, count, shown))
    channel.say({"findings": [finding.as_json() for finding in findings]})
    channel.say({"sheets": [sheet.as_json() for sheet in sheets]})


def _read_sheet(
    place: Place, cells: CellJudge, tables: Tables, channel: Channel, left: int, limits: Limits
) -> ReadSheet:
    quick, assembler, careful = QuickJudge(place), Assembler(place, cells), RowJudge(place, cells)
    rows = rejected = seen = 0
    held: list[tuple[int, list[Value]]] = []
    line_of, write = quick.line, channel.line
    for number, values in place.table.rows():
        if number <= place.header_row:
            continue
        seen += 1
        if not seen % _TOLD_EVERY:
            channel.tell(tables)
        line = line_of(number, values)
        if line is None:
            assembled = assembler.line(number, values)
            if assembled is not None:
                line, wrong, clean = assembled
                rejected += wrong
                if clean:
                    quick.learn(assembler, values)
            else:
                row = careful.judge(number, values)
                if row is None:
                    continue
                if len(held) < _HELD and not place.table.merged and _might_be_merged(row):
                    held.append((number, values))
                    continue
                rejected += row.rejected
                line = line_from(row, place, quick.stored(values))
        rows += 1
        if rows > left:
            raise UnreadableTable(TableProblem.TOO_MANY_ROWS, rows=limits.rows)
        write(line)
    # Merged blocks stand behind the rows: only now an empty cell can be told from a covered one.
    for number, values in held:
        row = careful.judge(number, values)
        assert row is not None
        rejected += row.rejected
        rows += 1
        write(line_from(row, place, quick.stored(values)))
    if rows > left:
        raise UnreadableTable(TableProblem.TOO_MANY_ROWS, rows=limits.rows)
    columns = {of.value: (place.letter(of), place.headers[of]) for of in place.columns}
    return ReadSheet(place.table.name, place.header_row, columns, rows, rejected)


def _might_be_merged(row: JudgedRow) -> bool:
    return any(fault.kind is FaultKind.EMPTY for fault in row.faults)


def line_from(row: JudgedRow, place: Place, stored: str) -> str:
    """A judged row as a line."""
    return "\t".join(_parts(row, place, stored)) + "\n"


def _parts(row: JudgedRow, place: Place, stored: str) -> Iterator[str]:
    yield copied(row.sheet)
    yield str(row.row)
    yield "rejected" if row.faults else "accepted"
    for of in place.template.values:
        value = row.values.get(of)
        yield r"\N" if value is None else copied(value)
    yield stored
    yield copied_json(row.raw if row.faults or row.notes else None)
    yield copied_json([fault.as_json() for fault in row.faults])
    yield copied_json([note.as_json() for note in row.notes])


def main() -> None:
    """Run in the cage."""
    run(read_tables, prepare)
