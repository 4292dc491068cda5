"""What we tell allauth about our house: nobody signs up, everybody is pre-registered, every entry is written."""

from __future__ import annotations

import time
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.http import HttpRequest

from anxiao.accounts.commands import sessions
from anxiao.accounts.models import User
from anxiao.accounts.queries import bare_scope, needs_second_factor
from anxiao.accounts.rules import fold_username
from anxiao.base.clock import day_of, now


class AccountAdapter(DefaultAccountAdapter):
    """allauth calls these hooks inside sign-in itself, so that no way in (password, passkey, code) goes unwritten."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        sessions.note_sign_in(by=bare_scope(user), now=now())

    def logout(self, request: HttpRequest) -> None:
        if isinstance(request.user, User):
            sessions.note_sign_out(by=bare_scope(request.user), now=now())
        super().logout(request)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        sessions.note_failed_sign_in(name=str(credentials.get("username", "")), now=now())

    def set_password(self, user: User, password: str) -> None:
        sessions.change_password(by=bare_scope(user), now=now(), user=user, password=password)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return "/"

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """For one's own second factor the sign-in itself is proof enough while it is fresh: whoever must set it up has
        given the password a minute ago.  Dangerous acts ask again (``access.require_recent_proof``)."""
        user = getattr(self.request, "user", None)
        if app == "allauth.mfa" and isinstance(user, User):
            records = get_authentication_records(self.request, user)
            if any(time.time() - record["at"] < app_settings.REAUTHENTICATION_TIMEOUT for record in records):
                return False
        return bool(super().is_reauthentication_required(app=app, **kwargs))

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # by account alone: one campus address carries 30,000 students, and every spelling of a name is one account
        return fold_username(str(credentials.get("username", "")))


class MfaAdapter(DefaultMFAAdapter):
    def get_totp_label(self, user: Any) -> str:
        return str(user.username)

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """The last second factor of somebody with a role can be replaced only after a second one is there."""
        user = authenticator.user
        if authenticator.type == Authenticator.Type.RECOVERY_CODES or not needs_second_factor(user, day_of(now())):
            return True
        others = Authenticator.objects.filter(
            user=user, type__in=[Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
        )
        return bool(others.exclude(pk=authenticator.pk).exists())
