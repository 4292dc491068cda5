"""Workbooks of any length, made while they are sent: no row is held longer than its own line.

Like `write`, nothing in them ever comes alive: every cell is an inline text, formatted as text, and a cell that begins
like a formula carries the mark of text besides. openpyxl would hold a hundred thousand rows with their comments in
half a gigabyte; here they cost what one line costs, and two seconds of processor.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

from anxiao.base.tables.model import column_letter
from anxiao.base.tables.write import SHEET_ILLEGAL, plain

COMMENTED = 20_000
"""Cells that get a comment. Beyond that spreadsheet programs take minutes to open a file; colours and the column that
says what is wrong go on to the last row."""

_CHUNK = 64 * 1024
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PLAIN, _TEXT, _HEAD, _WRONG, _QUOTED, _WRONG_QUOTED, _WORDS = range(7)
_STYLES = (
    f'{_XML}<styleSheet xmlns="{_MAIN}">'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="4"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '<fill><patternFill patternType="solid"><fgColor rgb="FFDCE9F7"/></patternFill></fill>'
    '<fill><patternFill patternType="solid"><fgColor rgb="FFFFD6D1"/></patternFill></fill></fills>'
    '<borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="7">'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    + "".join(
        f'<xf numFmtId="49" fontId="{font}" fillId="{fill}" borderId="0" xfId="0" applyNumberFormat="1"{more}/>'
        for font, fill, more in (
            (0, 0, ""),
            (1, 2, ' applyFont="1" applyFill="1"'),
            (0, 3, ' applyFill="1"'),
            (0, 0, ' quotePrefix="1"'),
            (0, 3, ' applyFill="1" quotePrefix="1"'),
        )
    )
    + '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyAlignment="1">'
    '<alignment vertical="top" wrapText="1"/></xf></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
_VML_HEAD = (
    '<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
    ' xmlns:x="urn:schemas-microsoft-com:office:excel"><v:shapetype id="c" coordsize="21600,21600" o:spt="202"'
    ' path="m,l,21600r21600,l21600,xe"><v:path gradientshapeok="t" o:connecttype="rect"/></v:shapetype>'
)


class Line(NamedTuple):
    """One row: its texts, and for wrong cells (columns counted from 1) what is wrong with them."""

    values: Sequence[str]
    marks: Mapping[int, str] = {}


@dataclass(slots=True)
class StreamedSheet:
    """One sheet: header, lines as they come, and the drop-downs of columns (counted from 1)."""

    name: str
    header: Sequence[str] = ()
    lines: Iterable[Line] = ()
    widths: Sequence[float] = ()
    choices: Mapping[int, Sequence[str]] = field(default_factory=dict)
    wrapped: frozenset[int] = frozenset()
    """Columns whose long texts break into lines."""


class _Outlet:
    """What the archive writes into: it can only go on, like the wire behind it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self.pieces.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        return

    def drain(self) -> bytes:
        taken = b"".join(self.pieces)
        self.pieces.clear()
        self.size = 0
        return taken


def stream_workbook(sheets: Sequence[StreamedSheet], *, author: str = "Anxiao") -> Iterator[bytes]:
    """The bytes of an .xlsx file, piece by piece. Drop-downs keep their lists on a sheet that nobody sees."""
    outlet = _Outlet()
    lists = [list(values) for sheet in sheets for _column, values in sorted(sheet.choices.items()) if values]
    commented: list[int] = []
    used = 0
    # The outlet has the two methods that an archive needs of a file it cannot wind back.
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED, compresslevel=5) as archive:  # type: ignore[call-overload]
        for number, sheet in enumerate(sheets, start=1):
            notes: list[tuple[int, int, str]] = []
            rules, used = _drop_downs(sheet, used)
            with archive.open(f"xl/worksheets/sheet{number}.xml", "w") as part:
                for piece in _sheet(sheet, rules, notes):
                    part.write(piece.encode())
                    if outlet.size >= _CHUNK:
                        yield outlet.drain()
            if notes:
                commented.append(number)
                archive.writestr(f"xl/worksheets/_rels/sheet{number}.xml.rels", _comment_links(number))
                archive.writestr(f"xl/comments{number}.xml", _comments(notes, author))
                archive.writestr(f"xl/drawings/vmlDrawing{number}.vml", _shapes(notes))
            yield outlet.drain()
        names = [sheet.name for sheet in sheets]
        if lists:
            archive.writestr(f"xl/worksheets/sheet{len(sheets) + 1}.xml", _list_sheet(lists))
        archive.writestr("xl/styles.xml", _STYLES)
        archive.writestr("xl/workbook.xml", _book(names, bool(lists)))
        archive.writestr("xl/_rels/workbook.xml.rels", _book_links(len(names) + bool(lists)))
        archive.writestr("_rels/.rels", _links([("officeDocument", "xl/workbook.xml")]))
        archive.writestr("[Content_Types].xml", _types(len(names) + bool(lists), commented))
    yield outlet.drain()


def _said(text: str) -> str:
    """Text inside XML. What looks like an escape of the format is escaped once more, or it would be read as one."""
    return escape(plain(text).replace("_x", "_x005F_x") if "_x" in text else plain(text), quote=True)


def _cell(column: str, row: int, text: str, style: int) -> str:
    kept = ' xml:space="preserve"' if text != text.strip() or "\n" in text else ""
    return f'<c r="{column}{row}" s="{style}" t="inlineStr"><is><t{kept}>{_said(text)}</t></is></c>'


def _sheet(sheet: StreamedSheet, rules: str, notes: list[tuple[int, int, str]]) -> Iterator[str]:
    letters = [column_letter(number) for number in range(1, 101)]
    widths = sheet.widths or [16.0] * len(sheet.header)
    yield f'{_XML}<worksheet xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheetViews><sheetView workbookViewId="0">'
    yield '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>' if sheet.header else ""
    yield "</sheetView></sheetViews><cols>"
    for number, width in enumerate(widths, start=1):
        # The style of the column is what a cell gets that is typed later: text, so zeros stay.
        yield f'<col min="{number}" max="{number}" width="{width}" style="{_TEXT}" customWidth="1"/>'
    yield "</cols><sheetData>"
    row = 0
    if sheet.header:
        row = 1
        yield '<row r="1">' + "".join(_cell(letters[at], 1, text, _HEAD) for at, text in enumerate(sheet.header))
        yield "</row>"
    for line in sheet.lines:
        row += 1
        cells = []
        for at, text in enumerate(line.values):
            words = line.marks.get(at + 1)
            if words is not None:
                style = _WRONG_QUOTED if text[:1] in "=+-@" and text else _WRONG
                if len(notes) < COMMENTED:
                    notes.append((row, at + 1, words))
            elif not text:
                continue
            elif at + 1 in sheet.wrapped:
                style = _WORDS
            else:
                style = _QUOTED if text[0] in "=+-@" else _TEXT
            cells.append(_cell(letters[at], row, text, style) if text else f'<c r="{letters[at]}{row}" s="{style}"/>')
        yield f'<row r="{row}">{"".join(cells)}</row>'
    yield "</sheetData>"
    if sheet.header and row > 1:
        yield f'<autoFilter ref="A1:{letters[len(sheet.header) - 1]}{row}"/>'
    yield rules
    yield '<legacyDrawing r:id="rId1"/>' if notes else ""
    yield "</worksheet>"


def _drop_downs(sheet: StreamedSheet, used: int) -> tuple[str, int]:
    """The rules of the sheet's drop-downs, and how many columns of the hidden sheet are taken after them."""
    rules = []
    for column, values in sorted(sheet.choices.items()):
        if not values:
            continue
        used += 1
        letter, source = column_letter(column), column_letter(used)
        rules.append(
            '<dataValidation type="list" allowBlank="1" showErrorMessage="1"'
            f" sqref=\"{letter}2:{letter}1048576\"><formula1>'_lists'!${source}$1:${source}${len(values)}</formula1>"
            "</dataValidation>"
        )
    if not rules:
        return "", used
    return f'<dataValidations count="{len(rules)}">{"".join(rules)}</dataValidations>', used


def _list_sheet(lists: Sequence[Sequence[str]]) -> str:
    rows = []
    for row in range(1, max(map(len, lists)) + 1):
        cells = [
            _cell(column_letter(at), row, values[row - 1], _TEXT)
            for at, values in enumerate(lists, start=1)
            if row <= len(values)
        ]
        rows.append(f'<row r="{row}">{"".join(cells)}</row>')
    return f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>{"".join(rows)}</sheetData></worksheet>'


def _comments(notes: Iterable[tuple[int, int, str]], author: str) -> str:
    said = "".join(
        f'<comment ref="{column_letter(column)}{row}" authorId="0"><text><t xml:space="preserve">{_said(words)}</t>'
        "</text></comment>"
        for row, column, words in notes
    )
    return (
        f'{_XML}<comments xmlns="{_MAIN}"><authors><author>{_said(author)}</author></authors>'
        f"<commentList>{said}</commentList></comments>"
    )


def _shapes(notes: Iterable[tuple[int, int, str]]) -> str:
    """The boxes in which spreadsheet programs show comments; without them Excel shows none."""
    boxes = []
    for number, (row, column, words) in enumerate(notes, start=1):
        height = 2 + len(words) // 20
        boxes.append(
            f'<v:shape id="s{number}" type="#c" style="visibility:hidden" fillcolor="#ffffe1" o:insetmode="auto">'
            '<v:textbox/><x:ClientData ObjectType="Note"><x:MoveWithCells/>'
            f"<x:Anchor>{column},10,{row - 1},2,{column + 3},10,{row + height},2</x:Anchor>"
            f"<x:AutoFill>False</x:AutoFill><x:Row>{row - 1}</x:Row>"
            f"<x:Column>{column - 1}</x:Column></x:ClientData></v:shape>"
        )
    return f"{_VML_HEAD}{''.join(boxes)}</xml>"


def _links(links: Iterable[tuple[str, str]]) -> str:
    said = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(links, start=1)
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{said}</Relationships>'


def _comment_links(number: int) -> str:
    return _links([("vmlDrawing", f"../drawings/vmlDrawing{number}.vml"), ("comments", f"../comments{number}.xml")])


def _book_links(sheets: int) -> str:
    return _links(
        [*(("worksheet", f"worksheets/sheet{number}.xml") for number in range(1, sheets + 1)), ("styles", "styles.xml")]
    )


def _book(names: Sequence[str], lists: bool) -> str:
    said = [(SHEET_ILLEGAL.sub(" ", plain(name))[:31], "visible") for name in names]
    if lists:
        said.append(("_lists", "veryHidden"))
    sheets = "".join(
        f'<sheet name="{escape(name, quote=True)}" sheetId="{number}" state="{state}" r:id="rId{number}"/>'
        for number, (name, state) in enumerate(said, start=1)
    )
    return f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>'


def _types(sheets: int, commented: Sequence[int]) -> str:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = [("/xl/workbook.xml", f"{kind}.sheet.main+xml"), ("/xl/styles.xml", f"{kind}.styles+xml")]
    parts += [(f"/xl/worksheets/sheet{number}.xml", f"{kind}.worksheet+xml") for number in range(1, sheets + 1)]
    parts += [(f"/xl/comments{number}.xml", f"{kind}.comments+xml") for number in commented]
    said = "".join(f'<Override PartName="{name}" ContentType="{content}"/>' for name, content in parts)
    return (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="vml" ContentType="application/vnd.openxmlformats-officedocument.vmlDrawing"/>'
        f"{said}</Types>"
    )
