"""Whoever holds a role proves it twice; whoever only reports does not; the demo is let off."""

from __future__ import annotations

import re
import time

import psycopg
import pytest
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.mfa.webauthn.views import AddWebAuthnView
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from anxiao.accounts.access import require_recent_proof
from anxiao.accounts.commands.recovery import reset_second_factor
from anxiao.accounts.models import Grant, User
from anxiao.base import passes
from anxiao.base.clock import now
from anxiao.base.errors import StepUpNeeded
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.ledger.models import Entry
from tests.builders import add_account
from tests.cast import Cast
from tests.conftest import Database

PASSWORD = "correct horse 2026"
PAGE = "/console/settings/activation/"
SETUP = "/accounts/2fa/totp/activate/"


def signed_in(name: str) -> Client:
    client = Client()
    assert client.post("/accounts/login/", {"login": name, "password": PASSWORD}).status_code == 302
    return client


def code(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def set_up(client: Client) -> str:
    """Set up the one-time code as a person would; returns its secret."""
    page = client.get(SETUP)
    assert page.status_code == 200, "no password is asked for right after signing in"
    found = re.search(r'authenticator_secret">([A-Z2-7]+)<', page.content.decode())
    assert found is not None
    answer = client.post(SETUP, {"code": code(found[1])})
    assert answer.headers["Location"] == "/accounts/2fa/recovery-codes/", "the recovery codes are shown"
    return found[1]


@pytest.mark.parametrize("role", [Role.COUNSELLOR, Role.SCHOOL_ADMIN, Role.PROVINCE_OFFICER])
def test_staff_with_a_role_get_to_no_page_before_the_second_factor_is_set(cast: Cast, role: Role) -> None:
    node = {Role.COUNSELLOR: cast.tongxin1, Role.SCHOOL_ADMIN: cast.anda_node, Role.PROVINCE_OFFICER: cast.province}
    add_account("zhang.san", role=role, node=node[role], demo=False)
    client = signed_in("zhang.san")
    for page in ("/", "/h5/", "/console/", PAGE, "/console/settings/roles/", "/accounts/password/change/"):
        assert client.get(page).headers.get("Location") == SETUP, page
    assert client.post(f"{PAGE}{cast.tongxin1.pk}/print/").headers["Location"] == SETUP
    set_up(client)
    assert client.get("/accounts/2fa/recovery-codes/").status_code == 200
    assert client.get("/accounts/password/change/").status_code == 200


def test_the_way_out_stays_open(cast: Cast) -> None:
    add_account("zhang.san", role=Role.COUNSELLOR, node=cast.tongxin1, demo=False)
    client = signed_in("zhang.san")
    assert client.post("/accounts/logout/").headers["Location"] == "/accounts/login/"


def test_at_the_next_sign_in_the_code_is_asked_for_and_one_code_opens_once(cast: Cast) -> None:
    add_account("zhang.san", role=Role.COUNSELLOR, node=cast.tongxin1, demo=False)
    secret = set_up(signed_in("zhang.san"))
    first, second = signed_in("zhang.san"), signed_in("zhang.san")
    assert first.get(f"{PAGE}{cast.tongxin1.pk}/").status_code in (302, 404), "the password alone opens nothing"
    once = code(secret)
    assert first.post("/accounts/2fa/authenticate/", {"code": once}).status_code == 302
    assert first.get(f"{PAGE}{cast.tongxin1.pk}/").status_code == 200
    assert second.post("/accounts/2fa/authenticate/", {"code": once}).status_code == 200, "the same code again"
    assert second.get(f"{PAGE}{cast.tongxin1.pk}/").status_code != 200


def test_the_last_second_factor_of_somebody_with_a_role_cannot_be_taken_off(cast: Cast) -> None:
    user = add_account("zhang.san", role=Role.COUNSELLOR, node=cast.tongxin1, demo=False)
    client = signed_in("zhang.san")
    set_up(client)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.post("/accounts/2fa/totp/deactivate/")
    assert user.authenticator_set.filter(type="totp").exists()


def test_students_and_staff_without_a_role_are_not_asked(cast: Cast) -> None:
    add_account("wang.wu", person=cast.wangwu, demo=False)
    client = signed_in("wang.wu")
    assert client.get("/accounts/password/change/").status_code == 200
    assert passes.COOKIE in client.cookies


def test_a_role_given_later_asks_at_the_next_request_and_gives_no_pass_before(cast: Cast) -> None:
    user = add_account("zhang.san", person=cast.zhangsan, demo=False)
    client = Client()
    client.post("/accounts/login/", {"login": "zhang.san", "password": PASSWORD})
    Grant.objects.create(
        user=user,
        role=Role.COUNSELLOR,
        organisation=cast.tongxin1,
        valid_from="2020-01-01",
        given_by=0,
        given_at=user.date_joined,
    )
    assert client.get("/h5/").headers["Location"] == SETUP
    assert passes.COOKIE not in client.cookies


def test_accounts_of_the_demo_are_let_off(cast: Cast) -> None:
    add_account("demo-counsellor", role=Role.COUNSELLOR, node=cast.tongxin1, demo=True)
    assert signed_in("demo-counsellor").get(f"{PAGE}{cast.tongxin1.pk}/").status_code == 200


def test_a_first_password_is_changed_before_anything_else(cast: Cast) -> None:
    user = add_account("school", role=Role.SCHOOL_ADMIN, node=cast.anda_node, demo=False)
    User.objects.filter(pk=user.pk).update(must_change_password=True)
    client = signed_in("school")
    assert client.get("/console/").headers["Location"] == "/accounts/password/change/"
    fresh = "another horse 2026"
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": fresh, "password2": fresh})
    assert client.get("/console/").headers["Location"] == SETUP, "and then the second factor"


def test_a_dangerous_act_wants_the_proof_again_and_for_five_minutes(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_account("demo-officer", role=Role.SCHOOL_ADMIN, node=cast.anda_node)
    client = signed_in("demo-officer")
    page = "/console/settings/roles/add/"
    assert client.get(page).headers["Location"].startswith("/accounts/reauthenticate/?next=")
    assert client.post("/accounts/reauthenticate/", {"password": "wrong"}).status_code == 200
    assert client.get(page).status_code == 302
    assert client.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 302
    assert client.get(page).status_code == 200
    later = time.time() + settings.ACCOUNT_REAUTHENTICATION_TIMEOUT + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert client.get(page).status_code == 302


def test_a_visitor_has_no_proof() -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    with pytest.raises(StepUpNeeded):
        require_recent_proof(request)


def test_a_lost_phone_is_helped_by_whoever_could_give_the_role(cast: Cast) -> None:
    user = add_account("zhang.san", role=Role.COUNSELLOR, node=cast.tongxin1, demo=False)
    officer = add_account("officer", role=Role.EPIDEMIC_OFFICER, node=cast.anda_node, demo=False)
    client = signed_in("zhang.san")
    set_up(client)
    add_account("school", role=Role.SCHOOL_ADMIN, node=cast.anda_node)
    desk = signed_in("school")
    page = f"/console/settings/accounts/{user.pk}/"
    assert desk.get(page).status_code == 200
    asked = desk.post(page, {"act": "second-factor"}, headers={"referer": page})
    assert asked.headers["Location"].startswith("/accounts/reauthenticate/")
    assert user.authenticator_set.exists()
    desk.post(asked.headers["Location"], {"password": PASSWORD})
    assert desk.post(page, {"act": "second-factor"}).status_code == 302
    assert not user.authenticator_set.exists()
    gone = client.get("/accounts/password/change/")
    assert gone.headers["Location"].startswith("/accounts/login/"), "the session ended too"
    assert desk.get(f"/console/settings/accounts/{officer.pk}/").status_code == 404, "that is the province's to do"


def test_what_happens_to_a_second_factor_is_written_in_the_same_transaction(cast: Cast) -> None:
    user = add_account("zhang.san", role=Role.COUNSELLOR, node=cast.tongxin1, demo=False)
    client = signed_in("zhang.san")
    set_up(client)
    client.post("/accounts/2fa/recovery-codes/generate/")
    with school_context("*"):
        verbs = list(Entry.objects.filter(object_id=str(user.pk)).order_by("id").values_list("verb", "facts"))
    added = [facts["kind"] for verb, facts in verbs if verb == "account.second_factor_added"]
    removed = [facts["kind"] for verb, facts in verbs if verb == "account.second_factor_removed"]
    assert sorted(added) == ["recovery_codes", "recovery_codes", "totp"]
    assert removed == ["recovery_codes"]


def test_a_passkey_and_its_row_are_one_act(cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    user = add_account("wang.wu", person=cast.wangwu, demo=False)
    client = signed_in("wang.wu")

    def add(self: AddWebAuthnView, request: HttpRequest) -> HttpResponse:
        Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data={})
        return HttpResponse()

    def stale(self: AddWebAuthnView, request: HttpRequest) -> HttpResponse:
        raise ReauthenticationRequired

    monkeypatch.setattr(AddWebAuthnView, "post", stale)
    assert "reauthenticate" in client.post("/accounts/2fa/webauthn/add/").headers["Location"]
    monkeypatch.setattr(AddWebAuthnView, "post", add)
    assert client.post("/accounts/2fa/webauthn/add/").status_code == 200
    with school_context("*"):
        assert Entry.objects.get(verb="account.second_factor_added").facts == {"kind": "webauthn"}
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE ledger_entry ADD CONSTRAINT broken CHECK (id = 0) NOT VALID")
    with pytest.raises(Exception, match="broken"):
        client.post("/accounts/2fa/webauthn/add/")
    assert user.authenticator_set.count() == 1


def test_a_reset_by_somebody_else_is_written_as_theirs(cast: Cast) -> None:
    user = add_account("zhang.san", role=Role.COUNSELLOR, node=cast.tongxin1, demo=False)
    set_up(signed_in("zhang.san"))
    with cast.seen_by(cast.admin) as admin:
        reset_second_factor(by=admin, now=now(), user=user)
        verbs = set(Entry.objects.filter(actor_id=admin.user_id).values_list("verb", flat=True))
        assert not Entry.objects.filter(verb="account.second_factor_removed").exists()
    assert "account.second_factor_reset" in verbs
    assert not user.authenticator_set.exists()


def test_a_broken_ledger_sets_up_no_second_factor(cast: Cast, database: Database) -> None:
    user = add_account("zhang.san", role=Role.COUNSELLOR, node=cast.tongxin1, demo=False)
    client = signed_in("zhang.san")
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE ledger_entry ADD CONSTRAINT broken CHECK (verb NOT LIKE '%second_factor_added')")
    with pytest.raises(Exception, match="broken"):
        set_up(client)
    assert not user.authenticator_set.exists()
