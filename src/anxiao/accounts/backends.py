"""Signing in with a user name and a password, however the name is written."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import check_password, make_password
from django.http import HttpRequest

from anxiao.accounts.models import User
from anxiao.accounts.queries import user_called


class AccountBackend(BaseBackend):
    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **credentials: Any
    ) -> User | None:
        name = username or credentials.get("login")
        if not name or password is None:
            return None
        user = user_called(name)
        if user is None or not user.has_usable_password():
            make_password(password)  # the same work as for a known name, so that time tells nothing
            return None
        return user if check_password(password, user.password) and may_enter(user) else None

    def get_user(self, user_id: int) -> User | None:
        user = User.objects.filter(pk=user_id).first()
        return user if user is not None and may_enter(user) else None


def may_enter(user: User) -> bool:
    """An active account; those of the demo only in a deployment that says it is one, for they have no second factor."""
    return user.is_active and (not user.is_demo or bool(getattr(settings, "ANXIAO_DEMO", False)))
