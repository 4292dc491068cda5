"""Who comes to / is led to the face that fits the hand and the role."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from anxiao.base.permissions import Role
from anxiao.base.scope import NOBODY, Grant, Scope
from anxiao.portal.views import front_door

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1"
ANDROID_WECHAT = "Mozilla/5.0 (Linux; Android 13; V2203A) Chrome/116.0 Mobile Safari/537.36 MicroMessenger/8.0.49"
HARMONY = "Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 Chrome/114.0 Safari/537.36 ArkWeb/4.1 Mobile"
PC = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"
PC_WECHAT = "Mozilla/5.0 (Windows NT 10.0; WOW64) Chrome/107.0 Safari/537.36 MicroMessenger/7.0 WindowsWechat"
TABLET = "Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"

GRANT = Grant(role=Role.COUNSELLOR, node_id=9, node_path="1.4.9", node_kind="class", school_id=3)
STUDENT = Scope(user_id=1, person_id=7, school_id=3)
COUNSELLOR = Scope(user_id=2, person_id=8, school_id=3, grants=(GRANT,))
OFFICE = Scope(user_id=3, grants=(GRANT,))


@pytest.mark.parametrize(
    ("agent", "hint", "scope", "target"),
    [
        (IPHONE, None, NOBODY, "/h5/"),
        (ANDROID_WECHAT, None, NOBODY, "/h5/"),
        (HARMONY, None, NOBODY, "/h5/"),
        (PC, None, NOBODY, "/console/"),
        (PC_WECHAT, None, NOBODY, "/console/"),
        (TABLET, None, NOBODY, "/console/"),
        ("", None, NOBODY, "/console/"),
        (PC, "?1", NOBODY, "/h5/"),
        (IPHONE, "?0", NOBODY, "/console/"),
        (IPHONE, None, COUNSELLOR, "/h5/"),
        (PC, None, COUNSELLOR, "/console/"),
        (PC, None, STUDENT, "/h5/"),
        (IPHONE, None, OFFICE, "/console/"),
    ],
)
def test_everybody_arrives_at_a_page_that_is_theirs(agent: str, hint: str | None, scope: Scope, target: str) -> None:
    headers = {"User-Agent": agent} | ({"Sec-CH-UA-Mobile": hint} if hint else {})
    request = RequestFactory().get("/", headers=headers)
    request.scope = scope  # type: ignore[attr-defined]
    response = front_door(request)
    assert response.status_code == 302
    assert response.headers["Location"] == target
    assert "User-Agent" in response.headers["Vary"]


def test_the_door_is_for_looking_in_only() -> None:
    request = RequestFactory().post("/")
    request.scope = NOBODY  # type: ignore[attr-defined]
    assert front_door(request).status_code == 405
