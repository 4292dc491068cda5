"""The board's numbers, the names behind them, and what reading them costs."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from anxiao.base.clock import moment_at
from anxiao.base.errors import NotYours
from anxiao.base.permissions import Role
from anxiao.directory.commands import add_place, settle_in
from anxiao.directory.names import Audience, PlaceKind
from anxiao.reporting.commands.exemptions import exempt
from anxiao.reporting.commands.reports import correct_report
from anxiao.reporting.names import ExemptionReason
from anxiao.reporting.queries.boards import Figures, hours_of, today_board, trail_of, trend
from anxiao.reporting.queries.people import (
    Listing,
    count_names,
    exempt_people,
    late_people,
    missing_people,
    names,
    unwell_people,
    where_node,
    where_nodes,
)
from anxiao.reporting.queries.places import place_board
from anxiao.reporting.queries.reports import person_days
from anxiao.statistics.commands import squash
from tests.builders import HOUSE, MORNING, TODAY, add_people, answers, counted, report, round_of, scope_for
from tests.cast import Cast, assemble

AFTERNOON = moment_at(TODAY, time(15, 20))
EVENING = moment_at(TODAY, time(20))


@pytest.fixture
def cast(database: object) -> Cast:
    return assemble()


@pytest.fixture
def busy(cast: Cast) -> Cast:
    """王五 on time and well, 赵六 late with a fever, 钱七 exempt but reporting, 孙八 silent; 李九 with a cold."""
    with cast.seen_by(cast.admin):
        exempt(
            by=cast.admin,
            now=MORNING,
            person=cast.qianqi,
            reason=ExemptionReason.LEAVE,
            first_day=TODAY,
            last_day=TODAY,
        )
        report(cast.wangwu)
        report(cast.zhaoliu, at=AFTERNOON, symptoms=["fever"], temperature=38.2)
        report(cast.qianqi)
        report(cast.lijiu, symptoms=["cold"], temperature=36.8)
    return cast


@pytest.mark.parametrize("squashed", [False, True])
def test_a_school_board_counts_by_the_book_before_and_after_squashing(busy: Cast, squashed: bool) -> None:
    if squashed:
        squash()
    with busy.seen_by(busy.officer) as scope:
        board = today_board(scope, busy.anda_node, round_of())
    total = board.total
    # 5 students and 2 staff belong to the school; one is exempt
    assert (total.people, total.exempt, total.expected) == (7, 1, 6)
    assert (total.on_time, total.late, total.missing) == (2, 1, 3)
    assert total.exempt_reported == 1
    assert (total.unwell, total.fever) == (2, 1)
    assert board.by_audience[Audience.STAFF] == Figures(people=2)
    assert board.hours[8] == 2
    assert board.hours[15] == board.late_hours[15] == 1
    assert [row.node.name for row in board.children] == ["文学院", "电子信息工程学院"]
    assert sum((row.figures for row in board.children), Figures()) == total
    assert board.own is None


def test_people_whom_a_node_holds_itself_have_a_row_of_their_own(busy: Cast) -> None:
    with busy.seen_by(busy.college_officer) as scope:
        board = today_board(scope, busy.electronics, round_of())
    assert [row.node for row in board.children] == [busy.tongxin1, busy.tongxin2]
    assert board.own == Figures(people=1)
    assert board.total.people == 5


def test_the_province_is_the_sum_of_its_schools(busy: Cast) -> None:
    with busy.seen_by(busy.province_officer) as scope:
        board = today_board(scope, busy.province, round_of())
    assert board.total.people == 9
    assert {row.node.name: row.figures.people for row in board.children} == {"安徽大学": 7, "合肥工业大学": 2}
    assert board.own is None


def test_a_board_costs_two_statements_whatever_hangs_beneath(busy: Cast) -> None:
    round_ = round_of()
    for scope, node in ((busy.province_officer, busy.province), (busy.officer, busy.anda_node)):
        with busy.seen_by(scope), CaptureQueriesContext(connection) as queries:
            today_board(scope, node, round_)
        assert len(queries) == 2
    with busy.seen_by(busy.counsellor) as scope, CaptureQueriesContext(connection) as queries:
        today_board(scope, busy.tongxin1, round_)
    assert len(queries) == 2


def test_a_correction_moves_health_and_leaves_punctuality(busy: Cast) -> None:
    with busy.seen_by(busy.officer) as scope:
        from uuid import uuid4

        correct_report(
            by=scope,
            round=round_of(),
            school_id=busy.anda.pk,
            person_id=busy.wangwu.pk,
            answers=answers(symptoms=["dry_cough"]),
            key=uuid4(),
            reason="电话核实",
            now=AFTERNOON,
        )
        board = today_board(scope, busy.anda_node, round_of())
        ill = unwell_people(scope, busy.anda_node, round_of())
    assert (board.total.on_time, board.total.unwell) == (2, 3)
    assert [row.name for row in ill.rows] == ["王五", "赵六", "李九"]
    assert ill.rows[0].version == 2


def test_a_board_of_somebody_else_does_not_exist(busy: Cast) -> None:
    for scope in (busy.outsider, busy.other_counsellor, busy.counsellor):
        with busy.seen_by(scope), pytest.raises(NotYours):
            today_board(scope, busy.electronics, round_of())


def test_names_equal_numbers(busy: Cast) -> None:
    with busy.seen_by(busy.officer) as scope:
        round_ = round_of()
        total = today_board(scope, busy.anda_node, round_).total
        missing = missing_people(scope, busy.anda_node, round_)
        late = late_people(scope, busy.anda_node, round_)
        excused = exempt_people(scope, busy.anda_node, round_)
        ill = unwell_people(scope, busy.anda_node, round_)
        where = where_node(scope, busy.anda_node)
        counts = [count_names(scope, kind, where, round_) for kind in (Listing.MISSING, Listing.LATE, Listing.ON_TIME)]
    assert [row.name for row in missing.rows] == ["张三", "周十", "孙八"]
    assert [row.name for row in late.rows] == ["赵六"]
    assert [(row.name, row.exempt_reason, row.version) for row in excused.rows] == [("钱七", "leave", 1)]
    assert [row.name for row in ill.rows] == ["赵六", "李九"]
    assert ill.rows[0].health["temperature_tenths"] == 382
    assert counts == [total.missing, total.late, total.on_time]
    assert all("****" in row.phone for row in missing.rows)


def test_names_of_health_need_the_right_to_see_health(busy: Cast) -> None:
    head = scope_for(Role.CLASS_HEAD, busy.tongxin1)
    with busy.seen_by(head):
        assert missing_people(head, busy.tongxin1, round_of()).rows == []
        with pytest.raises(NotYours):
            unwell_people(head, busy.tongxin1, round_of())
    guard = scope_for(Role.SECURITY, busy.anda_node)
    with busy.seen_by(guard), pytest.raises(NotYours):
        missing_people(guard, busy.anda_node, round_of())


def test_pages_go_forth_and_back_by_key_and_lose_nobody(cast: Cast) -> None:
    with cast.seen_by(cast.admin):
        add_people(cast.tongxin1, 23)
        counted(cast.anda.pk)
    with cast.seen_by(cast.counsellor) as scope:
        where, round_ = where_node(scope, cast.tongxin1), round_of()
        seen: list[str] = []
        page = names(scope, Listing.MISSING, where, round_, limit=10)
        pages = [page]
        seen += [row.number for row in page.rows]
        while page.after is not None:
            page = names(scope, Listing.MISSING, where, round_, after=page.after, limit=10)
            pages.append(page)
            seen += [row.number for row in page.rows]
        assert len(seen) == len(set(seen)) == 26
        assert seen == sorted(seen)
        assert [len(p.rows) for p in pages] == [10, 10, 6]
        assert pages[0].before is None
        back = names(scope, Listing.MISSING, where, round_, before=pages[2].before, limit=10)
        assert back.rows == pages[1].rows
        first = names(scope, Listing.MISSING, where, round_, before=back.before, limit=10)
        assert first.rows == pages[0].rows
        assert first.before is None


def test_a_page_of_names_costs_the_same_whoever_is_on_it(busy: Cast) -> None:
    round_ = round_of()
    with busy.seen_by(busy.officer) as scope:
        where = where_node(scope, busy.anda_node)
        with CaptureQueriesContext(connection) as queries:
            names(scope, Listing.MISSING, where, round_)
    assert len(queries) == 2


def test_a_counsellor_sees_several_classes_as_one_list(busy: Cast) -> None:
    with busy.seen_by(busy.college_officer) as scope:
        where = where_nodes(scope, [busy.tongxin1, busy.tongxin2])
        assert [row.name for row in names(scope, Listing.MISSING, where, round_of()).rows] == ["孙八"]
    with busy.seen_by(busy.counsellor) as scope, pytest.raises(NotYours):
        where_nodes(scope, [busy.tongxin1, busy.hanyu1])


def test_a_dorm_manager_sees_the_residents_of_the_building_and_nobody_else(busy: Cast) -> None:
    with busy.seen_by(busy.admin):
        campus = add_place(
            by=HOUSE, now=MORNING, kind=PlaceKind.CAMPUS, name="磬苑", parent=None, school_id=busy.anda.pk
        )
        building = add_place(
            by=HOUSE, now=MORNING, kind=PlaceKind.BUILDING, name="桃园1号楼", parent=campus, school_id=busy.anda.pk
        )
        room = add_place(
            by=HOUSE, now=MORNING, kind=PlaceKind.ROOM, name="302", parent=building, school_id=busy.anda.pk
        )
        other = add_place(
            by=HOUSE, now=MORNING, kind=PlaceKind.BUILDING, name="桃园2号楼", parent=campus, school_id=busy.anda.pk
        )
        for person, place in ((busy.wangwu, room), (busy.sunba, room), (busy.lijiu, other)):
            settle_in(by=HOUSE, now=MORNING, person=person, place=place, bed="1", on=TODAY)
    manager = scope_for(Role.DORM_MANAGER, busy.anda_node, place_path=building.path)
    with busy.seen_by(manager):
        board = place_board(manager, building, round_of())
        assert (board.total.people, board.total.on_time, board.total.missing) == (2, 1, 1)
        assert [child.place for child in board.children] == [room]
        from anxiao.reporting.queries.people import where_place

        (row,) = names(manager, Listing.MISSING, where_place(manager, building), round_of()).rows
        assert (row.name, row.room) == ("孙八", "桃园1号楼 302 1")
        with pytest.raises(NotYours):
            place_board(manager, other, round_of())
        with pytest.raises(NotYours):
            today_board(manager, busy.anda_node, round_of())


def test_the_missing_of_a_school_are_walked_by_number_and_never_sorted(busy: Cast) -> None:
    """However deep the page: people come from the index of numbers, who has reported from the key of the day."""
    round_ = round_of()
    with busy.seen_by(busy.officer) as scope:
        page = missing_people(scope, busy.anda_node, round_, limit=1)
        with CaptureQueriesContext(connection) as queries:
            missing_people(scope, busy.anda_node, round_, after=page.after, limit=1)
        (listing,) = [q["sql"] for q in queries if "WITH page" in q["sql"]]
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
            cursor.execute("EXPLAIN (FORMAT JSON) " + listing)
            ((plan,),) = cursor.fetchall()
    nodes = plan_nodes(plan[0]["Plan"])
    assert {n["Index Name"] for n in nodes if n.get("Relation Name") == "person"} == {"person_one_number"}
    reports = [n["Index Cond"] for n in nodes if str(n.get("Relation Name", "")).startswith("report_")]
    assert reports
    assert all("school_id = " in asked and "day = " in asked and "round_id = " in asked for asked in reports)
    # the last sort is that of the page itself
    assert not [n for n in nodes if n["Node Type"] == "Sort" and n is not nodes[0]]


def plan_nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(inner for child in node.get("Plans", []) for inner in plan_nodes(child))]


def test_the_trend_knows_each_day_and_the_roster_of_each_day(busy: Cast) -> None:
    yesterday = TODAY - timedelta(days=1)
    with busy.seen_by(busy.admin):
        report(busy.sunba, at=moment_at(yesterday, time(9)))
    with busy.seen_by(busy.officer) as scope:
        round_of()
        days = trend(scope, busy.electronics, busy.campaign, TODAY)
        with CaptureQueriesContext(connection) as queries:
            trend(scope, busy.electronics, busy.campaign, TODAY)
        hours = hours_of(scope, busy.electronics, busy.campaign, yesterday)
    assert [(d.day, d.figures.expected, d.figures.reported) for d in days] == [(yesterday, 5, 1), (TODAY, 4, 2)]
    assert days[1].rate == 50.0
    assert hours[9] == sum(hours) == 1
    assert len(queries) == 2


def test_the_trail_leads_from_the_root(busy: Cast) -> None:
    with busy.seen_by(busy.counsellor) as scope:
        assert [n.name for n in trail_of(scope, busy.tongxin1)] == [
            "安徽省教育厅",
            "安徽大学",
            "电子信息工程学院",
            "通信1班",
        ]


def test_the_days_of_one_person(busy: Cast) -> None:
    with busy.seen_by(busy.officer) as scope:
        round_of(TODAY - timedelta(days=1))
        states = {
            person.name: [d.state for d in person_days(scope, person, TODAY, EVENING)]
            for person in (busy.wangwu, busy.zhaoliu, busy.qianqi, busy.sunba)
        }
        with CaptureQueriesContext(connection) as queries:
            person_days(scope, busy.zhaoliu, TODAY, EVENING)
    assert states == {
        "王五": ["on_time", "missing"],
        "赵六": ["late", "missing"],
        "钱七": ["on_time", "missing"],
        "孙八": ["missing", "missing"],
    }
    assert len(queries) == 5
