"""Counters equal the truth: after anything that may happen, in any order, squashed or not."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from datetime import date, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anxiao.base.clock import moment_at
from anxiao.base.errors import NotYours, Refused
from anxiao.base.tenancy import school_context
from anxiao.directory.commands_roster import transfer
from anxiao.directory.models import Organisation, Person
from anxiao.directory.names import Audience
from anxiao.reporting.commands.counting import differences, rebuild
from anxiao.reporting.commands.exemptions import cancel_exemption, exempt
from anxiao.reporting.commands.reports import correct_report, submit_report
from anxiao.reporting.models import Exemption, Round
from anxiao.reporting.names import ExemptionReason
from anxiao.reporting.rules import Metric
from anxiao.statistics.commands import fold, mend_above, squash
from anxiao.statistics.queries import daily_totals, numbers
from tests.builders import TODAY, add_people, add_person, answers, counted, report, round_of, scope_for
from tests.cast import Cast, assemble

DAYS = [TODAY - timedelta(days=2), TODAY - timedelta(days=1), TODAY]

SICK = {"symptoms": ["fever", "dry_cough"], "temperature": 38.4, "symptom_description": "发热"}
ISOLATED = {"isolation": "home", "isolation_place": "家中"}
SUSPECTED = {"diagnosis": "suspected", "diagnosis_detail": "待查"}
TOUCHED = {"contact_14d": True, "contact_detail": "同车"}


@pytest.fixture
def cast(database: object) -> Cast:
    return assemble()


class Term:
    """A school in which things happen in random order."""

    def __init__(self, cast: Cast, dice: random.Random) -> None:
        self.cast, self.dice = cast, dice
        self.people = [cast.wangwu, cast.zhaoliu, cast.qianqi, cast.sunba, cast.lijiu, cast.zhangsan, cast.zhoushi]
        self.people += add_people(cast.tongxin2, 20) + add_people(cast.hanyu1, 15)
        self.people += add_people(cast.literature, 5, audience=Audience.STAFF)
        counted(cast.anda.pk)
        self.rounds: dict[date, Round] = {day: round_of(day) for day in DAYS}
        self.classes = [cast.tongxin1, cast.tongxin2, cast.hanyu1, cast.electronics]
        self.counts = dict.fromkeys(("report", "correct", "exempt", "cancel", "move", "squash", "join"), 0)

    def happens(self) -> None:
        act = self.dice.choices(
            ["report", "correct", "exempt", "cancel", "move", "squash", "join"], [70, 14, 4, 3, 4, 3, 2]
        )[0]
        try:
            getattr(self, act)()
            self.counts[act] += 1
        except (NotYours, Refused):
            pass  # already reported, already exempt, not there yet on that day: also a thing that happens

    def anybody(self) -> Person:
        return self.dice.choice(self.people)

    def mood(self) -> dict[str, object]:
        return answers(**self.dice.choice([{}, {}, {}, SICK, ISOLATED, SUSPECTED, TOUCHED]))

    def report(self) -> None:
        person, day = self.anybody(), self.dice.choice(DAYS)
        at = moment_at(day, time(self.dice.randrange(24), self.dice.randrange(60)))
        by = scope_for(None, None, person=person) if self.dice.random() < 0.8 else self.cast.admin
        submit_report(
            by=by,
            round=self.rounds[day],
            school_id=person.school_id,
            person_id=person.pk,
            answers=self.mood(),
            key=uuid4(),
            now=at,
        )

    def correct(self) -> None:
        person, day = self.anybody(), self.dice.choice(DAYS)
        correct_report(
            by=self.cast.admin,
            round=self.rounds[day],
            school_id=person.school_id,
            person_id=person.pk,
            answers=self.mood(),
            key=uuid4(),
            reason="更正",
            now=moment_at(day, time(23)),
        )

    def exempt(self) -> None:
        first = self.dice.choice(DAYS)
        last = first + timedelta(days=self.dice.randrange(5))
        exempt(
            by=self.cast.officer,
            now=moment_at(TODAY, time(9)),
            person=self.anybody(),
            reason=ExemptionReason.LEAVE,
            first_day=first,
            last_day=last,
        )

    def cancel(self) -> None:
        standing = list(Exemption.objects.filter(cancelled_at=None).order_by("pk"))
        if standing:
            cancel_exemption(by=self.cast.officer, now=moment_at(TODAY, time(9)), exemption=self.dice.choice(standing))

    def move(self) -> None:
        target: Organisation = self.dice.choice(self.classes)
        with contextlib.suppress(Refused):  # who is there already stays
            transfer(
                by=self.cast.admin,
                now=moment_at(TODAY, time(9)),
                person=self.anybody(),
                to=target,
                on=self.dice.choice([TODAY, TODAY + timedelta(days=1)]),
                reason="转班",
            )

    def join(self) -> None:
        self.people.append(add_person(self.dice.choice(self.classes), "新生", since=self.dice.choice(DAYS)))
        counted(self.cast.anda.pk)

    def squash(self) -> None:
        pass  # done between transactions, by ``live``


def live(term: Term, operations: int) -> None:
    scope = term.cast.admin
    done = 0
    while done < operations:
        with school_context(scope.db_scope):
            for _ in range(25):
                term.happens()
                done += 1
        if term.dice.random() < 0.3:
            squash()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_counters_equal_the_truth_after_anything_in_any_order(cast: Cast, seed: int) -> None:
    term = _term(cast, seed)
    live(term, 100)
    with school_context(cast.admin.db_scope):
        assert differences(school_id=cast.anda.pk) == []


def test_counters_equal_the_truth_after_ten_thousand_operations(cast: Cast) -> None:
    term = _term(cast, 20260302)
    live(term, 10_000)
    with school_context(cast.admin.db_scope):
        assert differences(school_id=cast.anda.pk) == []
        before = numbers(cast.admin, nodes=_nodes(cast), series=cast.campaign.pk, day=TODAY)
    assert squash()
    with school_context(cast.admin.db_scope):
        assert numbers(cast.admin, nodes=_nodes(cast), series=cast.campaign.pk, day=TODAY) == before
        assert differences(school_id=cast.anda.pk) == []
    assert min(term.counts.values()) > 0, "every kind of thing happened"


def test_a_number_put_in_by_hand_is_found_and_mended(cast: Cast, database: object) -> None:
    import psycopg

    squash()
    with psycopg.connect(database.bulk_url, autocommit=True) as bulk:  # type: ignore[attr-defined]
        bulk.execute("UPDATE tally SET n = n + 3 WHERE node_id = %s", [cast.tongxin1.pk])
    with school_context(cast.admin.db_scope):
        assert differences(school_id=cast.anda.pk) != []
    assert rebuild(school_id=cast.anda.pk) > 0
    with school_context(cast.admin.db_scope):
        assert differences(school_id=cast.anda.pk) == []


def test_the_province_is_the_sum_of_its_schools_folded_waiting_or_both(cast: Cast) -> None:
    counted(cast.anda.pk)

    def province_and_schools() -> list[dict[tuple[int, int, int], int]]:
        with cast.seen_by(cast.province_officer) as scope:
            schools = [n.pk for n in Organisation.objects.filter(kind="school")]
            found = numbers(scope, nodes=[cast.province.pk, *schools], series=cast.campaign.pk, day=TODAY)
            days = daily_totals(
                scope, nodes=[cast.province.pk], series=cast.campaign.pk, first=TODAY, last=TODAY, slots_on=[TODAY]
            )
        together: Counter[tuple[int, int, int]] = Counter()
        for school in schools:
            together.update(found[school])
        return [found[cast.province.pk], dict(together), days[TODAY]]

    with cast.seen_by(cast.admin):
        report(cast.wangwu, **SICK)
    waiting = province_and_schools()
    fold()
    folded = province_and_schools()
    with cast.seen_by(cast.admin):
        report(cast.zhaoliu)
    both = province_and_schools()
    assert waiting[0] == waiting[1] == waiting[2] == folded[0] == folded[1] == folded[2]
    assert both[0] == both[1] == both[2] != folded[0]
    assert both[0][(1, Metric.FEVER, 0)] == 1


def test_sums_above_the_schools_are_mended(cast: Cast, database: object) -> None:
    import psycopg

    counted(cast.anda.pk)
    squash()
    assert mend_above() == 0
    with psycopg.connect(database.bulk_url, autocommit=True) as bulk:  # type: ignore[attr-defined]
        assert bulk.execute("UPDATE tally SET n = n + 3 WHERE node_id = %s", [cast.province.pk]).rowcount > 0
    assert mend_above() > 0
    assert mend_above() == 0


def test_a_board_never_reads_a_nodes_whole_history(cast: Cast) -> None:
    """Each index scan of the tally names the series and its day; the roster has an index of its own."""
    with cast.seen_by(cast.officer) as scope:
        with CaptureQueriesContext(connection) as queries:
            numbers(scope, nodes=_nodes(cast), series=cast.campaign.pk, day=TODAY)
            daily_totals(scope, nodes=[cast.anda_node.pk], series=cast.campaign.pk, first=DAYS[0], last=TODAY)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
            for query in queries:
                cursor.execute("EXPLAIN (FORMAT JSON) " + query["sql"])
                (plan,) = cursor.fetchone()
                scans = [n for n in _plan_nodes(plan[0]["Plan"]) if n.get("Relation Name") == "tally"]
                assert {scan["Index Name"] for scan in scans} == {"tally_pkey", "tally_roster"}
                for scan in scans:
                    asked = scan["Index Cond"]
                    assert all(f"{name} " in asked for name in ("school_id", "node_id", "day")), asked
                    assert scan["Index Name"] == "tally_roster" or "series = " in asked, asked


def _plan_nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(inner for child in node.get("Plans", []) for inner in _plan_nodes(child))]


def test_a_transfer_takes_the_reports_of_the_day_along(cast: Cast) -> None:
    with cast.seen_by(cast.admin) as scope:
        report(cast.wangwu, **SICK)
        transfer(by=scope, now=moment_at(TODAY, time(10)), person=cast.wangwu, to=cast.hanyu1, on=TODAY, reason="转班")
        found = numbers(scope, nodes=[cast.tongxin1.pk, cast.hanyu1.pk], series=cast.campaign.pk, day=TODAY)
        yesterday = numbers(scope, nodes=[cast.tongxin1.pk], series=cast.campaign.pk, day=TODAY - timedelta(days=1))
    assert found[cast.tongxin1.pk].get((1, Metric.FEVER, 0), 0) == 0
    assert found[cast.hanyu1.pk][(1, Metric.FEVER, 0)] == 1
    assert found[cast.tongxin1.pk][(1, Metric.PEOPLE, 0)] == 2
    assert yesterday[cast.tongxin1.pk][(1, Metric.PEOPLE, 0)] == 3


def test_the_number_of_a_college_is_that_of_its_classes_and_its_own_staff(cast: Cast) -> None:
    for squashed in (False, True):
        if squashed:
            squash()
        with cast.seen_by(cast.admin) as scope:
            found = numbers(scope, nodes=_nodes(cast), series=cast.campaign.pk, day=TODAY)
        assert found[cast.electronics.pk] == {(1, Metric.PEOPLE, 0): 4, (2, Metric.PEOPLE, 0): 1}
        assert found[cast.anda_node.pk] == {(1, Metric.PEOPLE, 0): 5, (2, Metric.PEOPLE, 0): 2}


def test_an_outsider_reads_no_numbers(cast: Cast) -> None:
    with cast.seen_by(cast.outsider) as scope:
        found = numbers(scope, nodes=_nodes(cast), series=cast.campaign.pk, day=TODAY)
    assert all(not of_node for of_node in found.values())


def _term(cast: Cast, seed: int) -> Term:
    with school_context(cast.admin.db_scope):
        return Term(cast, random.Random(seed))


def _nodes(cast: Cast) -> list[int]:
    return [n.pk for n in (cast.anda_node, cast.electronics, cast.literature, cast.tongxin1, cast.hanyu1)]
