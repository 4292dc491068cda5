"""The public form by which a school asks to take part."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from anxiao.accounts.commands.onboarding import apply_for_school
from anxiao.accounts.forms_onboarding import OnboardingForm
from anxiao.accounts.middleware import sets_own_context
from anxiao.accounts.queries.onboarding import register_of_schools, school_called
from anxiao.base.clock import now
from anxiao.base.errors import Invalid
from anxiao.base.scope import SHARED_SCHOOL
from anxiao.base.tenancy import school_context


@sets_own_context
@never_cache
@require_http_methods(["GET", "POST"])
def apply(request: HttpRequest) -> HttpResponse:
    """Fill in and hand in.  Whatever is wrong is said beside its field, and nothing typed is lost."""
    form = OnboardingForm(request.POST or None, schools=register_of_schools().schools)
    if request.method == "POST" and form.is_valid():
        school_id = form.cleaned_data["school"]
        try:
            with school_context(f"{SHARED_SCHOOL},{school_id}"):
                apply_for_school(
                    now=now(), school_id=school_id, admin=form.contact("admin"), officer=form.contact("officer")
                )
        except Invalid as wrong:
            for field, message in wrong.fields.items():
                form.add_error(field, str(message))
        else:
            return redirect("onboarding:sent", code=form.school_codes[school_id])
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "accounts/onboarding/apply.html", {"form": form}, status=status)


@sets_own_context
@require_GET
def sent(request: HttpRequest, code: str) -> HttpResponse:
    """What happens next.  Shows only what the public register says: the school, and the state it is in."""
    school = school_called(code)
    if school is None:
        raise Http404
    return render(request, "accounts/onboarding/sent.html", {"school": school})
