"""Settings in the console: which schools come in, which categories there are."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from anxiao.accounts.access import get_application, get_managed_school, require_recent_proof
from anxiao.accounts.commands.onboarding import approve_application, decline_application
from anxiao.accounts.commands.recovery import renew_first_password
from anxiao.accounts.forms_console import CategoryForm
from anxiao.accounts.queries import grants as roles
from anxiao.accounts.queries import onboarding as schools
from anxiao.accounts.queries.categories import categories_of
from anxiao.accounts.views_common import scope_of, settings_tabs
from anxiao.base.clock import day_of, now
from anxiao.base.errors import Invalid, NotYours
from anxiao.base.permissions import Permission
from anxiao.directory.commands import add_category
from anxiao.directory.names import OnboardingState

# -- schools ----------------------------------------------------------------------------------------------------------


@require_GET
def onboarding(request: HttpRequest) -> HttpResponse:
    """Applications by state; the list of all schools stands beside them."""
    scope = scope_of(request)
    if not scope.may(Permission.ONBOARDING_APPROVE):
        raise NotYours
    shown = request.GET.get("state", OnboardingState.WAITING)
    counts = schools.count_by_state(scope)
    register = schools.register_of_schools()
    here = reverse("settings:onboarding")
    return render(
        request,
        "accounts/console/onboarding.html",
        {
            "menu": "schools",
            "shown": shown,
            "tabs": [
                *((s.value, s.label, f"{here}?state={s.value}", counts.get(s.value, 0)) for s in OnboardingState),
                ("all", _("All schools"), reverse("portal:console_schools"), len(register.schools)),
            ],
            "applications": schools.applications(scope, OnboardingState(shown)) if shown in OnboardingState else [],
            "register": register,
        },
    )


@never_cache
@require_http_methods(["GET", "POST"])
def onboarding_decide(request: HttpRequest, application_id: int) -> HttpResponse:
    """One application: approve it (shows the first passwords, once) or decline it with a reason."""
    scope = scope_of(request)
    application = get_application(scope, application_id)
    school = schools.school_of(application.school_id)
    founders = roles.founding_accounts(scope, school.pk, day_of(now()))
    context: dict[str, Any] = {
        "menu": "schools",
        "application": application,
        "school": school,
        "founders": founders if application.state == OnboardingState.APPROVED else [],
    }
    decision = request.POST.get("decision", "")
    if decision == "approve":
        require_recent_proof(request)
        made = approve_application(by=scope, now=now(), application=application)
        return _credentials(request, context | {"credentials": made, "opened": True})
    if decision == "password":
        require_recent_proof(request)
        user = next((g.user for g in founders if str(g.user_id) == request.POST.get("account")), None)
        if user is None:
            raise NotYours
        renewed = renew_first_password(by=scope, now=now(), user=user)
        return _credentials(request, context | {"credentials": [renewed]})
    if decision == "decline":
        reason = request.POST.get("reason", "").replace("\x00", "")[:300]
        try:
            decline_application(by=scope, now=now(), application=application, reason=reason)
        except Invalid as wrong:
            context |= {"reason": reason, "reason_error": wrong.fields.get("reason")}
            return render(request, "accounts/console/onboarding_decide.html", context, status=422)
        messages.success(request, _("The application of %(school)s was declined.") % {"school": school.name})
        return redirect("settings:onboarding")
    return render(request, "accounts/console/onboarding_decide.html", context)


def _credentials(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """First passwords to print: shown in the answer to the act, and nowhere again."""
    door = request.build_absolute_uri("/")
    return render(request, "accounts/console/onboarding_sheet.html", context | {"door": door})


# -- categories -------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def categories(request: HttpRequest) -> HttpResponse:
    """The kinds of staff and students of the school, and a form for another one."""
    scope = scope_of(request)
    school = get_managed_school(scope, Permission.CATEGORY_MANAGE)
    form = CategoryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            category = add_category(by=scope, now=now(), school_id=school.pk, **form.cleaned_data)
        except Invalid as wrong:
            for field, message in wrong.fields.items():
                form.add_error(field, str(message))
        else:
            messages.success(
                request,
                _("%(name)s was added. Please download the template again: it carries the new list.")
                % {"name": category.name},
            )
            return redirect("settings:categories")
    status = 422 if form.is_bound and form.errors else 200
    return render(
        request,
        "accounts/console/categories.html",
        {
            "menu": "settings",
            "tabs": settings_tabs(scope),
            "school": school,
            "categories": [(a.label, lines) for a, lines in categories_of(scope, school.pk).items()],
            "form": form,
        },
        status=status,
    )
