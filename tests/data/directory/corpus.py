"""Files for the import, made here byte by byte: as spreadsheet programs write them, and as nobody honest does.

`python -m tests.data.directory.corpus FOLDER` writes them all, to be opened by hand.
"""

from __future__ import annotations

import io
import random
import struct
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n'
OPEN = f'{DECLARATION}<worksheet xmlns="{MAIN}"><sheetData>'
CLOSE = "</sheetData></worksheet>"
MEGABYTE = 1024 * 1024


# -- text


def csv_of(rows: Sequence[Sequence[Any]], encoding: str = "utf-8", sign: str = ",", end: str = "\r\n") -> bytes:
    return "".join(sign.join(str(value) for value in row) + end for row in rows).encode(encoding)


# -- workbooks


@dataclass(slots=True)
class Raw:
    """A sheet as its markup."""

    markup: str | bytes
    name: str = "表"
    state: str = ""


def letter(column: int) -> str:
    return chr(64 + column) if column <= 26 else letter((column - 1) // 26) + chr(65 + (column - 1) % 26)


def relations(*items: tuple[str, str]) -> str:
    return (
        f'{DECLARATION}<Relationships xmlns="{PACKAGE}">'
        + "".join(
            f'<Relationship Id="r{number}" Type="{OFFICE}/{kind}" Target="{target}"/>'
            for number, (kind, target) in enumerate(items, start=1)
        )
        + "</Relationships>"
    )


def archive(parts: Sequence[tuple[str, str | bytes]], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as made:
        for name, content in parts:
            made.writestr(name, content)
    return out.getvalue()


def book_of(
    *sheets: Raw, strings: str | bytes | None = None, styles: str | None = None, how: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """A workbook around sheets given as markup."""
    links = [("worksheet", f"worksheets/sheet{number}.xml") for number in range(1, len(sheets) + 1)]
    parts: list[tuple[str, str | bytes]] = [
        ("_rels/.rels", relations(("officeDocument", "xl/workbook.xml"))),
        (
            "xl/workbook.xml",
            f'{DECLARATION}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
            + "".join(
                f'<sheet name="{escape(sheet.name)}" sheetId="{number}"{sheet.state} r:id="r{number}"/>'
                for number, sheet in enumerate(sheets, start=1)
            )
            + "</sheets></workbook>",
        ),
    ]
    if strings is not None:
        links.append(("sharedStrings", "sharedStrings.xml"))
        parts.append(("xl/sharedStrings.xml", strings))
    if styles is not None:
        links.append(("styles", "styles.xml"))
        parts.append(("xl/styles.xml", styles))
    parts.append(("xl/_rels/workbook.xml.rels", relations(*links)))
    parts += [(f"xl/worksheets/sheet{number}.xml", sheet.markup) for number, sheet in enumerate(sheets, start=1)]
    return archive(parts, how)


def inline(row: int, values: Sequence[Any], more: str = "") -> str:
    """A row of inline strings, as libraries write them."""
    cells = "".join(
        f'<c r="{letter(column)}{row}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'
        for column, value in enumerate(values, start=1)
        if value not in (None, "")
    )
    return f'<row r="{row}"{more}>{cells}</row>'


def inline_book(rows: Sequence[Sequence[Any]], **sheet: Any) -> bytes:
    return book_of(Raw(OPEN + "".join(inline(n, row) for n, row in enumerate(rows, start=1)) + CLOSE, **sheet))


def shared_book(rows: Sequence[Sequence[Any]], dialect: str = "") -> bytes:
    """As Excel writes it: strings in a table of their own. `dialect` is a prefix for every tag, as some servers do."""
    table: dict[str, int] = {}
    p = f"{dialect}:" if dialect else ""
    at = f":{dialect}" if dialect else ""
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = []
        for column, value in enumerate(row, start=1):
            place = f"{letter(column)}{number}"
            if isinstance(value, int):
                cells.append(f'<{p}c r="{place}"><{p}v>{value}</{p}v></{p}c>')
            elif value not in (None, ""):
                key = table.setdefault(str(value), len(table))
                cells.append(f'<{p}c r="{place}" s="0" t="s"><{p}v>{key}</{p}v></{p}c>')
        lines.append(f'<{p}row r="{number}" spans="1:12">{"".join(cells)}</{p}row>')
    sheet = (
        f'{DECLARATION}<{p}worksheet xmlns{at}="{MAIN}"><{p}sheetData>{"".join(lines)}</{p}sheetData></{p}worksheet>'
    )
    strings = "".join(f'<{p}si><{p}t xml:space="preserve">{escape(text)}</{p}t></{p}si>' for text in table)
    return book_of(Raw(sheet), strings=f'{DECLARATION}<{p}sst xmlns{at}="{MAIN}">{strings}</{p}sst>')


# -- old workbooks


@dataclass(slots=True)
class OldSheet:
    """One sheet of an old workbook: rows of texts and numbers."""

    rows: Sequence[Sequence[Any]]
    name: str = "表"
    hidden: bool = False
    hidden_rows: frozenset[int] = field(default_factory=frozenset)
    """Counted from 1."""
    merged: Sequence[tuple[int, int, int, int]] = ()


def _record(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _old_text(text: str, size: str) -> bytes:
    return struct.pack(size, len(text)) + b"\x01" + text.encode("utf-16-le")


def _old_sheet(sheet: OldSheet) -> bytes:
    out = [_record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0x0DBB, 0x07CC, 0, 6))]
    for number in sorted(sheet.hidden_rows):
        out.append(_record(0x208, struct.pack("<HHHHHHI", number - 1, 0, 12, 255, 0, 0, 0x20 | 0x100)))
    for row, values in enumerate(sheet.rows):
        for column, value in enumerate(values):
            if isinstance(value, int):
                out.append(_record(0x203, struct.pack("<HHHd", row, column, 0, value)))
            elif value not in (None, ""):
                out.append(_record(0x204, struct.pack("<HHH", row, column, 0) + _old_text(str(value), "<H")))
    if sheet.merged:
        blocks = b"".join(struct.pack("<HHHH", t - 1, b - 1, le - 1, r - 1) for t, le, b, r in sheet.merged)
        out.append(_record(0xE5, struct.pack("<H", len(sheet.merged)) + blocks))
    return b"".join(out) + _record(0x0A)


def _contained(stream: bytes, name: str = "Workbook") -> bytes:
    """A compound file with one stream."""
    stream = stream.ljust(max(4096, -(-len(stream) // 512) * 512), b"\0")
    sectors = len(stream) // 512
    tables = 1
    while tables * 128 < sectors + tables + 1:
        tables += 1
    chain = [0xFFFFFFFD] * tables + [0xFFFFFFFE] + [tables + 2 + n for n in range(sectors - 1)] + [0xFFFFFFFE]
    chain += [0xFFFFFFFF] * (tables * 128 - len(chain))
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16)
    header += struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIIIIIIII", 0, tables, tables, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    header += struct.pack("<109I", *range(tables), *[0xFFFFFFFF] * (109 - tables))

    def entry(title: str, kind: int, child: int, start: int, size: int) -> bytes:
        raw = (title + "\0").encode("utf-16-le")
        return (
            raw.ljust(64, b"\0")
            + struct.pack("<HBBIII", len(raw), kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
            + bytes(36)
            + struct.pack("<II4x", start, size)
        )

    directory = entry("Root Entry", 5, 1, 0xFFFFFFFE, 0) + entry(name, 2, 0xFFFFFFFF, tables + 1, len(stream))
    return header + struct.pack(f"<{len(chain)}I", *chain) + directory.ljust(512, b"\0") + stream


def xls_of(*sheets: OldSheet) -> bytes:
    """An old workbook (BIFF8 in a compound file)."""
    head = _record(0x809, struct.pack("<HHHHII", 0x600, 5, 0x0DBB, 0x07CC, 0, 6)) + _record(
        0x42, struct.pack("<H", 1200)
    )
    font = _record(
        0x31, struct.pack("<HHHHHBBBB", 220, 0, 8, 400, 0, 0, 0, 0, 0) + b"\x05\x01" + "Arial".encode("utf-16-le")
    )
    style = _record(0xE0, struct.pack("<HHHBBBBIIH", 0, 0, 1, 0x20, 0, 0, 0, 0, 0, 0x20C0))
    head += font * 5 + style * 16
    bodies = [_old_sheet(sheet) for sheet in sheets]
    bounds = [_old_text(sheet.name, "<B") for sheet in sheets]
    start = len(head) + sum(4 + 6 + len(bound) for bound in bounds) + 4
    out = [head]
    for sheet, body, bound in zip(sheets, bodies, bounds, strict=True):
        out.append(_record(0x85, struct.pack("<IBB", start, int(sheet.hidden), 0) + bound))
        start += len(body)
    return _contained(b"".join(out) + _record(0x0A) + b"".join(bodies))


# -- what nobody honest writes


def lying_directory() -> bytes:
    """The directory says ten bytes, the part holds megabytes."""
    data = bytearray(book_of(Raw(OPEN + "<row/>" * 1_000_000 + CLOSE)))
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    return bytes(data)


def overlapping() -> bytes:
    """Two names for one compressed block."""
    data = bytearray(archive([("xl/workbook.xml", "<a/>"), ("b.xml", "x")]))
    second = data.rfind(b"PK\x01\x02")
    data[second + 42 : second + 46] = (0).to_bytes(4, "little")
    return bytes(data)


def many_entries(count: int, *, said: int | None = None) -> bytes:
    """A directory of `count` parts; the end record says `said`."""
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 33, 0, 0, 0, 1, 0) + b"a"
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    number = min(count if said is None else said, 0xFFFF)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, number, number, len(entry) * count, len(local), 0)
    return local + entry * count + end


def hidden_behind_64_bits() -> bytes:
    """The short end record says one part, the long one six hundred thousand."""
    body = many_entries(600_000)[:-22]
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, 47, 31, 0)
    long = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 600_000, 600_000, len(body) - 31, 31)
    return body + long + struct.pack("<4sIQI", b"PK\x06\x07", 0, len(body), 1) + end


def _noise(size: int) -> str:
    return random.Random(7).randbytes(size // 2).hex()


def big_cell(shared: bool) -> bytes:
    """One cell of fifty megabytes, stored, so that no ratio gives it away."""
    text = _noise(MEGABYTE) * 50
    if shared:
        sheet = OPEN + '<row r="1"><c r="A1" t="s"><v>0</v></c></row>' + CLOSE
        return book_of(Raw(sheet), strings=f'<sst xmlns="{MAIN}"><si><t>{text}</t></si></sst>', how=zipfile.ZIP_STORED)
    return book_of(Raw(OPEN + inline(1, [text]) + CLOSE), how=zipfile.ZIP_STORED)


def blank_cells() -> bytes:
    """Rows of thousands of blank cells: nothing to read, and no end of it."""
    row = "".join(f'<c r="{letter(n % 700 + 1)}1" s="{n * 7 % 97}"/>' for n in range(20_000))
    return book_of(
        Raw(OPEN + "".join(f'<row r="{n}">{row}</row>' for n in range(1, 40)) + CLOSE), how=zipfile.ZIP_STORED
    )


def nothing_but_tags() -> bytes:
    """Megabytes of markup in the string table, and not one string."""
    tags = "".join(f"<x{n}/>" for n in range(977)) * 4_400
    sheet = OPEN + '<row r="1"><c r="A1" t="s"><v>0</v></c></row>' + CLOSE
    return book_of(Raw(sheet), strings=f'<sst xmlns="{MAIN}">{tags}</sst>', how=zipfile.ZIP_STORED)


def deep_book() -> bytes:
    """The list of sheets as millions of tags, each within the one before."""
    relation = relations(("officeDocument", "xl/workbook.xml"))
    return archive([("_rels/.rels", relation), ("xl/workbook.xml", "<a>" * 9_000_000)], zipfile.ZIP_STORED)


def deep_markup() -> bytes:
    """A million tags, each within the one before."""
    return book_of(Raw(f'<worksheet xmlns="{MAIN}">' + "<a>" * 3_000_000), how=zipfile.ZIP_STORED)


DOCTYPE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
NESTED = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
SPARSE = OPEN + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>' + CLOSE

Made = Callable[[], bytes]
HOSTILE: dict[str, tuple[Made, str]] = {
    "inflates two hundred megabytes": (lambda: book_of(Raw(OPEN + "<row/>" * 33_000_000 + CLOSE)), "bomb"),
    "a cell at the far corner": (lambda: book_of(Raw(SPARSE)), "no_rows"),
    "the directory lies about a size": (lying_directory, "damaged"),
    "parts overlap": (overlapping, "bomb"),
    "a hundred thousand parts": (lambda: many_entries(100_000), "bomb"),
    "a hundred thousand parts, said to be one": (lambda: many_entries(100_000, said=1), "bomb"),
    "six hundred thousand parts behind 64 bits": (hidden_behind_64_bits, "bomb"),
    "an outer entity in the sheet": (lambda: book_of(Raw(DOCTYPE + OPEN + CLOSE)), "forbidden_markup"),
    "nested entities in the sheet": (lambda: book_of(Raw(NESTED + "<a>&b;</a>")), "forbidden_markup"),
    "an outer entity among the strings": (
        lambda: book_of(
            Raw(OPEN + '<row r="1"><c r="A1" t="s"><v>0</v></c></row>' + CLOSE),
            strings=DOCTYPE + f'<sst xmlns="{MAIN}"><si><t>&x;</t></si></sst>',
        ),
        "forbidden_markup",
    ),
    "an entity that nobody declared": (
        lambda: book_of(Raw(OPEN + '<row r="1"><c r="A1" t="inlineStr"><is><t>&x;</t></is></c></row>' + CLOSE)),
        "damaged",
    ),
    "macros": (
        lambda: archive([("xl/workbook.xml", "<a/>"), ("xl/vbaProject.bin", "x")]),
        "macros",
    ),
    "macros under another name": (
        lambda: archive(
            [
                ("[Content_Types].xml", '<Types><Override ContentType="a.sheet.macroEnabled.main+xml"/></Types>'),
                ("xl/workbook.xml", "<a/>"),
            ]
        ),
        "macros",
    ),
    "macros in an old workbook": (lambda: _contained(b"", "_VBA_PROJECT_CUR"), "macros"),
    "a cell of fifty megabytes": (lambda: big_cell(shared=False), "bomb"),
    "a string of fifty megabytes": (lambda: big_cell(shared=True), "bomb"),
    "blank cells without end": (blank_cells, "bomb"),
    "tags without strings": (nothing_but_tags, "bomb"),
    "tags within tags": (deep_markup, "bomb"),
    "tags within tags around the sheets": (deep_book, "bomb"),
    "cut short": (lambda: book_of(Raw(OPEN + CLOSE))[:700], "damaged"),
    "broken markup": (lambda: book_of(Raw(OPEN + "<row")), "damaged"),
    "a string that does not exist": (
        lambda: book_of(Raw(OPEN + '<row r="1"><c r="A1" t="s"><v>7</v></c></row>' + CLOSE)),
        "damaged",
    ),
    "a string with a number of its own": (
        lambda: book_of(
            Raw(OPEN + '<row r="1"><c r="A1" t="s"><v>-1</v></c></row>' + CLOSE),
            strings=f'<sst xmlns="{MAIN}"><si><t>x</t></si></sst>',
        ),
        "damaged",
    ),
    "a row beyond the last": (
        lambda: book_of(Raw(OPEN + '<row r="9999999"/><row r="9999999"></row>' + CLOSE)),
        "damaged",
    ),
    "another zip": (lambda: archive([("a.txt", "b")]), "not_a_table"),
    "an old workbook of zeros": (lambda: bytes.fromhex("d0cf11e0a1b11ae1") + bytes(3_000), "old_excel"),
    "an old document that is none": (lambda: _contained(b"x" * 5_000, "WordDocument"), "old_excel"),
    "an old workbook cut short": (lambda: xls_of(OldSheet([["a", "b"]] * 400))[:3_000], "old_excel"),
    "a workbook with a password": (lambda: _contained(b"", "EncryptedPackage"), "password"),
    "a web page": (lambda: "\ufeff <html><table>".encode(), "web_page"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), "not_a_table"),
    "nothing": (lambda: b"", "empty"),
    "no encoding": (lambda: b"\xff\x80\xff" * 50, "encoding"),
    "zeros in a text": (lambda: "学号,姓名\r\n1,\0\r\n".encode(), "not_a_table"),
    "zeros further down": (lambda: b"a,b\r\n" * 200_000 + b"\0", "not_a_table"),
    "a line of a hundred megabytes": (lambda: b"a,b\r\n" + b"x" * (100 * MEGABYTE), "too_much_text"),
    "a quotation that never ends": (lambda: b'a,"b\r\n' + b"c,d\r\n" * MEGABYTE, "not_a_table"),
    "lines without anything": (lambda: b"\n" * (30 * MEGABYTE), "not_a_table"),
}
"""Name -> (how it is made, the code of its refusal)."""


def main(folder: Path) -> None:
    for number, (name, (make, _code)) in enumerate(HOSTILE.items(), start=1):
        (folder / f"{number:02d} {name}").write_bytes(make())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
