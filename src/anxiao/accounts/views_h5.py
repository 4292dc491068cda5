"""The phone's way in: sign in by school and number, or take over the account with the code of a slip.

These pages learn the school from what is typed, so they open the school's context themselves, and for nothing else.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from anxiao.accounts.commands.activation import Answer, Attempt, activate, try_code
from anxiao.accounts.forms_h5 import ActivationForm, NewPasswordForm, SchoolSignInForm
from anxiao.accounts.middleware import sets_own_context
from anxiao.accounts.models import User
from anxiao.accounts.queries.onboarding import open_schools
from anxiao.accounts.rules import grouped, person_username, read_code
from anxiao.base.clock import now
from anxiao.base.errors import Refused
from anxiao.base.scope import SHARED_SCHOOL
from anxiao.base.tenancy import school_context

_TRIED = "anxiao_activation"
_TRIED_FOR = timedelta(minutes=15)


@sets_own_context
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """School, number, password; the same account and the same limits as at the staff's door."""
    onward = _onward(request)
    if request.user.is_authenticated:
        return redirect(onward)
    schools = open_schools()
    form = SchoolSignInForm(request.POST or None, schools=schools)
    if request.method == "POST" and form.is_valid():
        name = person_username(form.cleaned_data["school"].code, form.cleaned_data["number"].strip())
        try:
            user = get_adapter(request).authenticate(request, username=name, password=form.cleaned_data["password"])
        except ValidationError as limit:
            form.add_error(None, limit)
        else:
            if user is not None:
                login = Login(user=user, redirect_url=onward)
                answer: HttpResponse = perform_password_login(request, {"username": user.username}, login)
                return answer
            form.add_error(None, _("Number and password do not fit together. Please look at both again."))
    return _page(request, "sign_in", {"form": form, "schools": schools, "next": onward}, form)


@sets_own_context
@never_cache
@require_http_methods(["GET", "POST"])
def activation(request: HttpRequest) -> HttpResponse:
    """The code, and number and name of the person it is for."""
    typed = request.GET.get("c", "")[:40]
    read = read_code(typed)
    form = ActivationForm(request.POST or None, initial={"code": grouped(read[1]) if read else typed})
    if request.method == "POST" and form.is_valid():
        school_id, code = form.cleaned_data["code"]
        with school_context(f"{SHARED_SCHOOL},{school_id}"):
            attempt = try_code(
                now=now(),
                school_id=school_id,
                code=code,
                number=form.cleaned_data["number"],
                name=form.cleaned_data["name"],
            )
        if attempt.answer is Answer.FITS:
            request.session[_TRIED] = [
                school_id,
                attempt.code_id,
                attempt.name,
                form.cleaned_data["number"],
                now().isoformat(),
            ]
            return redirect("accounts:activate_password")
        form.add_error(None if attempt.answer is Answer.MISMATCH else "code", _why(attempt))
    return _page(request, "activate", {"form": form, "scanned": read is not None}, form)


@sets_own_context
@never_cache
@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "POST"])
def activation_password(request: HttpRequest) -> HttpResponse:
    """A password of one's own; then the account is there and this phone stays signed in."""
    tried = request.session.get(_TRIED)
    if not tried or now() - datetime.fromisoformat(tried[4]) > _TRIED_FOR:
        request.session.pop(_TRIED, None)
        return redirect("accounts:activate")
    school_id, code_id, name, number, _at = tried
    form = NewPasswordForm(request.POST or None, owner=User(username=number, display_name=name))
    if request.method == "POST" and form.is_valid():
        try:
            with school_context(f"{SHARED_SCHOOL},{school_id}"):
                user = activate(now=now(), school_id=school_id, code_id=code_id, password=form.cleaned_data["password"])
        except Refused as used:
            # used, replaced or expired between the two pages
            form.add_error(None, str(used))
        else:
            request.session.pop(_TRIED, None)
            login = Login(user=user, redirect_url=reverse("accounts:activated"))
            answer: HttpResponse = perform_password_login(request, {"username": user.username}, login)
            return answer
    return _page(request, "activate_password", {"form": form, "name": name, "number": number}, form)


@require_GET
def activated(request: HttpRequest) -> HttpResponse:
    """Done: straight to the first report, or a passkey for next time."""
    if not request.user.is_authenticated:
        return redirect("accounts:sign_in")
    return render(request, "accounts/h5/activated.html")


def _page(request: HttpRequest, name: str, context: dict[str, Any], form: Any) -> HttpResponse:
    status = 422 if form.is_bound and form.errors else 200
    return render(request, f"accounts/h5/{name}.html", context, status=status)


def _onward(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    return wanted if wanted and get_adapter(request).is_safe_url(wanted) else reverse("portal:h5")


def _why(attempt: Attempt) -> str:
    match attempt.answer:
        case Answer.MISMATCH:
            return ngettext(
                "Number and name do not belong to this code. Please look at your slip; %(n)s attempt is left.",
                "Number and name do not belong to this code. Please look at your slip; %(n)s attempts are left.",
                attempt.tries_left,
            ) % {"n": attempt.tries_left}
        case Answer.LOCKED:
            return _("This code was tried too often with a wrong number or name. Please ask for a new one.")
        case Answer.EXPIRED:
            return _("This code has expired: codes are good for 7 days. Please ask for a new one.")
        case Answer.USED:
            return _("This code has been used already. If it was not you, please tell your counsellor at once.")
        case _:
            return _("There is no such code, or a newer one was printed. Please use the newest slip.")
