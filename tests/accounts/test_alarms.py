"""A code in the wrong hands: whoever looks after the person is told, and the ledger keeps it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from anxiao.accounts.commands.activation import Answer, print_codes, try_code
from anxiao.accounts.commands.alarms import settle_alarm
from anxiao.accounts.models import ActivationAlarm
from anxiao.accounts.queries import open_alarms
from anxiao.accounts.queries.alarms import alarms
from anxiao.base.errors import NotYours, Refused
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.directory.models import Person
from anxiao.ledger.models import Entry
from tests.builders import MORNING, TODAY, add_account, scope_for
from tests.cast import Cast


def code_of(cast: Cast, person: Person) -> str:
    with cast.seen_by(cast.counsellor) as counsellor:
        sheet = print_codes(by=counsellor, now=MORNING, node=cast.tongxin1, person_ids=[person.pk])
    return sheet.slips[0].code


def attempt(cast: Cast, code: str, number: str, name: str, *, minutes: int = 0) -> Answer:
    with school_context(f"0,{cast.anda.pk}"):
        at = MORNING + timedelta(minutes=minutes)
        return try_code(now=at, school_id=cast.anda.pk, code=code, number=number, name=name).answer


def raised() -> list[tuple[str, int]]:
    with school_context("*"):
        return list(ActivationAlarm.objects.order_by("id").values_list("kind", "tries"))


def test_a_code_tried_for_somebody_else_alarms_the_counsellor_at_once(cast: Cast) -> None:
    code = code_of(cast, cast.wangwu)
    assert attempt(cast, code, "p20180002", "赵六") is Answer.MISMATCH
    with cast.seen_by(cast.counsellor) as counsellor:
        (alarm,) = alarms(counsellor, TODAY).alarms
        assert open_alarms(counsellor, TODAY) == 1
    assert (alarm.kind, alarm.name, alarm.tried_name, alarm.tried_node) == (
        "somebody_else",
        "王五",
        "赵六",
        "18级 通信1班",
    )
    with school_context("*"):
        entry = Entry.objects.get(verb="activation.alarm")
    assert (entry.object_id, entry.outcome) == (str(cast.wangwu.pk), "denied")
    assert (entry.facts["kind"], entry.facts["tried_by"]) == ("somebody_else", cast.zhaoliu.pk)
    assert "赵六" not in str(entry.facts)


def test_a_slip_of_the_finger_alarms_nobody(cast: Cast) -> None:
    code = code_of(cast, cast.wangwu)
    for number, name in (("P20180001", "王武"), ("P20180002", "王五"), ("P2018999", "王五")):
        assert attempt(cast, code, number, name) is Answer.MISMATCH
    assert raised() == []


def test_a_number_of_another_school_says_nothing_about_this_one(cast: Cast) -> None:
    code = code_of(cast, cast.wangwu)
    attempt(cast, code, cast.zhenger.number + "x", "郑二")
    assert raised() == []


def test_a_code_tried_too_often_is_one_alarm_that_counts_on(cast: Cast) -> None:
    code = code_of(cast, cast.wangwu)
    for minute in range(4):
        attempt(cast, code, "P20180001", "某人", minutes=minute)
    assert raised() == []
    attempt(cast, code, "P20180001", "某人", minutes=4)
    assert raised() == [("too_often", 5)]
    assert attempt(cast, code, "P20180001", "王五", minutes=5) is Answer.LOCKED
    assert raised() == [("too_often", 6)], "even the right words: it is locked, and somebody goes on trying"


def test_only_those_who_look_after_the_person_see_it_and_settle_it_once(cast: Cast) -> None:
    attempt(cast, code_of(cast, cast.wangwu), "P20180002", "赵六")
    for who in (cast.other_counsellor, cast.outsider, scope_for(Role.CLASS_HEAD, cast.tongxin1)):
        with cast.seen_by(who) as scope:
            assert (open_alarms(scope, TODAY), alarms(scope, TODAY).alarms) == (0, ())
    with school_context("*"):
        alarm = ActivationAlarm.objects.select_related("person").get()
    with cast.seen_by(cast.other_counsellor) as other, pytest.raises(NotYours):
        settle_alarm(by=other, now=MORNING, alarm=alarm)
    with cast.seen_by(cast.counsellor) as counsellor:
        settle_alarm(by=counsellor, now=MORNING, alarm=alarm)
        with pytest.raises(Refused):
            settle_alarm(by=counsellor, now=MORNING, alarm=alarm)
        assert alarms(counsellor, TODAY).alarms == ()
        assert [a.name for a in alarms(counsellor, TODAY, settled=True).alarms] == ["王五"]


def test_another_try_after_that_is_a_new_alarm(cast: Cast) -> None:
    code = code_of(cast, cast.wangwu)
    attempt(cast, code, "P20180002", "赵六")
    attempt(cast, code, "P20180003", "钱七")
    assert raised() == [("somebody_else", 2)]
    with cast.seen_by(cast.counsellor) as counsellor:
        settle_alarm(by=counsellor, now=MORNING, alarm=ActivationAlarm.objects.select_related("person").get())
    attempt(cast, code, "P20180002", "赵六")
    assert raised() == [("somebody_else", 2), ("somebody_else", 1)]


def test_the_counsellor_finds_it_on_the_board_and_settles_it_there(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt(cast, code_of(cast, cast.wangwu), "P20180002", "赵六")
    add_account("counsellor", person=cast.zhangsan, role=Role.COUNSELLOR, node=cast.tongxin1)
    desk = Client()
    desk.post("/accounts/login/", {"login": "counsellor", "password": "correct horse 2026"})
    assert "/console/settings/activation/alarms/" in desk.get("/console/").content.decode()
    page = desk.get("/console/settings/activation/alarms/").content.decode()
    assert "赵六" in page
    with school_context("*"):
        alarm = ActivationAlarm.objects.get()
    desk.post(f"/console/settings/activation/alarms/{alarm.pk}/settle/")
    assert "赵六" not in desk.get("/console/settings/activation/alarms/").content.decode()
    assert "/console/settings/activation/alarms/" not in desk.get("/console/").content.decode()
