"""All doors that Django serves; the intake door stands beside it in ``config/asgi.py``."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import URLResolver, include, path


def _door(route: str, module: str) -> list[URLResolver]:
    return [path(route, include(module))] if find_spec(module) else []


urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    *_door("", "anxiao.config.urls_health"),
    *_door("", "anxiao.portal.urls"),
    *_door("", "anxiao.ui.urls"),
    *_door("h5/", "anxiao.accounts.urls_h5"),
    *_door("console/people/", "anxiao.directory.urls"),
    *_door("console/sheets/", "anxiao.reporting.urls"),
    *_door("console/settings/", "anxiao.accounts.urls_console"),
    *_door("onboarding/", "anxiao.accounts.urls_onboarding"),
    *_door("api/v1/", "anxiao.config.urls_api"),
]
