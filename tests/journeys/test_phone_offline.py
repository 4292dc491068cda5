"""A telephone on a bad network: what waits on it, what becomes of that, and what is left for the next person."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from anxiao.base import tickets
from anxiao.base.clock import day_of, now
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.directory.models import Person
from anxiao.ledger.models import Entry
from tests.builders import add_account, add_person, report, round_of
from tests.cast import Cast, assemble
from tests.journeys.telephone import (
    at_rest,
    open_form,
    reports_of,
    sign_in,
    somebody,
    wait_for_receipt,
    well,
    worker_ready,
)

STATIC = Path(__file__).resolve().parents[2] / "src/anxiao/portal/static/portal"

Visitor = Callable[..., Any]


@pytest.fixture(scope="module")
def cast(module_database: Any) -> Cast:
    return assemble()


@pytest.fixture
def offline(visitor: Visitor, cast: Cast, live_server_url: str) -> Callable[..., tuple[Any, Person]]:
    """Somebody on a page with the open form and without a network."""

    def wait(username: str, locale: str = "zh-CN") -> tuple[Any, Person]:
        person = somebody(cast, username)
        page = visitor(phone=True, locale=locale)
        sign_in(page, username, live_server_url)
        worker_ready(page)
        open_form(page)
        well(page, "36.4")
        page.context.set_offline(True)
        page.click("#send")
        page.wait_for_selector("#waiting .h5-answer_wait")
        return page, person

    return wait


def back(page: Any) -> None:
    page.context.set_offline(False)
    wait_for_receipt(page)


@pytest.mark.parametrize(("locale", "words"), [("zh-CN", "尚未送达"), ("en-GB", "Not yet received")])
def test_a_report_made_without_a_network_waits_visibly_and_arrives(
    offline: Callable[..., tuple[Any, Person]], shot: Callable[..., Any], locale: str, words: str
) -> None:
    page, person = offline(f"wait-{locale}", locale)
    assert words in page.inner_text("#waiting")
    assert reports_of(person) == []
    shot(page, f"offline-waiting-{locale}")
    back(page)
    (kept,) = reports_of(person)
    assert kept.captured_at is not None
    assert kept.captured_at <= kept.received_at
    assert at_rest(page) == []


def test_both_times_stand_on_the_receipt(offline: Callable[..., tuple[Any, Person]], shot: Callable[..., Any]) -> None:
    page, person = offline("noted", "en-GB")
    # An hour passes, for the phone: what it noted lies an hour back.
    page.evaluate(
        """async () => {
          const kept = await window.anxiao.vault;
          const [item] = await kept.all("waiting");
          item.captured_at = new Date(Date.now() - 3600000).toISOString();
          await kept.put("waiting", item.slot, item);
        }"""
    )
    back(page)
    (kept,) = reports_of(person)
    assert kept.captured_at is not None
    assert timedelta(minutes=59) < kept.received_at - kept.captured_at < timedelta(minutes=62)
    assert "Noted on the phone" in page.inner_text("main")
    shot(page, "offline-receipt-en")


def test_what_waits_is_encrypted_and_bound_to_its_person_and_round(offline: Callable[..., tuple[Any, Person]]) -> None:
    page, _ = offline("cipher")
    rows = at_rest(page)
    assert {row["kind"] for row in rows} == {"waiting", "draft"}
    assert not any("36.4" in row["data"] or "normal" in row["data"] or "temperature" in row["data"] for row in rows)
    assert page.evaluate("Object.keys(localStorage).concat(Object.keys(sessionStorage))") == []
    # The key can be used and not taken out; a row under another name cannot be opened.
    found = page.evaluate(
        """async () => {
          const database = await new Promise((resolve) => {
            const open = indexedDB.open("anxiao", 1);
            open.onsuccess = () => resolve(open.result);
          });
          const all = (store) => new Promise((resolve) => {
            const rows = database.transaction(store).objectStore(store).getAll();
            rows.onsuccess = () => resolve(rows.result);
          });
          const [{ key, person }] = await all("keys");
          const taken = await crypto.subtle.exportKey("raw", key).then(() => "taken", (error) => error.name);
          const row = (await all("kept")).find((one) => one.kind === "waiting");
          const moved = Object.assign({}, row, { slot: "77.0", id: [person, "waiting", "77.0"].join("|") });
          const transaction = database.transaction("kept", "readwrite");
          transaction.objectStore("kept").put(moved);
          await new Promise((resolve) => { transaction.oncomplete = resolve; });
          const kept = await window.anxiao.vault;
          const own = await kept.get("waiting", row.slot);
          return [taken, key.extractable, own !== null, await kept.get("waiting", "77.0")];
        }"""
    )
    assert found == ["InvalidAccessError", False, True, None]


def test_today_and_the_form_open_without_a_network_and_other_pages_say_why_not(
    visitor: Visitor, cast: Cast, live_server_url: str, shot: Callable[..., Any]
) -> None:
    person = somebody(cast, "tunnel")
    page = visitor(phone=True)
    sign_in(page, "tunnel", live_server_url)
    worker_ready(page)
    page.context.set_offline(True)
    page.reload()
    assert "今日未上报" in page.inner_text("main")
    assert "没有网络" in page.inner_text("#kept")
    shot(page, "offline-today")
    open_form(page)
    well(page)
    page.click("#send")
    page.wait_for_selector("#waiting .h5-answer_wait")
    # Closed and opened again: it still waits, and today says so.
    page.goto("/h5/")
    page.wait_for_selector("#waiting .h5-answer_wait")
    assert not page.is_visible("[data-due]")
    page.goto("/h5/history/")
    assert "没有网络" in page.inner_text("main")
    shot(page, "offline-nothing")
    page.goto("/h5/")
    page.wait_for_selector("#waiting .h5-answer_wait")
    back(page)
    assert len(reports_of(person)) == 1
    # With a network nothing kept is shown: the page is asked for first.
    page.goto("/h5/")
    assert "今日已上报" in page.inner_text("main")
    assert not page.is_visible("#kept")
    page.goto("/h5/help/")
    assert "没有网络时" in page.inner_text("main")
    shot(page, "offline-help")


def test_no_answer_is_kept_by_the_worker(visitor: Visitor, cast: Cast, live_server_url: str) -> None:
    somebody(cast, "nocopy")
    page = visitor(phone=True)
    sign_in(page, "nocopy", live_server_url)
    worker_ready(page)
    open_form(page)
    well(page, "36.9")
    page.click("#send")
    wait_for_receipt(page)
    assert "36.9" in page.inner_text("main", timeout=5_000) or "36.9" in page.content()
    page.goto("/h5/history/")
    page.goto("/h5/me/")
    page.goto("/h5/")
    kept = page.evaluate(
        """async () => {
          const found = {};
          for (const name of (await caches.keys()).filter((one) => one.startsWith("anxiao-pages"))) {
            const cache = await caches.open(name);
            for (const request of await cache.keys())
              found[new URL(request.url).pathname] = await (await cache.match(request)).text();
          }
          return found;
        }"""
    )
    assert all(path == "/h5/" or path.startswith("/h5/report/") for path in kept)
    assert len(kept) >= 1
    assert not any(answer in text for text in kept.values() for answer in ("36.9", "九龙路", "selected"))
    assert not any('"ticket": "' in text and '"ticket": ""' not in text for text in kept.values())


def test_two_tabs_and_a_double_tap_send_once(visitor: Visitor, cast: Cast, live_server_url: str) -> None:
    person = somebody(cast, "twice")
    page = visitor(phone=True)
    sign_in(page, "twice", live_server_url)
    open_form(page)
    second = page.context.new_page()
    second.goto(page.url)
    for tab in (page, second):
        well(tab)
    page.evaluate("document.getElementById('send').click(), document.getElementById('send').click()")
    second.evaluate("document.getElementById('send').click(), document.getElementById('send').click()")
    wait_for_receipt(page)
    second.wait_for_selector("#waiting .h5-answer_wait, .h5-receipt")
    assert len(reports_of(person)) == 1
    with school_context("*"):
        assert list(Entry.objects.filter(verb__startswith="intake.", actor="twice")) == []


def test_two_tabs_without_a_network_hold_one_report_together(
    offline: Callable[..., tuple[Any, Person]], visitor: Visitor
) -> None:
    page, person = offline("together")
    second = page.context.new_page()
    second.goto(page.url)
    second.wait_for_selector("#waiting .h5-answer_wait")
    assert not second.is_visible("#sheet")
    page.context.set_offline(False)
    for tab in (page, second):
        wait_for_receipt(tab)
    assert len(reports_of(person)) == 1


def test_without_locks_a_lease_lets_one_send(visitor: Visitor, cast: Cast, live_server_url: str) -> None:
    person = somebody(cast, "lease")
    page = visitor(phone=True)
    page.context.add_init_script("Object.defineProperty(navigator, 'locks', { value: undefined })")
    sign_in(page, "lease", live_server_url)
    open_form(page)
    most = page.evaluate(
        """async () => {
          const kept = await window.anxiao.vault;
          let now = 0, most = 0;
          const work = async () => {
            now += 1;
            most = Math.max(most, now);
            await new Promise((resolve) => setTimeout(resolve, 50));
            now -= 1;
          };
          await Promise.all([1, 2, 3].map(() => window.anxiao.alone(kept, work)));
          return most;
        }"""
    )
    assert most == 1
    well(page)
    page.click("#send")
    wait_for_receipt(page)
    assert len(reports_of(person)) == 1


def test_an_expired_ticket_is_renewed_and_nothing_is_lost(visitor: Visitor, cast: Cast, live_server_url: str) -> None:
    person = somebody(cast, "expired")
    page = visitor(phone=True)
    # What a worker passes on cannot be changed on its way by a test.
    page.context.add_init_script("Object.defineProperty(navigator, 'serviceWorker', { value: undefined })")
    sign_in(page, "expired", live_server_url)
    open_form(page)
    well(page)
    answers: list[tuple[int, str]] = []

    def age(route: Any) -> None:
        sent = json.loads(route.request.post_data)
        ticket = tickets.unseal(settings.SECRET_KEY, sent["ticket"])
        assert ticket is not None
        if not answers:
            ticket = ticket._replace(issued_at=int(time.time()) - 16 * 60)
        answer = route.fetch(post_data=json.dumps({**sent, "ticket": tickets.seal(settings.SECRET_KEY, ticket)}))
        answers.append((answer.status, sent["key"]))
        route.fulfill(response=answer)

    page.context.route("**/intake/v1/reports", age)
    page.click("#send")
    wait_for_receipt(page)
    assert [status for status, _ in answers] == [403, 201]
    assert len({key for _, key in answers}) == 1
    assert len(reports_of(person)) == 1


def test_a_form_that_changed_takes_over_what_it_still_asks(visitor: Visitor, cast: Cast, live_server_url: str) -> None:
    person = somebody(cast, "moved")
    page = visitor(phone=True)
    page.context.add_init_script("Object.defineProperty(navigator, 'serviceWorker', { value: undefined })")
    sign_in(page, "moved", live_server_url)
    open_form(page)
    well(page, "36.8")
    changed = json.dumps({"code": "form_changed", "message": "The form has changed."})
    page.context.route(
        "**/intake/v1/reports",
        lambda route: route.fulfill(status=422, body=changed, content_type="application/json"),
        times=1,
    )
    page.click("#send")
    page.wait_for_selector("#restored:visible")
    assert "表单已更新" in page.inner_text("#restored")
    assert page.input_value("[name=temperature]") == "36.8"
    assert page.is_checked('input[value="normal"]')
    assert {row["kind"] for row in at_rest(page)} == {"draft"}
    page.click("#send")
    wait_for_receipt(page)
    assert len(reports_of(person)) == 1


def test_an_old_page_asks_for_a_ticket_before_it_sends(visitor: Visitor, cast: Cast, live_server_url: str) -> None:
    person = somebody(cast, "slowly")
    page = visitor(phone=True)
    page.clock.install()
    sign_in(page, "slowly", live_server_url)
    open_form(page)
    well(page)
    page.clock.fast_forward("20:00")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.split("?")[0].rsplit("/", 1)[1]))
    page.click("#send")
    wait_for_receipt(page)
    assert [name for name in asked if name in ("today", "reports")] == ["today", "reports"]
    assert len(reports_of(person)) == 1


def test_a_report_by_the_counsellor_in_between_is_shown_and_what_was_typed_is_not_sent(
    offline: Callable[..., tuple[Any, Person]], cast: Cast, shot: Callable[..., Any]
) -> None:
    page, person = offline("proxy")
    with school_context("*"):
        user = add_account("proxy-counsellor", person=cast.zhangsan)
        report(person, at=now(), by=replace(cast.counsellor, user_id=user.pk))
    page.context.set_offline(False)
    page.wait_for_selector("text=已收到另一份上报", timeout=30_000)
    assert "没有提交" in page.inner_text("#waiting")
    shot(page, "offline-other")
    assert page.locator("#waiting a").first.get_attribute("href").startswith("/h5/receipt/")
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("text=放弃")
    page.wait_for_url("**/h5/")
    assert at_rest(page) == []
    assert len(reports_of(person)) == 1


def test_a_round_that_closed_meanwhile_is_told_honestly(
    offline: Callable[..., tuple[Any, Person]], cast: Cast, shot: Callable[..., Any]
) -> None:
    page, person = offline("closed")
    today_round = round_of(day_of(now()))
    shut = now() - timedelta(minutes=1)
    times = "opens_at = %s, deadline_at = %s, sheets_due_at = %s, closes_at = %s"
    before = (today_round.opens_at, today_round.deadline_at, today_round.sheets_due_at, today_round.closes_at)
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            f"UPDATE round SET {times} WHERE id = %s",
            [shut - timedelta(hours=2), shut - timedelta(hours=1), shut, shut, today_round.pk],
        )
        try:
            page.context.set_offline(False)
            page.wait_for_selector("text=未能送达", timeout=30_000)
            assert "保留在本机" in page.inner_text("#waiting")
            assert len(at_rest(page)) == 2
            shot(page, "offline-closed")
            page.goto("/h5/")
            page.wait_for_selector("text=未能送达")
        finally:
            cursor.execute(f"UPDATE round SET {times} WHERE id = %s", [*before, today_round.pk])
    assert reports_of(person) == []


def test_signing_out_asks_and_then_leaves_nothing(
    offline: Callable[..., tuple[Any, Person]], live_server_url: str
) -> None:
    page, _ = offline("leaver")
    # It has found its round closed, so that the network alone does not end its waiting.
    page.evaluate(
        """async () => {
          const kept = await window.anxiao.vault;
          const [item] = await kept.all("waiting");
          await kept.put("waiting", item.slot, Object.assign(item, { ended: { kind: "closed" } }));
        }"""
    )
    page.context.set_offline(False)
    page.goto("/h5/me/")
    questions: list[str] = []
    page.once("dialog", lambda dialog: (questions.append(dialog.message), dialog.dismiss()))
    page.click("form[data-leave] button")
    page.wait_for_timeout(300)
    assert "尚未送达" in questions[0]
    assert len(at_rest(page)) == 2
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("form[data-leave] button")
    page.wait_for_url("**/login/**")
    assert at_rest(page) == []
    assert page.evaluate("caches.keys().then((all) => all.filter((name) => name.startsWith('anxiao-pages')))") == []


def test_signing_out_on_the_console_leaves_no_page_of_the_phone(
    visitor: Visitor, cast: Cast, live_server_url: str
) -> None:
    with school_context("*"):
        person = add_person(cast.tongxin1, "两用")
        add_account("deskleaver", person=person, role=Role.COUNSELLOR, node=cast.tongxin1)
    page = visitor()
    sign_in(page, "deskleaver", live_server_url)
    worker_ready(page)
    page.goto("/console/")
    page.wait_for_load_state("networkidle")
    page.click(".shell-user summary")
    page.click("form[data-leaves] button")
    page.wait_for_url("**/login/**")
    assert page.evaluate(
        """async () => {
          for (let turn = 0; turn < 100; turn += 1) {
            if (!(await caches.keys()).some((name) => name.startsWith("anxiao-pages"))) return true;
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
          return false;
        }"""
    ), "the worker has forgotten the pages"


def test_another_person_on_the_same_phone_finds_nothing(
    offline: Callable[..., tuple[Any, Person]], cast: Cast, live_server_url: str
) -> None:
    page, person = offline("first")
    page.context.clear_cookies()
    other = somebody(cast, "second")
    page.context.set_offline(False)
    page.wait_for_selector("text=重新登录", timeout=30_000)
    sign_in(page, "second", live_server_url)
    worker_ready(page)
    assert at_rest(page) == []
    names = page.evaluate("caches.keys().then((all) => all.filter((name) => name.startsWith('anxiao-pages')))")
    assert names == [f"anxiao-pages:{other.pk}"]
    page.context.set_offline(True)
    page.reload()
    assert "同学second" in page.inner_text("main")
    assert reports_of(person) == reports_of(other) == []


def test_the_worker_sends_when_no_page_is_open_any_more(
    offline: Callable[..., tuple[Any, Person]], live_server_url: str
) -> None:
    page, person = offline("asleep")
    empty = page.context.new_page()
    workers = page.context.new_cdp_session(empty)
    registrations: list[dict[str, Any]] = []
    workers.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: registrations.extend(one for one in event["registrations"] if not one["isDeleted"]),
    )
    workers.send("ServiceWorker.enable")
    empty.wait_for_timeout(200)
    (known,) = [one for one in registrations if one["scopeURL"] == f"{live_server_url}/h5/"]
    page.close()
    empty.context.set_offline(False)
    workers.send(
        "ServiceWorker.dispatchSyncEvent",
        {
            "origin": live_server_url,
            "registrationId": known["registrationId"],
            "tag": "anxiao-send",
            "lastChance": False,
        },
    )
    for _ in range(100):
        if reports_of(person):
            break
        empty.wait_for_timeout(100)
    assert len(reports_of(person)) == 1
    empty.goto(f"{live_server_url}/h5/")
    assert "今日已上报" in empty.inner_text("main")
    assert at_rest(empty) == []


def test_cleared_storage_is_survived_by_the_platforms_truth(
    offline: Callable[..., tuple[Any, Person]], live_server_url: str
) -> None:
    page, person = offline("cleared")
    session = page.context.new_cdp_session(page)
    session.send("Storage.clearDataForOrigin", {"origin": live_server_url, "storageTypes": "indexeddb,cache_storage"})
    page.context.set_offline(False)
    page.goto("/h5/")
    assert "今日未上报" in page.inner_text("main")
    assert page.is_visible("a[data-form]")
    assert reports_of(person) == []


WITHOUT = {
    "cipher": "Object.defineProperty(crypto, 'subtle', { value: undefined })",
    "store": "Object.defineProperty(window, 'indexedDB', { value: undefined })",
}


@pytest.mark.parametrize("lacks", sorted(WITHOUT))
def test_a_browser_that_keeps_nothing_safely_says_so_and_still_sends(
    visitor: Visitor, cast: Cast, live_server_url: str, shot: Callable[..., Any], lacks: str
) -> None:
    person = somebody(cast, f"without-{lacks}")
    page = visitor(phone=True)
    page.context.add_init_script(WITHOUT[lacks])
    page.context.add_init_script("Object.defineProperty(navigator, 'serviceWorker', { value: undefined })")
    sign_in(page, f"without-{lacks}", live_server_url)
    open_form(page)
    well(page)
    page.context.set_offline(True)
    page.click("#send")
    page.wait_for_selector("#waiting .h5-answer_wait")
    assert "无法安全保存" in page.inner_text("#waiting")
    shot(page, "offline-nothing-kept")
    assert page.evaluate("Object.keys(localStorage).length + Object.keys(sessionStorage).length") == 0
    back(page)
    assert len(reports_of(person)) == 1


def test_every_answer_of_the_door_has_its_consequence(page: Any) -> None:
    """The way to the platform, its door played: each case is what it answers and what the phone makes of it."""
    page.goto("about:blank")
    page.add_script_tag(content=(STATIC / "offline.js").read_text(encoding="utf-8"))
    mine, theirs = {"number": "1", "key": "k"}, {"number": "2", "key": "other"}
    due: dict[str, Any] = {
        "id": 7,
        "state": "due",
        "form_version": 3,
        "ticket": "new",
        "receipt": None,
        "correction": None,
    }
    today = (200, {"rounds": [due]})
    expired, wrong = (403, {"code": "ticket_expired"}), (403, {"code": "ticket_wrong"})

    def only(**changes: Any) -> tuple[int, Any]:
        return 200, {"rounds": [{**due, **changes}]}

    cases: list[tuple[str, list[tuple[int, Any]], str, int]] = [
        ("held", [(201, {"receipt": mine})], "received", 1),
        ("held", [(200, {"receipt": mine})], "received", 1),
        ("held", [(200, "<html>the hotel's own page")], "later", 1),
        ("held", [(0, "")], "later", 1),
        ("held", [(503, {"code": "busy"})], "later", 1),
        ("held", [(429, {"code": "too_often"})], "later", 1),
        ("held", [(502, "<html>")], "later", 1),
        ("held", [(409, {"code": "already", "receipt": theirs})], "other", 1),
        ("held", [(409, {"code": "key_reused", "receipt": mine})], "other", 1),
        ("held", [(422, {"code": "closed"})], "closed", 1),
        ("held", [(422, {"code": "form_changed"})], "changed", 1),
        ("held", [(422, {"code": "invalid", "problems": [{"field": "x"}]})], "refused", 1),
        ("held", [expired, today, (201, {"receipt": mine})], "received", 3),
        ("held", [expired, only(receipt=mine, state="done")], "received", 2),
        ("held", [expired, only(receipt=theirs, state="done")], "other", 2),
        ("held", [expired, only(state="missed", ticket=None)], "closed", 2),
        ("held", [expired, only(form_version=4)], "changed", 2),
        ("held", [expired, (503, {})], "later", 2),
        ("held", [wrong, today, (201, {"receipt": mine})], "received", 3),
        ("held", [wrong, today, wrong], "changed", 3),
        ("", [today, (201, {"receipt": mine})], "received", 2),
        ("", [(200, "<html>the hotel's own page")], "later", 1),
        # The pass has run out: a page brings another, if the session of this very person still stands.
        ("held", [(401, {}), (200, "<html>", "9"), (201, {"receipt": mine})], "received", 3),
        ("held", [(401, {}), (200, "<html>", "10")], "sign_in", 2),
        ("held", [(401, {}), (200, "<html>")], "sign_in", 2),
        ("", [(401, {}), (200, "<html>", "9"), today, (201, {"receipt": mine})], "received", 4),
        # Not a round of today any more: its own page knows.
        ("", [(200, {"rounds": []}), (409, "<html>")], "closed", 2),
        ("", [(200, {"rounds": []}), (200, "<html> k", "9", "/receipt/")], "received", 2),
        ("", [(200, {"rounds": []}), (200, "<html>", "9", "/receipt/")], "other", 2),
        ("", [(200, {"rounds": []}), (200, "<html>", "9", "/sign-in/")], "sign_in", 2),
    ]
    found = page.evaluate(
        """async (cases) => {
          const results = [];
          for (const [held, answers] of cases) {
            let asked = 0;
            window.fetch = async (path) => {
              const [status, body, person, url] = answers[asked];
              asked += 1;
              if (!status) throw new TypeError("no network");
              const text = typeof body === "string" ? body : JSON.stringify(body);
              return {
                status, ok: status < 300, redirected: Boolean(url), url: "http://a" + (url || path),
                text: async () => text,
                headers: { get: (name) => (name === "X-Anxiao-Person" ? person || null : null) },
              };
            };
            const item = {
              n: 0, round: 7, form_version: 3, key: "k", person: 9, language: "en", answers: {},
              door: "/door", home: "/home", page: "/page", receipt: "/receipt/",
            };
            const outcome = await window.anxiaoOffline.deliver(item, held);
            results.push([outcome.kind, asked]);
          }
          return results;
        }""",
        [[held, [list(answer) for answer in answers]] for held, answers, _, _ in cases],
    )
    assert [tuple(result) for result in found] == [(kind, asked) for _, _, kind, asked in cases]
