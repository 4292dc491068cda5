"""Reminders: exactly the missing, quietly, with their ledger row."""

from __future__ import annotations

from datetime import time, timedelta

import pytest

from anxiao.base.clock import moment_at
from anxiao.base.errors import NotYours, Refused
from anxiao.ledger.models import Entry
from anxiao.reporting.commands.reminders import remind_missing, remind_missing_of, remind_person
from anxiao.reporting.models import Reminder
from tests.builders import MORNING, TODAY, report, round_of
from tests.cast import Cast, assemble

NINE = moment_at(TODAY, time(9))


@pytest.fixture
def cast(database: object) -> Cast:
    return assemble()


def test_only_those_who_have_not_reported_are_reminded_and_the_ledger_knows(cast: Cast) -> None:
    with cast.seen_by(cast.counsellor) as scope:
        report(cast.wangwu)
        count = remind_missing(by=scope, node=cast.tongxin1, round=round_of(), now=NINE)
        reminded = set(Reminder.objects.values_list("person_id", "sent_by_name"))
        entry = Entry.objects.filter(verb="reminder.sent").get()
    assert count == 2
    assert reminded == {(cast.zhaoliu.pk, scope.display_name), (cast.qianqi.pk, scope.display_name)}
    assert (entry.object_id, entry.facts["people"]) == (str(cast.tongxin1.pk), 2)


def test_nobody_is_reminded_twice_within_the_hour(cast: Cast) -> None:
    with cast.seen_by(cast.counsellor) as scope:
        assert remind_missing(by=scope, node=cast.tongxin1, round=round_of(), now=NINE) == 3
        assert remind_missing(by=scope, node=cast.tongxin1, round=round_of(), now=NINE + timedelta(minutes=59)) == 0
        report(cast.wangwu, at=NINE + timedelta(minutes=60))
        assert remind_missing(by=scope, node=cast.tongxin1, round=round_of(), now=NINE + timedelta(minutes=61)) == 2


def test_one_person_is_reminded_alone(cast: Cast) -> None:
    with cast.seen_by(cast.counsellor) as scope:
        assert remind_person(by=scope, person=cast.wangwu, round=round_of(), now=NINE)
        assert not remind_person(by=scope, person=cast.wangwu, round=round_of(), now=NINE)
        assert remind_missing_of(by=scope, nodes=[cast.tongxin1], round=round_of(), now=NINE) == 2
        with pytest.raises(NotYours):
            remind_person(by=scope, person=cast.lijiu, round=round_of(), now=NINE)


def test_a_closed_round_reminds_nobody(cast: Cast) -> None:
    with cast.seen_by(cast.counsellor) as scope, pytest.raises(Refused):
        remind_missing(by=scope, node=cast.tongxin1, round=round_of(), now=MORNING + timedelta(days=1))


def test_strangers_remind_nobody(cast: Cast) -> None:
    for scope in (cast.other_counsellor, cast.outsider, cast.province_officer):
        with cast.seen_by(scope), pytest.raises(NotYours):
            remind_missing(by=scope, node=cast.tongxin1, round=round_of(), now=NINE)


def test_a_broken_ledger_keeps_no_reminder(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("the ledger is full")

    monkeypatch.setattr("anxiao.reporting.commands.reminders.record", broken)
    with cast.seen_by(cast.counsellor) as scope:
        with pytest.raises(RuntimeError):
            remind_missing(by=scope, node=cast.tongxin1, round=round_of(), now=NINE)
        assert not Reminder.objects.exists()
