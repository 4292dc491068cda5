"""The directories of many schools by one command: names say what a file is, one bad file stops no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from anxiao.base.tenancy import school_context
from anxiao.config import importing
from anxiao.config.environment import NotReady
from anxiao.directory.importing import keys
from anxiao.directory.models import DirectoryImport, Person
from anxiao.directory.names import Audience
from tests.directory import import_sheets as make
from tests.directory.import_cast import MORNING, Cast, acting, make_cast


@pytest.fixture
def cast(database: object) -> Cast:
    return make_cast()


def run(*paths: Path, kind: str | None = None, code: str | None = None, **wishes: object) -> tuple[int, str]:
    lines: list[str] = []
    status = importing.run(
        list(paths),
        kind=kind,
        school_code=code,
        wishes=importing.Wishes(**wishes),  # type: ignore[arg-type]
        side_by_side=2,
        say=lines.append,
    )
    return status, "\n".join(lines)


def test_a_folder_of_schools(cast: Cast, tmp_path: Path) -> None:
    mine, other = cast.school.code, cast.other.code
    students = make.sheet_of(make.STUDENTS, [make.student_row(i) for i in range(8)])
    # by name the students would come first; their counsellors are on the staff list
    (tmp_path / f"{mine}-a-students.xlsx").write_bytes(students)
    (tmp_path / f"{mine}-b-staff.xlsx").write_bytes(make.staff_sheet())
    (tmp_path / f"{other}-staff.csv").write_text("这不是名单\n", encoding="utf-8")
    (tmp_path / "notes.md").write_text("not a list")
    status, said = run(tmp_path)
    assert status == importing.REFUSED
    assert "3 files of 2 schools: 0 rows rejected, 1 files refused." in said
    with school_context("*"):
        assert Person.objects.filter(audience=Audience.STUDENT, school_id=cast.school.pk).count() == 8
        assert not Person.objects.filter(school_id=cast.other.pk).exists()
        assert set(DirectoryImport.objects.values_list("school_id", "origin")) == {(cast.school.pk, "command-line")}
        before = Person.objects.count()
    # rows of the wrong school, a trial, and the way to let people leave
    fewer = make.sheet_of(make.STUDENTS, [make.student_row(i) for i in range(7)])
    (tmp_path / f"{mine}-a-students.xlsx").write_bytes(fewer)
    file = tmp_path / f"{mine}-a-students.xlsx"
    status, said = run(file, dry_run=True, full_list=True)
    assert status == 0 and "Dry run: nothing was changed." in said
    status, said = run(file, full_list=True, leavers="all")
    assert status == 0
    with school_context("*"):
        assert Person.objects.count() == before
        last = DirectoryImport.objects.order_by("-id").first()
        assert last is not None and last.counts["written"]["left"] == 1
    assert run(file, code=other)[0] == importing.REJECTED


def test_a_file_must_say_what_it_is(cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("x")
    with pytest.raises(NotReady, match="does not say which list"):
        run(tmp_path / "list.csv")
    with pytest.raises(NotReady, match="several are in use"):
        run(tmp_path / "list.csv", kind="staff")
    with pytest.raises(NotReady, match="no file"):
        run(tmp_path / "absent.csv")


def test_keys_are_made_listed_and_ended(cast: Cast) -> None:
    (line,) = importing.keys_of(cast.school.code, name="教务系统", end=0)
    text = line.rsplit(" ", 1)[1]
    with acting(cast.admin):
        assert keys.scope_of_key(text, MORNING).school_id == cast.school.pk
    (listed,) = importing.keys_of(cast.school.code, name="", end=0)
    assert "教务系统: open" in listed and text not in listed
    number = int(listed.split()[0])
    assert "ended" in importing.keys_of(cast.school.code, name="", end=number)[0]
    assert importing.keys_of(cast.other.code, name="", end=number) == []
