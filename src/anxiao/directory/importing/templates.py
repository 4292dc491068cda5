"""The sheets a school may send: their columns in the notice's order, and the notice's sample rows. Pure.

The caged child imports this module, so nothing here touches Django.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a sheet is about."""

    STUDENTS = "students"
    STAFF = "staff"


class Field(StrEnum):
    """What a column means, whatever it is called in the sheet."""

    SCHOOL = "school"
    COLLEGE = "college"
    NUMBER = "number"
    NAME = "name"
    SEX = "sex"
    PHONE = "phone"
    CATEGORY = "category"
    GRADE = "grade"
    CLASS = "class"
    COUNSELLOR_NAME = "counsellor_name"
    COUNSELLOR_NUMBER = "counsellor_number"
    COUNSELLOR_PHONE = "counsellor_phone"


PEOPLE_VALUES: tuple[Field, ...] = (
    Field.NUMBER,
    Field.NAME,
    Field.SEX,
    Field.PHONE,
    Field.CATEGORY,
    Field.COLLEGE,
    Field.GRADE,
    Field.CLASS,
    Field.COUNSELLOR_NUMBER,
    Field.COUNSELLOR_NAME,
    Field.COUNSELLOR_PHONE,
)


@dataclass(frozen=True, slots=True)
class Template:
    """One sheet: its columns in the notice's order, the notice's sample row, and what of a row is handed on."""

    kind: Kind
    title: str
    columns: tuple[tuple[Field, str], ...]
    sample: tuple[str, ...]
    values: tuple[Field, ...]
    """The fields of a judged row in the order in which they are staged."""
    optional: frozenset[Field] = frozenset()

    @property
    def headers(self) -> tuple[str, ...]:
        return tuple(header for _field, header in self.columns)

    def header_of(self, wanted: Field) -> str:
        """The column's name in this template."""
        return next(header for column, header in self.columns if column is wanted)


STAFF = Template(
    Kind.STAFF,
    "学校通讯录-教职工",
    (
        (Field.SCHOOL, "学校名称"),
        (Field.COLLEGE, "院系名称"),
        (Field.NUMBER, "教工号"),
        (Field.NAME, "姓名"),
        (Field.SEX, "性别"),
        (Field.PHONE, "手机号"),
        (Field.CATEGORY, "教职工类别"),
    ),
    ("安徽大学", "电子信息工程学院", "00001", "张三", "男", "13912345678", "内地教职工"),
    PEOPLE_VALUES,
)

STUDENTS = Template(
    Kind.STUDENTS,
    "学校通讯录-学生",
    (
        (Field.SCHOOL, "学校名称"),
        (Field.COLLEGE, "院系名称"),
        (Field.NUMBER, "学号"),
        (Field.NAME, "姓名"),
        (Field.SEX, "性别"),
        (Field.PHONE, "手机号"),
        (Field.CATEGORY, "学生类别"),
        (Field.GRADE, "年级"),
        (Field.CLASS, "班级"),
        (Field.COUNSELLOR_NAME, "辅导员姓名"),
        (Field.COUNSELLOR_NUMBER, "辅导员工号"),
        (Field.COUNSELLOR_PHONE, "辅导员手机号"),
    ),
    (
        "安徽大学",
        "电子信息工程学院",
        "P20180001",
        "王五",
        "男",
        "13812345678",
        "本科生",
        "18级",
        "通信1班",
        "张三",
        "00001",
        "13912345678",
    ),
    PEOPLE_VALUES,
    # The counsellor's phone is already in the staff record; here it only double-checks.
    optional=frozenset({Field.COUNSELLOR_PHONE}),
)

BY_KIND: Mapping[Kind, Template] = {template.kind: template for template in (STAFF, STUDENTS)}
