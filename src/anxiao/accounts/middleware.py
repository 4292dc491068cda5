"""Every request gets its scope, and every view runs in one transaction that the database has fenced by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import SimpleTemplateResponse
from django.urls import resolve, reverse
from django.utils.http import urlencode

from anxiao.accounts import gate
from anxiao.accounts.queries import scope_of
from anxiao.base.clock import day_of, now
from anxiao.base.errors import NotYours, Refused, StepUpNeeded
from anxiao.base.scope import NOBODY
from anxiao.base.tenancy import school_context

View = Callable[..., HttpResponse]


def sets_own_context(view: View) -> View:
    """Mark a view that opens its school context itself (public pages which first learn the school from a form)."""
    view.sets_own_context = True  # type: ignore[attr-defined]
    return view


def greets_strangers(view: View) -> View:
    """Mark a page on which a browser that was never here finds the way in itself: leading it elsewhere first would cost
    a slow network one more round trip, half a second.
    """
    view.greets_strangers = True  # type: ignore[attr-defined]
    return view


class ScopeMiddleware:
    """Builds ``request.scope`` and calls the view inside ``school_context``.

    The view is called from ``process_view`` because the transaction must enclose exactly the view: the session and
    the last-login time belong to transactions of their own, and an exception must roll back before it becomes a page.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        scope = scope_of(user, day_of(now())) if user.is_authenticated else NOBODY
        request.scope = scope  # type: ignore[attr-defined]
        request.duty = gate.first_duty(request, scope)  # type: ignore[attr-defined]
        response = self.get_response(request)
        # who has come in during this very request was judged by nobody yet: the next request brings the pass
        came_in = request.user.is_authenticated and request.user.pk != user.pk
        gate.keep_pass(request, response, held=came_in or request.duty is not None)  # type: ignore[attr-defined]
        return response

    def process_view(self, request: HttpRequest, view: View, args: Any, kwargs: Any) -> HttpResponse | None:
        duty: str | None = request.duty  # type: ignore[attr-defined]
        if duty is not None:
            match = request.resolver_match
            if not gate.lets_through(duty, match.url_name if match else None):
                return HttpResponseRedirect(reverse(duty))
        never_here = request.method == "GET" and not request.COOKIES
        if getattr(view, "greets_strangers", False) and never_here:
            way_in: HttpResponse = resolve(reverse("accounts:sign_in")).func(request)
            return way_in
        if getattr(view, "sets_own_context", False) or view.__module__.startswith(("allauth", "django")):
            return None
        try:
            with school_context(request.scope.db_scope):  # type: ignore[attr-defined]
                response = view(request, *args, **kwargs)
                # a late template must still be rendered inside: its queries need the context
                return response.render() if isinstance(response, SimpleTemplateResponse) else response
        except NotYours as absent:
            if not request.scope.is_known and request.method == "GET":  # type: ignore[attr-defined]
                return redirect_to_login(request.get_full_path())  # a visitor may be somebody: ask first
            raise Http404 from absent
        except StepUpNeeded:
            # next= leads back to the page with the form, not to the act itself: nothing is posted twice unseen
            back = request.get_full_path() if request.method == "GET" else request.headers.get("Referer", "/")
            return HttpResponseRedirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': back})}")
        except Refused as no:
            return render(request, "ui/refused.html", {"message": no.message}, status=409)
