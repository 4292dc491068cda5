"""Taking reports in: who, when, once; and what becomes of a second one."""

from __future__ import annotations

import os
import time as process_time
from collections.abc import Iterator
from datetime import date, time, timedelta
from uuid import uuid4

import pytest
from django.db import connection

from anxiao.base.clock import SHANGHAI, moment_at
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.locks import ROSTER
from anxiao.ledger.models import Entry
from anxiao.reporting.commands.reports import accept_drafts, correct_report
from anxiao.reporting.models import Report
from anxiao.reporting.storage import ROSTER_LOCK_CLASS, Result
from tests.builders import MORNING, TODAY, answers, report, round_of, scope_for
from tests.cast import Cast, assemble

MICROSECOND = timedelta(microseconds=1)
DEADLINE = moment_at(TODAY, time(14))
MIDNIGHT = moment_at(TODAY + timedelta(days=1), time(0))


@pytest.fixture
def cast(database: object) -> Cast:
    return assemble()


@pytest.fixture(params=["UTC", "Asia/Shanghai", "America/New_York"])
def process_zone(request: pytest.FixtureRequest) -> Iterator[str]:
    kept = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    process_time.tzset()
    yield request.param
    if kept is None:
        os.environ.pop("TZ")
    else:
        os.environ["TZ"] = kept
    process_time.tzset()


@pytest.mark.parametrize(
    ("at", "late"),
    [
        (moment_at(TODAY, time(0)), False),
        (DEADLINE - MICROSECOND, False),
        (DEADLINE, True),
        (MIDNIGHT - MICROSECOND, True),
    ],
)
def test_a_report_is_late_from_the_deadline_on_in_every_process_zone(
    cast: Cast, process_zone: str, at: object, late: bool
) -> None:
    with cast.seen_by(cast.admin):
        outcome = report(cast.wangwu, at=at)
    assert outcome.receipt is not None
    assert outcome.receipt.late is late
    assert outcome.row["day"] == TODAY


def test_midnight_belongs_to_the_next_day(cast: Cast) -> None:
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=MIDNIGHT - MICROSECOND)
        outcome = report(cast.wangwu, at=MIDNIGHT)
    assert outcome.row["day"] == TODAY + timedelta(days=1)
    assert outcome.receipt is not None
    assert not outcome.receipt.late


def test_the_twenty_ninth_of_february_is_a_day_like_any_other(cast: Cast) -> None:
    from anxiao.reporting.models import Campaign

    leap = date(2028, 2, 29)
    with cast.seen_by(cast.province_officer):
        Campaign.objects.update(ends_on=None)
    with cast.seen_by(cast.admin):
        before = report(cast.wangwu, at=moment_at(leap, time(0)) - MICROSECOND)
        on_it = report(cast.wangwu, at=moment_at(leap, time(13, 59, 59, 999999)))
        after = report(cast.wangwu, at=moment_at(leap, time(23, 59, 59, 999999)) + MICROSECOND)
    assert [o.row["day"] for o in (before, on_it, after)] == [date(2028, 2, 28), leap, date(2028, 3, 1)]


@pytest.mark.parametrize("day_offset", [-1, 1])
def test_a_round_of_another_day_takes_no_report(cast: Cast, day_offset: int) -> None:
    from anxiao.reporting.commands.reports import submit_report

    other = round_of(TODAY + timedelta(days=day_offset))
    with cast.seen_by(cast.admin), pytest.raises(Refused) as refused:
        submit_report(
            by=scope_for(None, None, person=cast.wangwu),
            round=other,
            school_id=cast.anda.pk,
            person_id=cast.wangwu.pk,
            answers=answers(),
            key=uuid4(),
            now=MORNING,
        )
    assert refused.value.code in (Result.CLOSED, Result.NOT_OPEN)


def test_the_same_key_gets_the_same_receipt_and_one_row(cast: Cast) -> None:
    key = uuid4()
    with cast.seen_by(cast.admin):
        first = report(cast.wangwu, key=key)
        again = report(cast.wangwu, key=key, at=MORNING + timedelta(minutes=5))
        assert Report.objects.filter(person_id=cast.wangwu.pk).count() == 1
    assert again.result is Result.REPEATED
    assert again.receipt == first.receipt


def test_the_same_key_with_other_answers_is_refused(cast: Cast) -> None:
    key = uuid4()
    with cast.seen_by(cast.admin):
        report(cast.wangwu, key=key)
        with pytest.raises(Refused) as refused:
            report(cast.wangwu, key=key, temperature=38.0)
    assert refused.value.code == Result.KEY_REUSED


def test_a_second_report_of_the_day_is_refused_and_the_first_stands(cast: Cast) -> None:
    with cast.seen_by(cast.admin):
        report(cast.wangwu)
        with pytest.raises(Refused) as refused:
            report(cast.wangwu, temperature=38.5)
        assert refused.value.code == Result.ALREADY
        (standing,) = Report.objects.filter(person_id=cast.wangwu.pk)
    assert standing.temperature_tenths == 365


def test_a_correction_is_a_new_version_and_the_first_stays_visible(cast: Cast) -> None:
    with cast.seen_by(cast.admin):
        report(cast.wangwu)
        outcome = correct_report(
            by=scope_for(None, None, person=cast.wangwu),
            round=round_of(),
            school_id=cast.anda.pk,
            person_id=cast.wangwu.pk,
            answers=answers(temperature=38.2, symptoms=["fever"], symptom_description="低烧"),
            key=uuid4(),
            reason="量错了",
            now=DEADLINE + timedelta(hours=1),
        )
        versions = list(Report.objects.filter(person_id=cast.wangwu.pk).order_by("version"))
    assert [(v.version, v.is_current, v.temperature_tenths) for v in versions] == [(1, False, 365), (2, True, 382)]
    assert versions[1].reason == "量错了"
    assert outcome.receipt is not None
    assert not outcome.receipt.late, "the first report decided that"


def test_a_correction_needs_a_reason(cast: Cast) -> None:
    with cast.seen_by(cast.admin):
        report(cast.wangwu)
        with pytest.raises(Invalid) as caught:
            correct_report(
                by=cast.admin,
                round=round_of(),
                school_id=cast.anda.pk,
                person_id=cast.wangwu.pk,
                answers=answers(),
                key=uuid4(),
                reason="  ",
                now=MORNING,
            )
    assert "reason" in caught.value.fields


def test_wrong_answers_are_refused_field_by_field_and_nothing_is_kept(cast: Cast) -> None:
    with cast.seen_by(cast.admin):
        with pytest.raises(Invalid) as caught:
            report(cast.wangwu, temperature=52, symptoms=["normal", "fever"])
        assert not Report.objects.exists()
    assert {"temperature", "symptoms"} <= set(caught.value.fields)


def test_a_report_for_somebody_else_is_visible_as_such(cast: Cast) -> None:
    with cast.seen_by(cast.counsellor):
        outcome = report(cast.wangwu, by=cast.counsellor)
        entry = Entry.objects.get(object_type="report")
    assert outcome.row["channel"] == 3
    assert outcome.row["by_user_id"] == cast.counsellor.user_id or outcome.row["by_user_id"] > 0
    assert entry.verb == "report.proxied"


def test_nobody_reports_into_a_school_they_cannot_see(cast: Cast) -> None:
    with cast.seen_by(cast.outsider), pytest.raises(NotYours):
        report(cast.wangwu, by=cast.outsider)
    with cast.seen_by(cast.admin):
        assert not Report.objects.exists()


def test_a_broken_ledger_keeps_nothing(cast: Cast, database: object) -> None:
    import psycopg

    with psycopg.connect(database.owner_url, autocommit=True) as owner:  # type: ignore[attr-defined]
        owner.execute("ALTER TABLE ledger_entry ADD CONSTRAINT broken CHECK (verb <> 'reports.accepted')")
    with cast.seen_by(cast.admin):
        with pytest.raises(Exception, match="broken"):
            report(cast.wangwu)
        assert not Report.objects.exists()
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM tally_delta WHERE metric >= 10")
            assert cursor.fetchone() == (0,)


def test_twice_in_one_batch_is_once(cast: Cast) -> None:
    from dataclasses import replace

    from anxiao.questionnaires.rules import compile, judge
    from anxiao.reporting.storage import Draft

    round_ = round_of()
    verdict = judge(compile(round_.version.definition), answers(), TODAY)
    draft = Draft(
        school_id=cast.anda.pk,
        person_id=cast.wangwu.pk,
        day=TODAY,
        round_id=round_.pk,
        key=uuid4(),
        typed=verdict.typed,
        answers=verdict.extra,
        form_version_id=round_.version_id,
        channel=1,
        received_at=MORNING,
    )
    with cast.seen_by(cast.admin):
        outcomes = accept_drafts([draft, draft, replace(draft, key=uuid4())])
        assert Report.objects.count() == 1
    assert [o.result for o in outcomes] == [Result.ACCEPTED, Result.REPEATED, Result.ALREADY]
    assert len({o.receipt.number for o in outcomes if o.receipt}) == 1


def test_both_doors_take_the_same_lock() -> None:
    assert ROSTER_LOCK_CLASS == ROSTER


def test_the_hour_of_the_curve_is_the_hour_in_shanghai(cast: Cast) -> None:
    with cast.seen_by(cast.admin):
        outcome = report(cast.wangwu, at=moment_at(TODAY, time(7, 59)))
        with connection.cursor() as cursor:
            cursor.execute("SELECT slot FROM tally_delta WHERE metric = 10")
            assert cursor.fetchall() == [(7,)]
    assert outcome.row["received_at"].astimezone(SHANGHAI).hour == 7


def test_a_round_opens_once_and_the_ledger_knows(cast: Cast) -> None:
    rounds = {round_of(TODAY + timedelta(days=n)).pk for n in (0, 1, 0)}
    with cast.seen_by(cast.province_officer):
        entries = Entry.objects.filter(verb="round.opened").values_list("object_id", flat=True)
        assert sorted(entries) == sorted(map(str, rounds))
