"""The front door: one address for everybody, two faces."""

from __future__ import annotations

import re

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

# A tablet without "Mobile" in its name has the room for the console. WeChat and DingTalk on a PC name themselves too,
# so their names alone say nothing about the size of the screen.
_PHONE = re.compile(r"\bMobile\b|\bMobi\b|iPhone|iPod|Windows Phone|\(Phone;|Opera Mini", re.IGNORECASE)


def is_phone(request: HttpRequest) -> bool:
    """Whether a phone asks: the browser's own hint where it sends one, else the name it gives itself."""
    hint = request.headers.get("Sec-CH-UA-Mobile")
    if hint in {"?0", "?1"}:
        return hint == "?1"
    return bool(_PHONE.search(request.headers.get("User-Agent", "")))


@require_safe
def front_door(request: HttpRequest) -> HttpResponse:
    """Lead a phone to /h5/ and a PC to /console/.

    Who is signed in and holds no role has nothing in the console, and who has no person behind the account has nothing
    to report: both are led to the face that is theirs, whatever they hold in their hands.
    """
    scope = request.scope  # type: ignore[attr-defined]
    phone = is_phone(request)
    if scope.is_known and not scope.grants:
        phone = True
    elif scope.is_known and scope.person_id is None:
        phone = False
    target = "/h5/" if phone else "/console/"
    response = HttpResponseRedirect(target)
    patch_vary_headers(response, ["User-Agent", "Sec-CH-UA-Mobile", "Cookie"])
    return response
