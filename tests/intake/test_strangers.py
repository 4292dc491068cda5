"""Bodies, passes and callers that nobody should trust."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import jsonschema_rs
import pytest

from anxiao.accounts.models import User
from anxiao.base.passes import COOKIE
from anxiao.base.tenancy import school_context
from anxiao.intake import strict
from anxiao.intake.openapi import DOCUMENT
from anxiao.intake.words import language_of
from anxiao.reporting.models import Report
from tests.builders import answers
from tests.intake.conftest import Door, soon

HOSTILE = [
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"{",
    b"\xff\xfe",
    b'{"key":1,"key":2}',
    b'{"answers":{"temperature":NaN}}',
    b'{"answers":{"temperature":Infinity}}',
    b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"a":' + b"9" * 6000 + b"}",
    b'{"round":true,"form_version":1,"key":"x","answers":{}}',
    b'{"round":1e400}',
]


def test_hostile_bodies_are_unreadable(door: Door) -> None:
    for body in HOSTILE:
        answer = door.send(door.cast.wangwu, body)
        assert (answer.status_code, answer.json()["code"]) == (400, "unreadable"), body[:60]


def test_a_huge_body_is_not_read_to_its_end(door: Door) -> None:
    assert door.send(door.cast.wangwu, b" " * (strict.LARGEST_BODY + 1)).status_code == 413


def test_hostile_answers_are_judged_and_not_kept(door: Door) -> None:
    for given in (
        None,
        [],
        "x",
        {"temperature": {"a": {"b": 1}}},
        {"x": 1},
        {"temperature": 10**300},
        {"address": "a\x00b"},
        {"a\ud800": 1},
    ):
        body = door.body(answers={**answers(), **given} if isinstance(given, dict) else given)
        answer = door.send(door.cast.wangwu, json.dumps(body).encode())
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), given
    with school_context("*"):
        assert not Report.objects.exists()


def test_a_request_of_a_foreign_page_is_refused(door: Door) -> None:
    assert door.send(door.cast.wangwu, door.body(), **{"X-Anxiao": "0"}).status_code == 403
    assert door.send(door.cast.wangwu, door.body(), **{"Content-Type": "text/plain"}).status_code == 415


def test_without_a_pass_nobody_is_told_anything(door: Door) -> None:
    assert door.send(None, door.body()).status_code == 401
    assert door.client.get("/today").status_code == 401
    forged = door.pass_of(door.cast.wangwu)[:-3] + "AAA"
    assert door.client.get("/today", headers={"Cookie": f"{COOKIE}={forged}"}).status_code == 401


def test_signing_out_everywhere_ends_the_pass(door: Door) -> None:
    assert door.today(door.cast.wangwu).status_code == 200
    with school_context("*"):
        User.objects.filter(person=door.cast.wangwu).update(pass_version=2)
    assert soon(lambda: door.today(door.cast.wangwu).status_code == 401)
    assert door.send(door.cast.wangwu, door.body()).status_code == 401


def test_a_round_that_does_not_exist_asks_nobody(door: Door) -> None:
    unreal = door.body(round=424242, ticket=door.ticket(door.cast.wangwu, round_id=424242))
    answer = door.send(door.cast.wangwu, unreal)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_expected")


def test_a_field_nobody_knows_is_refused(door: Door) -> None:
    assert door.send(door.cast.wangwu, {**door.body(), "person": door.cast.zhaoliu.pk}).status_code == 400


def test_every_answer_fits_the_published_description(door: Door) -> None:
    def check(schema: str, body: Any) -> None:
        jsonschema_rs.validator_for(
            {"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]}
        ).validate(body)

    published = door.client.get("/openapi.json").json()
    assert published == DOCUMENT
    body = door.body()
    check("Submission", body)
    check("Today", door.today(door.cast.wangwu).json())
    check("Error", door.send(door.cast.wangwu, {**body, "answers": {}}).json())
    check("Kept", door.send(door.cast.wangwu, body).json())
    check("Error", door.send(door.cast.wangwu, {**body, "key": str(uuid4())}).json())
    check("Today", door.today(door.cast.wangwu).json())


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "zh-hans"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-hans"),
        ("en-GB,en", "en"),
        ("fr,en;q=0.5", "en"),
        ("xx", "zh-hans"),
    ],
)
def test_chinese_is_spoken_unless_english_is_asked_for(header: str, language: str) -> None:
    assert language_of(header) == language


def test_a_page_of_somebody_else_reports_for_nobody(door: Door) -> None:
    """A report that waited on a shared phone names whose page it was written on; another's pass does not fit it."""
    cast = door.cast
    door.pass_of(cast.zhaoliu)
    sent = door.body()
    for doors in ("/reports", "/corrections"):
        body = sent if doors == "/reports" else door.body(version=2)
        refused = door.send(cast.zhaoliu, body, doors, **{"X-Anxiao-Person": str(cast.wangwu.pk)})
        assert (refused.status_code, refused.json()["code"]) == (401, "signed_out")
    with school_context("*"):
        assert not Report.objects.exists()
    assert door.send(cast.wangwu, sent, **{"X-Anxiao-Person": str(cast.wangwu.pk)}).status_code == 201
