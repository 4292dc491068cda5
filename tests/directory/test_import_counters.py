"""After an import the boards still say what the reports say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from anxiao.directory.importing.commands import apply_at_once, preview_import
from anxiao.directory.importing.templates import STUDENTS
from anxiao.directory.models import Person
from anxiao.directory.names import Audience
from anxiao.reporting.commands.counting import differences
from tests.builders import MORNING, report
from tests.cast import Cast, assemble
from tests.directory.import_sheets import sheet_of

pytestmark = pytest.mark.usefixtures("database")


def row(cast: Cast, person: Person | None, number: str, college: str, grade: str, klass: str) -> list[str]:
    counsellor = cast.zhoushi if college == "文学院" else cast.zhangsan
    name, phone = (person.name, person.phone) if person else ("新生", "13812340000")
    sex = "女" if person and person.sex == "F" else "男"
    return [
        *("安徽大学", college, number, name, sex, phone, "研究生", grade, klass),
        *(counsellor.name, counsellor.number, counsellor.phone),
    ]


def test_counters_follow_people_who_come_and_move() -> None:
    cast = assemble()
    admin = cast.admin
    with cast.seen_by(admin):
        report(cast.wangwu)
        report(cast.lijiu, symptoms=["fever"], temperature=38.2)
    sheet = sheet_of(
        STUDENTS,
        [
            row(cast, cast.wangwu, "P20180001", "文学院", "19级", "汉语1班"),
            row(cast, cast.lijiu, "P20190001", "电子信息工程学院", "18级", "通信9班"),
            row(cast, None, "P20250001", "法学院", "25级", "法1班"),
        ],
    )
    for day in (0, 1):
        now = MORNING + timedelta(hours=1, days=day)
        with cast.seen_by(admin) as who:
            staged = preview_import(
                by=who, school=cast.anda, kind=Audience.STUDENT, file=sheet, filename="学生.xlsx", now=now
            )
            staged = apply_at_once(by=who, import_=staged, now=now)
        assert staged.counts["rejected"] == 0
        written = staged.counts["written"]
        assert (written["created"], written["changed"]) == ((1, 2) if day == 0 else (0, 0))
        with cast.seen_by(admin):
            assert differences(school_id=cast.anda.pk) == []
            assert cast.wangwu.memberships.get(valid_to=None, superseded_at=None).organisation == cast.hanyu1
