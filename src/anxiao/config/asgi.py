"""One ASGI entry: the intake door in front, Django behind it through a2wsgi.

Why not Django's own ASGI handler: it costs 1,650 µs of CPU for an empty request, a2wsgi about 1,000, and the intake
door 70 (docs/adr/0001).  In large installations the two halves run as separate process groups behind a proxy.
"""

from __future__ import annotations

from a2wsgi import WSGIMiddleware
from starlette.applications import Starlette
from starlette.routing import Mount

from anxiao.config.wsgi import application as django
from anxiao.intake.app import lifespan, routes

THREADS = 16
"""Requests of the console that one worker serves at once; each holds up to one connection."""

application = Starlette(
    routes=[
        Mount("/intake/v1", routes=routes),
        Mount("/", app=WSGIMiddleware(django, workers=THREADS)),  # type: ignore[arg-type]  # its own ASGI types
    ],
    lifespan=lifespan,
)
