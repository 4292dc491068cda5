"""What only the roster can tell about a row: the judge's second half, in the database."""

from __future__ import annotations

from typing import Any

import pytest

from anxiao.directory.importing import plan
from anxiao.directory.importing.commands import apply_at_once, preview_import
from anxiao.directory.importing.faults import describe, describe_note
from anxiao.directory.importing.templates import STUDENTS
from anxiao.directory.models import DirectoryImport, ImportRow
from anxiao.directory.names import Audience
from tests.directory import import_sheets as make
from tests.directory.import_cast import MORNING, Cast, acting, make_cast

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def staffed(database: object) -> Cast:
    cast = make_cast()
    bring(cast, make.staff_sheet(), Audience.STAFF)
    return cast


def preview(cast: Cast, data: bytes, kind: Audience = Audience.STUDENT) -> DirectoryImport:
    with acting(cast.admin) as who:
        return preview_import(by=who, school=cast.school, kind=kind, file=data, filename="名单.xlsx", now=MORNING)


def bring(cast: Cast, data: bytes, kind: Audience = Audience.STUDENT) -> None:
    staged = preview(cast, data, kind)
    with acting(cast.admin) as who:
        apply_at_once(by=who, import_=staged, now=MORNING)


def with_cells(of: int = 7, **cells: Any) -> list[Any]:
    row = make.student_row(of)
    for header, value in cells.items():
        row[STUDENTS.headers.index(header)] = value
    return row


def faults_of(cast: Cast, *rows: list[Any]) -> dict[tuple[int, str], str]:
    staged = preview(cast, make.sheet_of(STUDENTS, list(rows)))
    with acting(cast.admin) as who:
        found = {(row.row, fault["column"]): fault for row in plan.rejected_rows(who, staged) for fault in row.faults}
    for fault in found.values():
        assert len(describe(fault["kind"], fault["params"])) > 5
        assert fault["value"]
    return {cell: fault["kind"] for cell, fault in found.items()}


def test_zeros_that_a_spreadsheet_threw_away_are_asked_for(staffed: Cast) -> None:
    bring(staffed, make.sheet_of(STUDENTS, [with_cells(学号="000123")]))
    # As a text it is somebody else: the person has decided.
    assert faults_of(staffed, with_cells(1, 学号=123), with_cells(2, 学号="0123")) == {(2, "C"): "number_zeros_lost"}
    lost = make.student_row(7)[10].lstrip("0")
    assert faults_of(staffed, with_cells(辅导员工号=lost)) == {(2, "K"): "counsellor_zeros_lost"}


def test_a_number_is_written_as_the_directory_writes_it(staffed: Cast) -> None:
    bring(staffed, make.sheet_of(STUDENTS, [with_cells(7), with_cells(8, 学号="S1")]))
    assert faults_of(staffed, with_cells(7, 学号="p201800007")) == {(2, "C"): "number_case"}
    assert faults_of(staffed, with_cells(9, 辅导员工号="S1")) == {(2, "K"): "counsellor_is_student"}
    assert faults_of(staffed, with_cells(9, 学号="09001")) == {(2, "C"): "number_other_audience"}


def test_the_counsellors_phone_is_only_compared(staffed: Cast) -> None:
    staged = preview(staffed, make.sheet_of(STUDENTS, [with_cells(7, 辅导员手机号="13612345678"), with_cells(8)]))
    with acting(staffed.admin):
        notes = {row.row: row.notes for row in ImportRow.objects.filter(source_id=staged.pk)}
    (note,) = notes[2]
    assert (note["kind"], note["column"], note["value"]) == ("counsellor_phone_differs", "L", "13612345678")
    assert describe_note(note["kind"], note["params"])
    assert not notes[3]


def test_one_typing_error_in_a_counsellor_does_not_stop_the_class(staffed: Cast) -> None:
    rows = [with_cells(of) for of in (0, 100, 200)]
    rows[1][10] = "77777"
    assert faults_of(staffed, *rows) == {(3, "K"): "counsellor_unknown"}


def test_a_number_twice_names_the_other_places(staffed: Cast) -> None:
    staged = preview(staffed, make.sheet_of(STUDENTS, [with_cells(1), with_cells(2), with_cells(1)]))
    with acting(staffed.admin) as who:
        faults = {row.row: row.faults for row in plan.rejected_rows(who, staged)}
    assert set(faults) == {2, 4}
    assert [tuple(place) for place in faults[2][0]["params"]["places"]] == [(STUDENTS.title, 4)]
