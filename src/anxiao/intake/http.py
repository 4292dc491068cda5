"""A request read and an answer written: plain ASGI, because a framework's share would be a quarter of a report's
price.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

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


class Gone(Exception):
    """The caller left in the middle of its own request."""


@dataclass(slots=True)
class Request:
    """What came; header names in lower case."""

    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    receive: Receive

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

    async def body(self) -> bytes:
        """All of the body. Counted while reading: a stated length may lie, and a missing one says nothing."""
        chunks = bytearray()
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Gone
            chunks += message.get("body", b"")
            if len(chunks) > strict.LARGEST_BODY:
                raise Denied(413, "too_large", _("The request is too large."))
            if not message.get("more_body", False):
                return bytes(chunks)


@dataclass(slots=True)
class Answer:
    """Status, a body to be written as JSON (None: no body), and headers beyond the usual ones."""

    status: int
    body: Mapping[str, Any] | None
    headers: Mapping[str, str] = field(default_factory=dict)


def request_of(scope: Scope, receive: Receive, path: str) -> Request:
    """The request behind an ASGI scope."""
    return Request(path, scope.get("query_string", b""), dict(scope["headers"]), receive)


async def write(send: Send, answer: Answer) -> None:
    """Send an answer. What is not marked otherwise is nobody's to keep."""
    body = b"" if answer.body is None else _ENCODE(answer.body).encode("utf-8", "backslashreplace")
    headers = [*_ALWAYS, (b"content-length", str(len(body)).encode())]
    if "Cache-Control" not in answer.headers:
        headers.append(_NO_STORE)
    headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
