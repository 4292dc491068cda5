"""Cells as a person saw them, and workbooks in which nothing comes alive. Dishonest files: `tests/directory`."""

from __future__ import annotations

import io
import zipfile

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.cell_range import MultiCellRange

from anxiao.base.tables import CellKind, SheetPlan, write_workbook
from anxiao.base.tables.shown import is_date_format, shown, shown_date
from tests.base.tables_cast import Workbook, read_workbook


def saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def texts(book: Workbook, sheet: int = 0) -> list[list[str]]:
    return [[cell.text for cell in row.cells.values()] for row in book.sheets[sheet].rows]


def test_cells_are_the_text_a_person_saw() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "学生"
    sheet.append(["00012", 13912345678, 7, 0.5, "=1+1", True])
    sheet["C1"].number_format = "00000"
    sheet["A2"] = 43118
    sheet["A2"].number_format = "yyyy/m/d"
    sheet["C4"] = "  两端空格 "
    read = read_workbook(saved(book))
    assert [s.name for s in read.sheets] == ["学生"]
    first, second, fourth = read.sheets[0].rows
    assert [(c.text, c.kind) for c in first.cells.values()] == [
        ("00012", CellKind.TEXT),
        ("13912345678", CellKind.NUMBER),
        ("00007", CellKind.NUMBER),
        ("0.5", CellKind.NUMBER),
        ("=1+1", CellKind.FORMULA),
        ("TRUE", CellKind.BOOLEAN),
    ]
    assert (second.cells[1].text, second.cells[1].kind) == ("2018-01-18", CellKind.DATE)
    assert (fourth.number, fourth.cells[3].text) == (4, "  两端空格 ")


def test_merged_blocks_and_hidden_sheets_are_known() -> None:
    book = openpyxl.Workbook()
    book.active["A1"] = "安徽大学"
    book.active.merge_cells("A1:B3")
    book.create_sheet("藏").sheet_state = "hidden"
    read = read_workbook(saved(book))
    assert read.sheets[0].merged == [(1, 1, 3, 2)]
    assert [sheet.hidden for sheet in read.sheets] == [False, True]


@pytest.mark.parametrize(
    ("stored", "code", "expected"),
    [
        ("1", "00000", "00001"),
        ("123456", "00000", "123456"),
        ("1.3912345678E10", "General", "13912345678"),
        ("13912345678", "000-0000-0000", "139-1234-5678"),
        ("12", '"P"0000', "P0012"),
        ("12", "#,##0", "12"),
        ("-3", "0000", "-3"),
        ("0.30", "0.00", "0.3"),
        ("1E+300", "General", "1E+300"),
        ("nonsense", "General", "nonsense"),
    ],
)
def test_numbers_are_shown_as_their_format_says(stored: str, code: str, expected: str) -> None:
    assert shown(stored, code) == expected


def test_dates() -> None:
    assert is_date_format(14, "General")
    assert is_date_format(164, 'yyyy"年"m"月"')
    assert not is_date_format(164, "General")
    assert not is_date_format(164, '"day "0')
    assert shown_date("43118", since_1904=False) == "2018-01-18"
    assert shown_date("43118.5", since_1904=False) == "2018-01-18 12:00:00"
    assert shown_date("41656", since_1904=True) == "2018-01-18"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("sign", [",", "\t", ";"])
def test_csv_in_every_encoding(encoding: str, sign: str) -> None:
    lines = f"学号{sign}姓名\r\n00001{sign}张三\r\n\r\n=1+1{sign}龘\r\n"
    read = read_workbook(lines.encode(encoding))
    assert texts(read) == [["学号", "姓名"], ["00001", "张三"], ["=1+1", "龘"]]
    assert [row.number for row in read.sheets[0].rows] == [1, 2, 4]
    assert read.sheets[0].rows[2].cells[1].kind is CellKind.FORMULA


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.lists(
            st.one_of(
                st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="￾￿"), max_size=20),
                st.integers(0, 10**14),
            ),
            min_size=1,
            max_size=6,
        ),
        max_size=8,
    )
)
def test_agrees_with_openpyxl(rows: list[list[object]]) -> None:
    """An independent reader sees the same texts."""
    book = openpyxl.Workbook()
    for number, row in enumerate(rows, start=1):
        for column, value in enumerate(row, start=1):
            cell = book.active.cell(number, column)
            cell.value = value
            if isinstance(value, str):
                cell.data_type = "s"
    data = saved(book)
    ours = {
        (row.number, column): cell.text
        for row in read_workbook(data).sheets[0].rows
        for column, cell in row.cells.items()
    }
    theirs = {
        (cell.row, cell.column): str(cell.value)
        for row in openpyxl.load_workbook(io.BytesIO(data)).active.iter_rows()
        for cell in row
        if cell.value not in (None, "")
    }
    assert ours == theirs


def test_a_written_workbook_never_comes_alive() -> None:
    cells = [
        "=1+1",
        "+86",
        "-1",
        "@x",
        "\t=1",
        "＝1",
        '=HYPERLINK("http://x")',
        "#N/A",
        "1E5",
        "00012",
        "a\x00b",
        "\ud800",
    ]
    data = write_workbook(
        [
            SheetPlan(
                "表/一", ["列"] * len(cells), [cells], choices={2: ["甲", "乙"]}, marks={(1, 3): "=坏"}, empty_rows=5
            )
        ]
    )
    book = openpyxl.load_workbook(io.BytesIO(data))
    sheet = book.worksheets[0]
    for cell in sheet[2][:-1]:
        assert cell.data_type == "s"
        assert cell.number_format == "@"
    assert [cell.value for cell in sheet[2]][:3] == ["=1+1", "+86", "-1"]
    assert sheet["C2"].comment.text == "=坏"
    assert sheet.freeze_panes == "A2"
    assert book["_lists"].sheet_state == "veryHidden"
    assert sheet.data_validations.dataValidation[0].sqref == MultiCellRange("B2:B7")
    with zipfile.ZipFile(io.BytesIO(data)) as made:
        assert not any(b"<f>" in made.read(name) for name in made.namelist() if "worksheets/sheet" in name)
