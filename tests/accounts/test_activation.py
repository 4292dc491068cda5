"""From the printed slip to the first report: codes that work once, for one person, for a week."""

from __future__ import annotations

import re
from datetime import timedelta

import psycopg
import pytest
from django.test import Client

from anxiao.accounts import views_h5
from anxiao.accounts.commands.activation import Answer, activate, print_codes, try_code
from anxiao.accounts.models import ActivationCode, User
from anxiao.accounts.rules import new_code, read_code
from anxiao.base import passes
from anxiao.base.clock import now
from anxiao.base.errors import NotYours, Refused
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.directory.models import Person
from anxiao.ledger.models import Entry
from tests.builders import MORNING, add_account, scope_for
from tests.cast import Cast
from tests.conftest import Database

PASSWORD = "九龙路 111 good horse"


def slip_for(cast: Cast, person: Person, at=MORNING) -> str:
    with cast.seen_by(cast.counsellor) as counsellor:
        sheet = print_codes(by=counsellor, now=at, node=cast.tongxin1, person_ids=[person.pk])
    return sheet.slips[0].code


def attempt(cast: Cast, code: str, number: str = "P20180001", name: str = "王五", at=MORNING):
    with school_context(f"0,{cast.anda.pk}"):
        return try_code(now=at, school_id=cast.anda.pk, code=code, number=number, name=name)


@pytest.mark.parametrize("school_id", [1, 119, 32_767])
def test_a_code_says_its_school_however_it_is_typed(school_id: int) -> None:
    code = new_code(school_id)
    for typed in (code, code.lower(), f" {code[:4]}-{code[4:8]} {code[8:]} ", code.translate(_WIDE)):
        assert read_code(typed) == (school_id, code)
    assert read_code(code[:-1]) is None
    assert read_code(code[:-1] + "0") is None


_WIDE = {ord(c): ord(c) + 0xFEE0 for c in "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"}


def test_a_student_activates_on_the_phone_and_stays_signed_in(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views_h5, "now", lambda: MORNING)
    code = slip_for(cast, cast.wangwu)
    phone = Client()
    assert code[:4] in phone.get(f"/h5/activate/?c={code}").content.decode()
    answer = phone.post("/h5/activate/", {"code": code, "number": "p20180001", "name": "王 五"})
    assert answer.headers["Location"] == "/h5/activate/password/"
    answer = phone.post("/h5/activate/password/", {"password": PASSWORD, "again": PASSWORD})
    assert answer.headers["Location"] == "/h5/activate/done/"
    phone.get("/h5/activate/done/")
    assert passes.COOKIE in phone.cookies
    account = User.objects.get(person=cast.wangwu)
    assert account.username == "4134010357:P20180001"
    # and next time by school, number and password
    again = Client()
    typed = {"school": "安徽大学", "number": "P20180001", "password": PASSWORD}
    assert again.post("/h5/sign-in/", typed).headers["Location"] == "/h5/"


def test_wrong_words_on_the_phone_are_said_and_nothing_typed_is_lost(cast: Cast) -> None:
    code = slip_for(cast, cast.wangwu, at=now())
    page = Client().post("/h5/activate/", {"code": code, "number": "P20180001", "name": "王六"})
    assert page.status_code == 422
    text = page.content.decode()
    assert "王六" in text
    assert "4" in re.sub(r"\s+", " ", text)


def test_a_code_works_once(cast: Cast) -> None:
    code = slip_for(cast, cast.wangwu)
    fits = attempt(cast, code)
    assert fits.answer is Answer.FITS
    with school_context(f"0,{cast.anda.pk}"):
        activate(now=MORNING, school_id=cast.anda.pk, code_id=fits.code_id, password=PASSWORD)
    assert attempt(cast, code).answer is Answer.USED
    with pytest.raises(Refused), school_context(f"0,{cast.anda.pk}"):
        activate(now=MORNING, school_id=cast.anda.pk, code_id=fits.code_id, password="somebody else 1")


def test_a_code_is_good_for_seven_days_and_not_a_second_longer(cast: Cast) -> None:
    code = slip_for(cast, cast.wangwu)
    end = MORNING + timedelta(days=7)
    assert attempt(cast, code, at=end - timedelta(microseconds=1)).answer is Answer.FITS
    assert attempt(cast, code, at=end).answer is Answer.EXPIRED


@pytest.mark.parametrize(("number", "name"), [("P20180001", "赵六"), ("P20180002", "王五"), ("P20180002", "赵六")])
def test_a_found_slip_is_useless_without_the_right_number_and_name(cast: Cast, number: str, name: str) -> None:
    code = slip_for(cast, cast.wangwu)
    assert attempt(cast, code, number=number, name=name).answer is Answer.MISMATCH
    with school_context("*"):
        entry = Entry.objects.get(verb="activation.failed")
    assert (entry.outcome, entry.object_id) == ("denied", str(cast.wangwu.pk))
    assert name not in str(entry.facts)


def test_after_five_misses_even_the_right_words_come_too_late(cast: Cast) -> None:
    code = slip_for(cast, cast.wangwu)
    left = [attempt(cast, code, name="某人") for _time in range(5)]
    assert [a.tries_left for a in left] == [4, 3, 2, 1, 0]
    assert attempt(cast, code).answer is Answer.LOCKED


def test_printing_again_voids_the_old_slip_and_says_so(cast: Cast) -> None:
    old = slip_for(cast, cast.wangwu)
    with cast.seen_by(cast.counsellor) as counsellor:
        sheet = print_codes(by=counsellor, now=MORNING, node=cast.tongxin1)
    assert sheet.replaced == 1
    assert [s.name for s in sheet.slips] == ["王五", "赵六", "钱七"]
    assert attempt(cast, old).answer is Answer.UNKNOWN
    assert attempt(cast, sheet.slips[0].code).answer is Answer.FITS


def test_only_a_keyed_digest_of_a_code_is_kept(cast: Cast) -> None:
    code = slip_for(cast, cast.wangwu)
    with school_context("*"):
        (kept,) = ActivationCode.objects.values()
    assert code not in str(kept)
    assert code[3:] not in str(kept)


def test_a_counsellor_prints_for_the_own_class_and_no_other(cast: Cast) -> None:
    with cast.seen_by(cast.counsellor) as counsellor, pytest.raises(NotYours):
        print_codes(by=counsellor, now=MORNING, node=cast.hanyu1)


def test_nobody_prints_a_way_into_the_account_of_a_role_they_could_not_give(cast: Cast) -> None:
    add_account("zhang.san", person=cast.zhangsan, role=Role.EPIDEMIC_OFFICER, node=cast.anda_node)
    add_account("zhou.shi", person=cast.zhoushi, role=Role.COUNSELLOR, node=cast.hanyu1)
    for who in (cast.college_officer, cast.admin):
        with cast.seen_by(who), pytest.raises(Refused):
            print_codes(by=who, now=MORNING, node=cast.electronics, person_ids=[cast.zhangsan.pk])
    with cast.seen_by(cast.admin) as admin:
        assert print_codes(by=admin, now=MORNING, node=cast.literature, person_ids=[cast.zhoushi.pk]).slips


def test_a_forgotten_password_is_replaced_by_a_new_slip_and_the_old_phones_are_out(cast: Cast) -> None:
    account = add_account("4134010357:P20180001", person=cast.wangwu)
    code = slip_for(cast, cast.wangwu)
    with school_context(f"0,{cast.anda.pk}"):
        fits = try_code(now=MORNING, school_id=cast.anda.pk, code=code, number="P20180001", name="王五")
        activate(now=MORNING, school_id=cast.anda.pk, code_id=fits.code_id, password=PASSWORD)
    version = account.pass_version
    account.refresh_from_db()
    assert account.check_password(PASSWORD)
    assert account.pass_version > version


def test_where_the_ledger_is_broken_no_account_is_made_and_the_code_stays_good(cast: Cast, database: Database) -> None:
    code = slip_for(cast, cast.wangwu)
    fits = attempt(cast, code)
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger_entry RENAME TO ledger_gone")
    with pytest.raises(Exception, match="ledger_entry"), school_context(f"0,{cast.anda.pk}"):
        activate(now=MORNING, school_id=cast.anda.pk, code_id=fits.code_id, password=PASSWORD)
    assert not User.objects.filter(person_id=cast.wangwu.pk).exists()
    with school_context("*"):
        assert ActivationCode.objects.get().used_at is None


def test_the_class_sheet_shows_every_code_once_and_no_cache_keeps_it(cast: Cast) -> None:
    add_account("counsellor", person=cast.zhangsan, role=Role.COUNSELLOR, node=cast.tongxin1)
    desk = Client()
    desk.post("/accounts/login/", {"login": "counsellor", "password": "correct horse 2026"})
    assert desk.get(f"/console/settings/activation/{cast.tongxin1.pk}/").status_code == 200
    sheet = desk.post(f"/console/settings/activation/{cast.tongxin1.pk}/print/")
    assert sheet.status_code == 200
    text = sheet.content.decode()
    codes = re.findall(r'slip-code">([0-9A-Z-]{14})<', text)
    assert len(set(codes)) == 3
    assert text.count("data:image/svg+xml;base64,") == 3
    assert "style=" not in text
    assert "P20180001" not in text, "whoever finds a slip must not hold the number too"
    assert "no-store" in sheet["Cache-Control"]
    read = read_code(codes[0])
    assert read is not None
    assert attempt(cast, read[1], at=now()).answer is Answer.FITS
    assert desk.get(f"/console/settings/activation/{cast.hanyu1.pk}/").status_code == 404
    assert desk.post(f"/console/settings/activation/{cast.hanyu1.pk}/print/").status_code == 404


def test_nobody_without_the_permission_sees_the_page(cast: Cast) -> None:
    scope = scope_for(Role.CLASS_HEAD, cast.tongxin1)
    with cast.seen_by(scope), pytest.raises(NotYours):
        print_codes(by=scope, now=MORNING, node=cast.tongxin1)


def test_the_ledger_says_whose_password_a_new_code_replaces(cast: Cast) -> None:
    """Printing for somebody who is activated opens their account anew: later one must be able to ask who did it."""
    account = add_account("wang.wu", person=cast.wangwu)
    slip_for(cast, cast.wangwu)
    slip_for(cast, cast.zhaoliu)
    with school_context("*"):
        facts = [e.facts["again"] for e in Entry.objects.filter(verb="activation.printed").order_by("id")]
    assert account.person_id == cast.wangwu.pk
    assert facts == [[cast.wangwu.pk], []]
