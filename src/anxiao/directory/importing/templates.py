"""The sheets a school may send: their columns in the notice's order, and the notice's sample rows. Pure.

The caged child imports this module, so nothing here touches Django.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

HELP_SHEET = "填写说明"
PROBLEM_HEADER = "问题说明"
ORIGIN_HEADER = "原位置"
OURS = frozenset({PROBLEM_HEADER, ORIGIN_HEADER})
"""Columns that an error workbook adds; they are never read."""


class Kind(StrEnum):
    """What a sheet is about."""

    STUDENTS = "students"
    STAFF = "staff"
    DORMITORY = "dormitory"
    RESPONSIBLES = "responsibles"


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
    CAMPUS = "campus"
    BUILDING = "building"
    ROOM = "room"
    BED = "bed"
    PLACE_KIND = "place_kind"
    PLACE = "place"


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

DORMITORY = Template(
    Kind.DORMITORY,
    "住宿信息",
    (
        (Field.SCHOOL, "学校名称"),
        (Field.NUMBER, "学工号"),
        (Field.NAME, "姓名"),
        (Field.CAMPUS, "校区"),
        (Field.BUILDING, "楼栋"),
        (Field.ROOM, "房间号"),
        (Field.BED, "床位号"),
    ),
    ("安徽大学", "P20180001", "王五", "磬苑校区", "榴园3号楼", "412", "2"),
    (Field.NUMBER, Field.NAME, Field.CAMPUS, Field.BUILDING, Field.ROOM, Field.BED),
    optional=frozenset({Field.NAME, Field.BED}),
)
"""Who sleeps where.

For whoever applies it: the values are texts, evened out. `number` is a person of either audience; `name`, where given,
only double-checks (folded, like a counsellor's). `campus` > `building` > `room` are names of places, each within the
one before; a place that does not exist yet is new. `bed` is empty when a room is not divided. Against the roster, in
SQL: the number is known, the name agrees; within the file: one number once, one bed once.
"""

RESPONSIBLES = Template(
    Kind.RESPONSIBLES,
    "网格责任人",
    (
        (Field.SCHOOL, "学校名称"),
        (Field.PLACE_KIND, "网格类型"),
        (Field.CAMPUS, "校区"),
        (Field.PLACE, "网格名称"),
        (Field.NUMBER, "责任人工号"),
        (Field.NAME, "责任人姓名"),
        (Field.PHONE, "责任人手机号"),
    ),
    ("安徽大学", "宿舍楼", "磬苑校区", "榴园3号楼", "00001", "张三", "13912345678"),
    (Field.PLACE_KIND, Field.CAMPUS, Field.PLACE, Field.NUMBER, Field.NAME, Field.PHONE),
    optional=frozenset({Field.PHONE}),
)
"""Who answers for which cell of the grid.

For whoever applies it: `place_kind` is 'building' | 'clinic' | 'gate' and says the role: dorm manager, school doctor,
security. `campus` > `place` are names. `number` is a member of staff, `name` must agree with the staff list (folded),
`phone` only double-checks. Several people may answer for one place and one person for several places: a row is a
pair. Against the roster, in SQL: the number is known and is staff, the name agrees; within the file: one pair once.
"""

PLACE_KINDS: Mapping[str, str] = {
    "宿舍楼": "building",
    "楼栋": "building",
    "宿舍": "building",
    "公寓": "building",
    "校医院": "clinic",
    "医务室": "clinic",
    "卫生所": "clinic",
    "卫生室": "clinic",
    "校门": "gate",
    "大门": "gate",
    "门岗": "gate",
}
"""What may stand under 网格类型; the first name of each kind is the one that the template offers."""

PLACE_CHOICES: tuple[str, ...] = ("宿舍楼", "校医院", "校门")

BY_KIND: Mapping[Kind, Template] = {template.kind: template for template in (STAFF, STUDENTS, DORMITORY, RESPONSIBLES)}

SYNONYMS: Mapping[Field, tuple[str, ...]] = {
    Field.SCHOOL: ("学校", "学校全称", "高校名称", "所属学校", "所在学校", "院校名称"),
    Field.COLLEGE: (
        *("院系", "学院", "学院名称", "所在学院", "所属学院", "所在院系", "所属院系", "院(系)", "二级学院", "系部"),
        *("部门", "部门名称", "所在部门", "所属部门", "院系部门", "院系/部门"),
    ),
    Field.NAME: ("真实姓名", "名字"),
    Field.SEX: ("男女",),
    Field.PHONE: (
        *("手机", "手机号码", "移动电话", "联系手机", "本人手机", "本人手机号", "手机电话"),
        *("联系电话", "联系方式", "电话", "电话号码"),
    ),
    Field.GRADE: ("所在年级", "入学年级", "当前年级"),
    Field.CLASS: ("班级名称", "所在班级", "行政班", "行政班级", "班"),
    Field.COUNSELLOR_NAME: ("辅导员", "班级辅导员", "辅导员名字", "所属辅导员"),
    Field.COUNSELLOR_NUMBER: ("辅导员教工号", "辅导员职工号", "辅导员编号", "辅导员教师号"),
    Field.COUNSELLOR_PHONE: ("辅导员手机", "辅导员手机号码", "辅导员电话", "辅导员联系电话", "辅导员联系方式"),
    Field.CAMPUS: ("校区名称", "所在校区"),
    Field.BUILDING: ("楼栋名称", "宿舍楼", "宿舍楼栋", "楼号", "楼栋号", "宿舍楼号", "公寓"),
    Field.ROOM: ("房间", "宿舍号", "寝室号", "寝室", "宿舍", "房号"),
    Field.BED: ("床位", "床号"),
    Field.PLACE_KIND: ("类型", "网格类别", "场所类型"),
    Field.PLACE: ("网格", "场所名称", "场所"),
}
"""Other names of a column that leave no doubt, in every sheet; the likelier one first."""

SYNONYMS_OF: Mapping[Kind, Mapping[Field, tuple[str, ...]]] = {
    Kind.STUDENTS: {
        Field.NUMBER: ("学生学号", "学员号", "学籍学号"),
        Field.NAME: ("学生姓名",),
        Field.PHONE: ("学生手机号", "学生手机", "学生电话"),
        Field.CATEGORY: ("学生类型", "类别", "培养层次", "学历层次", "层次"),
    },
    Kind.STAFF: {
        Field.NUMBER: ("工号", "职工号", "教职工号", "教工编号", "职工编号", "教师工号", "人员编号", "人事编号"),
        Field.NAME: ("教工姓名", "教师姓名", "教职工姓名", "职工姓名"),
        Field.CATEGORY: ("教职工类型", "教工类别", "人员类别", "类别"),
    },
    Kind.DORMITORY: {
        Field.NUMBER: ("学号", "工号", "教工号", "学号/工号", "学(工)号", "学号(工号)", "人员编号"),
        Field.NAME: ("学生姓名",),
    },
    Kind.RESPONSIBLES: {
        Field.NUMBER: ("工号", "教工号", "负责人工号", "责任人教工号"),
        Field.NAME: ("姓名", "责任人", "负责人", "负责人姓名"),
        Field.PHONE: ("手机号", "负责人手机号", "责任人电话", "负责人电话"),
    },
}
"""Other names that hold in one sheet only."""
