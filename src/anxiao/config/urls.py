"""All doors that Django serves; the intake door stands beside it in ``config/asgi.py``."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("accounts/", include("anxiao.accounts.urls_sign_in")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("anxiao.config.urls_health")),
    path("", include("anxiao.portal.urls")),
    path("", include("anxiao.ui.urls")),
    path("h5/", include("anxiao.accounts.urls_h5")),
    path("console/people/", include("anxiao.directory.urls")),
    path("console/sheets/", include("anxiao.reporting.urls")),
    path("console/settings/", include("anxiao.accounts.urls_console")),
    path("onboarding/", include("anxiao.accounts.urls_onboarding")),
    path("api/v1/", include("anxiao.config.urls_api")),
]
