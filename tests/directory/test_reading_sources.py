"""The same list out of every kind of file that schools send."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anxiao.base.errors import Refused
from anxiao.directory.importing.findings import SheetProblem, say_finding
from anxiao.directory.importing.reading import Kind, NeedsMapping, read
from anxiao.directory.importing.templates import BY_KIND, STAFF, STUDENTS, SYNONYMS, SYNONYMS_OF, Field
from tests.data.directory import corpus
from tests.directory import import_sheets as make
from tests.directory.reading_cast import Read, judged, read_file, table_of, told

ROWS = [make.student_row(index) for index in range(0, 400, 7)]
SHEET = [["2026学年学生通讯录"], [], list(STUDENTS.headers), *ROWS]
GOOD = [(row[2], row[3], row[5], row[8], row[10]) for row in ROWS]


def people(read_: Read) -> list[tuple[str, ...]]:
    wanted = ("number", "name", "phone", "class", "counsellor_number")
    return [tuple(line.values[name] for name in wanted) for line in read_.lines]


def saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


SOURCES = {
    "csv in utf-8": lambda: corpus.csv_of(SHEET),
    "csv in utf-8 with a mark": lambda: corpus.csv_of(SHEET, "utf-8-sig"),
    "csv in gbk": lambda: corpus.csv_of(SHEET, "gbk"),
    "csv in gb18030": lambda: corpus.csv_of(SHEET, "gb18030"),
    "csv in utf-16 with a mark": lambda: corpus.csv_of(SHEET, "utf-16"),
    "csv in utf-16 without one": lambda: corpus.csv_of(SHEET, "utf-16-le"),
    "csv in utf-16 the other way round": lambda: corpus.csv_of(SHEET, "utf-16-be"),
    "csv with tabs": lambda: corpus.csv_of(SHEET, "utf-16", "\t"),
    "csv with semicolons": lambda: corpus.csv_of(SHEET, "utf-8-sig", ";"),
    "csv with bare line feeds": lambda: corpus.csv_of(SHEET, end="\n"),
    "csv with bare carriage returns": lambda: corpus.csv_of(SHEET, end="\r"),
    "xlsx with shared strings": lambda: corpus.shared_book(SHEET),
    "xlsx with inline strings": lambda: corpus.inline_book(SHEET),
    "xlsx with a prefix on every tag": lambda: corpus.shared_book(SHEET, "x"),
    "xlsx from openpyxl": lambda: _openpyxl(SHEET),
    "xls": lambda: corpus.xls_of(corpus.OldSheet(SHEET)),
}


def _openpyxl(rows: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    return saved(book)


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_same_people(source: str) -> None:
    read_ = read_file(SOURCES[source]())
    assert people(read_) == GOOD
    assert [line.row for line in read_.lines] == list(range(4, 4 + len(ROWS)))
    assert read_.findings == []
    assert not any(line.faults or line.notes for line in read_.lines)


def test_headers_may_stand_in_any_order_and_under_any_of_their_names() -> None:
    turn = random.Random(3)
    for kind, template in BY_KIND.items():
        for _ in range(12):
            names = {
                of: turn.choice([header, *SYNONYMS.get(of, ()), *SYNONYMS_OF[kind].get(of, ())])
                for of, header in template.columns
            }
            order = list(zip(names.values(), template.sample, strict=True))
            turn.shuffle(order)
            table = table_of([name for name, _value in order], [value for _name, value in order], template=None)
            (line,) = judged(table, expects=told(kind=kind, categories=("本科生", "内地教职工"))).lines
            assert line.verdict == "accepted", names


def test_no_name_of_a_column_means_two_columns_of_one_sheet() -> None:
    for kind, template in BY_KIND.items():
        seen: dict[str, Field] = {}
        for of, header in template.columns:
            for name in (header, *SYNONYMS_OF[kind].get(of, ()), *SYNONYMS.get(of, ())):
                assert seen.setdefault(name, of) is of, name


def test_a_column_under_another_name_is_said() -> None:
    table = table_of(make.student_row(1))
    table.values[0][1][5] = "联系电话"
    assert judged(table).findings == [(SheetProblem.READ_AS, ("联系电话 → 手机号",))]


def test_the_templates_own_name_wins_over_a_synonym() -> None:
    row = [*make.student_row(1), "0551-63861234"]
    table = table_of([*STUDENTS.headers, "联系电话"], row, template=None)
    read_ = judged(table)
    assert read_.lines[0].values["phone"] == row[5]
    assert read_.findings == [(SheetProblem.UNKNOWN_COLUMNS, ("联系电话",))]


def test_numbers_stored_as_numbers_are_the_digits_a_person_saw() -> None:
    book = openpyxl.Workbook()
    book.active.append(list(STUDENTS.headers))
    row = make.student_row(1)
    row[2], row[5], row[10], row[11] = 2018000123, 13800000001, 7, 1.3912345678e10
    book.active.append(row)
    book.active["K2"].number_format = "00000"
    (line,) = read_file(saved(book)).lines
    assert line.verdict == "accepted"
    assert line.number_stored == "n"
    assert [line.values[name] for name in ("number", "phone", "counsellor_number", "counsellor_phone")] == [
        "2018000123",
        "13800000001",
        "00007",
        "13912345678",
    ]


def test_an_old_workbook_keeps_numbers_blocks_and_what_is_hidden() -> None:
    rows = [list(STUDENTS.headers), *(make.student_row(n) for n in range(4))]
    rows[1][2], rows[1][5] = 2018000123, 13800000001
    rows[3][1] = None
    sheet = corpus.OldSheet(rows, name="学生", merged=[(3, 2, 4, 2)], hidden_rows=frozenset({3, 5}))
    read_ = read_file(corpus.xls_of(corpus.OldSheet([["统计"]], name="封面", hidden=True), sheet))
    first = read_.lines[0]
    assert (first.values["number"], first.values["phone"], first.number_stored) == ("2018000123", "13800000001", "n")
    assert read_.faults() == {(4, "B"): "merged"}
    assert read_.findings == [(SheetProblem.IGNORED, ()), (SheetProblem.HIDDEN_ROWS, ("3", "5"))]


def test_hidden_rows_and_columns_are_read_and_said_and_hidden_sheets_are_not() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "学生"
    for row in [list(STUDENTS.headers), *(make.student_row(n) for n in range(12))]:
        sheet.append(row)
    for number in range(3, 13):
        sheet.row_dimensions[number].hidden = True
    sheet.column_dimensions["F"].hidden = True
    beside = book.create_sheet("旧名单")
    beside.sheet_state = "hidden"
    beside.append(["说明"])
    with read(saved(book), told()) as reading:
        list(reading.lines())
    assert reading.summary is not None
    assert reading.summary.rows == 12
    assert [finding["problem"] for finding in reading.summary.findings] == ["hidden_columns", "ignored", "hidden_rows"]
    *_rest, rows = reading.summary.findings
    assert (rows["row"], rows["columns"][:2]) == (10, ["3", "4"])
    assert "10" in say_finding(rows)


def test_merged_blocks_are_found_although_they_stand_behind_the_rows() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["学生通讯录"])
    sheet.append(list(STUDENTS.headers))
    sheet.merge_cells("A1:L1")
    for number in range(9):
        sheet.append(make.student_row(number))
    for first in (3, 6):
        sheet[f"B{first + 1}"] = sheet[f"B{first + 2}"] = None
        sheet.merge_cells(f"B{first}:B{first + 2}")
    sheet["I9"] = None
    read_ = read_file(saved(book))
    assert read_.faults() == {
        **{(row, "B"): "merged" for row in (4, 5, 7, 8)},
        (9, "I"): "empty",
    }
    assert len(read_.lines) == 9


def test_several_sheets_are_read_and_each_says_where_its_columns_stand() -> None:
    book = openpyxl.Workbook()
    book.active.title = "封面"
    book.active.append(["安徽大学"])
    for part in range(3):
        sheet = book.create_sheet(f"{part + 1}班")
        sheet.append([None] * part + list(STUDENTS.headers))
        for number in range(5):
            sheet.append([None] * part + make.student_row(part * 10 + number))
    read_ = read_file(saved(book))
    assert {line.sheet for line in read_.lines} == {"1班", "2班", "3班"}
    assert read_.findings == [(SheetProblem.IGNORED, ())]
    assert read_.reading is not None and read_.reading.summary is not None
    assert [sheet.columns["number"] for sheet in read_.reading.summary.sheets] == [
        ("C", "学号"),
        ("D", "学号"),
        ("E", "学号"),
    ]
    assert [sheet.rows for sheet in read_.reading.summary.sheets] == [5, 5, 5]


def test_trailing_blanks_full_width_and_empty_lines_cost_nothing() -> None:
    row = make.student_row(5)
    loose = [f"{value}　 " if index in (2, 3, 8) else value for index, value in enumerate(row)]
    loose[5] = row[5].translate({ord(str(n)): chr(0xFF10 + n) for n in range(10)})
    rows = [list(STUDENTS.headers), loose, [], ["", "  ", "　"], [*make.student_row(6), "", "", ""], [""] * 40]
    for data in (corpus.csv_of(rows), corpus.inline_book(rows)):
        read_ = read_file(data)
        assert [line.values["phone"] for line in read_.lines] == [row[5], make.student_row(6)[5]]
        assert [note["header"] for note in read_.lines[0].notes] == ["学号", "姓名", "手机号", "班级"]
        assert read_.findings == []


def test_a_leading_equals_sign_in_a_text_file_is_a_formula() -> None:
    row = make.student_row(5)
    row[3] = '=HYPERLINK("http://x")'
    rows = (
        corpus.csv_of([list(STUDENTS.headers)])
        + (",".join([*row[:3], '"=HYPERLINK(""http://x"")"', *row[4:]])).encode()
    )
    assert read_file(rows).faults() == {(2, "D"): "formula"}


def test_formulas_formatted_runs_and_phonetic_guides_are_read_by_the_long_way() -> None:
    rows = [list(STUDENTS.headers), make.student_row(1), make.student_row(2), make.student_row(3)]
    lines = [corpus.inline(number, row) for number, row in enumerate(rows, start=1)]
    lines[1] = lines[1].replace(
        f"<is><t>{rows[1][3]}</t></is>", "<is><r><t>欧</t></r><r><rPr><b/></rPr><t>阳</t></r><rPh><t>ōu</t></rPh></is>"
    )
    lines[2] = lines[2].replace('t="inlineStr"><is><t>' + rows[2][3] + "</t></is>", 't="str"><f>A1</f><v>王五</v>')
    lines[3] = lines[3].replace(rows[3][3], "&#x738B;&amp;").replace('<row r="4">', '<row customHeight="1" r="4">')
    read_ = read_file(corpus.book_of(corpus.Raw(corpus.OPEN + "".join(lines) + corpus.CLOSE)))
    assert read_.lines[0].values["name"] == "欧阳"
    assert read_.faults() == {(3, "D"): "formula", (4, "D"): "name_characters"}
    assert read_.lines[2].raw is not None
    assert read_.lines[2].raw["姓名"] == "王&"


def test_a_comment_in_the_middle_turns_the_rest_over_to_the_long_way() -> None:
    lines = [corpus.inline(number, row) for number, row in enumerate([list(STUDENTS.headers), *ROWS], start=1)]
    lines.insert(20, "<!-- </row><row> -->")
    read_ = read_file(corpus.book_of(corpus.Raw(corpus.OPEN + "".join(lines) + corpus.CLOSE)))
    assert people(read_) == GOOD


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.lists(
            st.one_of(
                st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=12),
                st.integers(0, 10**14),
            ),
            min_size=1,
            max_size=6,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_the_quick_and_the_long_way_read_the_same_cells(rows: list[list[Any]]) -> None:
    from anxiao.base.tables.model import Limits
    from anxiao.base.tables.xlsx import XlsxTables

    seen = []
    for data in (corpus.shared_book(rows), corpus.shared_book(rows, "x")):
        tables = XlsxTables(io.BytesIO(data), len(data), Limits())
        seen.append(
            [
                (number, {n: value for n, value in enumerate(values) if value})
                for number, values in tables.sheets[0].rows()
            ]
        )
    assert seen[0] == seen[1]
    assert [len(cells) for _number, cells in seen[0]] == [sum(value != "" for value in row) for row in rows]


# -- the question about headers


STRANGE = {
    "学号": "Student ID",
    "姓名": "学员名",
    "手机号": "常用联络号",
    "学生类别": "身份",
    "班级": "教学行政班名",
    "辅导员姓名": "导师",
}


def strange_table() -> Any:
    headers = [STRANGE.get(header, header) for header in STUDENTS.headers]
    return table_of([*headers, "备注"], *([*row, "无"] for row in ROWS[:12]), template=None)


def test_unknown_headers_are_asked_for_with_a_good_guess() -> None:
    (question,) = judged(strange_table()).questions
    assert set(question.missing) == {"number", "name", "phone", "category", "class", "counsellor_name"}
    guesses = {one.header: one.guess for one in question.unknown}
    wanted = {
        strange: next(of.value for of, name in STUDENTS.columns if name == own) for own, strange in STRANGE.items()
    }
    assert guesses == {**wanted, "备注": ""}
    number = question.unknown[0]
    assert (number.key, number.column, number.samples[0]) == ("studentid", "C", ROWS[0][2])
    assert question.known["school"] == ("A", "学校名称")


def test_an_answer_is_remembered_and_a_part_of_it_asks_for_the_rest() -> None:
    (question,) = judged(strange_table()).questions
    answer = {one.key: one.guess for one in question.unknown}
    read_ = judged(strange_table(), expects=told(mapping=answer))
    assert [line.verdict for line in read_.lines] == ["accepted"] * 12
    assert not read_.questions
    part = {key: of for key, of in answer.items() if of != "phone"}
    (rest,) = judged(strange_table(), expects=told(mapping=part)).questions
    assert rest.missing == ("phone",)
    nothing = {**answer, "常用联络号": ""}
    read_ = judged(strange_table(), expects=told(mapping=nothing))
    assert (SheetProblem.MISSING_COLUMNS, ("手机号",)) in read_.findings


def test_a_question_comes_out_of_the_cage() -> None:
    rows = [[STRANGE.get(header, header) for header in STUDENTS.headers], *ROWS[:5]]
    with read(corpus.csv_of(rows), told()) as reading, pytest.raises(NeedsMapping) as asked:
        list(reading.lines())
    assert asked.value.questions[0].as_json()["sheet"] == "CSV"


def test_english_headers_are_guessed_too() -> None:
    headers = ["School", "College", "Staff ID", "Full name", "Gender", "Mobile", "Category"]
    table = table_of(headers, *make.staff_rows(), template=None)
    (question,) = judged(table, expects=told(kind=Kind.STAFF, categories=("内地教职工", "港澳台教职工"))).questions
    assert [one.guess for one in question.unknown] == [of.value for of, _header in STAFF.columns]


def test_a_page_of_something_else_is_refused_not_asked_about() -> None:
    with pytest.raises(Refused) as refused:
        read_file(
            corpus.csv_of([["日期", "天气", "气温", "风力"], ["11-24", "晴", "5", "3"], ["11-25", "阴", "4", "2"]])
        )
    assert refused.value.code == "no_rows"


# -- the reading itself


def test_progress_counts_bytes_and_an_early_end_stops_the_child() -> None:
    data = corpus.csv_of([list(STUDENTS.headers), *(make.student_row(n) for n in range(20_000))])
    with read(data, told()) as reading:
        pieces = reading.lines()
        next(pieces)
        child = reading._child
        assert child is not None and child.child.returncode is None
    assert child.child.returncode is not None
    with read(data, told()) as reading:
        seen = [reading.progress for _piece in reading.lines()]
    assert seen[-1].total == len(data)
    assert all(0 <= one.done <= one.total for one in seen)
    assert reading.summary is not None
    assert (reading.summary.rows, reading.summary.bytes) == (20_000, len(data))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    sizes = []
    for count in (2_000, 20_000):
        path = tmp_path / f"{count}.csv"
        path.write_bytes(corpus.csv_of([list(STUDENTS.headers), *(make.student_row(n) for n in range(count))]))
        with read(path, told()) as reading:
            assert sum(piece.count(b"\n") for piece in reading.lines()) == count
        assert reading.summary is not None
        sizes.append(reading.summary.memory_bytes)
    assert sizes[1] < sizes[0] + 24 * 1024 * 1024


def test_what_copy_must_not_see_raw_is_escaped_and_read_back() -> None:
    odd = make.student_row(5)
    odd[3], odd[8] = "王\t五\\N", "通信\r\n班"
    rows = [list(STUDENTS.headers), odd]
    (line,) = read_file(corpus.inline_book(rows)).lines
    assert line.raw is not None
    assert (line.raw["姓名"], line.raw["班级"]) == ("王\t五\\N", "通信\n班")
    assert {fault["header"] for fault in line.faults} == {"姓名", "班级"}
