"""HTTP/1.1 straight into the handlers, for processes that serve nothing but this door.

A report on the general way (server > ASGI > application) carries about 30 µs of dictionaries and messages, a tenth of
its price. Here the parser (httptools, the llhttp of Node.js) hands whole requests to ``app.answer_to``, and an answer
leaves in one piece. The server around it is still uvicorn: sockets, signals, lifespan, graceful stop.

A connection handles one request after the other; what a client sends ahead waits its turn, and no more of it is read.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from anxiao.intake import app, strict
from anxiao.intake.http import Answer, Request

#: Bytes of a request's first line and headers together.
LARGEST_HEAD = 16 * 1024
#: Requests that a client may send before the first is answered.
MOST_AHEAD = 8
#: Seconds in which a request must have come whole. Longer than any honest phone needs for two kilobytes.
LONGEST_REQUEST = 30.0
_LOOK = 10.0

_STATUS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE = b"connection: close\r\n"


class IntakeProtocol(asyncio.Protocol):
    """One connection. Constructed by uvicorn, which knows it in ``server_state.connections`` until it is lost."""

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: Any = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._state = server_state
        self._keep_alive = float(config.timeout_keep_alive)
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._since = self._loop.time()
        self._waiting: list[tuple[Request, bool]] = []
        self._answering: asyncio.Task[None] | None = None
        self._ending = False
        self._read_all = True
        self._may_write = True
        self._ended = 0
        self._begin()

    # -- the connection ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._timer = self._loop.call_later(_LOOK, self._look)
        self._state.connections.add(self)  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        # A report under way is kept all the same; the phone asks again with the same key.
        self._state.connections.discard(self)
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        if self._read_all:
            self._since = self._loop.time()
            self._read_all = False
        ended = self._ended
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError):
            self._refuse(400)
        else:
            # where a body ended in the same piece, nobody knows how much of it was this head
            if not self._headers_done and ended == self._ended:
                self._head += len(data)
                if self._head > LARGEST_HEAD:
                    self._refuse(431)

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._next()

    def shutdown(self) -> None:
        """Leave when what is under way has been answered (uvicorn's graceful stop)."""
        self._ending = True
        if self._answering is None and self._transport is not None:
            self._transport.close()

    def _look(self) -> None:
        """Close what nobody should wait for any longer. One slow timer a connection: a timer for each request would
        cost as much as checking its pass.
        """
        if self._transport is None:
            return
        patience = self._keep_alive if self._read_all else LONGEST_REQUEST
        if self._answering is None and not self._waiting and self._loop.time() - self._since > patience:
            self._transport.close()
        else:
            self._timer = self._loop.call_later(_LOOK, self._look)

    # -- the parser's calls -----------------------------------------------------------------------

    def _begin(self) -> None:
        self._head = 0
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._headers_done = False
        self._request: Request | None = None
        self._body = bytearray()
        self._too_large = False

    def on_message_begin(self) -> None:
        self._begin()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._headers_done = True
        path, _mark, query = self._url.partition(b"?")
        self._request = Request(
            self._parser.get_method().decode("latin-1"),
            path.decode("latin-1").removeprefix(app.PREFIX),
            query,
            self._headers,
        )
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and self._transport is not None:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        if self._too_large:
            return
        self._body += body
        if len(self._body) > strict.LARGEST_BODY:
            self._too_large = True
            self._body.clear()
            # Answered without the rest of it, which nobody wants to read.
            self._hand_over(keep_alive=False)

    def on_message_complete(self) -> None:
        self._read_all = True
        self._ended += 1
        if not self._too_large:
            self._hand_over(keep_alive=self._parser.should_keep_alive())

    # -- answering --------------------------------------------------------------------------------

    def _hand_over(self, *, keep_alive: bool) -> None:
        assert self._request is not None
        self._request.content = None if self._too_large else bytes(self._body)
        self._waiting.append((self._request, keep_alive))
        if self._answering is None:
            self._next()
        elif len(self._waiting) >= MOST_AHEAD and self._transport is not None:
            self._transport.pause_reading()

    def _next(self) -> None:
        if self._waiting and self._answering is None and self._may_write and self._transport is not None:
            request, keep_alive = self._waiting.pop(0)
            self._answering = self._loop.create_task(self._answer(request, keep_alive))
            self._state.tasks.add(self._answering)

    async def _answer(self, request: Request, keep_alive: bool) -> None:
        try:
            answer = await app.answer_to(request)
            self._write(answer, head_only=request.method == "HEAD", keep_alive=keep_alive and not self._ending)
        finally:
            if self._answering is not None:
                self._state.tasks.discard(self._answering)
            self._answering = None
            self._since = self._loop.time()
        if self._transport is not None and self._waiting:
            self._transport.resume_reading()
            self._next()

    def _write(self, answer: Answer, *, head_only: bool, keep_alive: bool) -> None:
        if self._transport is None:
            return
        headers, body = answer.written()
        parts = [_STATUS[answer.status]]
        for name, value in (*self._state.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        parts.append(b"\r\n" if keep_alive else _CLOSE + b"\r\n")
        if not head_only:
            parts.append(body)
        self._transport.write(b"".join(parts))
        if not keep_alive:
            self._ending = True
            self._transport.close()

    def _refuse(self, status: int) -> None:
        """Whoever does not speak the protocol is told so once; what stood before it has its answer first."""
        self._ending = True
        if self._transport is not None and self._answering is None:
            self._transport.write(_STATUS[status] + b"content-length: 0\r\n" + _CLOSE + b"\r\n")
            self._transport.close()
