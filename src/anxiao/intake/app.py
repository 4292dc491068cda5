"""The intake door: today, reports, corrections, and its own description."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeGuard
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout, TooManyRequests
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from anxiao.base import clock
from anxiao.base.marking import gettext_noop as _
from anxiao.base.passes import COOKIE, Pass, unseal
from anxiao.intake import environment, service, strict
from anxiao.intake.batches import Batches
from anxiao.intake.database import make_pool
from anxiao.intake.limits import Limits
from anxiao.intake.openapi import DOCUMENT
from anxiao.intake.service import Denied, Submission
from anxiao.intake.words import language_of, translator

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]

_REPORT_KEYS = {"round", "form_version", "key", "answers", "unchanged", "captured_at"}
_LONGEST_REASON = 300


def _door(handler: Handler) -> Handler:
    """Turn every way of saying no into one shape, in the reader's language, without a trace of the inside."""

    async def opened(request: Request) -> Response:
        try:
            response = await handler(request)
        except Denied as denied:
            response = _no(request, denied)
        except strict.Unreadable as unreadable:
            response = _no(request, Denied(400, "unreadable", str(unreadable)))
        except ClientDisconnect:
            response = Response(status_code=400)
        except (PoolTimeout, TooManyRequests, psycopg.OperationalError) as error:
            # Also a cancelled or deadlocked statement: nothing was kept, the same key may be sent again.
            log.warning("the database did not answer: %s", type(error).__name__)
            response = _no(request, Denied(503, "busy", _("The platform is busy. Please try again in a moment.")))
            response.headers["Retry-After"] = "5"
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return opened


@_door
async def today(request: Request) -> Response:
    """GET /intake/v1/today"""
    language = language_of(request.headers.get("accept-language", ""))
    body = await service.today(
        request.app.state.pool, _pass(request), clock.now(), language, request.query_params.get("have", "")[:64]
    )
    return JSONResponse(body, headers={"Content-Language": language, "Vary": "Accept-Language, Cookie"})


@_door
async def reports(request: Request) -> Response:
    """POST /intake/v1/reports"""
    return await _keep(request, correction=False)


@_door
async def corrections(request: Request) -> Response:
    """POST /intake/v1/corrections"""
    return await _keep(request, correction=True)


async def openapi(request: Request) -> Response:
    """GET /intake/v1/openapi.json"""
    return JSONResponse(DOCUMENT)


async def _keep(request: Request, *, correction: bool) -> Response:
    # The server's clock at arrival decides between on time and late, not the moment at which a connection was free.
    now = clock.now()
    _from_our_own_page(request)
    held = _pass(request)
    _of_their_own_page(request, held)
    sent = _submission(strict.read(await _body(request)), correction=correction)
    say = translator(language_of(request.headers.get("accept-language", "")))
    state = request.app.state
    status, body = await service.submit(state.pool, state.batches, held, sent, now, say, correction=correction)
    return JSONResponse(body, status)


def _from_our_own_page(request: Request) -> None:
    """A foreign page can send neither this type nor this header without being asked for permission (CORS)."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise Denied(415, "not_json", _("The request could not be read."))
    if request.headers.get("x-anxiao") != "1":
        raise Denied(403, "foreign", _("The request could not be read."))


def _of_their_own_page(request: Request, held: Pass) -> None:
    """A page may outlive its session: a report that waited on a shared phone is never kept for whoever came next."""
    if request.headers.get("x-anxiao-person", str(held.person_id)) != str(held.person_id):
        raise Denied(401, "signed_out", _("Please sign in again."))


def _pass(request: Request) -> Pass:
    key = environment.secret()
    held = unseal(key, request.cookies.get(COOKIE, ""), clock.now()) if key else None
    if held is None:
        raise Denied(401, "signed_out", _("Please sign in again."))
    if not request.app.state.limits.allows(held.user_id, time.monotonic()):
        raise Denied(429, "too_often", _("The platform is busy. Please try again in a moment."))
    return held


async def _body(request: Request) -> bytes:
    """Count while reading: a stated length may lie, and a missing one says nothing."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > strict.LARGEST_BODY:
            raise Denied(413, "too_large", _("The request is too large."))
    return bytes(body)


def _submission(body: dict[str, Any], *, correction: bool) -> Submission:
    allowed = _REPORT_KEYS | {"reason"} if correction else _REPORT_KEYS
    if body.keys() - allowed:
        raise strict.Unreadable("The request could not be read.")
    try:
        key = UUID(body["key"]) if isinstance(body.get("key"), str) and len(body["key"]) == 36 else None
    except ValueError:
        key = None
    round_id, version = body.get("round"), body.get("form_version")
    unchanged = body.get("unchanged", False)
    if key is None or not _is_id(round_id) or not _is_id(version) or not isinstance(unchanged, bool):
        raise strict.Unreadable("The request could not be read.")
    return Submission(
        round_id,
        version,
        key,
        body.get("answers"),
        unchanged,
        _captured(body.get("captured_at")),
        _reason(body, correction),
    )


def _is_id(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _reason(body: dict[str, Any], correction: bool) -> str | None:
    if not correction:
        return None
    reason = body.get("reason")
    text = reason.strip() if isinstance(reason, str) else ""
    if not text or len(text) > _LONGEST_REASON or not text.replace("\n", "").isprintable():
        message = _("Please say why this is corrected.")
        raise Denied(422, "invalid", message, problems=[{"field": "reason", "code": "required", "message": message}])
    return text


def _captured(value: object) -> datetime | None:
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _no(request: Request, denied: Denied) -> JSONResponse:
    say = translator(language_of(request.headers.get("accept-language", "")))
    more = dict(denied.more)
    if denied.code == "invalid":
        more["problems"] = [{**problem, "message": say(problem["message"])} for problem in more.get("problems", [])]
    return JSONResponse({"code": denied.code, "message": say(denied.message), **more}, denied.status)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Open the pool and the queue with the application; finish what was taken in before closing."""
    app.state.pool = make_pool()
    await app.state.pool.open(wait=False)
    app.state.limits = Limits()
    app.state.batches = Batches(app.state.pool)
    app.state.batches.start()
    try:
        yield
    finally:
        await app.state.batches.stop()
        await app.state.pool.close()


routes = [
    Route("/today", today, methods=["GET"]),
    Route("/reports", reports, methods=["POST"]),
    Route("/corrections", corrections, methods=["POST"]),
    Route("/openapi.json", openapi, methods=["GET"]),
]

application = Starlette(routes=routes, lifespan=lifespan)
