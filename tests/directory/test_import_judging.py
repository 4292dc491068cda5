"""The judge alone: every planted fault at its cell, harmless differences evened out with a note."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anxiao.base.tables import Cell, CellKind, Row, Sheet, Workbook, read_workbook
from anxiao.directory.importing.faults import FaultKind, NoteKind, describe, describe_note
from anxiao.directory.importing.judging import Facts, Judgement, StaffFact, judge
from anxiao.directory.importing.phones import judge_phone
from anxiao.directory.importing.sheets import STAFF, STUDENTS, SheetProblem, template_workbook
from anxiao.directory.names import Audience
from tests.directory import import_sheets as make

STAFF_KNOWN = {row[2]: StaffFact(row[3], row[5]) for row in make.staff_rows()}


def facts(**more: Any) -> Facts:
    known = {
        "audience": Audience.STUDENT,
        "school_name": make.SCHOOL,
        "today": date(2026, 11, 24),
        "categories": tuple(make.CATEGORIES),
        "other_categories": frozenset({"内地教职工", "离退休"}),
        "other_numbers": frozenset(STAFF_KNOWN),
        "staff": STAFF_KNOWN,
    }
    return Facts(**{**known, **more})


def book_of(*rows: list[Any], template: Any = STUDENTS, sheet: str = "表") -> Workbook:
    made = Sheet(sheet)
    for number, values in enumerate([list(template.headers), *rows], start=1):
        cells = {}
        for column, value in enumerate(values, start=1):
            if value is not None and value != "":
                kind = CellKind.NUMBER if isinstance(value, int) else CellKind.TEXT
                cells[column] = Cell(column, str(value), kind)
        made.rows.append(Row(number, cells))
    return Workbook([made])


def one(*, of: int = 7, known: Facts | None = None, **cells: Any) -> Any:
    """A row with some cells replaced, judged."""
    row = make.student_row(of)
    for header, value in cells.items():
        row[STUDENTS.headers.index(header)] = value
    return judge(book_of(row), known or facts()).rows[0]


def found(judgement: Judgement) -> dict[tuple[int, str], FaultKind]:
    return {(row.row, fault.column): fault.kind for row in judgement.rows for fault in row.faults}


def test_every_planted_fault_is_found_at_its_cell_and_nothing_else() -> None:
    made = make.student_sheet(5_000)
    assert len({*made.expected.values()}) >= 40
    book = read_workbook(made.data)
    started = time.process_time()
    judgement = judge(book, facts())
    assert time.process_time() - started < 5
    assert found(judgement) == made.expected
    assert sum(not row.rejected for row in judgement.rows) == made.good
    assert len(judgement.rows) == 5_000
    assert judgement.findings == []


def test_every_fault_says_value_and_what_to_do() -> None:
    made = make.student_sheet(600)
    for row in judge(read_workbook(made.data), facts()).rows:
        for fault in row.faults:
            assert fault.header in STUDENTS.headers
            assert len(describe(fault.kind, fault.as_json()["params"])) > 5
            assert fault.value == row.raw[fault.header]


def test_the_notices_sample_rows_are_good() -> None:
    known = facts(staff={"00001": StaffFact("张三", "13912345678")}, other_numbers=frozenset({"00001"}))
    judged = judge(book_of(list(STUDENTS.sample)), known).rows[0]
    assert not judged.faults
    assert not judged.notes
    assert judged.values["number"] == "P20180001"
    assert judged.values["grade"] == "18级"
    staff = judge(
        book_of(list(STAFF.sample), template=STAFF),
        facts(audience=Audience.STAFF, categories=("内地教职工",), other_numbers=frozenset()),
    ).rows[0]
    assert not staff.faults
    assert staff.values["number"] == "00001"


@pytest.mark.parametrize(
    ("header", "typed", "field", "read"),
    [
        ("学号", "Ｐ２０１８００７", "number", "P2018007"),
        ("学号", " P2018007\u3000", "number", "P2018007"),
        ("学号", "P2018007\u200b", "number", "P2018007"),
        ("姓名", "张　三", "name", "张三"),
        ("姓名", "阿卜杜拉•买买提", "name", "阿卜杜拉·买买提"),
        ("性别", "男 ", "sex", "M"),
        ("手机号", "１３８１２３４５６７８", "phone", "13812345678"),
        ("手机号", "+86-138 1234 5678", "phone", "13812345678"),
        ("手机号", "1.3812345678E+10", "phone", "13812345678"),
        ("手机号", "+85291234567", "phone", "+852-91234567"),
        ("年级", "2018级", "grade", "18级"),
        ("年级", "１８", "grade", "18级"),
        ("班级", "通信(卓越)１班", "class", "通信（卓越）1班"),
        ("院系名称", "文 学 院", "college", "文学院"),
    ],
)
def test_what_is_evened_out_is_noted(header: str, typed: str, field: str, read: str) -> None:
    judged = one(**{header: typed})
    assert not judged.faults
    assert judged.values[field] == read
    (note,) = judged.notes
    assert (note.kind, note.header, note.value) == (NoteKind.NORMALISED, header, typed)
    assert describe_note(note.kind, note.params)


def test_numbers_keep_their_leading_zeros_and_lost_ones_are_asked_for() -> None:
    assert one(学号="000123").values["number"] == "000123"
    lost = one(学号=123, known=facts(numbers=frozenset({"000123"})))
    assert [fault.kind for fault in lost.faults] == [FaultKind.NUMBER_ZEROS_LOST]
    # Written as text it is somebody else: the person has decided.
    assert not one(学号="123", known=facts(numbers=frozenset({"000123"}))).faults
    counsellor = one(辅导员工号=make.student_row(7)[10].lstrip("0"))
    assert [fault.kind for fault in counsellor.faults] == [FaultKind.COUNSELLOR_ZEROS_LOST]


def test_a_number_is_written_as_the_directory_writes_it() -> None:
    known = facts(numbers=frozenset({"P20180007"}))
    assert [f.kind for f in one(学号="p20180007", known=known).faults] == [FaultKind.NUMBER_CASE]
    known = facts(numbers=frozenset({"S1"}))
    assert [f.kind for f in one(辅导员工号="S1", known=known).faults] == [FaultKind.COUNSELLOR_IS_STUDENT]


def test_the_counsellors_phone_may_be_missing_and_is_only_compared() -> None:
    assert not one(辅导员手机号=None).faults
    other = one(辅导员手机号="13612345678")
    assert not other.faults
    assert [note.kind for note in other.notes] == [NoteKind.COUNSELLOR_PHONE_DIFFERS]


def test_a_name_in_the_number_column() -> None:
    assert [f.kind for f in one(姓名="Smith", 学号="Smith").faults] == [FaultKind.NAME_IS_NUMBER]


@pytest.mark.parametrize("name", ["欧阳娜娜", "𠮷野", "John O'Neil", "Jean-Luc", "李（小）", "Müller", "Nguyễn Văn A"])
def test_names_of_the_world(name: str) -> None:
    judged = one(姓名=name)
    assert not judged.faults
    assert judged.values["name"] == name


def test_columns_may_be_shuffled_decorated_and_more_than_needed() -> None:
    book = book_of()
    headers = list(reversed(STUDENTS.headers))
    row = list(reversed(make.student_row(3)))
    book.sheets[0].rows = [
        Row(1, {1: Cell(1, "安徽大学学生通讯录")}),
        Row(4, {i: Cell(i, f" {h}（必填）*") for i, h in enumerate(headers, start=2)} | {20: Cell(20, "籍贯")}),
        Row(5, {i: Cell(i, str(v)) for i, v in enumerate(row, start=2)}),
        Row(9, {3: Cell(3, "   ")}),
    ]
    judgement = judge(book, facts())
    (judged,) = judgement.rows
    assert not judged.faults
    assert judged.row == 5
    assert [(f.problem, f.columns) for f in judgement.findings] == [(SheetProblem.UNKNOWN_COLUMNS, ("籍贯",))]


def test_sheets_that_cannot_be_read_are_named() -> None:
    staff = book_of(*make.staff_rows(), template=STAFF)
    assert [f.problem for f in judge(staff, facts()).findings] == [SheetProblem.OTHER_KIND]
    assert judge(staff, facts()).blocked
    assert [f.problem for f in judge(Workbook([]), facts()).findings] == [SheetProblem.NO_HEADER]
    assert [f.problem for f in judge(book_of(), facts()).findings] == [SheetProblem.NO_ROWS]
    missing = book_of(make.student_row(1))
    del missing.sheets[0].rows[0].cells[3]
    assert [(f.problem, f.columns) for f in judge(missing, facts()).findings] == [
        (SheetProblem.MISSING_COLUMNS, ("学号",))
    ]
    double = book_of(make.student_row(1))
    double.sheets[0].rows[0].cells[14] = Cell(14, "姓名")
    assert [f.problem for f in judge(double, facts()).findings] == [SheetProblem.DOUBLE_COLUMN]
    both = book_of(make.student_row(1))
    both.sheets.append(Sheet("封面", rows=[Row(1, {1: Cell(1, "说明")})]))
    judgement = judge(both, facts())
    assert [f.problem for f in judgement.findings] == [SheetProblem.IGNORED]
    assert len(judgement.rows) == 1


def test_a_number_twice_across_sheets_names_the_other_sheet() -> None:
    book = book_of(make.student_row(1))
    book.sheets += book_of(make.student_row(1), sheet="表二").sheets
    first, second = judge(book, facts()).rows
    assert first.faults[0].params["places"] == [("表二", 2)]
    assert second.faults[0].params["places"] == [("表", 2)]
    assert "表二" in describe(first.faults[0].kind, first.faults[0].params)


def test_one_typing_error_in_a_counsellor_does_not_stop_the_class() -> None:
    rows = [make.student_row(i) for i in (0, 100, 200)]
    rows[1][10] = "77777"
    judged = judge(book_of(*rows), facts()).rows
    assert [row.rejected for row in judged] == [False, True, False]


@given(st.text(max_size=30))
def test_no_text_breaks_the_phone_judge(text: str) -> None:
    number, fault = judge_phone(text)
    assert bool(number) != bool(fault)
    if number:
        assert judge_phone(number) == (number, None)


@given(st.lists(st.one_of(st.none(), st.text(max_size=15), st.integers(0, 10**18)), min_size=12, max_size=12))
def test_no_row_breaks_the_judge_and_values_are_complete_when_good(cells: list[Any]) -> None:
    for row in judge(book_of(cells, make.student_row(1)), facts()).rows:
        if not row.faults:
            assert {"number", "name", "sex", "phone", "category", "college", "grade", "class", "counsellor_number"} <= {
                *row.values
            }


def test_the_template_comes_back_empty_and_carries_the_lists(tmp_path: Any) -> None:
    for audience, template in ((Audience.STUDENT, STUDENTS), (Audience.STAFF, STAFF)):
        data = template_workbook(audience, school_name=make.SCHOOL, categories=["甲类", "乙类"])
        path = tmp_path / "t.xlsx"
        path.write_bytes(data)
        book = openpyxl.load_workbook(path)
        assert [cell.value for cell in book.worksheets[0][1]] == list(template.headers)
        assert book.sheetnames[:2] == [template.title, "填写说明"]
        assert tuple(cell.value for cell in book["填写说明"][2])[: len(template.sample)] == template.sample
        assert [cell.value for cell in book["_lists"]["C"]][:2] == ["甲类", "乙类"]
        assert len(book.worksheets[0].data_validations.dataValidation) == 3
        judgement = judge(read_workbook(data), facts(audience=audience))
        assert judgement.rows == []
        assert [f.problem for f in judgement.findings] == [SheetProblem.NO_ROWS]
