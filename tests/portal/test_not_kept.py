"""Pages with the health or the data of others leave nothing in the browser's store of a shared PC."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from anxiao.base.clock import day_of, now
from anxiao.base.permissions import Role
from tests.builders import add_account, report, round_of
from tests.cast import Cast, assemble


@pytest.fixture
def cast(database: object) -> Cast:
    return assemble()


def test_lists_answers_and_persons_are_stored_nowhere(cast: Cast) -> None:
    add_account("doctor", role=Role.COUNSELLOR, node=cast.tongxin1)
    with cast.seen_by(cast.admin):
        report(cast.wangwu, at=now(), temperature=38.4, symptoms=["fever"])
        asked = round_of(day_of(now()))
    desk = Client()
    desk.post("/accounts/login/", {"login": "doctor", "password": "correct horse 2026"})
    node, person = cast.tongxin1.pk, cast.wangwu.pk
    pages = [
        reverse("portal:console_node_list", args=[node, "unwell"]),
        reverse("portal:console_node_list", args=[node, "missing"]),
        reverse("portal:console_answers", args=[person, asked.pk]),
        reverse("portal:console_person_reports", args=[person]),
        reverse("directory:people"),
        reverse("directory:person", args=[person]),
    ]
    kept = {page: desk.get(page) for page in pages}
    assert {page: answer.status_code for page, answer in kept.items()} == dict.fromkeys(pages, 200)
    assert [page for page, answer in kept.items() if "no-store" not in answer.headers["Cache-Control"]] == []
