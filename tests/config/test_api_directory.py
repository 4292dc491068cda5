"""A school's own software brings its directory: by its key, for its school, as the document says."""

from __future__ import annotations

import csv
import io
from typing import Any

import jsonschema_rs
import pytest
from django.test import Client

from anxiao.base.clock import now
from anxiao.base.tenancy import school_context
from anxiao.config.openapi import DOCUMENT
from anxiao.directory.importing import keys, stepping
from anxiao.directory.importing.commands import apply_at_once, preview_import
from anxiao.directory.models import DirectoryImport, Person, SyncKey
from anxiao.directory.names import Audience
from anxiao.ledger.models import Entry
from tests.directory import import_sheets as make
from tests.directory.import_cast import MORNING, Cast, acting, make_cast


@pytest.fixture
def cast(database: object) -> Cast:
    cast = make_cast()
    with acting(cast.admin) as who:
        staff = preview_import(
            by=who,
            school=cast.school,
            kind=Audience.STAFF,
            file=make.staff_sheet(),
            filename="教职工.xlsx",
            now=MORNING,
        )
        apply_at_once(by=who, import_=staff, now=MORNING)
    return cast


@pytest.fixture
def key(cast: Cast) -> str:
    with acting(cast.admin) as who:
        return keys.make_key(by=who, school=cast.school, name="教务系统", now=now())


def client(key: str = "") -> Client:
    headers = {"accept-language": "en"} | ({"Authorization": f"Bearer {key}"} if key else {})
    return Client(headers=headers, enforce_csrf_checks=True)


def table(*rows: list[Any]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([make.STUDENTS.headers, *rows])
    return out.getvalue().encode()


def described(path: str, method: str, answer: Any) -> Any:
    body = answer.json()
    promised = DOCUMENT["paths"][path][method]["responses"][str(answer.status_code)]["content"]["application/json"]
    jsonschema_rs.Draft202012Validator({**promised["schema"], "components": DOCUMENT["components"]}).validate(body)
    return body


def send(key: str, data: bytes, kind: str = "students", how: str = "full") -> Any:
    address = f"/api/v1/directory/imports?kind={kind}&list={how}"
    return described("/directory/imports", "post", client(key).post(address, data, content_type="text/csv"))


def work(cast: Cast, number: int, step: str) -> None:
    stepping.run_step(school_id=cast.school.pk, import_id=number, step=step)


def test_a_list_by_night_from_the_first_byte_to_the_last_row(cast: Cast, key: str) -> None:
    wrong = make.student_row(3)
    wrong[5] = "139"
    told = send(key, table(*(make.student_row(i) for i in range(3)), wrong))
    assert (told["state"], told["list"]) == ("reading", "full")
    work(cast, told["id"], "read")
    here = f"/api/v1/directory/imports/{told['id']}"
    told = described("/directory/imports/{id}", "get", client(key).get(here))
    assert (told["state"], told["counts"]["joins"], told["counts"]["rejected"]) == ("previewed", 3, 1)
    page = described("/directory/imports/{id}/rows", "get", client(key).get(f"{here}/rows?verdict=rejected"))
    (row,) = page["rows"]
    assert (row["row"], row["number"], row["faults"][0]["code"]) == (5, wrong[2], "phone_short")
    assert page["next"] is None
    told = described("/directory/imports/{id}/apply", "post", client(key).post(f"{here}/apply"))
    assert told["state"] == "applying"
    work(cast, told["id"], "apply")
    assert described("/directory/imports/{id}", "get", client(key).get(here))["state"] == "applied"
    with acting(cast.admin):
        assert Person.objects.filter(audience=Audience.STUDENT).count() == 3
        entry = Entry.objects.get(verb="import.applied", object_id=str(told["id"]))
        assert (entry.actor, entry.actor_id < 0) == ("key:教务系统", True)
    # the same night once more is nothing
    again = send(key, table(*(make.student_row(i) for i in range(3)), wrong))
    work(cast, again["id"], "read")
    told = client(key).get(f"/api/v1/directory/imports/{again['id']}").json()
    assert told["counts"]["unchanged"] == 3
    assert client(key).get(f"/api/v1/directory/imports/{again['id']}/rows?verdict=joins").json()["rows"] == []


def test_rows_come_in_pages_behind_a_cursor(cast: Cast, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anxiao.config.api_directory.PAGE", 2)
    told = send(key, table(*(make.student_row(i) for i in range(5))))
    work(cast, told["id"], "read")
    seen, after = [], "0"
    for _page in range(4):
        page = client(key).get(f"/api/v1/directory/imports/{told['id']}/rows?verdict=joins&after={after}").json()
        seen += [row["number"] for row in page["rows"]]
        after = page["next"]
        if after is None:
            break
    assert seen == [make.student_row(i)[2] for i in range(5)]


def test_rows_in_json_take_the_same_way(cast: Cast, key: str) -> None:
    names = [field.value for field, _header in make.STUDENTS.columns]
    rows = [dict(zip(names, make.student_row(i), strict=True)) for i in range(2)]
    address = "/api/v1/directory/imports?kind=students"
    answer = client(key).post(address, {"rows": rows}, content_type="application/json")
    told = described("/directory/imports", "post", answer)
    work(cast, told["id"], "read")
    assert client(key).get(f"/api/v1/directory/imports/{told['id']}").json()["counts"]["joins"] == 2
    for body in ({"rows": [{"salary": "1"}]}, {"rows": 1}, [1]):
        answer = client(key).post(address, body, content_type="application/json")
        assert answer.status_code == 400
        described("/directory/imports", "post", answer)
    assert client(key).post(address, "{", content_type="application/json").status_code == 400
    assert client(key).post(address, b"x", content_type="text/html").status_code == 400
    assert client(key).post("/api/v1/directory/imports?kind=all", b"x", content_type="text/csv").status_code == 400


def test_a_program_cannot_confirm_a_surprise_without_the_words(cast: Cast, key: str) -> None:
    rows = [make.student_row(i) for i in range(30)]
    for part in (rows, rows[:10]):
        told = send(key, table(*part))
        work(cast, told["id"], "read")
        here = f"/api/v1/directory/imports/{told['id']}"
        answer = client(key).post(f"{here}/apply", {"leavers": "all"}, content_type="application/json")
        if part is rows:
            work(cast, told["id"], "apply")
    assert answer.status_code == 409
    assert described("/directory/imports/{id}/apply", "post", answer)["error"]["code"] == "unconfirmed"
    assert client(key).get(here).json()["surprises"][0]["kind"] == "leaving"


def test_a_key_is_good_for_its_own_school_only(cast: Cast, key: str) -> None:
    told = send(key, table(make.student_row(0)))
    with acting(cast.outsider) as who:
        foreign = keys.make_key(by=who, school=cast.other, name="x", now=now())
    here = f"/api/v1/directory/imports/{told['id']}"
    absent = "/api/v1/directory/imports/999999"
    for address in (here, f"{here}/rows"):
        answers = [client(foreign).get(address), client(foreign).get(absent + address.removeprefix(here))]
        assert answers[0].json() == answers[1].json()
        assert {answer.status_code for answer in answers} == {404}
    assert client(foreign).post(f"{here}/apply").status_code == 404
    # its school's number with a foreign secret is no key either
    forged = foreign.replace(f"anxiao-{cast.other.pk}-", f"anxiao-{cast.school.pk}-")
    for wrong in ("", "x", forged, key[:-1] + ("A" if key[-1] != "A" else "B")):
        answer = client(wrong).get(here)
        assert answer.status_code == 401
        described("/directory/imports/{id}", "get", answer)
    with school_context("*"):
        assert SyncKey.objects.get(name="教务系统").key_hash not in key
        ended = SyncKey.objects.get(name="教务系统")
    with acting(cast.admin) as who:
        keys.end_key(by=who, key=ended, now=now())
    assert client(key).get(here).status_code == 401


def test_rows_of_another_school_are_refused_one_by_one(cast: Cast, key: str) -> None:
    stranger = make.student_row(0)
    stranger[0] = cast.other.name
    told = send(key, table(stranger, make.student_row(1)))
    work(cast, told["id"], "read")
    page = client(key).get(f"/api/v1/directory/imports/{told['id']}/rows").json()
    assert [(row["number"], row["verdict"]) for row in page["rows"] if row["verdict"] != "counsellor"] == [
        (stranger[2], "rejected"),
        (make.student_row(1)[2], "joins"),
    ]
    client(key).post(f"/api/v1/directory/imports/{told['id']}/apply")
    work(cast, told["id"], "apply")
    with school_context("*"):
        assert [p.number for p in Person.objects.filter(audience=Audience.STUDENT)] == [make.student_row(1)[2]]
        assert DirectoryImport.objects.exclude(school_id=cast.school.pk).count() == 0
