"""The intake door alone, for installations where it has processes of its own: no Django is loaded here."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Mount

from anxiao.intake.app import lifespan, routes

application = Starlette(routes=[Mount("/intake/v1", routes=routes)], lifespan=lifespan)
