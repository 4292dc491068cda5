"""Sign-in, password and second factor, beneath /accounts/: pages of allauth under its names, but only some of them.

``allauth.urls`` would also route signing up, addresses of e-mail and resetting a password by e-mail.  Nobody signs up
here and no e-mail leaves this house, so these doors do not exist.
"""

from __future__ import annotations

from allauth.account import views
from django.urls import URLPattern, URLResolver, include, path

from anxiao.accounts.second_factor import write_changes

urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("password/change/", views.password_change, name="account_change_password"),
    path("2fa/", include("allauth.mfa.urls")),
]
write_changes(urlpatterns)
