"""The machine interface says what its document says, to those who may hear it, and its errors are words."""

from __future__ import annotations

from datetime import time
from typing import Any

import jsonschema_rs
import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import get_resolver

from anxiao.base.clock import moment_at
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.config import api, health
from anxiao.config.openapi import DOCUMENT
from anxiao.directory.models import Organisation
from anxiao.reporting.commands.sheets import return_sheet, submit_sheet
from anxiao.reporting.names import ZeroCategory
from tests.builders import TODAY, add_account, report, round_of
from tests.cast import Cast, assemble

NOON = moment_at(TODAY, time(12))


@pytest.fixture
def cast(database: object, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Cast:
    settings.ANXIAO_DEMO = True
    monkeypatch.setattr(api, "now", lambda: NOON)
    return assemble()


def signed_in(role: Role, node: Organisation) -> Client:
    with school_context("*"):
        user = add_account(f"{role}-{node.pk}", role=role, node=node)
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def described(path: str, status: int, body: object) -> None:
    """Fail unless ``body`` is what the document promises for this answer."""
    promised = DOCUMENT["paths"][path]["get"]["responses"][str(status)]["content"]["application/json"]["schema"]
    jsonschema_rs.Draft202012Validator({**promised, "components": DOCUMENT["components"]}).validate(body)


def test_the_document_describes_every_address_and_no_others() -> None:
    resolver = next(r for r in get_resolver().url_patterns if str(r.pattern) == "api/v1/")
    served = {
        "/" + str(p.pattern).replace("<int:node_id>", "{id}").replace("<int:import_id>", "{id}")
        for p in resolver.url_patterns
    }
    assert served - {"/<path:rest>"} == set(DOCUMENT["paths"])


def test_the_root_and_the_document_are_open_to_all(cast: Cast) -> None:
    root = Client().get("/api/v1/").json()
    described("/", 200, root)
    assert Client().get(root["links"]["openapi"]).json() == DOCUMENT


def test_me_tells_roles_and_nodes(cast: Cast) -> None:
    mine = signed_in(Role.EPIDEMIC_OFFICER, cast.anda_node).get("/api/v1/me").json()
    described("/me", 200, mine)
    (held,) = mine["roles"]
    assert (held["role"], held["node"]["name"]) == ("epidemic_officer", "安徽大学")
    assert "sheet.sign" in held["permissions"]


def test_a_board_gives_the_numbers_of_a_node_and_of_what_lies_beneath(cast: Cast) -> None:
    with cast.seen_by(cast.officer):
        report(cast.wangwu)
    board = signed_in(Role.EPIDEMIC_OFFICER, cast.anda_node).get(f"/api/v1/nodes/{cast.anda_node.pk}/today").json()
    described("/nodes/{id}/today", 200, board)
    assert (board["total"]["expected"], board["total"]["on_time"], board["total"]["missing"]) == (7, 1, 6)
    assert board["hours"][8] == 1
    assert {child["node"]["name"] for child in board["children"]} == {"电子信息工程学院", "文学院"}


def test_a_node_of_another_school_is_not_found(cast: Cast) -> None:
    answer = signed_in(Role.EPIDEMIC_OFFICER, cast.gongda_node).get(f"/api/v1/nodes/{cast.anda_node.pk}/today")
    assert answer.status_code == 404
    described("/nodes/{id}/today", 404, answer.json())


def test_the_province_reads_all_sheets_of_a_day(cast: Cast) -> None:
    with cast.seen_by(cast.officer) as officer:
        zero = dict.fromkeys(ZeroCategory.values, 0)
        submit_sheet(by=officer, now=NOON, round=round_of(), school_id=cast.anda.pk, statements=zero)
    with cast.seen_by(cast.province_officer) as province:
        return_sheet(by=province, now=NOON, round=round_of(), school_id=cast.anda.pk, number=1, reason="请核对")

    found = signed_in(Role.PROVINCE_OFFICER, cast.province).get("/api/v1/sheets", {"day": TODAY.isoformat()}).json()

    described("/sheets", 200, found)
    times = [found["round"][name][11:16] for name in ("deadline_at", "sheets_due_at", "closes_at")]
    assert times == ["14:00", "16:00", "00:00"]
    assert found["counts"] == {"waiting": 1, "missing": 0, "returned": 1, "late": 0, "on_time": 0}
    sheet = next(s for s in found["sheets"] if s["school"]["name"] == "安徽大学")
    assert sheet["version"]["return_reason"] == "请核对"
    assert sheet["version"]["intact"]


def test_a_school_reads_only_its_own_sheet(cast: Cast) -> None:
    found = signed_in(Role.SCHOOL_ADMIN, cast.anda_node).get("/api/v1/sheets").json()
    described("/sheets", 200, found)
    assert [s["school"]["name"] for s in found["sheets"]] == ["安徽大学"]


def test_a_day_without_a_round_has_no_sheets(cast: Cast) -> None:
    found = signed_in(Role.PROVINCE_OFFICER, cast.province).get("/api/v1/sheets", {"day": "2020-02-29"}).json()
    described("/sheets", 200, found)
    assert found["round"] is None


@pytest.mark.parametrize("path", ["/me", "/sheets", "/nodes/{id}/today"])
def test_who_is_not_signed_in_is_told_so_in_words(cast: Cast, path: str) -> None:
    answer = Client().get("/api/v1" + path.replace("{id}", "1"))
    assert answer.status_code == 401
    described(path, 401, answer.json())


def test_errors_are_words_and_never_pages(cast: Cast) -> None:
    client = signed_in(Role.PROVINCE_OFFICER, cast.province)
    wrong = client.get("/api/v1/sheets", {"day": "yesterday"})
    assert wrong.status_code == 400
    described("/sheets", 400, wrong.json())
    assert wrong.json()["error"]["fields"] == {"day": "Please write the day as 2020-02-15."}
    assert client.post("/api/v1/me").json()["error"]["code"] == "method_not_allowed"
    assert client.get("/api/v1/no/such/thing").json()["error"]["code"] == "not_found"
    counsellor = signed_in(Role.COUNSELLOR, cast.tongxin1)
    assert counsellor.get("/api/v1/sheets").json()["error"]["code"] == "not_found"


def test_the_house_says_that_it_is_well_without_a_word_about_anybody(cast: Cast) -> None:
    answer = Client().get("/healthz")
    assert answer.status_code == 200
    assert set(answer.json()) == {"status", "database", "version"}
    assert not answer.cookies


def test_the_house_says_when_its_database_does_not_answer(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def cursor(self) -> None:
            raise DatabaseError

        def close(self) -> None:
            connection.close()

    monkeypatch.setattr(health, "connection", Gone())
    answer = Client().get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "unavailable"
