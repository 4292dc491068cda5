"""Workbooks that are made while they are sent: text stays text, and no row waits for the last one."""

from __future__ import annotations

import io
from collections.abc import Iterator

import openpyxl
import pytest

from anxiao.base.tables import stream
from anxiao.base.tables.stream import Line, StreamedSheet, stream_workbook
from tests.base.tables_cast import read_workbook


def book_of(*sheets: StreamedSheet) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(b"".join(stream_workbook(sheets))))


DANGEROUS = [
    "=1+1",
    '=HYPERLINK("http://x")',
    "+852-91234567",
    "-2",
    "@SUM(A1)",
    "00123",
    "1E5",
    " two \n lines ",
    "<&\"'>",
]


def test_every_value_comes_back_as_the_text_it_was() -> None:
    sheet = StreamedSheet("表", [f"列{n}" for n in range(len(DANGEROUS))], [Line(DANGEROUS)])
    made = book_of(sheet).worksheets[0]
    assert [cell.value for cell in made[2]] == DANGEROUS
    assert {cell.data_type for cell in made[2]} == {"s"}, "no cell is a formula or a number"
    assert {cell.number_format for cell in made[2]} == {"@"}
    assert all(cell.quotePrefix for cell in made[2] if cell.value[0] in "=+-@")
    assert made.column_dimensions["A"].number_format == "@", "what is typed later keeps its zeros"


def test_what_looks_like_an_escape_is_read_as_it_was_typed() -> None:
    read = read_workbook(b"".join(stream_workbook([StreamedSheet("表", lines=[Line(["a_x0041_b"])], widths=[9.0])])))
    assert read.sheets[0].rows[0].cells[1].text == "a_x0041_b"


def test_wrong_cells_are_coloured_and_commented_even_when_empty() -> None:
    sheet = StreamedSheet("表", ["一", "二"], [Line(["", "好"], {1: "空的"}), Line(["=坏", "好"], {1: "坏"})])
    made = book_of(sheet).worksheets[0]
    assert [made[at].comment.text for at in ("A2", "A3")] == ["空的", "坏"]
    assert [made[at].fill.fgColor.rgb for at in ("A2", "A3")] == ["FFFFD6D1"] * 2
    assert made["B2"].comment is None
    assert made["B2"].fill.fill_type is None
    assert made.freeze_panes == "A2"
    assert made.auto_filter.ref == "A1:B3"


def test_drop_downs_take_their_lists_from_a_sheet_that_nobody_sees() -> None:
    one = StreamedSheet("一", ["甲", "乙"], [], choices={2: ["男", "女"], 1: []})
    two = StreamedSheet("二", ["丙"], [], choices={1: ["=本科生"]})
    book = book_of(one, two)
    assert book.sheetnames == ["一", "二", "_lists"]
    assert book["_lists"].sheet_state == "veryHidden"
    rules = [rule for sheet in book.worksheets for rule in sheet.data_validations.dataValidation]
    assert [rule.formula1 for rule in rules] == ["'_lists'!$A$1:$A$2", "'_lists'!$B$1:$B$1"]
    assert book["_lists"]["B1"].value == "=本科生"
    assert book["_lists"]["B1"].data_type == "s"


def test_the_first_bytes_leave_before_the_last_row_is_asked_for() -> None:
    asked = 0

    def lines() -> Iterator[Line]:
        nonlocal asked
        for number in range(20_000):
            asked += 1
            yield Line([f"{number * 7919 % 1_000_003}", f"{number * 104_729 % 999_983}"] * 6)

    pieces = stream_workbook([StreamedSheet("长", ["号"] * 12, lines())])
    assert next(pieces)
    assert asked < 10_000
    largest = max(len(piece) for piece in pieces)
    assert largest < 512 * 1024


def test_after_so_many_comments_the_colours_go_on_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "COMMENTED", 3)
    made = book_of(StreamedSheet("表", ["一"], [Line(["x"], {1: "坏"})] * 5)).worksheets[0]
    assert [made.cell(row, 1).comment is not None for row in range(2, 7)] == [True, True, True, False, False]
    assert {made.cell(row, 1).fill.fgColor.rgb for row in range(2, 7)} == {"FFFFD6D1"}
