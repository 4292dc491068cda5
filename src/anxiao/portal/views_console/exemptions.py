"""Who is excused from reporting: the list of a node, and one person's, with granting and cancelling."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from anxiao.base.clock import day_of, now
from anxiao.base.errors import Invalid, Refused
from anxiao.base.permissions import Permission
from anxiao.directory.access import get_organisation, get_person
from anxiao.directory.crumbs import crumbs
from anxiao.directory.queries import person_file
from anxiao.portal.forms_console import ExemptionForm
from anxiao.portal.views_console.common import query_of, scope_of, whole
from anxiao.reporting.access import get_exemption
from anxiao.reporting.commands.exemptions import cancel_exemption
from anxiao.reporting.commands.exemptions import exempt as grant_exemption
from anxiao.reporting.names import ExemptionReason
from anxiao.reporting.queries.boards import trail_of
from anxiao.reporting.queries.exemptions import When, exemptions_in, exemptions_of
from anxiao.reporting.queries.people import where_node


@require_GET
@login_required
def exemptions(request: HttpRequest, node_id: int) -> HttpResponse:
    """Who of a node is excused now, will be, or was."""
    scope, day = scope_of(request), day_of(now())
    node = get_organisation(scope, node_id, Permission.EXEMPT)
    where = where_node(scope, node, Permission.EXEMPT)
    text = request.GET.get("when", "")
    when = When(text) if text in set(When) else When.NOW
    page = exemptions_in(scope, where, when, day, after=whole(request.GET.get("after")))
    here = reverse("portal:console_exemptions", args=[node.pk])
    labels = {When.NOW: _("Now"), When.COMING: _("Coming"), When.OVER: _("Over or cancelled")}
    context = {
        "menu": "today",
        "node": node,
        "page": page,
        "tabs": [(str(w), labels[w], here + query_of(when=w)) for w in When],
        "tab": str(when),
        "next": here + query_of(when=when, after=page.after) if page.after else "",
        "trail": crumbs(scope, trail_of(scope, node), (_("Exemptions"), "")),
        "people_url": reverse("directory:people") + query_of(node=node.pk if node.kind != "school" else None),
    }
    return render(request, "portal/console/exemptions.html", context)


@require_http_methods(["GET", "POST"])
@login_required
def exempt(request: HttpRequest, person_id: int) -> HttpResponse:
    """One person's exemptions, and granting one."""
    scope, moment = scope_of(request), now()
    day = day_of(moment)
    person = get_person(scope, person_id, day, Permission.EXEMPT)
    form = ExemptionForm(request.POST or None, initial={"first_day": day, "last_day": day})
    refused = ""
    if request.method == "POST" and form.is_valid():
        try:
            grant_exemption(
                by=scope,
                now=moment,
                person=person,
                reason=ExemptionReason(form.cleaned_data["reason"]),
                first_day=form.cleaned_data["first_day"],
                last_day=form.cleaned_data["last_day"],
                note=form.cleaned_data["note"],
            )
        except Invalid as invalid:
            for field, text in invalid.fields.items():
                form.add_error(field if field in form.fields else None, str(text))
        except Refused as no:
            refused = str(no.message)
        else:
            messages.success(request, _("%(name)s is exempt on these days.") % {"name": person.name})
            return redirect("portal:console_exempt", person_id=person.pk)
    file = person_file(scope, person, day)
    context = {
        "menu": "people",
        "person": person,
        "file": file,
        "form": form,
        "refused": refused,
        "rows": exemptions_of(scope, person, day),
        "today_day": day,
        "trail": crumbs(
            scope, file.trail, (person.name, reverse("directory:person", args=[person.pk])), (_("Exemptions"), "")
        ),
    }
    return render(request, "portal/console/exempt.html", context, status=409 if refused else 200)


@require_POST
@login_required
def cancel(request: HttpRequest, exemption_id: int) -> HttpResponse:
    """Take an exemption back."""
    scope, moment = scope_of(request), now()
    exemption = get_exemption(scope, exemption_id, day_of(moment))
    cancel_exemption(by=scope, now=moment, exemption=exemption)
    messages.success(request, _("The exemption is cancelled; reports are expected again."))
    return redirect("portal:console_exempt", person_id=exemption.person_id)
