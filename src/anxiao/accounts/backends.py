"""Signing in with a user name and a password; students may write school code and number instead."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import check_password, make_password
from django.http import HttpRequest

from anxiao.accounts.models import User


class AccountBackend(BaseBackend):
    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **credentials: Any
    ) -> User | None:
        name = username or credentials.get("login")
        if not name or password is None:
            return None
        user = User.objects.filter(username=name).first()
        if user is None:
            make_password(password)  # the same work as for a known name, so that time tells nothing
            return None
        return user if check_password(password, user.password) and user.is_active else None

    def get_user(self, user_id: int) -> User | None:
        return User.objects.filter(pk=user_id, is_active=True).first()
