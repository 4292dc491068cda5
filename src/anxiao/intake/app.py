"""The intake door: a small table of commands, each a handler that is given the door and a request.

What comes through it later (a proxy's report, an acknowledgement, a check-in at a place) is one more line in
``COMMANDS``.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from anxiao.base.deployment import receipt_signer
from anxiao.base.marking import gettext_noop as _
from anxiao.intake import meters, requests, service, strict
from anxiao.intake.database import AWAY
from anxiao.intake.door import Door
from anxiao.intake.http import Answer, Denied, Receive, Request, Scope, Send, body_of
from anxiao.intake.openapi import DOCUMENT
from anxiao.intake.words import language_of, translator

log = logging.getLogger(__name__)

Handler = Callable[[Door, Request], Awaitable[Answer]]

PREFIX = "/intake/v1"


async def today(door: Door, request: Request) -> Answer:
    """What is asked of the holder today, and the tickets for it."""
    held = requests.holder(door, request)
    language = language_of(request.header(b"accept-language"))
    body = await service.today(door, held, request.arrived, language, requests.query(request, "have"))
    return Answer(200, body, {"Content-Language": language, "Vary": "Accept-Language, Cookie"})


async def form(door: Door, request: Request) -> Answer:
    """A version of a form in the reader's language: the same for everybody and for ever, so the phone keeps it."""
    requests.holder(door, request)
    language = language_of(request.header(b"accept-language"))
    body, etag = await service.form(door, requests.number(request, "version"), language)
    headers = {
        "ETag": f'"{etag}"',
        "Cache-Control": "private, max-age=86400",
        "Content-Language": language,
        "Vary": "Accept-Language",
    }
    if f'"{etag}"' in request.header(b"if-none-match"):
        return Answer(304, None, headers)
    return Answer(200, body, headers)


async def reports(door: Door, request: Request) -> Answer:
    """Keep a report."""
    return await _keep(door, request, correction=False)


async def corrections(door: Door, request: Request) -> Answer:
    """Keep a later version of a report, with its reason."""
    return await _keep(door, request, correction=True)


async def key(door: Door, request: Request) -> Answer:
    """The public key under this deployment's receipts: anybody may check one."""
    signer = receipt_signer()
    return Answer(200, {"algorithm": "Ed25519", "id": signer.key_id, "public_key": signer.public})


async def openapi(door: Door, request: Request) -> Answer:
    """The description of this door."""
    return Answer(200, DOCUMENT)


async def _keep(door: Door, request: Request, *, correction: bool) -> Answer:
    requests.must_be_from_our_own_page(request)
    held = requests.holder(door, request)
    requests.must_be_of_their_own_page(request, held)
    door.standing.check_durable()
    sent = requests.submission(strict.read(request.body()), correction=correction)
    return await service.submit(door, held, sent, request.arrived, correction=correction)


COMMANDS: Mapping[tuple[str, str], Handler] = {
    ("GET", "/today"): today,
    ("GET", "/form"): form,
    ("POST", "/reports"): reports,
    ("POST", "/corrections"): corrections,
    ("GET", "/key"): key,
    ("GET", "/openapi.json"): openapi,
}
_PATHS = {path for _method, path in COMMANDS}

door = Door()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    if scope["type"] != "http":
        return
    path = scope["path"].removeprefix(PREFIX)
    request = Request(scope["method"], path, scope.get("query_string", b""), dict(scope["headers"]))
    try:
        request.content = await body_of(receive)
    except ConnectionError:
        return
    answer = await answer_to(request)
    headers, body = answer.written()
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def answer_to(request: Request) -> Answer:
    """What a request is told. Every way of saying no has one shape, in the reader's language, without a trace of the
    inside.
    """
    try:
        return await _handler(request)(door, request)
    except Denied as denied:
        return _no(request, denied)
    except strict.Unreadable as unreadable:
        return _no(request, Denied(400, "unreadable", str(unreadable)))
    except AWAY as error:
        # Also a cancelled or deadlocked statement: nothing was kept, the same key may be sent again.
        log.warning("the database did not answer: %s", type(error).__name__)
        return _no(request, Denied(503, "busy", _("The platform is busy. Please try again in a moment.")))
    except Exception:
        log.exception("the door failed")
        return _no(request, Denied(500, "failed", _("The platform is busy. Please try again in a moment.")))


def _handler(request: Request) -> Handler:
    found = COMMANDS.get(("GET" if request.method == "HEAD" else request.method, request.path))
    if found is not None:
        return found
    known = request.path in _PATHS
    raise Denied(405 if known else 404, "not_found", _("That does not exist here."))


def _no(request: Request, denied: Denied) -> Answer:
    meters.refused(denied.code)
    say = translator(language_of(request.header(b"accept-language")))
    more: dict[str, Any] = dict(denied.more)
    if denied.code == "invalid":
        more["problems"] = [_said(problem, say) for problem in more.get("problems", [])]
    headers = {"Retry-After": "5"} if denied.status in (429, 503) else {}
    return Answer(denied.status, {"code": denied.code, "message": say(denied.message), **more}, headers)


def _said(problem: Mapping[str, Any], say: Callable[[str], str]) -> dict[str, Any]:
    message = say(problem["message"])
    params = problem.get("params")
    return {"field": problem["field"], "code": problem["code"], "message": message % params if params else message}


@asynccontextmanager
async def lifespan(_app: object = None) -> AsyncIterator[None]:
    """The door opens with the application that holds it, and finishes what it took in before it closes."""
    await door.open()
    try:
        yield
    finally:
        await door.close()


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    async with lifespan():
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})
