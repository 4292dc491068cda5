"""Expected counts as valid on a day and as known at a moment; a signed sheet says when its roster has changed."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from anxiao.base.errors import NotYours, Refused
from anxiao.base.tenancy import school_context
from anxiao.directory.commands_roster import graduate, take_leave, transfer, undo_change
from anxiao.directory.models import Organisation
from anxiao.reporting.commands.exemptions import cancel_exemption, exempt
from anxiao.reporting.models import Exemption
from anxiao.reporting.names import ExemptionReason
from anxiao.reporting.queries.boards import NOTHING, figures_of_nodes
from anxiao.reporting.queries.expected import figures_as_known, roster_since
from tests.builders import MORNING, TODAY, report, round_of
from tests.cast import Cast, assemble

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def stage(module_database: object) -> Cast:
    return assemble()


@pytest.fixture
def cast(stage: Cast) -> Iterator[Cast]:
    with school_context(stage.admin.db_scope):
        yield copy.deepcopy(stage)
        transaction.set_rollback(True)


def expected(cast: Cast, node: Organisation, known: datetime, day: object = TODAY) -> int:
    found = figures_as_known(cast.admin, [node], round_of(day), known)  # type: ignore[arg-type]
    return found.get(node.pk, NOTHING).expected


def test_a_decision_about_the_past_changes_what_is_known_and_not_what_was_known(cast: Cast) -> None:
    transfer(by=cast.admin, now=MORNING + HOUR, person=cast.wangwu, to=cast.hanyu1, on=TODAY - 7 * DAY, reason="转专业")
    assert expected(cast, cast.hanyu1, MORNING) == 1
    assert expected(cast, cast.hanyu1, MORNING + HOUR) == 2
    assert expected(cast, cast.hanyu1, MORNING + HOUR, TODAY - 8 * DAY) == 1
    assert expected(cast, cast.hanyu1, MORNING - HOUR) == 0, "nobody was known yet"


def test_an_exemption_counts_from_the_moment_it_was_known_until_it_was_cancelled(cast: Cast) -> None:
    given = exempt(
        by=cast.admin,
        now=MORNING + HOUR,
        person=cast.wangwu,
        reason=ExemptionReason.LEAVE,
        first_day=TODAY,
        last_day=TODAY,
    )
    cancel_exemption(by=cast.admin, now=MORNING + 2 * HOUR, exemption=given)
    assert [expected(cast, cast.tongxin1, MORNING + n * HOUR) for n in (0, 1, 2)] == [3, 2, 3]


def test_a_report_counts_from_the_moment_it_was_received(cast: Cast) -> None:
    report(cast.wangwu, at=MORNING + HOUR)
    found = [
        figures_as_known(cast.admin, [cast.tongxin1], round_of(), MORNING + n * HOUR)[cast.tongxin1.pk].reported
        for n in (0, 1)
    ]
    assert found == [0, 1]


@pytest.mark.parametrize("seed", range(3))
def test_what_is_known_now_is_what_the_counters_say(cast: Cast, seed: int) -> None:
    dice = random.Random(seed)
    people = [cast.wangwu, cast.zhaoliu, cast.sunba, cast.lijiu]
    now = MORNING
    for _ in range(14):
        now += timedelta(minutes=7)
        person, on = dice.choice(people), TODAY + dice.randint(-3, 2) * DAY
        with suppress(Refused, NotYours):
            match dice.randrange(6):
                case 0:
                    report(person, at=now)
                case 1:
                    exempt(
                        by=cast.admin,
                        now=now,
                        person=person,
                        reason=ExemptionReason.LEAVE,
                        first_day=on,
                        last_day=on + DAY,
                    )
                case 2:
                    standing = Exemption.objects.filter(cancelled_at=None).first()
                    if standing:
                        cancel_exemption(by=cast.admin, now=now, exemption=standing)
                case 3:
                    until = on + 2 * DAY
                    take_leave(by=cast.admin, now=now, person=person, on=on, until=until, reason="休学")
                case 4:
                    change = transfer(by=cast.admin, now=now, person=person, to=cast.hanyu1, on=on, reason="转班")
                    if dice.random() < 0.4:
                        undo_change(by=cast.admin, now=now + timedelta(minutes=1), change=change)
                case _:
                    graduate(by=cast.admin, now=now, person=person, on=on, reason="退学")
    nodes = [cast.anda_node, cast.electronics, cast.tongxin1, cast.hanyu1]
    for offset in range(-4, 4):
        round = round_of(TODAY + offset * DAY)
        known = figures_as_known(cast.admin, nodes, round, now + DAY)
        counted = figures_of_nodes(cast.admin, nodes, round)
        for node in nodes:
            for name in ("people", "exempt", "expected", "on_time", "late", "exempt_reported"):
                one, other = known.get(node.pk, NOTHING), counted[node.pk]
                assert getattr(one, name) == getattr(other, name), (node, round.day, name)


def test_any_number_of_nodes_costs_one_statement(cast: Cast) -> None:
    round = round_of()
    for nodes in ([cast.tongxin1], [cast.anda_node, cast.electronics, cast.literature, cast.tongxin1]):
        with CaptureQueriesContext(connection) as queries:
            figures_as_known(cast.admin, nodes, round, MORNING)
        assert len(queries) == 1


def test_nobody_recomputes_what_is_not_theirs(cast: Cast) -> None:
    for scope in (cast.outsider, cast.other_counsellor):
        with pytest.raises(NotYours):
            figures_as_known(scope, [cast.electronics], round_of(), MORNING)


def since(cast: Cast, moment: datetime) -> tuple[int, int]:
    found = roster_since(
        cast.admin, school_id=cast.anda.pk, day=TODAY, audiences=(1, 2), since=moment, now=MORNING + 9 * HOUR
    )
    return found.came, found.left


def test_who_came_and_who_left_after_a_moment(cast: Cast) -> None:
    take_leave(by=cast.admin, now=MORNING + HOUR, person=cast.wangwu, on=TODAY, reason="休学")
    assert since(cast, MORNING) == (0, 1)
    assert since(cast, MORNING + HOUR) == (0, 0)


def test_a_move_within_the_school_and_a_decision_about_another_day_change_no_expected_number(cast: Cast) -> None:
    transfer(by=cast.admin, now=MORNING + HOUR, person=cast.wangwu, to=cast.hanyu1, on=TODAY, reason="转专业")
    take_leave(by=cast.admin, now=MORNING + HOUR, person=cast.lijiu, on=TODAY + DAY, reason="休学")
    assert since(cast, MORNING) == (0, 0)


def test_what_was_taken_back_leaves_no_trace_in_the_count(cast: Cast) -> None:
    change = take_leave(by=cast.admin, now=MORNING + HOUR, person=cast.wangwu, on=TODAY, reason="休学")
    undo_change(by=cast.admin, now=MORNING + 2 * HOUR, change=change)
    assert since(cast, MORNING) == (0, 0)
    assert since(cast, MORNING + HOUR) == (1, 0)
