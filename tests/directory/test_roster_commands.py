"""Transfer, leave, return, graduation, merger, renaming, exchange: from a day on, with a reason, and back again."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.permissions import Role
from anxiao.base.scope import Scope
from anxiao.base.tenancy import school_context
from anxiao.directory.access import get_person
from anxiao.directory.access_roster import get_change, get_managed_person
from anxiao.directory.commands_exchange import receive_guest, send_out
from anxiao.directory.commands_roster import (
    come_back,
    graduate,
    graduate_class,
    take_leave,
    transfer,
    undo_change,
)
from anxiao.directory.commands_tree import merge, names_come_due, rename
from anxiao.directory.models import ClassCounsellor, Membership, Organisation, Person
from anxiao.directory.names import OrganisationKind
from anxiao.directory.queries_roster import (
    changes_in,
    expected_twice,
    history_of,
    names_as_known,
    places_as_known,
)
from anxiao.ledger.models import Entry
from anxiao.reporting.commands.counting import differences
from anxiao.reporting.queries.boards import today_board
from tests.builders import MORNING, TODAY, add_person, counted, round_of, scope_for
from tests.cast import Cast, assemble

WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
SINCE = TODAY - timedelta(days=30)


@pytest.fixture(scope="module")
def stage(module_database: object) -> Cast:
    return assemble()


@pytest.fixture
def cast(stage: Cast) -> Iterator[Cast]:
    """Each test plays in a transaction that is rolled back: the next one finds the stage as it was."""
    cast = copy.deepcopy(stage)
    with school_context(cast.admin.db_scope), translation.override("en"):
        yield cast
        assert differences(school_id=cast.anda.pk) == [], "the counters follow whatever happens to the roster"
        transaction.set_rollback(True)


def line(person: Person) -> list[tuple[int, date, date | None]]:
    rows = Membership.objects.filter(person=person, superseded_at=None).order_by("valid_from")
    return [(m.organisation_id, m.valid_from, m.valid_to) for m in rows]


def expected(cast: Cast, node: Organisation, day: date = TODAY) -> int:
    return today_board(cast.admin, node, round_of(day)).total.expected


# -- transfer ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", [TODAY - WEEK, TODAY, TODAY + WEEK], ids=["past", "today", "future"])
def test_a_transfer_holds_from_its_day(cast: Cast, on: date) -> None:
    transfer(by=cast.admin, now=MORNING, person=cast.wangwu, to=cast.hanyu1, on=on, reason="转专业")
    assert line(cast.wangwu) == [(cast.tongxin1.pk, SINCE, on), (cast.hanyu1.pk, on, None)]
    assert expected(cast, cast.tongxin1, on - timedelta(days=1)) == 3
    assert (expected(cast, cast.tongxin1, on), expected(cast, cast.hanyu1, on)) == (2, 2)


def test_a_change_is_written_down_with_its_reason_and_entered_into_the_ledger_without_it(cast: Cast) -> None:
    change = transfer(by=cast.admin, now=MORNING, person=cast.wangwu, to=cast.hanyu1, on=TODAY, reason=" 因病转班 ")
    assert (change.reason, change.people, change.node, change.to_node) == (
        "因病转班",
        1,
        cast.tongxin1,
        cast.hanyu1,
    )
    entry = Entry.objects.get(verb="roster.transfer")
    assert (entry.object_id, entry.facts["change"]) == (str(cast.wangwu.pk), change.pk)
    assert "因病" not in str(entry.facts)


@pytest.mark.parametrize("reason", ["", "  ", "长" * 201])
def test_without_a_reason_nothing_is_changed(cast: Cast, reason: str) -> None:
    with pytest.raises(Invalid) as invalid:
        transfer(by=cast.admin, now=MORNING, person=cast.wangwu, to=cast.hanyu1, on=TODAY, reason=reason)
    assert set(invalid.value.fields) == {"reason"}


def test_days_outside_the_calendar_are_refused(cast: Cast) -> None:
    with pytest.raises(Invalid):
        take_leave(by=cast.admin, now=MORNING, person=cast.wangwu, on=date(2019, 12, 31), reason="休学")
    with pytest.raises(Invalid) as invalid:
        take_leave(by=cast.admin, now=MORNING, person=cast.wangwu, on=TODAY, until=TODAY, reason="休学")
    assert set(invalid.value.fields) == {"until"}


def test_only_who_answers_for_both_nodes_transfers(cast: Cast) -> None:
    outsiders: list[Scope] = [
        cast.counsellor,
        cast.officer,
        cast.outsider,
        scope_for(Role.COLLEGE_OFFICER, cast.literature),
        scope_for(Role.COLLEGE_OFFICER, cast.electronics),
    ]
    for scope in outsiders:
        with pytest.raises(NotYours):
            transfer(by=scope, now=MORNING, person=cast.wangwu, to=cast.hanyu1, on=TODAY, reason="转专业")
    transfer(by=cast.college_officer, now=MORNING, person=cast.wangwu, to=cast.tongxin2, on=TODAY, reason="转班")


def test_nobody_is_moved_into_another_school(cast: Cast) -> None:
    with pytest.raises(Refused, match="another school"):
        transfer(by=cast.admin, now=MORNING, person=cast.wangwu, to=cast.jixie1, on=TODAY, reason="转学")


def test_a_transfer_to_where_one_is_changes_nothing(cast: Cast) -> None:
    with pytest.raises(Refused, match="already"):
        transfer(by=cast.admin, now=MORNING, person=cast.wangwu, to=cast.tongxin1, on=TODAY, reason="转班")


def test_a_transfer_costs_a_fixed_number_of_statements(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as queries:
        transfer(by=cast.admin, now=MORNING, person=cast.wangwu, to=cast.hanyu1, on=TODAY, reason="转班")
    assert len(queries) == 25, "\n".join(q["sql"][:90] for q in queries)


# -- leave and return -------------------------------------------------------------------------------------------------


def test_on_leave_nothing_is_expected_until_the_planned_day(cast: Cast) -> None:
    take_leave(by=cast.admin, now=MORNING, person=cast.wangwu, on=TODAY, until=TODAY + WEEK, reason="休学")
    assert [expected(cast, cast.tongxin1, day) for day in (TODAY - WEEK, TODAY, TODAY + WEEK)] == [3, 2, 3]


def test_a_return_into_a_lower_grade_ends_an_open_leave(cast: Cast) -> None:
    take_leave(by=cast.admin, now=MORNING, person=cast.wangwu, on=TODAY, reason="休学")
    come_back(by=cast.admin, now=MORNING + HOUR, person=cast.wangwu, to=cast.tongxin2, on=TODAY + WEEK, reason="复学")
    assert line(cast.wangwu) == [(cast.tongxin1.pk, SINCE, TODAY), (cast.tongxin2.pk, TODAY + WEEK, None)]


def test_an_early_return_replaces_the_planned_one(cast: Cast) -> None:
    take_leave(by=cast.admin, now=MORNING, person=cast.wangwu, on=TODAY, until=TODAY + 4 * WEEK, reason="休学")
    come_back(by=cast.admin, now=MORNING + HOUR, person=cast.wangwu, to=cast.tongxin2, on=TODAY + WEEK, reason="复学")
    assert line(cast.wangwu)[1:] == [(cast.tongxin2.pk, TODAY + WEEK, None)]


def test_who_belongs_to_a_class_does_not_return_and_who_is_away_is_not_transferred(cast: Cast) -> None:
    with pytest.raises(Refused, match="transfer instead"):
        come_back(by=cast.admin, now=MORNING, person=cast.wangwu, to=cast.tongxin2, on=TODAY, reason="复学")
    take_leave(by=cast.admin, now=MORNING, person=cast.wangwu, on=TODAY, reason="休学")
    with pytest.raises(Refused, match="return instead"):
        transfer(by=cast.admin, now=MORNING, person=cast.wangwu, to=cast.tongxin2, on=TODAY, reason="转班")
    with pytest.raises(Refused, match="nothing to end"):
        take_leave(by=cast.admin, now=MORNING, person=cast.wangwu, on=TODAY, reason="休学")


def test_who_is_away_stays_with_those_who_answered_for_them(cast: Cast) -> None:
    take_leave(by=cast.admin, now=MORNING, person=cast.wangwu, on=TODAY, reason="休学")
    assert get_person(cast.admin, cast.wangwu.pk, TODAY) == cast.wangwu
    assert get_managed_person(cast.college_officer, cast.wangwu.pk, TODAY)[1] == cast.tongxin1
    for scope in (cast.counsellor, scope_for(Role.COLLEGE_OFFICER, cast.literature), cast.outsider):
        with pytest.raises(NotYours):
            get_person(scope, cast.wangwu.pk, TODAY)
    assert [c.person for c in changes_in(cast.admin, day=TODAY, away=True).rows] == [cast.wangwu]
    assert not changes_in(scope_for(Role.COLLEGE_OFFICER, cast.literature), day=TODAY, away=True).rows


# -- graduation -------------------------------------------------------------------------------------------------------


def test_who_graduates_is_expected_no_more_and_no_planned_move_brings_them_back(cast: Cast) -> None:
    transfer(by=cast.admin, now=MORNING, person=cast.wangwu, to=cast.hanyu1, on=TODAY + 2 * WEEK, reason="转专业")
    graduate(by=cast.admin, now=MORNING + HOUR, person=cast.wangwu, on=TODAY + WEEK, reason="毕业")
    assert line(cast.wangwu) == [(cast.tongxin1.pk, SINCE, TODAY + WEEK)]


def test_a_class_graduates_in_as_many_statements_as_one_student(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as one:
        graduate_class(by=cast.admin, now=MORNING, node=cast.hanyu1, on=TODAY + WEEK, reason="毕业")
    with CaptureQueriesContext(connection) as three:
        change = graduate_class(by=cast.admin, now=MORNING, node=cast.tongxin1, on=TODAY + WEEK, reason="毕业")
    assert change.people == 3
    assert len(one) == len(three)
    assert [expected(cast, cast.tongxin1, day) for day in (TODAY, TODAY + WEEK)] == [3, 0]
    with pytest.raises(Refused, match="closed"):
        transfer(by=cast.admin, now=MORNING, person=cast.sunba, to=_again(cast.tongxin1), on=TODAY, reason="转班")
    undo_change(by=cast.admin, now=MORNING + HOUR, change=change)
    assert (_again(cast.tongxin1).closed_on, expected(cast, cast.tongxin1, TODAY + WEEK)) == (None, 3)


# -- merger -----------------------------------------------------------------------------------------------------------


def _again(node: Organisation) -> Organisation:
    return Organisation.objects.get(pk=node.pk)


def test_a_merger_takes_classes_people_and_counsellors_along_and_leaves_the_past_where_it_was(cast: Cast) -> None:
    change = merge(by=cast.admin, now=MORNING, node=cast.literature, into=cast.electronics, on=TODAY, reason="院系调整")
    hanyu1 = Organisation.objects.get(parent=cast.electronics, name="汉语1班")
    assert (hanyu1.grade, hanyu1.path) == ("19级", f"{cast.electronics.path}.{hanyu1.pk}")
    assert line(cast.lijiu) == [(cast.hanyu1.pk, SINCE, TODAY), (hanyu1.pk, TODAY, None)]
    assert line(cast.zhoushi) == [(cast.literature.pk, SINCE, TODAY), (cast.electronics.pk, TODAY, None)]
    assert change.people == 2
    link = ClassCounsellor.objects.get(organisation=hanyu1)
    assert (link.person, link.valid_from, link.valid_to) == (cast.zhoushi, TODAY, None)
    yesterday = TODAY - timedelta(days=1)
    assert [expected(cast, cast.literature, day) for day in (yesterday, TODAY)] == [2, 0]
    assert [expected(cast, cast.electronics, day) for day in (yesterday, TODAY)] == [5, 7]


def test_a_merged_college_leaves_the_board_from_its_day_on(cast: Cast) -> None:
    merge(by=cast.admin, now=MORNING, node=cast.literature, into=cast.electronics, on=TODAY, reason="院系调整")

    def shown(day: date) -> list[str]:
        return [child.node.name for child in today_board(cast.admin, cast.anda_node, round_of(day)).children]

    assert shown(TODAY) == ["电子信息工程学院"]
    assert set(shown(TODAY - timedelta(days=1))) == {"电子信息工程学院", "文学院"}


def test_a_merger_is_undone_while_nothing_builds_on_it(cast: Cast) -> None:
    before = line(cast.lijiu), line(cast.zhoushi)
    change = merge(by=cast.admin, now=MORNING, node=cast.literature, into=cast.electronics, on=TODAY, reason="院系调整")
    undo_change(by=cast.admin, now=MORNING + HOUR, change=change)
    assert (line(cast.lijiu), line(cast.zhoushi)) == before
    assert _again(cast.literature).closed_on is None and _again(cast.hanyu1).closed_on is None
    assert expected(cast, cast.literature) == 2
    standing = ClassCounsellor.objects.filter(organisation=cast.hanyu1, valid_to=None)
    assert [link.person for link in standing] == [cast.zhoushi]
    # and the same again, under the same names
    merge(by=cast.admin, now=MORNING + 2 * HOUR, node=cast.literature, into=cast.electronics, on=TODAY, reason="调整")
    assert expected(cast, cast.electronics) == 7


def test_a_merger_is_not_undone_once_somebody_has_moved_on(cast: Cast) -> None:
    change = merge(by=cast.admin, now=MORNING, node=cast.literature, into=cast.electronics, on=TODAY, reason="院系调整")
    transfer(by=cast.admin, now=MORNING + HOUR, person=cast.lijiu, to=cast.tongxin1, on=TODAY, reason="转专业")
    with pytest.raises(Refused, match="changed again"):
        undo_change(by=cast.admin, now=MORNING + 2 * HOUR, change=change)
    assert _again(cast.literature).closed_on == TODAY


def test_two_classes_of_one_name_stand_in_the_way_of_a_merger(cast: Cast) -> None:
    rename(by=cast.admin, now=MORNING, node=cast.hanyu1, name="通信1班", grade="18级", on=TODAY, reason="更名")
    with pytest.raises(Refused, match="18级 通信1班"):
        merge(by=cast.admin, now=MORNING, node=cast.literature, into=cast.electronics, on=TODAY, reason="院系调整")


def test_only_the_schools_administrator_merges(cast: Cast) -> None:
    for scope in (cast.college_officer, cast.officer, cast.outsider):
        with pytest.raises(NotYours):
            merge(by=scope, now=MORNING, node=cast.literature, into=cast.electronics, on=TODAY, reason="院系调整")
    with pytest.raises(NotYours):
        merge(by=cast.admin, now=MORNING, node=cast.literature, into=cast.mechanics, on=TODAY, reason="院系调整")
    for node, into in ((cast.hanyu1, cast.electronics), (cast.literature, cast.literature)):
        with pytest.raises(Refused):
            merge(by=cast.admin, now=MORNING, node=node, into=into, on=TODAY, reason="院系调整")


# -- names ------------------------------------------------------------------------------------------------------------


def test_a_node_has_the_name_of_the_day_as_known_at_the_moment(cast: Cast) -> None:
    rename(by=cast.admin, now=MORNING, node=cast.literature, name="人文学院", on=TODAY - WEEK, reason="更名")

    def called(day: date, known: object) -> str | None:
        return names_as_known(cast.admin, nodes=[cast.literature.pk], day=day, known=known).get(cast.literature.pk)

    assert _again(cast.literature).name == "人文学院"
    assert called(TODAY, MORNING + HOUR) == "人文学院"
    assert called(TODAY - 2 * WEEK, MORNING + HOUR) == "文学院"
    assert called(TODAY, MORNING) == "文学院", "what was not known yet is not told"


def test_a_name_of_a_later_day_comes_when_its_day_comes(cast: Cast) -> None:
    rename(by=cast.admin, now=MORNING, node=cast.literature, name="人文学院", on=TODAY + WEEK, reason="更名")
    assert _again(cast.literature).name == "文学院"


def test_the_housekeeper_carries_a_name_over_once(database: object) -> None:
    cast = assemble()
    with school_context(cast.admin.db_scope):
        rename(by=cast.admin, now=MORNING, node=cast.literature, name="人文学院", on=TODAY + WEEK, reason="更名")
    assert [names_come_due(now=MORNING), names_come_due(now=MORNING + WEEK), names_come_due(now=MORNING + WEEK)] == [
        0,
        1,
        0,
    ]
    with school_context("*"):
        assert _again(cast.literature).name == "人文学院"
        assert Entry.objects.filter(verb="organisation.renamed").count() == 1


def test_two_nodes_side_by_side_have_different_names(cast: Cast) -> None:
    with pytest.raises(Invalid, match="already"):
        rename(by=cast.admin, now=MORNING, node=cast.tongxin1, name="通信2班", on=TODAY, reason="更名")
    with pytest.raises(Refused, match="register"):
        rename(by=cast.admin, now=MORNING, node=cast.anda_node, name="安大", on=TODAY, reason="更名")
    with pytest.raises(NotYours):
        rename(by=cast.counsellor, now=MORNING, node=cast.tongxin1, name="通信3班", on=TODAY, reason="更名")


# -- undo and history -------------------------------------------------------------------------------------------------


def test_a_change_is_taken_back_once_and_both_stay_on_record(cast: Cast) -> None:
    before = line(cast.wangwu)
    change = transfer(by=cast.admin, now=MORNING, person=cast.wangwu, to=cast.hanyu1, on=TODAY, reason="转专业")
    undone = undo_change(by=cast.admin, now=MORNING + HOUR, change=change)
    assert line(cast.wangwu) == before
    assert undone.undone_at is not None
    assert Entry.objects.filter(verb="roster.undone").count() == 1
    with pytest.raises(Refused, match="already"):
        undo_change(by=cast.admin, now=MORNING + HOUR, change=change)
    history = history_of(cast.admin, cast.wangwu)
    assert [(one.node, one.since, one.until) for one in history.standing] == [(cast.tongxin1, SINCE, None)]
    assert len(history.believed) == 3
    assert [c.pk for c in history.changes] == [change.pk]


def test_nobody_takes_back_what_is_not_theirs(cast: Cast) -> None:
    change = transfer(by=cast.admin, now=MORNING, person=cast.wangwu, to=cast.hanyu1, on=TODAY, reason="转专业")
    for scope in (cast.college_officer, cast.counsellor, cast.outsider):
        with pytest.raises(NotYours):
            get_change(scope, change.pk)
        with pytest.raises(NotYours):
            undo_change(by=scope, now=MORNING + HOUR, change=change)


def test_a_history_names_the_decision_that_began_each_row(cast: Cast) -> None:
    moved = merge(by=cast.admin, now=MORNING, node=cast.literature, into=cast.electronics, on=TODAY, reason="调整")
    with CaptureQueriesContext(connection) as queries:
        history = history_of(cast.admin, cast.lijiu)
    assert [one.change for one in history.standing] == [moved, moved]
    assert [(one.change, one.known_until) for one in history.believed] == [(None, moved.made_at)]
    assert len(queries) == 3


def test_what_was_known_stays_to_be_asked(cast: Cast) -> None:
    transfer(by=cast.admin, now=MORNING + HOUR, person=cast.wangwu, to=cast.hanyu1, on=TODAY - WEEK, reason="转专业")

    def place(day: date, hours: float) -> int | None:
        known = MORNING + hours * HOUR
        return places_as_known(cast.admin, school_id=cast.anda.pk, day=day, known=known).get(cast.wangwu.pk)

    assert place(TODAY - WEEK, 0.5) == cast.tongxin1.pk
    assert place(TODAY - WEEK, 1) == cast.hanyu1.pk
    assert place(TODAY - 2 * WEEK, 1) == cast.tongxin1.pk
    assert place(TODAY, -1) is None


# -- exchange ---------------------------------------------------------------------------------------------------------


def test_an_exchange_student_is_expected_at_the_host_and_once(database: object) -> None:
    cast = assemble()
    until = TODAY + WEEK
    host_admin = scope_for(Role.SCHOOL_ADMIN, cast.gongda_node)
    with school_context(host_admin.db_scope):
        guest = add_person(cast.jixie1, cast.wangwu.name, number="X2026001", since=TODAY - WEEK)
        counted(cast.gongda.pk)
        receive_guest(
            by=host_admin,
            now=MORNING,
            person=guest,
            home=cast.anda,
            home_number=cast.wangwu.number,
            on=TODAY,
            until=until,
            reason="校际交流",
        )
        assert line(guest) == [(cast.jixie1.pk, TODAY, until)]
    with school_context("*"):
        assert [(t.host, t.home) for t in expected_twice(cast.province_officer, day=TODAY)] == [
            (cast.gongda, cast.anda)
        ]
    with school_context(cast.admin.db_scope):
        send_out(
            by=cast.admin, now=MORNING, person=cast.wangwu, host=cast.gongda, on=TODAY, until=until, reason="校际交流"
        )
    with school_context("*"):
        assert not expected_twice(cast.province_officer, day=TODAY)
        for day, here, there, all_ in (
            (TODAY - timedelta(days=1), 1, 7, 9),
            (TODAY, 2, 6, 9),
            (until, 1, 7, 9),
        ):
            boards = [
                today_board(cast.province_officer, node, round_of(day)).total.expected
                for node in (cast.jixie1, cast.anda_node, cast.province)
            ]
            assert boards == [here, there, all_], day
        for school in (cast.anda, cast.gongda):
            assert differences(school_id=school.pk) == []


def test_an_exchange_is_with_another_school(cast: Cast) -> None:
    with pytest.raises(Refused):
        send_out(
            by=cast.admin, now=MORNING, person=cast.wangwu, host=cast.anda, on=TODAY, until=None, reason="校际交流"
        )
    assert Organisation.objects.filter(kind=OrganisationKind.SCHOOL).count() == 1
