"""The portal's faces under one namespace: ``portal:h5``, ``portal:console`` ...

Gathered here because Django finds names only in the first of several inclusions that share a namespace.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

app_name = "portal"


def _face(route: str, module: str) -> list[URLPattern | URLResolver]:
    return [path(route, include(import_module(module).urlpatterns))] if find_spec(module) else []


urlpatterns = [
    *_face("", "anxiao.portal.urls_front"),
    *_face("h5/", "anxiao.portal.urls_h5"),
    *_face("console/", "anxiao.portal.urls_console"),
    *_face("wall/", "anxiao.portal.urls_wall"),
]
