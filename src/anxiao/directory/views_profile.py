"""Corrections that people ask for about themselves: the list of whoever answers for them."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from anxiao.base.clock import day_of, now
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.commands_profile import LONGEST_REASON, confirm, decline
from anxiao.directory.queries_profile import open_proposals


@never_cache
@require_GET
@login_required
def proposals(request: HttpRequest) -> HttpResponse:
    """Everything that waits for the caller, the oldest first."""
    return _list(request)


@never_cache
@require_POST
@login_required
def decide(request: HttpRequest, proposal_id: int) -> HttpResponse:
    """Confirm or decline one; a declined one needs a reason, and what was typed comes back with what is wrong."""
    scope, moment = _scope(request), now()
    answer = request.POST.get("answer", "")[: LONGEST_REASON + 1]
    wrong = ""
    try:
        if request.POST.get("act") == "decline":
            done = decline(by=scope, now=moment, proposal_id=proposal_id, answer=answer)
            messages.success(request, _("Declined; %(name)s reads why.") % {"name": done.person.name})
        else:
            done = confirm(by=scope, now=moment, proposal_id=proposal_id)
            messages.success(request, _("Confirmed, and corrected in the directory."))
    except Invalid as invalid:
        wrong = str(next(iter(invalid.fields.values())))
    except Refused as no:
        wrong = str(no.message)
    if wrong:
        return _list(request, wrong={"id": proposal_id, "text": wrong, "answer": answer}, status=422)
    return redirect("directory:proposals")


def _list(request: HttpRequest, *, wrong: dict[str, object] | None = None, status: int = 200) -> HttpResponse:
    scope = _scope(request)
    if not scope.may(Permission.PROFILE_CONFIRM):
        raise NotYours
    after = request.GET.get("after", "")
    key = int(after) if after.isascii() and after.isdigit() and len(after) <= 9 else None
    page = open_proposals(scope, day_of(now()), key)
    context = {
        "menu": "proposals",
        "page": page,
        "wrong": wrong,
        "next": f"?after={page.after}" if page.after else "",
    }
    return render(request, "directory/console/proposals.html", context, status=status)


def _scope(request: HttpRequest) -> Scope:
    scope: Scope = request.scope  # type: ignore[attr-defined]
    return scope
