"""What every journey with a telephone does: people who only say "no change", sign-in, the two daily answers."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

from django.test import Client

from anxiao.accounts.models import User
from anxiao.base.clock import day_of, moment_at, now
from anxiao.base.tenancy import school_context
from anxiao.directory.models import Person
from anxiao.reporting.commands.partitions import ensure_partitions
from anxiao.reporting.models import Report
from tests.builders import add_account, add_person, report
from tests.cast import Cast

PASSWORD = "correct horse 2026"


def somebody(cast: Cast, username: str, number: str = "") -> Person:
    """One more student of 通信1班 with an account, who reported yesterday."""
    yesterday = moment_at(day_of(now()) - timedelta(days=1), time(8, 10))
    ensure_partitions(day=day_of(now()))
    ensure_partitions(day=day_of(yesterday))
    with school_context("*"):
        person = add_person(cast.tongxin1, f"同学{username}"[:20], number=number)
        add_account(username, person=person)
        report(person, at=yesterday)
    return person


def sign_in(page: Any, username: str, address: str) -> None:
    """Come in without the way through the sign-in form, which has journeys of its own."""
    client = Client()
    with school_context("*"):
        client.force_login(User.objects.get(username=username), backend="anxiao.accounts.backends.AccountBackend")
    page.context.add_cookies(
        [{"name": name, "value": kept.value, "url": address} for name, kept in client.cookies.items()]
    )
    page.goto(f"{address}/h5/")


def open_form(page: Any) -> None:
    page.locator("a[data-form]").first.click()
    page.wait_for_selector("#send")
    # The form can be answered before its scripts are there; what they do is there with them.
    page.wait_for_load_state()


def wait_for_receipt(page: Any, seconds: int = 30) -> None:
    """The receipt's page.  Tab and worker may both go there: a navigation that another one overtook is none."""
    page.wait_for_function(
        "() => location.pathname.includes('/receipt/') && document.readyState === 'complete'", timeout=1000 * seconds
    )


def well(page: Any, temperature: str = "36.5") -> None:
    page.locator("label", has=page.locator('input[value="normal"]')).click()
    page.fill("[name=temperature]", temperature)


def worker_ready(page: Any) -> None:
    """The worker is there and has kept what it was asked to keep."""
    assert page.evaluate(
        """async () => {
          await navigator.serviceWorker.ready;
          for (let turn = 0; turn < 100; turn += 1) {
            const names = (await caches.keys()).filter((name) => name.startsWith("anxiao-pages:"));
            const pages = names.length ? await (await caches.open(names[0])).keys() : [];
            const kept = pages.map((request) => new URL(request.url).pathname);
            if (kept.includes("/h5/") && kept.some((path) => path.startsWith("/h5/report/"))) return true;
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
          return false;
        }"""
    ), "the worker has kept today and the form"


def at_rest(page: Any) -> list[dict[str, Any]]:
    """Everything the page's browser has stored of reports: the rows as they lie there, with their bytes as text."""
    rows: list[dict[str, Any]] = page.evaluate(
        """async () => {
          const database = await new Promise((resolve, reject) => {
            const open = indexedDB.open("anxiao", 1);
            open.onsuccess = () => resolve(open.result);
            open.onerror = () => reject(open.error);
          });
          const rows = await new Promise((resolve, reject) => {
            const all = database.transaction("kept").objectStore("kept").getAll();
            all.onsuccess = () => resolve(all.result);
            all.onerror = () => reject(all.error);
          });
          database.close();
          return rows.map((row) => Object.assign({}, row, { iv: 0, data: new TextDecoder("latin1").decode(row.data) }));
        }"""
    )
    return rows


def reports_of(person: Person) -> list[Report]:
    """What the platform has of today."""
    with school_context("*"):
        return list(Report.objects.filter(person_id=person.pk, day=day_of(now())).order_by("version"))
