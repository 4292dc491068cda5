"""``GET /streams/board`` and ``GET /streams/wall``: server-sent events for whoever holds a ticket.

Answers other than a stream are bare statuses, upon which a page goes back to asking every few seconds: 401 signed out,
403 a ticket that is forged, old, of another day or of somebody else, 404 not theirs to see, 503 full.
"""

from __future__ import annotations

import asyncio
import re
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import FrameType
from typing import Any

from django.conf import settings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from anxiao.base.clock import SHANGHAI
from anxiao.portal.streams.hub import EVERY, Hub, Viewer, encode
from anxiao.portal.streams.tickets import Face, unseal

ALIVE = 4.0
"""Seconds after which a viewer is told that the figures still stand."""

RETRY = 2000
"""Milliseconds after which a browser comes back when its stream breaks."""

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def board(request: Request) -> Response:
    """GET /streams/board"""
    return await _listen(request, ("node", "mine", "place"))


async def wall(request: Request) -> Response:
    """GET /streams/wall"""
    return await _listen(request, ("wall",))


async def _listen(request: Request, faces: tuple[Face, ...]) -> Response:
    session = request.cookies.get(settings.SESSION_COOKIE_NAME, "")
    if not re.fullmatch("[0-9a-z]{32}", session):
        return Response(status_code=401, headers=HEADERS)
    ticket = unseal(request.query_params.get("ticket", ""))
    if ticket is None or ticket.watch.face not in faces:
        return Response(status_code=403, headers=HEADERS)
    if request.method != "GET":
        return Response(headers=HEADERS)
    hub: Hub = request.app.state.hub
    # a script that comes back by itself cannot set the header
    last = request.headers.get("last-event-id") or request.query_params.get("last", "")
    joined = await hub.join(ticket, session, last[:64])
    if isinstance(joined, Viewer):
        return Stream(hub, joined)
    more = {"Retry-After": "30"} if joined == 503 else {}
    return Response(status_code=joined, headers=HEADERS | more)


class Stream(Response):
    """Events until the page is closed or there is nothing more to come."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, viewer: Viewer) -> None:
        super().__init__(headers=HEADERS | {"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._hub, self._viewer = hub, viewer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(_gone(receive))
        telling = asyncio.ensure_future(self._tell(send))
        try:
            await asyncio.wait((gone, telling), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(self._viewer)
            for task in (gone, telling):
                task.cancel()
                with suppress(asyncio.CancelledError, OSError):
                    await task

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

        async def say(event: bytes, *, last: bool = False) -> None:
            await send({"type": "http.response.body", "body": event, "more_body": not last})

        viewer = self._viewer
        await say(f"retry: {RETRY}\n\n".encode())
        while not viewer.over:
            viewer.bell.clear()
            news = viewer.news()
            await say(news or self._alive())
            if news is not None:
                await self._pause(EVERY)
            if not viewer.over:
                with suppress(TimeoutError):
                    await asyncio.wait_for(viewer.bell.wait(), ALIVE)
        await say(b"" if viewer.over == "closing" else encode("end", {"why": viewer.over}), last=True)

    async def _pause(self, seconds: float) -> None:
        """Figures at most once a second; yet a stream that is over ends within a moment."""
        end = asyncio.get_running_loop().time() + seconds
        while not self._viewer.over and (rest := end - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(rest, 0.1))

    def _alive(self) -> bytes:
        at = self._hub.alive_at
        return encode("alive", {"at": f"{at.astimezone(SHANGHAI):%H:%M:%S}"}) if at else encode("stale", {})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """A hub for this process.  It closes when the server is told to stop, not when all connections have ended:
    streams do not end by themselves, and the server would wait for them in vain."""
    hub = app.state.hub = Hub()
    heard = _on_stop(hub) if threading.current_thread() is threading.main_thread() else {}
    try:
        yield
    finally:
        hub.close()
        for number, before in heard.items():
            signal.signal(number, before)


def _on_stop(hub: Hub) -> dict[int, Any]:
    """Close the hub on SIGTERM and SIGINT, then do what the server does on them."""
    before: dict[int, Any] = {}

    def heard(number: int, frame: FrameType | None) -> None:
        hub.close()
        if callable(before[number]):
            before[number](number, frame)

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, heard)
    return before


routes = [Route("/board", board, methods=["GET"]), Route("/wall", wall, methods=["GET"])]
