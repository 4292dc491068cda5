"""The dormitory sheet: who sleeps where, from the first row to the way back."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from anxiao.base.errors import Refused
from anxiao.base.tenancy import school_context
from anxiao.directory.importing import plan
from anxiao.directory.importing.commands import Leavers, apply_at_once, preview_import, undo_at_once
from anxiao.directory.importing.templates import DORMITORY
from anxiao.directory.models import DirectoryImport, Place, Residence
from anxiao.directory.names import Audience, ImportTemplate
from anxiao.ledger.models import Entry
from tests.directory import import_sheets as make
from tests.directory.import_cast import MORNING, NEXT_DAY, Cast, acting, make_cast

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def cast(database: object) -> Cast:
    cast = make_cast()
    for kind, data in (
        (Audience.STAFF, make.staff_sheet()),
        (Audience.STUDENT, make.sheet_of(make.STUDENTS, [make.student_row(i) for i in range(12)])),
    ):
        with acting(cast.admin) as who:
            staged = preview_import(by=who, school=cast.school, kind=kind, file=data, filename="x", now=MORNING)
            apply_at_once(by=who, import_=staged, now=MORNING)
    return cast


def bed(i: int, room: str = "412", number: str | None = None, building: str = "榴园3号楼") -> list[Any]:
    student = make.student_row(i)
    return [make.SCHOOL, student[2], student[3], "磬苑校区", building, room, number or str(i + 1)]


def preview(cast: Cast, rows: list[list[Any]], *, full: bool = False, now: Any = MORNING) -> DirectoryImport:
    with acting(cast.admin) as who:
        return preview_import(
            by=who,
            school=cast.school,
            kind=ImportTemplate.DORMITORY,
            file=make.sheet_of(DORMITORY, rows),
            filename="住宿.xlsx",
            full_list=full,
            now=now,
        )


def bring(
    cast: Cast, rows: list[list[Any]], *, full: bool = False, leavers: Leavers = "none", now: Any = MORNING
) -> Any:
    staged = preview(cast, rows, full=full, now=now)
    with acting(cast.admin) as who:
        words = plan.confirmation_words(who, staged)
        return apply_at_once(by=who, import_=staged, leavers=leavers, confirmation=words, now=now)


def sleeping(day: date) -> list[tuple[str, str, str]]:
    with school_context("*"):
        found = Residence.objects.filter(valid_from__lte=day).exclude(valid_to__lte=day).order_by("person__number")
        return list(found.values_list("person__number", "place__name", "bed"))


def test_beds_from_the_sheet_to_the_place_tree(cast: Cast) -> None:
    done = bring(cast, [bed(0), bed(1), bed(2, room="413")])
    assert done.counts["makes"] == {"campus": 1, "building": 1, "room": 2}
    with acting(cast.admin):
        assert list(Place.objects.order_by("id").values_list("kind", "name")) == [
            ("campus", "磬苑校区"),
            ("building", "榴园3号楼"),
            ("room", "412"),
            ("room", "413"),
        ]
        assert Entry.objects.filter(verb="person.settled").count() == 3
    first = date(2026, 11, 24)
    assert [(room, at) for _number, room, at in sleeping(first)] == [("412", "1"), ("412", "2"), ("413", "3")]
    # the same sheet once more is nothing; a move ends one bed and begins another
    assert bring(cast, [bed(0), bed(1), bed(2, room="413")], now=NEXT_DAY).counts["unchanged"] == 3
    moved = bring(cast, [bed(0, room="413", number="9")], now=NEXT_DAY)
    assert moved.counts["moves"] == 1
    assert sleeping(date(2026, 11, 25))[0][1:] == ("413", "9")
    assert sleeping(first)[0][1:] == ("412", "1")
    with acting(cast.admin) as who:
        undone = undo_at_once(by=who, import_=moved, now=NEXT_DAY)
    assert undone.state == "undone"
    assert sleeping(date(2026, 11, 25))[0][1:] == ("412", "1")


def test_a_room_is_found_beneath_its_floor(cast: Cast) -> None:
    bring(cast, [bed(0)])
    with acting(cast.admin):
        room = Place.objects.get(kind="room")
        floor = Place.objects.create(
            school_id=cast.school.pk, kind="floor", parent=room.parent, path=f"{room.parent.path}.9999", name="4层"
        )
        Place.objects.filter(pk=room.pk).update(parent=floor, path=f"{floor.path}.{room.pk}")
    assert bring(cast, [bed(1)]).counts["makes"] == {}


def test_who_moves_out_is_shown_and_chosen(cast: Cast) -> None:
    bring(cast, [bed(i) for i in range(4)])
    staged = preview(cast, [bed(0)], full=True, now=NEXT_DAY)
    assert staged.counts["leaves"] == 3
    done = bring(cast, [bed(0)], full=True, leavers="all", now=NEXT_DAY)
    assert done.counts["written"] == {"created": 0, "changed": 0, "left": 3, "moved": 0}
    assert len(sleeping(date(2026, 11, 25))) == 1


def test_what_is_wrong_is_said_at_its_cell(cast: Cast) -> None:
    strange, other = bed(0), bed(1)
    strange[1], other[2] = "X999", "别名"
    staged = preview(cast, [strange, other, bed(2, number="7"), bed(3, number="7"), bed(4), bed(4)])
    with acting(cast.admin) as who:
        found = [
            (row.row, fault["column"], fault["kind"]) for row in plan.rejected_rows(who, staged) for fault in row.faults
        ]
    assert found == [
        (2, "B", "person_unknown"),
        (3, "C", "person_name_differs"),
        (4, "G", "bed_twice"),
        (5, "G", "bed_twice"),
        (6, "B", "number_twice"),
        (6, "G", "bed_twice"),
        (7, "B", "number_twice"),
        (7, "G", "bed_twice"),
    ]


def test_beds_given_otherwise_since_then_refuse_and_keep_from_undoing(cast: Cast) -> None:
    first = bring(cast, [bed(0)])
    staged = preview(cast, [bed(0, room="500")], now=NEXT_DAY)
    bring(cast, [bed(0, room="600")], now=NEXT_DAY)
    with pytest.raises(Refused) as refused, acting(cast.admin) as who:
        apply_at_once(by=who, import_=staged, now=NEXT_DAY)
    assert refused.value.code == "stale"
    with pytest.raises(Refused) as refused, acting(cast.admin) as who:
        undo_at_once(by=who, import_=first, now=NEXT_DAY)
    assert refused.value.code == "depended_on"
