"""The phone's pages as Django serves them, also to a browser without JavaScript."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.test import Client

from anxiao.base import clock, tickets
from anxiao.base.tenancy import school_context
from anxiao.directory.models import Person
from anxiao.ledger.models import Entry
from anxiao.portal import views_h5
from anxiao.reporting.commands.reminders import remind_person
from anxiao.reporting.models import Reminder, Report, Round
from tests.builders import MORNING, TODAY, add_account, answers, report, round_of
from tests.cast import Cast, assemble


@dataclass
class Phones:
    cast: Cast
    moment: datetime = MORNING
    clients: dict[int, Client] = field(default_factory=dict)

    def of(self, person: Person) -> Client:
        if person.pk not in self.clients:
            client = Client(headers={"accept-language": "zh-CN"})
            with school_context("*"):
                user = add_account(f"phone-{person.pk}", person=person)
            client.force_login(user, backend="anxiao.accounts.backends.AccountBackend")
            self.clients[person.pk] = client
        return self.clients[person.pk]

    def page(self, person: Person, path: str = "/h5/") -> str:
        answer = self.of(person).get(path)
        assert answer.status_code == 200, answer
        return answer.content.decode()

    def fill_in(self, person: Person, round_: Round, door: str = "report", **changes: Any) -> Any:
        path = f"/h5/{door}/{round_.pk}/"
        key = re.search(r'name="key" value="([^"]+)"', self.page(person, path))
        assert key is not None
        sent = {"key": key[1], **{k: _typed(v) for k, v in changes.items()}}
        return self.of(person).post(path, sent)

    def round(self) -> Round:
        with school_context("*"):
            return round_of(clock.day_of(self.moment))


def _typed(value: Any) -> Any:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value


@pytest.fixture
def phones(database: Any, monkeypatch: pytest.MonkeyPatch) -> Phones:
    stage = Phones(assemble())
    monkeypatch.setattr(views_h5, "now", lambda: stage.moment)
    return stage


def reported(person: Person, **given: Any) -> None:
    with school_context("*"):
        report(person, **given)


def test_a_stranger_is_led_to_the_sign_in_and_back(phones: Phones) -> None:
    answer = Client().get("/h5/history/")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/h5/sign-in/?next=%2Fh5%2Fhistory%2F"


def test_an_office_account_reports_for_nobody(phones: Phones) -> None:
    client = Client(headers={"accept-language": "zh-CN"})
    with school_context("*"):
        user = add_account("office")
    client.force_login(user, backend="anxiao.accounts.backends.AccountBackend")
    assert "此账号无需上报" in client.get("/h5/").content.decode()


def test_the_first_page_answers_the_one_question(phones: Phones) -> None:
    wangwu = phones.cast.wangwu
    assert "今日未上报" in phones.page(wangwu)
    reported(wangwu)
    page = phones.page(wangwu)
    assert "今日已上报" in page
    assert re.search(r"20260302-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}", page)


def test_after_the_deadline_it_says_so_and_still_lets_one_report(phones: Phones) -> None:
    phones.moment = clock.day_bounds(TODAY)[0] + timedelta(hours=14)
    page = phones.page(phones.cast.wangwu)
    assert "14:00 已过" in page
    assert "现在上报" in page


def test_without_javascript_the_form_works_and_the_receipt_follows(phones: Phones) -> None:
    wangwu, asked = phones.cast.wangwu, phones.round()
    answer = phones.fill_in(wangwu, asked, **answers())
    assert answer.headers["Location"] == f"/h5/receipt/{asked.pk}/"
    page = phones.page(wangwu, f"/h5/receipt/{asked.pk}/")
    assert "安徽省合肥市" in page
    with school_context("*"):
        assert Report.objects.get(person_id=wangwu.pk).temperature_tenths == 365


def test_errors_stand_beside_the_fields_and_nothing_typed_is_lost(phones: Phones) -> None:
    wangwu, asked = phones.cast.wangwu, phones.round()
    answer = phones.fill_in(wangwu, asked, **answers(temperature="50", address="金寨路"))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "不能大于 43" in page
    assert "金寨路" in page
    assert 'value="50"' in page


def test_the_form_never_carries_an_answer_of_yesterday(phones: Phones) -> None:
    wangwu = phones.cast.wangwu
    reported(
        wangwu, address="秘密路九号", region="420000", at_school=False, return_plan="undecided", hubei_history=True
    )
    phones.moment += timedelta(days=1)
    page = phones.page(wangwu, f"/h5/report/{phones.round().pk}/")
    assert "与上次相同" in page
    assert "秘密路九号" not in page
    assert "selected" not in page
    checked = re.findall(r'<input[^>]*value="([^"]*)"[^>]*checked', page)
    assert set(checked) == {""}


def test_no_change_takes_two_answers_and_keeps_the_rest(phones: Phones) -> None:
    wangwu = phones.cast.wangwu
    reported(wangwu, address="九龙路一号")
    phones.moment += timedelta(days=1)
    asked = phones.round()
    phones.fill_in(wangwu, asked, symptoms=["normal"], temperature="36.2", at_school="", region="110000")
    with school_context("*"):
        kept = Report.objects.get(person_id=wangwu.pk, round_id=asked.pk)
    assert kept.answers["address"] == "九龙路一号"
    assert (kept.at_school, kept.region, kept.temperature_tenths) == (True, 110000, 362)


def test_a_second_report_leads_to_the_receipt_of_the_first(phones: Phones) -> None:
    wangwu, asked = phones.cast.wangwu, phones.round()
    reported(wangwu)
    assert phones.of(wangwu).get(f"/h5/report/{asked.pk}/").headers["Location"] == f"/h5/receipt/{asked.pk}/"


def test_an_ill_answer_brings_help_with_the_counsellors_number(phones: Phones) -> None:
    wangwu, asked = phones.cast.wangwu, phones.round()
    reported(wangwu, symptoms=["fever"], temperature=38.5)
    page = phones.page(wangwu, f"/h5/receipt/{asked.pk}/")
    assert "感谢您如实告知" in page
    assert f"tel:{phones.cast.zhangsan.phone}" in page
    assert "tel:120" in page


def test_a_correction_needs_a_reason_and_leaves_both_versions_visible(phones: Phones) -> None:
    wangwu, asked = phones.cast.wangwu, phones.round()
    reported(wangwu)
    fresh = {"symptoms": ["cold"], "temperature": "36.9"}
    without = phones.fill_in(wangwu, asked, "correct", **fresh, reason="")
    assert "请说明更正的原因" in without.content.decode()
    assert phones.fill_in(wangwu, asked, "correct", **fresh, reason="下午感冒了").status_code == 302
    page = phones.page(wangwu, f"/h5/receipt/{asked.pk}/")
    assert "第 1 次更正" in page
    assert "首次上报" in page
    assert "下午感冒了" in page


def test_a_report_by_somebody_else_says_by_whom(phones: Phones) -> None:
    wangwu = phones.cast.wangwu
    with school_context("*"):
        counsellor = add_account("zhangsan", person=phones.cast.zhangsan)
    scope = phones.cast.counsellor
    reported(wangwu, by=type(scope)(**{**_fields(scope), "user_id": counsellor.pk}))
    assert "由 张三 代填" in phones.page(wangwu)


def _fields(scope: Any) -> dict[str, Any]:
    return {name: getattr(scope, name) for name in type(scope).__dataclass_fields__}


def test_a_reminder_is_shown_until_the_report_and_is_read_once(phones: Phones) -> None:
    wangwu, asked = phones.cast.wangwu, phones.round()
    with school_context("*"):
        assert remind_person(by=phones.cast.counsellor, person=wangwu, round=asked, now=phones.moment)
    assert "提醒您上报" in phones.page(wangwu)
    assert "提醒您完成" in phones.page(wangwu, "/h5/notices/")
    phones.page(wangwu, "/h5/notices/")
    with school_context("*"):
        assert Reminder.objects.get().read_at == phones.moment
        assert Entry.objects.filter(verb="reminder.read").count() == 1


def test_fourteen_days_are_remembered(phones: Phones) -> None:
    wangwu = phones.cast.wangwu
    for days in (0, 1, 3):
        reported(wangwu, at=MORNING - timedelta(days=days))
    with school_context("*"):
        round_of(TODAY - timedelta(days=2))
    page = phones.page(wangwu, "/h5/history/")
    assert page.count("按时") == 3
    assert page.count("漏报") == 1


def test_nobody_opens_a_round_that_does_not_ask_them(phones: Phones) -> None:
    client = phones.of(phones.cast.wangwu)
    for path in ("report", "correct", "receipt"):
        assert client.get(f"/h5/{path}/424242/").status_code == 404


def test_the_receipt_of_somebody_else_is_not_reachable(phones: Phones) -> None:
    asked = phones.round()
    reported(phones.cast.wangwu)
    answer = phones.of(phones.cast.wuyi).get(f"/h5/receipt/{asked.pk}/")
    assert answer.headers["Location"] == f"/h5/report/{asked.pk}/"


def test_what_was_changed_on_its_way_is_refused(phones: Phones) -> None:
    wangwu, asked = phones.cast.wangwu, phones.round()
    answer = phones.of(wangwu).post(f"/h5/report/{asked.pk}/", {**_flat(answers()), "key": "not-a-key"})
    assert answer.status_code == 409
    with school_context("*"):
        assert not Report.objects.exists()


def _flat(given: dict[str, Any]) -> dict[str, Any]:
    return {key: _typed(value) for key, value in given.items()}


def test_the_form_brings_a_ticket_for_one_version_of_one_report(phones: Phones) -> None:
    wangwu, asked = phones.cast.wangwu, phones.round()
    brought = _ticket(phones.page(wangwu, f"/h5/report/{asked.pk}/"))
    assert (brought.person_id, brought.school_id, brought.day) == (wangwu.pk, wangwu.school_id, TODAY)
    assert (brought.round_id, brought.form_version, brought.version) == (asked.pk, asked.version_id, 1)
    assert brought.is_fresh(phones.moment)
    assert not brought.is_fresh(phones.moment + tickets.LIFETIME)
    reported(wangwu)
    assert _ticket(phones.page(wangwu, f"/h5/correct/{asked.pk}/")).version == 2


def _ticket(page: str) -> tickets.Ticket:
    found = re.search(r'"ticket": "([^"]+)"', page)
    assert found is not None
    ticket = tickets.unseal(settings.SECRET_KEY, found[1])
    assert ticket is not None
    return ticket


def test_only_today_and_the_blank_form_may_be_kept_by_the_phone(phones: Phones) -> None:
    wangwu, asked = phones.cast.wangwu, phones.round()
    client = phones.of(wangwu)
    kept = [client.get("/h5/"), client.get(f"/h5/report/{asked.pk}/")]
    assert [answer.headers["X-Anxiao-Person"] for answer in kept] == [str(wangwu.pk)] * 2
    assert {answer.headers["Cache-Control"] for answer in kept} == {"private, no-cache"}
    faulty = client.post(f"/h5/report/{asked.pk}/", {**_flat(answers(temperature="50")), "key": str(uuid4())})
    assert faulty.status_code == 422
    reported(wangwu)
    pages = ["history/", "notices/", "me/", "help/", f"receipt/{asked.pk}/", f"correct/{asked.pk}/"]
    never = [faulty, *(client.get(f"/h5/{page}") for page in pages)]
    assert {answer.headers["Cache-Control"] for answer in never} == {"no-store"}
    assert not any("X-Anxiao-Person" in answer.headers for answer in never)


def test_the_scripts_are_plain_enough_for_old_web_views() -> None:
    """ES2018: newer words stop a whole script in the browsers of cheap phones, where nobody sees the error."""
    newer = re.compile(
        r"\?\.[a-zA-Z(\[]|\?\?|catch \{|\|\|=|&&=|\.at\(|\.replaceAll\(|\.flat\(|fromEntries|structuredClone"
    )
    scripts = Path(views_h5.__file__).parent / "static/portal"
    for name in ("offline.js", "phone.js", "report.js", "keeper.js"):
        assert newer.findall((scripts / name).read_text(encoding="utf-8")) == [], name


def test_pages_are_compressed_without_a_proxy(phones: Phones) -> None:
    answer = phones.of(phones.cast.wangwu).get("/h5/", headers={"accept-encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.content) < 5_000


def test_the_worker_is_the_same_for_everybody_and_sent_once(phones: Phones) -> None:
    first = phones.of(phones.cast.wangwu).get("/h5/worker.js")
    assert Client().get("/h5/worker.js").content == first.content
    again = Client().get("/h5/worker.js", headers={"if-none-match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(("waited", "shown"), [(timedelta(seconds=50), False), (timedelta(minutes=95), True)])
def test_a_report_that_waited_shows_both_times(phones: Phones, database: Any, waited: timedelta, shown: bool) -> None:
    wangwu, asked = phones.cast.wangwu, phones.round()
    reported(wangwu)
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("UPDATE report SET captured_at = received_at - %s", [waited])
    page = phones.page(wangwu, f"/h5/receipt/{asked.pk}/")
    assert ("填写时间" in page) is shown
    assert ("06:55:00" in page) is shown


def test_the_pages_ask_the_database_a_bounded_number_of_times(phones: Phones) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    wangwu = phones.cast.wangwu
    for days in range(1, 14):
        reported(wangwu, at=MORNING - timedelta(days=days))
    asked = phones.round()
    most = {"/h5/": 22, f"/h5/report/{asked.pk}/": 22, "/h5/history/": 20, "/h5/me/": 16}
    for path, allowed in most.items():
        phones.page(wangwu, path)
        with CaptureQueriesContext(connection) as queries:
            phones.page(wangwu, path)
        assert len(queries) <= allowed, (path, [q["sql"][:90] for q in queries])
