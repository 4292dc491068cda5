"""Coming in and going out: what is written, what the phone gets, what ends it, and who is slowed down."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from django.test import Client

from anxiao.accounts.commands.sessions import end_all_sessions
from anxiao.accounts.queries import bare_scope
from anxiao.base import passes
from anxiao.base.clock import now
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.ledger.models import Entry
from tests.builders import add_account
from tests.cast import Cast
from tests.conftest import Database

PASSWORD = "correct horse 2026"


def sign_in(client: Client, name: str, password: str = PASSWORD):
    return client.post("/accounts/login/", {"login": name, "password": password})


def written(verb: str) -> list[Entry]:
    with school_context("*"):
        return list(Entry.objects.filter(verb=verb).order_by("at", "id"))


def test_signing_in_and_out_and_being_refused_each_leave_a_row(cast: Cast) -> None:
    user = add_account("wang.wu", person=cast.wangwu)
    client = Client()
    assert sign_in(client, "wang.wu", "wrong").status_code == 200
    assert sign_in(client, "wang.wu").status_code == 302
    client.post("/accounts/logout/")
    (refused,) = written("account.sign_in_failed")
    assert (refused.outcome, refused.object_id, refused.school_id) == ("denied", str(user.pk), cast.anda.pk)
    assert [e.actor for e in written("account.signed_in")] == ["wang.wu"]
    assert [e.actor for e in written("account.signed_out")] == ["wang.wu"]


def test_a_name_that_nobody_has_is_not_written_down_for_it_may_be_a_password(cast: Cast) -> None:
    sign_in(Client(), "MyS3cretPassw0rd")
    (entry,) = written("account.sign_in_failed")
    assert "secret" not in (entry.object_id + entry.actor + str(entry.facts)).casefold()


@pytest.mark.parametrize("spelling", ["wang.wu", " WANG.wu ", "ｗａｎｇ．ｗｕ"])
def test_capitals_width_and_spaces_of_a_name_make_no_difference(cast: Cast, spelling: str) -> None:
    add_account("wang.wu", person=cast.wangwu)
    assert sign_in(Client(), spelling).status_code == 302


def test_ten_wrong_passwords_close_the_account_for_a_while_in_every_spelling_but_nobody_else(cast: Cast) -> None:
    add_account("wang.wu", person=cast.wangwu)
    add_account("zhao.liu", person=cast.zhaoliu)
    for attempt in range(10):
        sign_in(Client(), ["wang.wu", "WANG.WU", " wang.wu"][attempt % 3], "wrong")
    assert sign_in(Client(), "wang.wu").status_code == 200, "the right password is refused as well"
    assert sign_in(Client(), "Wang.Wu").status_code == 200
    # the whole campus shares one address
    assert sign_in(Client(), "zhao.liu").status_code == 302


def test_thirty_guesses_at_the_same_moment_are_not_more_than_ten(cast: Cast) -> None:
    add_account("wang.wu", person=cast.wangwu)

    def guess(_n: int) -> None:
        try:
            sign_in(Client(), "wang.wu", "wrong")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(guess, range(30)))
    assert 1 <= len(written("account.sign_in_failed")) <= 10


def test_whoever_belongs_to_a_school_gets_the_phones_pass_and_loses_it_at_sign_out(cast: Cast) -> None:
    user = add_account("wang.wu", person=cast.wangwu)
    client = Client()
    sign_in(client, "wang.wu")
    client.get("/accounts/password/change/")
    cookie = client.cookies[passes.COOKIE]
    held = passes.unseal(settings.SECRET_KEY, cookie.value, now())
    assert held is not None
    assert (held.user_id, held.person_id, held.school_id) == (user.pk, cast.wangwu.pk, cast.anda.pk)
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == 30 * 24 * 3600
    client.post("/accounts/logout/")
    assert client.cookies[passes.COOKIE].value == ""


def test_an_office_without_a_person_gets_no_pass(cast: Cast) -> None:
    add_account("office", role=Role.PROVINCE_OFFICER, node=cast.province)
    client = Client()
    sign_in(client, "office")
    client.get("/accounts/password/change/")
    assert passes.COOKIE not in client.cookies


def test_ending_all_sessions_ends_every_browser_and_every_pass_at_the_next_request(cast: Cast) -> None:
    user = add_account("wang.wu", person=cast.wangwu)
    one, other = Client(), Client()
    for client in (one, other):
        sign_in(client, "wang.wu")
        assert client.get("/accounts/password/change/").status_code == 200
    held = passes.unseal(settings.SECRET_KEY, one.cookies[passes.COOKIE].value, now())
    with school_context("*"):
        end_all_sessions(by=bare_scope(user), now=now(), user=user)
    user.refresh_from_db()
    assert held is not None
    assert held.serial < user.pass_serial, "the intake door compares these two"
    for client in (one, other):
        assert client.get("/accounts/password/change/").status_code == 302


def test_changing_the_password_ends_the_other_phones_and_keeps_this_one(cast: Cast) -> None:
    add_account("wang.wu", person=cast.wangwu)
    here, there = Client(), Client()
    sign_in(here, "wang.wu")
    sign_in(there, "wang.wu")
    fresh = "another horse 2026"
    here.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": fresh, "password2": fresh})
    assert here.get("/accounts/password/change/").status_code == 200
    assert there.get("/accounts/password/change/").status_code == 302


def test_an_account_of_the_demo_cannot_sign_in_anywhere_else(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    add_account("demo-school", role=Role.SCHOOL_ADMIN, node=cast.anda_node)
    client = Client()
    sign_in(client, "demo-school")
    monkeypatch.setattr(settings, "ANXIAO_DEMO", False)
    assert client.get("/accounts/password/change/").status_code == 302, "its session ends"
    assert sign_in(Client(), "demo-school").status_code == 200, "its password is refused"


def test_where_the_ledger_is_broken_nobody_comes_in(cast: Cast, database: Database) -> None:
    add_account("wang.wu", person=cast.wangwu)
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger_entry RENAME TO ledger_gone")
    client = Client(raise_request_exception=False)
    assert sign_in(client, "wang.wu").status_code == 500
    assert client.get("/accounts/password/change/").status_code == 302


@pytest.mark.parametrize(
    "page",
    [
        *("signup/", "email/", "confirm-email/", "confirm-email/abc/", "password/set/", "login/code/confirm/"),
        *("password/reset/", "password/reset/done/", "password/reset/key/1-abc/", "2fa/webauthn/signup/"),
    ],
)
def test_nobody_signs_up_and_nothing_works_by_e_mail(cast: Cast, page: str) -> None:
    desk = Client()
    assert desk.get(f"/accounts/{page}").status_code == 404
    add_account("wang.wu", person=cast.wangwu)
    sign_in(desk, "wang.wu")
    assert desk.get(f"/accounts/{page}").status_code == 404
