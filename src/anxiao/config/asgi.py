"""One ASGI entry: the intake door and the live figures in front, Django behind them through a2wsgi.

Why not Django's own ASGI handler: it costs 1,650 µs of CPU for an empty request, a2wsgi about 1,000, and the intake
door 30 (docs/adr/0001).  In large installations the two halves run as separate process groups behind a proxy.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from a2wsgi import WSGIMiddleware
from starlette.applications import Starlette
from starlette.routing import Mount

from anxiao.config.wsgi import application as django
from anxiao.intake import app as door
from anxiao.intake.app import PREFIX
from anxiao.intake.app import application as intake
from anxiao.portal.streams import door as streams

THREADS = 16
"""Requests of the console that one worker serves at once; each holds up to one connection."""


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with door.lifespan(app), streams.lifespan(app):
        yield


console = Starlette(
    routes=[
        Mount("/streams", routes=streams.routes),
        Mount("/", app=WSGIMiddleware(django, workers=THREADS)),  # type: ignore[arg-type]  # its own ASGI types
    ],
    lifespan=lifespan,
)


async def application(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """The morning peak goes straight to the door; everything else, and the lifespan, to the console's side."""
    if scope["type"] == "http" and scope["path"].startswith(PREFIX + "/"):
        await intake(scope, receive, send)
    else:
        await console(scope, receive, send)
