"""A phone reports: what it is told, what is kept, what comes back when it asks twice."""

from __future__ import annotations

from copy import copy
from datetime import time, timedelta
from typing import Any

from anxiao.base.clock import moment_at
from anxiao.base.deployment import receipt_signer
from anxiao.base.signatures import verify
from anxiao.base.tenancy import school_context
from anxiao.intake import service
from anxiao.ledger.models import Entry
from anxiao.questionnaires.models import QuestionnaireVersion
from anxiao.reporting.models import Report, Round
from anxiao.reporting.names import Channel
from tests.builders import answers, round_of
from tests.intake.conftest import Door, at


def kept(person_id: int) -> list[Report]:
    with school_context("*"):
        return list(Report.objects.filter(person_id=person_id).order_by("day", "version"))


def test_the_phone_learns_what_is_asked_and_never_an_answer(door: Door) -> None:
    said = door.today(door.cast.wangwu).json()
    (asked,) = said["rounds"]
    assert said["name"] == "王五"
    assert asked["state"] == "due"
    assert asked["deadline_at"] == "2026-03-02T14:00:00+08:00"
    assert asked["form"]["sections"][0]["title"] == "当日自检状况"
    assert asked["receipt"] is None
    assert asked["unchanged"] is None


def test_a_form_at_hand_is_not_sent_again(door: Door) -> None:
    etag = door.today(door.cast.wangwu).json()["rounds"][0]["form_etag"]
    assert "form" not in door.today(door.cast.wangwu, have=etag).json()["rounds"][0]


def test_a_report_is_kept_counted_and_entered_in_the_ledger(door: Door) -> None:
    answer = door.send(door.cast.wangwu, door.body())
    assert answer.status_code == 201, answer.text
    receipt = answer.json()["receipt"]
    assert receipt["late"] is False
    assert answer.json()["help"] is False
    (report,) = kept(door.cast.wangwu.pk)
    assert (report.version, report.is_current, report.channel) == (1, True, Channel.PHONE)
    assert report.temperature_tenths == 365
    assert report.region == 340100
    with school_context("*"):
        (entry,) = Entry.objects.filter(verb="reports.accepted")
    assert entry.facts["n"] == 1
    assert verify(receipt_signer().public, receipt["digest"], receipt.pop("signature"))
    assert door.today(door.cast.wangwu).json()["rounds"][0]["receipt"] == receipt


def test_the_channel_of_the_phone_is_the_one_in_the_book() -> None:
    assert service.PHONE == Channel.PHONE


def test_the_same_key_again_is_the_same_receipt(door: Door) -> None:
    body = door.body()
    first, second = door.send(door.cast.wangwu, body), door.send(door.cast.wangwu, body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["receipt"] == second.json()["receipt"]
    assert len(kept(door.cast.wangwu.pk)) == 1


def test_a_second_report_is_refused_with_the_receipt_of_the_first(door: Door) -> None:
    first = door.send(door.cast.wangwu, door.body())
    second = door.send(door.cast.wangwu, door.body(answers=answers(temperature=38)))
    assert second.status_code == 409
    assert second.json()["receipt"] == first.json()["receipt"]
    assert kept(door.cast.wangwu.pk)[0].temperature_tenths == 365


def test_illness_is_answered_with_help(door: Door) -> None:
    answer = door.send(door.cast.wangwu, door.body(answers=answers(symptoms=["fever"], temperature="38.2")))
    assert answer.json()["help"] is True


def test_what_is_wrong_is_said_beside_each_field_in_the_readers_language(door: Door) -> None:
    body = door.body(answers=answers(temperature=50, contact_14d=True))
    english = door.send(door.cast.wangwu, body, **{"Accept-Language": "en"})
    assert english.status_code == 422
    assert [(p["field"], p["code"]) for p in english.json()["problems"]] == [
        ("temperature", "too_large"),
        ("contact_detail", "required"),
    ]
    assert english.json()["problems"][0]["message"] == "This must be at most 43."
    assert kept(door.cast.wangwu.pk) == []


def test_no_change_takes_the_servers_own_copy(door: Door) -> None:
    door.send(door.cast.wangwu, door.body(answers=answers(at_school=False, return_plan="undecided")))
    door.moment += timedelta(days=1)
    (asked,) = door.today(door.cast.wangwu).json()["rounds"]
    assert "返校计划" in asked["unchanged"]["labels"]
    assert "temperature" not in asked["unchanged"]["carried"]
    fresh = {"symptoms": ["normal"], "temperature": "36.4"}
    assert door.send(door.cast.wangwu, door.body(answers=fresh)).status_code == 422
    body = door.body(answers=fresh, unchanged=True)
    assert door.send(door.cast.wangwu, body).status_code == 201
    assert door.send(door.cast.wangwu, body).status_code == 200
    second = kept(door.cast.wangwu.pk)[1]
    assert (second.at_school, second.return_plan, second.temperature_tenths) == (False, 1, 364)
    assert second.answers["address"] == "九龙路"


def test_no_change_cannot_stand_for_symptoms(door: Door) -> None:
    door.send(door.cast.wangwu, door.body())
    door.moment += timedelta(days=1)
    answer = door.send(door.cast.wangwu, door.body(answers={}, unchanged=True))
    assert [p["field"] for p in answer.json()["problems"]] == ["symptoms", "temperature"]


def test_late_begins_at_fourteen_and_the_day_ends_at_midnight(door: Door) -> None:
    at(door, 14)
    assert door.send(door.cast.wangwu, door.body()).json()["receipt"]["late"] is True
    at(door, 23.9)
    body = door.body(door.cast.zhaoliu)
    at(door, 24)
    closed = door.send(door.cast.zhaoliu, body)
    assert (closed.status_code, closed.json()["code"]) == (422, "closed")


def test_a_correction_is_a_new_version_and_the_first_stays(door: Door) -> None:
    door.send(door.cast.wangwu, door.body())
    body = door.body(version=2, answers=answers(symptoms=["cold"]))
    first = door.correct(door.cast.wangwu, body)
    assert first.status_code == 201, first.text
    assert first.json()["receipt"]["version"] == 2
    assert door.correct(door.cast.wangwu, body).json()["receipt"] == first.json()["receipt"]
    one, two = kept(door.cast.wangwu.pk)
    assert (one.is_current, one.unwell, two.is_current, two.unwell) == (False, False, True, True)
    assert two.reason == "填错了"


def test_a_second_correction_without_change_keeps_what_the_first_one_changed(door: Door) -> None:
    door.send(door.cast.wangwu, door.body())
    fresh = {"symptoms": ["normal"], "temperature": 36.6}
    moved = door.body(version=2, answers={**fresh, "region": "110000"}, unchanged=True, reason="搬家")
    assert door.correct(door.cast.wangwu, moved).status_code == 201
    again = door.body(version=3, answers={**fresh, "temperature": 36.9}, unchanged=True, reason="重测")
    assert door.correct(door.cast.wangwu, again).status_code == 201
    assert door.correct(door.cast.wangwu, moved).status_code == 200
    assert [(r.region, r.temperature_tenths) for r in kept(door.cast.wangwu.pk)] == [
        (340100, 365),
        (110000, 366),
        (110000, 369),
    ]


def test_a_correction_needs_a_reason_and_a_report(door: Door) -> None:
    without = door.correct(door.cast.wangwu, door.body(version=2, reason="  "))
    assert without.json()["problems"][0]["field"] == "reason"
    nothing = door.correct(door.cast.wangwu, door.body(version=2))
    assert (nothing.status_code, nothing.json()["code"]) == (422, "nothing_to_correct")


def test_the_first_phone_of_a_day_makes_its_round(door: Door) -> None:
    door.moment += timedelta(days=3)
    (asked,) = door.today(door.cast.wangwu).json()["rounds"]
    assert asked["opens_at"] == "2026-03-05T00:00:00+08:00"
    assert asked["closes_at"] == "2026-03-06T00:00:00+08:00"
    made = Round.objects.get(pk=asked["id"])
    assert made.sheets_due_at == moment_at(made.day, time(16))


def test_a_form_of_another_version_is_told_to_reload(door: Door) -> None:
    """The round was given another form after this phone had been given its ticket."""
    body = door.body()
    with school_context("*"):
        asked = round_of()
        newer = copy(QuestionnaireVersion.objects.get())
        newer.pk, newer.number = None, newer.number + 1
        newer.save(force_insert=True)
    assert Round.objects.using("owner").filter(pk=asked.pk).update(version=newer) == 1
    answer = door.send(door.cast.wangwu, body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "form_changed"
    assert door.send(door.cast.wangwu, door.body()).status_code == 201


def test_an_unbelievable_time_of_the_phone_is_forgotten(door: Door) -> None:
    body: dict[str, Any] = door.body(captured_at="2031-01-01T00:00:00Z")
    assert door.send(door.cast.wangwu, body).status_code == 201
    assert kept(door.cast.wangwu.pk)[0].captured_at is None
