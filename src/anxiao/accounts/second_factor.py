"""allauth's pages that change a second factor, made to leave their ledger row in the same transaction.

Its own news come after the commit, where a broken ledger would keep the change; so what stood before and what stands
after is compared inside the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver

from anxiao.accounts.commands.sessions import note_second_factor
from anxiao.accounts.models import User
from anxiao.accounts.queries import bare_scope
from anxiao.base.clock import now

View = Callable[..., HttpResponse]

_CHANGING = frozenset(
    {
        "mfa_activate_totp",
        "mfa_deactivate_totp",
        "mfa_add_webauthn",
        "mfa_remove_webauthn",
        "mfa_generate_recovery_codes",
    }
)


def write_changes(patterns: Iterable[URLPattern | URLResolver]) -> None:
    """Put the ledger around those of ``patterns`` that change a second factor."""
    for found in patterns:
        if isinstance(found, URLResolver):
            write_changes(found.url_patterns)
        elif found.name in _CHANGING:
            found.callback = _written(found.callback)


def _written(view: View) -> View:
    @wraps(view)
    def written(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user = request.user
        if request.method != "POST" or not isinstance(user, User):
            return view(request, *args, **kwargs)
        with transaction.atomic():
            before = _standing(user)
            response = view(request, *args, **kwargs)
            after = _standing(user)
            for key in sorted(before.keys() ^ after.keys()):
                kind, added = (after | before)[key], key in after
                note_second_factor(by=bare_scope(user), now=now(), kind=kind, added=added)
        return response

    return written


def _standing(user: User) -> dict[int, str]:
    return dict(Authenticator.objects.filter(user_id=user.pk).values_list("pk", "type"))
