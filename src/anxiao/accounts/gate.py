"""What an account must do before anything else, and the phone's pass that goes with a free way."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from anxiao.accounts.models import User
from anxiao.accounts.names import SECOND_FACTOR_SESSION_KEY
from anxiao.accounts.queries import has_second_factor
from anxiao.base import passes
from anxiao.base.clock import now
from anxiao.base.scope import Scope

CHANGE_PASSWORD = "account_change_password"
SET_SECOND_FACTOR = "mfa_activate_totp"

_ALWAYS = frozenset({"account_logout", "account_reauthenticate", "mfa_reauthenticate", "set_language"})
_OPEN = {
    CHANGE_PASSWORD: _ALWAYS | {CHANGE_PASSWORD},
    SET_SECOND_FACTOR: _ALWAYS
    | {
        SET_SECOND_FACTOR,
        "mfa_index",
        "mfa_view_recovery_codes",
        "mfa_download_recovery_codes",
        "mfa_generate_recovery_codes",
        "mfa_list_webauthn",
        "mfa_add_webauthn",
    },
}


def first_duty(request: HttpRequest, scope: Scope) -> str | None:
    """The page an account is held at (a URL name), or None when its way is free.

    A first password given by somebody else is replaced before anything; then whoever holds a role needs a second
    factor.  Accounts of the demo are let off, and cannot sign in anywhere but in a demo (``backends.may_enter``).
    """
    user = request.user
    if not isinstance(user, User):
        return None
    if user.must_change_password:
        return CHANGE_PASSWORD
    if not scope.grants or user.is_demo or request.session.get(SECOND_FACTOR_SESSION_KEY) == user.pk:
        return None
    if has_second_factor(user):
        request.session[SECOND_FACTOR_SESSION_KEY] = user.pk
        return None
    return SET_SECOND_FACTOR


def lets_through(duty: str, url_name: str | None) -> bool:
    """Whether a page may be opened by an account that is held at ``duty``."""
    return url_name in _OPEN[duty]


def keep_pass(request: HttpRequest, response: HttpResponseBase, *, held: bool) -> None:
    """Give the phone its pass when it has none that fits, and take it away when nobody is signed in any more."""
    text = request.COOKIES.get(passes.COOKIE)
    user = request.user
    if not isinstance(user, User):
        if text is not None:
            response.delete_cookie(passes.COOKIE, samesite="Lax")
        return
    moment = now()
    standing = passes.unseal(settings.SECRET_KEY, text, moment) if text else None
    if held or user.person_id is None or user.home_school_id is None:
        if standing is not None and standing.user_id != user.pk:
            # somebody came in over somebody else: this phone must not go on reporting for the one before
            response.delete_cookie(passes.COOKIE, samesite="Lax")
        return
    if standing is not None and (standing.user_id, standing.serial) == (user.pk, user.pass_serial):
        return
    fresh = passes.Pass(user.pk, user.person_id, user.home_school_id, user.pass_serial, moment + passes.LIFETIME)
    response.set_cookie(
        passes.COOKIE,
        passes.seal(settings.SECRET_KEY, fresh),
        max_age=int(passes.LIFETIME.total_seconds()),
        httponly=True,
        samesite="Lax",
        secure=settings.HTTPS,
    )
