"""Full lists and who leaves, surprises and their words, and the way back of an applied import."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from anxiao.base.boxes import Unopened
from anxiao.base.errors import Refused
from anxiao.base.tenancy import school_context
from anxiao.directory.importing import plan, vault
from anxiao.directory.importing.commands import (
    Leavers,
    apply_at_once,
    download_original,
    preview_import,
    undo_at_once,
    undo_import,
)
from anxiao.directory.models import (
    ClassCounsellor,
    DirectoryImport,
    ImportFile,
    ImportRow,
    ImportUndo,
    Membership,
    Organisation,
    Person,
)
from anxiao.directory.names import Audience, ImportState, RowVerdict
from anxiao.ledger.models import Entry
from anxiao.reporting.commands.counting import differences
from tests.directory import import_sheets as make
from tests.directory.import_cast import MORNING, NEXT_DAY, Cast, acting, make_cast

pytestmark = pytest.mark.usefixtures("database")
STUDENT = Audience.STUDENT


@pytest.fixture
def cast(database: object) -> Cast:
    cast = make_cast()
    bring(cast, make.staff_sheet(), kind=Audience.STAFF)
    return cast


def students(*rows: list[Any]) -> bytes:
    return make.sheet_of(make.STUDENTS, list(rows))


def preview(cast: Cast, data: bytes, *, kind: Audience = STUDENT, full: bool = False, now: Any = MORNING) -> Any:
    with acting(cast.admin) as who:
        return preview_import(
            by=who, school=cast.school, kind=kind, file=data, filename="名单.xlsx", full_list=full, now=now
        )


def bring(
    cast: Cast,
    data: bytes,
    *,
    kind: Audience = STUDENT,
    full: bool = False,
    leavers: Leavers = "none",
    words: str = "",
    now: Any = MORNING,
) -> DirectoryImport:
    staged = preview(cast, data, kind=kind, full=full, now=now)
    with acting(cast.admin) as who:
        return apply_at_once(by=who, import_=staged, leavers=leavers, confirmation=words, now=now)


def standing() -> dict[str, Any]:
    """What the roster says now, without what it said before."""
    with school_context("*"):
        held = Membership.objects.filter(superseded_at=None).order_by("person", "valid_from")
        links = ClassCounsellor.objects.exclude(valid_to=date(2026, 11, 25), valid_from=date(2026, 11, 25))
        return {
            "people": list(
                Person.objects.filter(memberships__in=held)
                .distinct()
                .order_by("pk")
                .values_list("number", "name", "sex", "phone", "category__name")
            ),
            "memberships": list(held.values_list("person", "organisation", "valid_from", "valid_to")),
            "nodes": list(Organisation.objects.filter(closed_on=None).order_by("pk").values_list("pk", "name")),
            "counsellors": list(links.order_by("pk").values_list("organisation", "person", "valid_from", "valid_to")),
        }


def test_nobody_leaves_without_being_shown_and_chosen(cast: Cast) -> None:
    rows = [make.student_row(i) for i in range(60)]
    bring(cast, students(*rows))
    staged = preview(cast, students(*rows[:57]), full=True, now=NEXT_DAY)
    assert staged.counts["leaves"] == 3
    with acting(cast.admin) as who:
        shown = plan.page_of_rows(who, staged, RowVerdict.LEAVES).rows
        assert sorted(row.values["number"] for row in shown) == sorted(row[2] for row in rows[57:])
        assert shown[0].changes["organisation"][1] == ""
        one = apply_at_once(by=who, import_=staged, leavers=[shown[0].pk], now=NEXT_DAY)
        assert one.counts["written"]["left"] == 1
        gone = Person.objects.get(number=shown[0].values["number"])
        (membership,) = gone.memberships.filter(superseded_at=None)
        assert (membership.valid_from, membership.valid_to) == (date(2026, 11, 24), date(2026, 11, 25))
        assert Entry.objects.filter(verb="person.left", object_id=str(gone.pk)).count() == 1
    # changes alone never make anybody leave
    assert preview(cast, students(rows[0]), now=NEXT_DAY).counts["leaves"] == 0
    assert not differences_of(cast)


def differences_of(cast: Cast) -> list[Any]:
    with school_context("*"):
        return differences(school_id=cast.school.pk)


def test_a_surprise_must_be_confirmed_in_words(cast: Cast) -> None:
    rows = [make.student_row(i) for i in range(60)]
    bring(cast, students(*rows))
    staged = preview(cast, students(*rows[:40]), full=True, now=NEXT_DAY)
    before = standing()
    with acting(cast.admin) as who:
        assert ("leaving", 20, 60) in [(one.kind, one.count, one.of) for one in plan.surprises(who, staged)]
    for words in ("", "安徽师范大学"):
        with pytest.raises(Refused) as refused, acting(cast.admin) as who:
            apply_at_once(by=who, import_=staged, leavers="all", confirmation=words, now=NEXT_DAY)
        assert refused.value.code == "unconfirmed"
    assert standing() == before
    with acting(cast.admin) as who:
        words = plan.confirmation_words(who, staged)
        done = apply_at_once(by=who, import_=staged, leavers="all", confirmation=words, now=NEXT_DAY)
    assert done.counts["written"]["left"] == 20


def test_without_leavers_their_number_is_no_surprise(cast: Cast) -> None:
    rows = [make.student_row(i) for i in range(60)]
    bring(cast, students(*rows))
    bring(cast, students(*rows[:10]), full=True, now=NEXT_DAY)
    with acting(cast.admin):
        assert Person.objects.filter(audience=STUDENT).count() == 60


def test_a_class_that_would_stand_empty_and_many_moves_are_surprises(cast: Cast) -> None:
    rows = [make.student_row(i) for i in range(70)]
    for row in rows[:6]:
        row[1], row[7], row[8], row[9:] = "文学院", "21级", "小班", rows[0][9:]
    bring(cast, students(*rows))
    staged = preview(cast, students(*rows[6:]), full=True)
    with acting(cast.admin) as who:
        (surprise,) = plan.surprises(who, staged)
        assert (surprise.kind, surprise.names) == ("class", ("21级 小班",))
    for row in rows[:30]:
        row[1], row[7], row[8], row[9:] = "文学院", "21级", "合并班", rows[0][9:]
    moved = preview(cast, students(*rows))
    with acting(cast.admin) as who:
        assert [(one.kind, one.count) for one in plan.surprises(who, moved)] == [("moving", 30)]


def test_an_undone_import_leaves_the_roster_as_it_was(cast: Cast) -> None:
    rows = [make.student_row(i) for i in range(40)]
    bring(cast, students(*rows))
    before = standing()
    rows[0][3] = "改名"
    rows[1][5] = "13600000001"
    rows[2][8] = "新班"
    rows[3][6] = "留学生"
    number, name, phone = make.counsellor(1, 1)
    for row in rows:
        if (row[1], row[7], row[8]) == (rows[4][1], rows[4][7], rows[4][8]):
            row[9], row[10], row[11] = name, number, phone
    new = make.student_row(41)
    done = bring(cast, students(*rows[:38], new), full=True, leavers="all", now=NEXT_DAY)
    assert done.counts["written"] == {"created": 1, "changed": 4, "left": 2, "moved": done.counts["written"]["moved"]}
    assert standing() != before
    with acting(cast.admin) as who:
        assert plan.obstacles(who, done, date(2026, 11, 25)) == []
        undone = undo_at_once(by=who, import_=done, now=NEXT_DAY)
    assert undone.state == ImportState.UNDONE
    assert standing() == before
    assert not differences_of(cast)
    with acting(cast.admin) as who:
        # what was known at noon is still known to have been known
        assert Membership.objects.filter(person__number=new[2]).exclude(superseded_at=None).exists()
        with pytest.raises(Refused):
            undo_import(by=who, import_=undone, now=NEXT_DAY)
    # and the same file may come again
    again = bring(cast, students(*rows[:38], new), full=True, leavers="all", now=NEXT_DAY)
    assert again.counts["joins"] == 1 and again.counts["leaves"] == 2


def test_an_import_on_which_something_was_built_is_not_undone(cast: Cast) -> None:
    rows = [make.student_row(i) for i in range(12)]
    first = bring(cast, students(*rows))
    rows[1][8] = "新班"
    bring(cast, students(*rows[:2]), now=NEXT_DAY)
    before = standing()
    with acting(cast.admin) as who:
        reasons = plan.obstacles(who, first, date(2026, 11, 25))
    assert len(reasons) == 1 and "1" in reasons[0]
    for undo in (undo_import, undo_at_once):
        with pytest.raises(Refused) as refused, acting(cast.admin) as who:
            undo(by=who, import_=first, now=NEXT_DAY)
        assert refused.value.code == "depended_on"
        assert reasons[0] in str(refused.value)
    assert standing() == before


def test_other_rooms_object_to_an_undo(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports, exemptions and accounts of people whom the import added."""
    from anxiao.accounts.models import User

    done = bring(cast, students(make.student_row(0)))
    with acting(cast.admin) as who:
        person = Person.objects.get(number=make.student_row(0)[2])
        User.objects.create(username="a-student", display_name="学生", person=person, date_joined=MORNING)
        (reason,) = plan.obstacles(who, done, date(2026, 11, 25))
        assert "1" in reason
        with pytest.raises(Refused):
            undo_at_once(by=who, import_=done, now=NEXT_DAY)


def test_an_account_is_called_like_its_person(cast: Cast) -> None:
    from anxiao.accounts.models import User

    row = make.student_row(0)
    bring(cast, students(row))
    with acting(cast.admin):
        person = Person.objects.get(number=row[2])
        User.objects.create(username="a-student", display_name=person.name, person=person, date_joined=MORNING)
    row[3] = "改名"
    done = bring(cast, students(row), now=NEXT_DAY)
    assert User.objects.get(username="a-student").display_name == "改名"
    with acting(cast.admin) as who:
        undo_at_once(by=who, import_=done, now=NEXT_DAY)
    assert User.objects.get(username="a-student").display_name == make.student_row(0)[3]


def test_the_file_is_kept_sealed_and_comes_back_as_it_was(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    data = students(*(make.student_row(i) for i in range(5)))
    done = bring(cast, data)
    with acting(cast.admin) as who:
        (piece,) = ImportFile.objects.filter(source=done)
        assert make.student_row(0)[2].encode() not in bytes(piece.sealed) and b"PK" not in bytes(piece.sealed)[:20]
        with download_original(by=who, import_=done, now=MORNING) as file:
            assert file.read() == data
        entry = Entry.objects.filter(verb="import.file_taken").get()
        assert (entry.object_id, entry.actor_id) == (str(done.pk), who.user_id)
        # moved to another import the box does not open
        other = DirectoryImport.objects.exclude(pk=done.pk).first()
        ImportFile.objects.filter(source=other).delete()
        ImportFile.objects.create(school_id=cast.school.pk, source=other, part=0, sealed=bytes(piece.sealed))
        with pytest.raises(Unopened):
            list(vault.pieces(other))
    monkeypatch.setenv("ANXIAO_SECRET_KEY", "another" * 10)
    with pytest.raises(Refused) as refused, acting(cast.admin) as who:
        download_original(by=who, import_=done, now=MORNING)
    assert refused.value.code == "key"


def test_the_same_file_twice_is_nothing(cast: Cast) -> None:
    data = students(*(make.student_row(i) for i in range(20)))
    first = bring(cast, data)
    with school_context("*"):
        before = (
            Person.objects.count(),
            Membership.objects.count(),
            Entry.objects.filter(object_type="person").count(),
        )
    again = bring(cast, data, full=True, leavers="all", now=NEXT_DAY)
    assert again.summary["again"] == first.pk
    assert again.counts["written"] == {"created": 0, "changed": 0, "left": 0, "moved": 0}
    with school_context("*"):
        assert before == (
            Person.objects.count(),
            Membership.objects.count(),
            Entry.objects.filter(object_type="person").count(),
        )
        assert not ImportRow.objects.filter(source=again).exists()
        assert ImportUndo.objects.get(source=again).begun == []
