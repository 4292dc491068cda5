"""The cage: what honest files say, and how dishonest ones end."""

from __future__ import annotations

import io
import os
import time
import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.cell_range import MultiCellRange

from anxiao.base.tables import (
    CellKind,
    Limits,
    SheetPlan,
    TableProblem,
    UnreadableTable,
    Workbook,
    read_workbook,
    write_workbook,
)
from anxiao.base.tables.shown import is_date_format, shown, shown_date

RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{0}"'
    ' Target="{1}"/></Relationships>'
)
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
BOOK = (
    f'<workbook xmlns="{MAIN}" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>'
)
SHEET = f'<worksheet xmlns="{MAIN}"><sheetData>'
END = "</sheetData></worksheet>"


def archive(parts: list[tuple[str, str | bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts:
            made.writestr(name, content)
    return out.getvalue()


def workbook(sheet: str, *more: tuple[str, str]) -> bytes:
    """A minimal workbook around one hand-written sheet."""
    return archive(
        [
            ("_rels/.rels", RELATIONS.format("officeDocument", "xl/workbook.xml")),
            ("xl/workbook.xml", BOOK),
            ("xl/_rels/workbook.xml.rels", RELATIONS.format("worksheet", "worksheets/sheet1.xml")),
            ("xl/worksheets/sheet1.xml", sheet),
            *more,
        ]
    )


def saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def texts(book: Workbook, sheet: int = 0) -> list[list[str]]:
    return [[cell.text for cell in row.cells.values()] for row in book.sheets[sheet].rows]


def refused(data: bytes, limits: Limits | None = None) -> TableProblem:
    with pytest.raises(UnreadableTable) as caught:
        read_workbook(data, limits)
    return caught.value.problem


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


def test_reading_from_a_path_and_from_an_open_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    assert texts(read_workbook(path)) == [["a", "b"], ["1", "2"]]
    with path.open("rb") as file:
        file.read(2)
        assert texts(read_workbook(file)) == [["a", "b"], ["1", "2"]]


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


SPARSE = workbook(
    SHEET
    + '<row r="1"><c r="A1" t="inlineStr"><is><t>x</t></is></c></row>'
    + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    + END
)


def test_a_sparse_sheet_costs_nothing() -> None:
    started = time.monotonic()
    assert texts(read_workbook(SPARSE)) == [["x"]]
    assert time.monotonic() - started < 15


def lying_directory() -> bytes:
    """The directory says ten bytes, the part holds megabytes."""
    data = bytearray(workbook(SHEET + "<row/>" * 1_000_000 + END))
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    return bytes(data)


def overlapping() -> bytes:
    """Two names for one compressed block."""
    data = bytearray(archive([("xl/workbook.xml", BOOK), ("b.xml", "x")]))
    second = data.rfind(b"PK\x01\x02")
    data[second + 42 : second + 46] = (0).to_bytes(4, "little")
    return bytes(data)


HOSTILE = {
    "inflates two hundred megabytes": (lambda: workbook(SHEET + "<row/>" * 33_000_000 + END), TableProblem.BOMB),
    "a hundred thousand parts": (lambda: archive([(f"f{i}", "") for i in range(60_000)]), TableProblem.BOMB),
    "the directory lies": (lying_directory, TableProblem.DAMAGED),
    "parts overlap": (overlapping, None),
    "entities": (
        lambda: workbook('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + SHEET + END),
        TableProblem.FORBIDDEN_MARKUP,
    ),
    "nested entities": (
        lambda: workbook('<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><a>&b;</a>'),
        TableProblem.FORBIDDEN_MARKUP,
    ),
    "cut short": (lambda: workbook(SHEET + END)[:700], TableProblem.DAMAGED),
    "broken markup": (lambda: workbook(SHEET + "<row"), TableProblem.DAMAGED),
    "macros": (lambda: workbook(SHEET + END, ("xl/vbaProject.bin", "x")), TableProblem.MACROS),
    "another zip": (lambda: archive([("a.txt", "b")]), TableProblem.NOT_A_TABLE),
    "an old workbook": (lambda: bytes.fromhex("d0cf11e0a1b11ae1") + bytes(3_000), TableProblem.OLD_EXCEL),
    "a workbook with a password": (
        lambda: bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
        TableProblem.PASSWORD,
    ),
    "a web page": (lambda: "\ufeff <html><table>".encode(), TableProblem.WEB_PAGE),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), TableProblem.NOT_A_TABLE),
    "nothing": (lambda: b"", TableProblem.EMPTY),
    "no encoding": (lambda: b"\xff\x80\xff" * 50, TableProblem.ENCODING),
    "a shared string that does not exist": (
        lambda: workbook(SHEET + '<row><c t="s"><v>7</v></c></row>' + END),
        TableProblem.DAMAGED,
    ),
    "a row number beyond reason": (
        lambda: workbook(SHEET + '<row r="x"><c><v>7</v></c></row>' + END),
        TableProblem.DAMAGED,
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_end_as_a_sentence(name: str) -> None:
    make, problem = HOSTILE[name]
    data = make()
    started = time.monotonic()
    found = refused(data)
    assert problem in (None, found)
    assert time.monotonic() - started < 15


def test_every_refusal_has_its_sentence() -> None:
    for problem in TableProblem:
        assert len(UnreadableTable(problem, megabytes=1, rows=1, sheets=1).message) > 5


def test_limits_of_memory_time_and_output() -> None:
    many = workbook(
        SHEET
        + "".join(
            f'<row r="{i}"><c r="A{i}" t="inlineStr"><is><t>{os.urandom(12).hex()}</t></is></c></row>'
            for i in range(1, 40_000)
        )
        + END
    )
    assert refused(many, Limits(rows=1_000)) is TableProblem.TOO_MANY_ROWS
    assert refused(many, Limits(output_bytes=100_000)) is TableProblem.TOO_MUCH_TEXT
    assert refused(many, Limits(wall_seconds=0.02)) is TableProblem.TOO_SLOW
    assert refused(many, Limits(file_bytes=10_000)) is TableProblem.TOO_LARGE
    # Too little memory even for the interpreter: the child dies, the parent says so and lives.
    assert refused(many, Limits(memory_bytes=20 * 1024 * 1024)) in (TableProblem.READER_DIED, TableProblem.BOMB)


def test_without_the_look_at_the_zip_the_bomb_would_go_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with a ceiling high enough the same file is inflated and its rows are read."""
    bomb = workbook(SHEET + "<row><c><v>1</v></c></row>" * 150_000 + END)
    assert refused(bomb) is TableProblem.BOMB
    generous = Limits(ratio=100_000, rows=1_000_000)
    assert len(read_workbook(bomb, generous).sheets[0].rows) == 150_000


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
