"""Two filled-in templates with planted faults, for whoever wants to try the import."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from anxiao.base.tables import SheetPlan, write_workbook
from anxiao.config.demo import words
from anxiao.config.demo.population import University
from anxiao.directory.importing.templates import STAFF, STUDENTS, Template

FILES = ("学生通讯录样例.xlsx", "教职工通讯录样例.xlsx")
_WIDTHS = {"学校名称": 22.0, "院系名称": 22.0}


def write_samples(folder: Path, university: University, *, today: date, seed: int) -> list[Path]:
    """Write both files; most rows are good, some say what real sheets say wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = words.stream(seed, "samples")
    class_ = university.classes[0]
    college = next(n for n in university.nodes if n.id == class_.parent_id)
    counsellor = university.counsellor_of[class_.id]
    new_year = f"{today.year % 100:02d}"

    def student(i: int, **changed: str) -> list[str]:
        sex = chance.choice("MF")
        row = {
            "学校名称": university.name,
            "院系名称": college.name,
            "学号": f"P20{new_year}9{i:04d}",
            "姓名": words.name(chance, sex),
            "性别": "男" if sex == "M" else "女",
            "手机号": words.phone(9_000_000 + i),
            "学生类别": "本科生",
            "年级": f"{new_year}级",
            "班级": "转学1班",
            "辅导员姓名": counsellor.name,
            "辅导员工号": counsellor.number,
            "辅导员手机号": counsellor.phone,
        }
        return list({**row, **changed}.values())

    def staff(i: int, **changed: str) -> list[str]:
        sex = chance.choice("MF")
        row = {
            "学校名称": university.name,
            "院系名称": college.name,
            "教工号": f"{90_000 + i}",
            "姓名": words.name(chance, sex),
            "性别": "男" if sex == "M" else "女",
            "手机号": words.phone(9_500_000 + i),
            "教职工类别": "内地教职工",
        }
        return list({**row, **changed}.values())

    students = [student(i) for i in range(1, 31)]
    students[4] = student(5, 手机号="1990900")
    students[9] = student(10, 学生类别="旁听生")
    students[14] = student(2)  # a number that stands above already
    students[19] = student(20, 辅导员工号="88888")
    students[24] = student(25, 学校名称="安徽大学江淮学院")
    students[27] = student(28, 姓名="")
    workers = [staff(i) for i in range(1, 13)]
    workers[3] = staff(4, 教职工类别="临时工")
    workers[7] = staff(8, 手机号="0551-63861000")
    workers[10] = staff(11, 性别="先生")
    return [
        _write(folder / FILES[0], STUDENTS, students),
        _write(folder / FILES[1], STAFF, workers),
    ]


def _write(path: Path, template: Template, rows: Sequence[Sequence[str]]) -> Path:
    widths = [_WIDTHS.get(header, 15.0) for header in template.headers]
    path.write_bytes(write_workbook([SheetPlan(template.title, template.headers, rows=rows, widths=widths)]))
    return path
