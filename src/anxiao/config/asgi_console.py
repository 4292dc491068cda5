"""Everything but the intake door, for installations where that door has processes of its own."""

from __future__ import annotations

from a2wsgi import WSGIMiddleware
from starlette.applications import Starlette
from starlette.routing import Mount

from anxiao.config.asgi import THREADS
from anxiao.config.wsgi import application as django
from anxiao.portal.streams import door as streams

application = Starlette(
    routes=[
        Mount("/streams", routes=streams.routes),
        Mount("/", app=WSGIMiddleware(django, workers=THREADS)),  # type: ignore[arg-type]  # its own ASGI types
    ],
    lifespan=streams.lifespan,
)
