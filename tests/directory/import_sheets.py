"""Sheets made for the import tests: a school with its staff, and 5,000 students with faults planted at known cells."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import openpyxl
from openpyxl.worksheet.worksheet import Worksheet

from anxiao.base.tables.model import column_letter
from anxiao.directory.importing.faults import FaultKind as F
from anxiao.directory.importing.templates import STAFF, STUDENTS, Template

SCHOOL = "安徽大学"
COLLEGES = ["电子信息工程学院", "计算机科学与技术学院", "文学院", "外国语学院", "法学院"]
GRADES = ["21级", "22级", "23级", "24级"]
CATEGORIES = ["本科生", "研究生", "专科生", "港澳台学生", "留学生"]
SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨"
GIVEN = "一二三四五六七八九十"


def phone(number: int, head: str = "138") -> str:
    return f"{head}{number:08d}"


def counsellor(college: int, grade: int) -> tuple[str, str, str]:
    number = college * len(GRADES) + grade + 1
    return f"{number:05d}", SURNAMES[number % 16] + "老师", phone(number, "139")


def staff_rows() -> list[list[Any]]:
    rows = []
    for college, name in enumerate(COLLEGES):
        for grade in range(len(GRADES)):
            number, who, tel = counsellor(college, grade)
            rows.append([SCHOOL, name, number, who, "女", tel, "内地教职工"])
    rows.append([SCHOOL, "保卫处", "09001", "卫国", "男", "+852-91234567", "港澳台教职工"])
    return rows


def student_row(index: int) -> list[Any]:
    college, grade = index % len(COLLEGES), (index // len(COLLEGES)) % len(GRADES)
    number, who, tel = counsellor(college, grade)
    klass = (index // (len(COLLEGES) * len(GRADES))) % 5 + 1
    return [
        SCHOOL,
        COLLEGES[college],
        f"P2018{index:05d}",
        SURNAMES[index % 16] + GIVEN[index // 16 % 10],
        "男" if index % 2 else "女",
        phone(index),
        CATEGORIES[index % 2],
        GRADES[grade],
        f"通信{klass}班",
        who,
        number,
        tel,
    ]


Change = Callable[[Worksheet, int], None]


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault to plant: in which columns, how, and what must be said about which cells."""

    kind: F
    column: str
    value: Any = None
    change: Change | None = None
    also: tuple[str, ...] = ()


def _format(column: str, value: Any, number_format: str) -> Change:
    def change(sheet: Worksheet, row: int) -> None:
        cell = sheet[f"{column_of(column)}{row}"]
        cell.value = value
        cell.number_format = number_format

    return change


def _merge(column: str) -> Change:
    def change(sheet: Worksheet, row: int) -> None:
        letter = column_of(column)
        sheet[f"{letter}{row}"].value = None
        sheet.merge_cells(f"{letter}{row - 1}:{letter}{row}")

    return change


def column_of(header: str, template: Template = STUDENTS) -> str:
    return column_letter(template.headers.index(header) + 1)


PLANTED: list[Planted] = [
    Planted(F.SCHOOL_OTHER, "学校名称", "安徽师范大学"),
    Planted(F.EMPTY, "学校名称", None),
    Planted(F.EMPTY, "院系名称", "   "),
    Planted(F.COLLEGE_CHARACTERS, "院系名称", "文学院?"),
    Planted(F.COLLEGE_IS_SCHOOL, "院系名称", SCHOOL),
    Planted(F.MERGED, "院系名称", change=_merge("院系名称")),
    Planted(F.EMPTY, "学号", None),
    Planted(F.NUMBER_CHARACTERS, "学号", "P2018/0001"),
    Planted(F.NUMBER_CHARACTERS, "学号", "P2018 0001"),
    Planted(F.NUMBER_DIGITS_LOST, "学号", "2.018E+09"),
    Planted(F.NUMBER_TOO_EXACT, "学号", change=_format("学号", 3412220001010123456, "0")),
    Planted(F.NUMBER_OTHER_AUDIENCE, "学号", "09001"),
    Planted(F.INVISIBLE, "学号", "P2018\u202e0002"),
    Planted(F.TOO_LONG, "学号", "P" + "1" * 30),
    Planted(F.FORMULA, "姓名", '=CONCATENATE("王","五")'),
    Planted(F.NAME_DIGITS, "姓名", "王5"),
    Planted(F.NAME_CHARACTERS, "姓名", "王@五"),
    Planted(F.UNREADABLE, "姓名", "王\ue123"),
    Planted(F.LINE_BREAK, "姓名", "王五\n李四"),
    Planted(F.TOO_LONG, "姓名", "王" * 61),
    Planted(F.SEX_WRONG, "性别", "先生"),
    Planted(F.PHONE_SHORT, "手机号", "1391234567"),
    Planted(F.PHONE_LONG, "手机号", "139123456789"),
    Planted(F.PHONE_LANDLINE, "手机号", "0551-63861234"),
    Planted(F.PHONE_LOCAL, "手机号", "91234567"),
    Planted(F.PHONE_NOT_ASSIGNED, "手机号", "12912345678"),
    Planted(F.PHONE_SEVERAL, "手机号", "13912345678、13912345679"),
    Planted(F.PHONE_MASKED, "手机号", "139****5678"),
    Planted(F.PHONE_DIGITS_LOST, "手机号", "1.39123E+10"),
    Planted(F.PHONE_PLUS_MISSING, "手机号", "85291234567"),
    Planted(F.PHONE_COUNTRY_UNKNOWN, "手机号", "+999-12345678"),
    Planted(F.PHONE_FOREIGN_WRONG, "手机号", "+852-123"),
    Planted(F.PHONE_CHARACTERS, "手机号", "无"),
    Planted(F.CATEGORY_UNKNOWN, "学生类别", "预科生"),
    Planted(F.CATEGORY_OTHER_AUDIENCE, "学生类别", "离退休"),
    Planted(F.GRADE_FORM, "年级", "大一"),
    Planted(F.GRADE_GRADUATION, "年级", "2022届"),
    Planted(F.GRADE_FUTURE, "年级", "45级"),
    Planted(F.DATE_CELL, "班级", change=_format("班级", 43118, 'm"月"d"日"')),
    Planted(F.CLASS_CHARACTERS, "班级", "通信*班"),
    Planted(F.ERROR_CELL, "班级", "#N/A"),
    Planted(F.COUNSELLOR_UNKNOWN, "辅导员工号", "77777"),
    Planted(F.COUNSELLOR_NAME_DIFFERS, "辅导员姓名", "别人"),
    Planted(F.LOGICAL_CELL, "辅导员姓名", True),
    Planted(F.PHONE_NOT_MOBILE, "辅导员手机号", "+44 800 111 1111"),
    Planted(F.EMPTY, "姓名", None),
    Planted(F.EMPTY, "性别", "　"),
    Planted(F.EMPTY, "手机号", None),
    Planted(F.EMPTY, "学生类别", None),
    Planted(F.EMPTY, "年级", None),
    Planted(F.EMPTY, "班级", None),
    Planted(F.EMPTY, "辅导员姓名", None),
    Planted(F.EMPTY, "辅导员工号", None),
    Planted(F.MERGED, "班级", change=_merge("班级")),
    Planted(F.FORMULA, "手机号", "=1+1"),
    Planted(F.ERROR_CELL, "姓名", "#REF!"),
    Planted(F.LOGICAL_CELL, "性别", False),
    Planted(F.NUMBER_CHARACTERS, "学号", "-2018001"),
    Planted(F.NUMBER_TOO_EXACT, "辅导员工号", change=_format("辅导员工号", 1234567890123456789, "0")),
    Planted(F.COLLEGE_CHARACTERS, "院系名称", "文学院;法学院"),
    Planted(F.UNREADABLE, "院系名称", "文学\ufffd院"),
    Planted(F.LINE_BREAK, "班级", "通信\n1班"),
    Planted(F.INVISIBLE, "班级", "通信\u20671班"),
    Planted(F.TOO_LONG, "班级", "通信" * 31),
    Planted(F.NAME_CHARACTERS, "辅导员姓名", "张三/李四"),
    Planted(F.GRADE_FORM, "年级", "2018年级"),
    Planted(F.DATE_CELL, "年级", change=_format("年级", 43118, "yyyy/m/d")),
    Planted(F.PHONE_LANDLINE, "辅导员手机号", "+86 551 63861234"),
]
"""One fault per row, each in a row of its own. Faults between rows are planted by `student_sheet` itself."""


@dataclass(slots=True)
class Made:
    """A workbook and everything that must be found in it: (row, column letter) -> kind."""

    data: bytes
    expected: dict[tuple[int, str], F] = field(default_factory=dict)
    good: int = 0


def save(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def sheet_of(template: Template, rows: list[list[Any]]) -> bytes:
    """A clean workbook in the notice's form."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = template.title
    sheet.append(list(template.headers))
    for row in rows:
        sheet.append(row)
    return save(book)


def staff_sheet() -> bytes:
    return sheet_of(STAFF, staff_rows())


def student_sheet(count: int = 5_000, *, faulty: bool = True) -> Made:
    """`count` students; with `faulty`, every fault of the list above and those between rows, spread over the sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = STUDENTS.title
    # A title above the header, as schools like it.
    sheet.append(["2026学年学生通讯录"])
    sheet.append(list(STUDENTS.headers))
    for index in range(count):
        sheet.append(student_row(index))
    made = Made(b"", good=count)
    if faulty:
        _plant(sheet, count, made)
        made.good = count - len({row for row, _column in made.expected})
    made.data = save(book)
    return made


def _plant(sheet: Worksheet, count: int, made: Made) -> None:
    step = count // (len(PLANTED) + 10)
    for position, planted in enumerate(PLANTED, start=1):
        row = 3 + position * step
        cell = sheet[f"{column_of(planted.column)}{row}"]
        if planted.change:
            planted.change(sheet, row)
        else:
            cell.value = planted.value
        made.expected[(row, column_of(planted.column))] = planted.kind
    # A number that stands twice, and one that differs only by a capital letter.
    row = 3 + (len(PLANTED) + 1) * step
    sheet[f"C{row}"] = sheet[f"C{row + 1}"].value
    made.expected[(row, "C")] = made.expected[(row + 1, "C")] = F.NUMBER_TWICE
    row = 3 + (len(PLANTED) + 2) * step
    sheet[f"C{row}"] = str(sheet[f"C{row + 1}"].value).lower()
    made.expected[(row, "C")] = made.expected[(row + 1, "C")] = F.NUMBER_TWICE_BY_CASE
    # A class with two counsellors, both existing and correctly written: all of its rows are reported.
    first = 3 + (len(PLANTED) + 3) * step
    for offset in range(3):
        row = first + offset
        who = counsellor(offset % 2, 0)
        for column, value in zip("BHIJKL", ["文学院", "24级", "独班", who[1], who[0], who[2]], strict=True):
            sheet[f"{column}{row}"] = value
        made.expected[(row, "K")] = F.CLASS_TWO_COUNSELLORS
