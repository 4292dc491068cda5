"""The judge alone: every planted fault at its cell, harmless differences evened out with a note."""

from __future__ import annotations

import random
from typing import Any

import openpyxl
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anxiao.base.tables.model import NumberText
from anxiao.directory.importing.blank import template_workbook
from anxiao.directory.importing.faults import FaultKind, NoteKind, describe, describe_note
from anxiao.directory.importing.findings import BLOCKING, SheetProblem
from anxiao.directory.importing.phones import SEGMENT, is_mobile_segment, judge_phone
from anxiao.directory.importing.reading import Kind
from anxiao.directory.importing.reading.assembled import Assembler
from anxiao.directory.importing.reading.careful import CellJudge, RowJudge
from anxiao.directory.importing.reading.child import line_from
from anxiao.directory.importing.reading.headers import look
from anxiao.directory.importing.reading.lines import copied, copied_json
from anxiao.directory.importing.reading.quick import QuickJudge
from anxiao.directory.importing.templates import BY_KIND, STAFF, STUDENTS
from tests.directory import import_sheets as make
from tests.directory.reading_cast import LATER, Line, MemoryTable, judged, read_file, table_of, told


def one(*, of: int = 7, **cells: Any) -> Line:
    """A row with some cells replaced, judged."""
    row = make.student_row(of)
    for header, value in cells.items():
        row[STUDENTS.headers.index(header)] = value
    return judged(table_of(row)).lines[0]


def test_every_planted_fault_is_found_at_its_cell_and_nothing_else() -> None:
    made = make.student_sheet(5_000)
    assert len(made.expected) >= 60
    read = read_file(made.data)
    assert read.faults() == {cell: kind.value for cell, kind in made.expected.items() if kind not in LATER}
    assert len(read.lines) == 5_000
    assert read.findings == []


def test_every_fault_says_value_and_what_to_do() -> None:
    made = make.student_sheet(900)
    rejected = [line for line in read_file(made.data).lines if line.faults]
    assert len(rejected) > 50
    for line in rejected:
        assert line.verdict == "rejected"
        for fault in line.faults:
            assert fault["header"] in STUDENTS.headers
            assert len(describe(fault["kind"], fault["params"])) > 5
            assert line.raw is not None
            assert fault["value"] == line.raw[fault["header"]]


def test_the_notices_sample_rows_are_good() -> None:
    for template in BY_KIND.values():
        expects = told(kind=template.kind, categories=("内地教职工", "本科生"))
        (line,) = judged(table_of(template.sample, template=template), expects=expects).lines
        assert (line.verdict, line.notes, line.raw) == ("accepted", [], None)
    assert judged(table_of(STUDENTS.sample)).lines[0].values == {
        "number": "P20180001",
        "name": "王五",
        "sex": "M",
        "phone": "13812345678",
        "category": "本科生",
        "college": "电子信息工程学院",
        "grade": "18级",
        "class": "通信1班",
        "counsellor_number": "00001",
        "counsellor_name": "张三",
        "counsellor_phone": "13912345678",
    }


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
    line = one(**{header: typed})
    assert line.verdict == "accepted"
    assert line.values[field] == read
    (note,) = line.notes
    assert (note["kind"], note["header"], note["value"]) == (NoteKind.NORMALISED, header, typed)
    assert line.raw is not None
    assert line.raw[header] == typed
    assert describe_note(note["kind"], note["params"])


def test_numbers_keep_their_leading_zeros_and_tell_how_they_were_stored() -> None:
    text, number = one(学号="000123"), one(学号=123)
    assert (text.values["number"], text.number_stored) == ("000123", "t")
    assert (number.values["number"], number.number_stored) == ("123", "n")


def test_the_counsellors_phone_may_be_missing() -> None:
    line = one(辅导员手机号=None)
    assert line.verdict == "accepted"
    assert "counsellor_phone" not in line.values


def test_a_name_in_the_number_column() -> None:
    assert one(姓名="Smith", 学号="Smith").kinds == ["name_is_number"]


def test_faults_are_told_from_left_to_right_and_good_values_of_a_bad_row_are_there() -> None:
    line = one(姓名="王5", 班级="通信*班", 学号=None)
    assert [fault["column"] for fault in line.faults] == ["C", "D", "I"]
    assert line.values["phone"] == make.student_row(7)[5]
    assert "number" not in line.values


@pytest.mark.parametrize("name", ["欧阳娜娜", "𠮷野", "John O'Neil", "Jean-Luc", "李（小）", "Müller", "Nguyễn Văn A"])
def test_names_of_the_world(name: str) -> None:
    line = one(姓名=name)
    assert line.verdict == "accepted"
    assert line.values["name"] == name


def test_columns_may_be_shuffled_decorated_and_more_than_needed() -> None:
    headers = list(reversed(STUDENTS.headers))
    row = list(reversed(make.student_row(3)))
    table = MemoryTable(
        "表",
        [
            (1, ["安徽大学学生通讯录"]),
            (4, [None, *(f" {header}（必填）*" for header in headers), "籍贯"]),
            (5, [None, *row]),
            (9, [None, None, "   "]),
        ],
    )
    read = judged(table)
    (line,) = read.lines
    assert (line.verdict, line.row) == ("accepted", 5)
    assert read.findings == [(SheetProblem.UNKNOWN_COLUMNS, ("籍贯",))]


def test_sheets_that_cannot_be_read_are_named() -> None:
    staff = table_of(*make.staff_rows(), template=STAFF)
    assert judged(staff).findings == [(SheetProblem.OTHER_KIND, ())]
    assert SheetProblem.OTHER_KIND in BLOCKING
    assert judged().findings == [(SheetProblem.NO_HEADER, ())]
    assert judged(table_of()).findings == [(SheetProblem.NO_ROWS, ())]
    missing = table_of(make.student_row(1))
    missing.values[0][1][2] = None
    assert judged(missing).findings == [(SheetProblem.MISSING_COLUMNS, ("学号",))]
    double = table_of(make.student_row(1))
    double.values[0][1].append("姓名")
    assert judged(double).findings == [(SheetProblem.DOUBLE_COLUMN, ("姓名",))]
    beside = judged(table_of(make.student_row(1)), MemoryTable("封面", [(1, ["说明"])]))
    assert beside.findings == [(SheetProblem.IGNORED, ())]
    assert len(beside.lines) == 1


def test_another_template_is_recognised() -> None:
    beds = table_of(BY_KIND[Kind.DORMITORY].sample, template=BY_KIND[Kind.DORMITORY])
    assert judged(beds).findings == [(SheetProblem.OTHER_TEMPLATE, ("住宿信息",))]
    assert judged(table_of(make.student_row(1)), expects=told(kind=Kind.DORMITORY)).findings == [
        (SheetProblem.OTHER_TEMPLATE, (STUDENTS.title,))
    ]


def test_beds_and_responsible_persons_are_judged_like_people() -> None:
    beds = BY_KIND[Kind.DORMITORY]
    row = [make.SCHOOL, "P1", "", "磬苑校区", "榴园 3 号楼", NumberText("412"), "2"]
    (line,) = judged(table_of(row, template=beds), expects=told(kind=Kind.DORMITORY)).lines
    assert line.values == {"number": "P1", "campus": "磬苑校区", "building": "榴园 3 号楼", "room": "412", "bed": "2"}
    row[4], row[5] = "榴园?", None
    (line,) = judged(table_of(row, template=beds), expects=told(kind=Kind.DORMITORY)).lines
    assert line.kinds == ["place_characters", "empty"]
    cells = BY_KIND[Kind.RESPONSIBLES]
    for typed, kind in (("校门", "gate"), ("医务室", "clinic"), ("楼栋", "building")):
        row = [make.SCHOOL, typed, "磬苑校区", "东门", "00001", "张三", ""]
        (line,) = judged(table_of(row, template=cells), expects=told(kind=Kind.RESPONSIBLES)).lines
        assert (line.values["place_kind"], line.values["place"]) == (kind, "东门")
    row[1] = "操场"
    (line,) = judged(table_of(row, template=cells), expects=told(kind=Kind.RESPONSIBLES)).lines
    assert line.kinds == ["place_kind_unknown"]
    assert "宿舍楼" in describe(line.kinds[0], line.faults[0]["params"])


@given(st.text(max_size=30))
def test_no_text_breaks_the_phone_judge(text: str) -> None:
    number, fault = judge_phone(text)
    assert bool(number) != bool(fault)
    if number:
        assert judge_phone(number) == (number, None)


@given(st.lists(st.one_of(st.none(), st.text(max_size=15), st.integers(0, 10**18)), min_size=12, max_size=12))
def test_no_row_breaks_the_judge_and_values_are_complete_when_good(cells: list[Any]) -> None:
    for line in judged(table_of(cells, make.student_row(1))).lines:
        if not line.faults:
            assert {"number", "name", "sex", "phone", "category", "college", "grade", "class", "counsellor_number"} <= {
                *line.values
            }


def test_five_digits_decide_whether_a_mainland_number_is_mobile() -> None:
    """What the library says about the whole number, the first five digits say alone."""
    turn = random.Random(11)
    for _ in range(3_000):
        digits = f"1{turn.randrange(10**10):010d}"
        try:
            kind = phonenumbers.number_type(phonenumbers.parse(digits, "CN"))
        except phonenumbers.NumberParseException:
            kind = phonenumbers.PhoneNumberType.UNKNOWN
        mobile = kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
        assert is_mobile_segment(digits[:SEGMENT]) is mobile, digits
    assert judge_phone("17900000000") == ("", FaultKind.PHONE_NOT_ASSIGNED)


CELLS = {
    "学号": st.from_regex(r"\A[A-Za-z0-9-]{1,32}\Z") | st.integers(0, 10**19) | st.just("1.2E+05"),
    "姓名": st.sampled_from(["王五", "张　三", "Smith", "王5", "欧阳·娜", "龥龥", "王 五", "", "\U00020bb7野"]),
    "手机号": st.from_regex(r"\A1[0-9]{9,11}\Z") | st.integers(10**10, 2 * 10**10) | st.just("+852-91234567"),
    "年级": st.sampled_from(["18级", "2018级", "18", "届", "99级"]),
    "辅导员手机号": st.sampled_from([None, "13912345678", "139"]),
    "辅导员工号": st.sampled_from(["00001", 1, "1234567890123456", 1234567890123456]),
}


@given(st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=4))
def test_both_quick_ways_say_what_the_careful_judge_says(rows: list[dict[str, Any]]) -> None:
    """Whatever was learnt before: a line from a quick way is the careful judge's line, letter by letter."""
    table = table_of(*[_with(make.student_row(index), cells) for index, cells in enumerate(rows)] * 2)
    expects = told()
    (place,) = look([table], expects).places
    cells = CellJudge(expects.school_name, expects.today, expects.categories, expects.other_categories)
    quick, assembler, careful = QuickJudge(place), Assembler(place, cells), RowJudge(place, cells)
    for number, values in table.values[1:]:
        row = careful.judge(number, values)
        assert row is not None
        right = line_from(row, place, quick.stored(values))
        assert quick.line(number, values) in (None, right)
        clean = not row.faults and not row.notes
        assert assembler.line(number, values) in (None, (right, row.rejected, clean))
        if clean:
            quick.learn(assembler, values)


def _with(row: list[Any], cells: dict[str, Any]) -> list[Any]:
    return [cells.get(header, value) for header, value in zip(STUDENTS.headers, row, strict=True)]


def test_what_copy_would_misread_is_escaped() -> None:
    assert copied("a\tb\\c\nd\re\x00f\ud800") == "a\\tb\\\\c\\nd\\re\ufffdf\ufffd"
    assert copied_json({"甲": "a\tb\x00"}) == '{"甲":"a\\\\tb\ufffd"}'
    assert copied_json([]) == r"\N"


def test_good_rows_take_the_quick_way_once_their_words_are_known() -> None:
    table = table_of(*(make.student_row(index) for index in range(0, 300, 100)))
    (place,) = look([table], told()).places
    quick = QuickJudge(place)
    assembler = Assembler(place, CellJudge(make.SCHOOL, told().today, told().categories, frozenset()))
    (number, first), (_, _second), (_, third) = table.values[1:]
    assert quick.line(number, first) is None
    line = assembler.line(number, first)
    quick.learn(assembler, first)
    assert line == (quick.line(number, first), False, True)
    # A phone and a number never seen, the rest known.
    assert quick.line(4, [*first[:2], "P9", "王六", *first[4:5], third[5], *first[6:]]) is not None


def test_every_template_comes_back_empty_and_carries_the_lists(tmp_path: Any) -> None:
    for template in BY_KIND.values():
        data = template_workbook(template.kind, school_name=make.SCHOOL, categories=["甲类", "乙类"])
        path = tmp_path / "t.xlsx"
        path.write_bytes(data)
        book = openpyxl.load_workbook(path)
        assert [cell.value for cell in book.worksheets[0][1]] == list(template.headers)
        assert book.sheetnames[:2] == [template.title, "填写说明"]
        help_sheet = book["填写说明"]
        assert tuple(cell.value for cell in help_sheet[2])[: len(template.sample)] == template.sample
        explained = {row[0].value: row[1].value for row in help_sheet.iter_rows(min_row=4)}
        assert all(len(explained[header]) > 3 for header in template.headers)
        lists = {"students": 3, "staff": 3, "dormitory": 1, "responsibles": 2}[template.kind]
        assert len(book.worksheets[0].data_validations.dataValidation) == lists
        if lists == 3:
            assert [cell.value for cell in book["_lists"]["C"]][:2] == ["甲类", "乙类"]
        tables = [MemoryTable(template.title, [(1, list(template.headers))])]
        assert judged(*tables, expects=told(kind=template.kind)).findings == [(SheetProblem.NO_ROWS, ())]
