"""A request and an answer as the handlers see them, whichever way they travel: through ASGI (``app.application``) or
straight from the connection (``protocol``). No framework, because its share would be a quarter of a report's price.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from anxiao.base import clock
from anxiao.base.marking import gettext_noop as _
from anxiao.intake import strict

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ALWAYS = [(b"content-type", b"application/json"), (b"x-content-type-options", b"nosniff")]
_NO_STORE = (b"cache-control", b"no-store")


class Denied(Exception):
    """An answer other than success: status, code, message (a msgid) and what goes with it."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.more = more
        super().__init__(code)


@dataclass(slots=True)
class Request:
    """What came, whole; header names in lower case. ``content`` is None for a body of more than anybody needs."""

    method: str
    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    content: bytes | None = b""
    arrived: datetime = field(default_factory=lambda: clock.now())
    """The server's clock at arrival decides between on time and late, not the moment at which a body was complete."""

    def header(self, name: bytes) -> str:
        """A header's text, or ``""``."""
        return self.headers.get(name, b"").decode("latin-1")

    def cookie(self, name: str) -> str:
        """A cookie's text, or ``""``."""
        for part in self.header(b"cookie").split(";"):
            key, mark, value = part.strip().partition("=")
            if mark and key == name:
                return value
        return ""

    def body(self) -> bytes:
        """All of the body."""
        if self.content is None:
            raise Denied(413, "too_large", _("The request is too large."))
        return self.content


@dataclass(slots=True)
class Answer:
    """Status, a body to be written as JSON (None: no body), and headers beyond the usual ones."""

    status: int
    body: Mapping[str, Any] | None
    headers: Mapping[str, str] = field(default_factory=dict)

    def written(self) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Headers and body as they travel. What is not marked otherwise is nobody's to keep."""
        body = b"" if self.body is None else _ENCODE(self.body).encode("utf-8", "backslashreplace")
        headers = [*_ALWAYS, (b"content-length", b"%d" % len(body))]
        if "Cache-Control" not in self.headers:
            headers.append(_NO_STORE)
        headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        return headers, body


async def body_of(receive: Receive) -> bytes | None:
    """The body behind an ASGI ``receive``, or None when it is too large. Counted while reading: a stated length may
    lie, and a missing one says nothing. ``ConnectionError`` when the caller left in the middle.
    """
    chunks = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        chunks += message.get("body", b"")
        if len(chunks) > strict.LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(chunks)
