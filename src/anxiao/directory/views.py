"""People of the console: found, and looked at one by one."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from anxiao.base.clock import day_of, now
from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.access import get_organisation, get_person, may_reach
from anxiao.directory.commands import reveal_phone
from anxiao.directory.crumbs import crumbs
from anxiao.directory.names import Audience
from anxiao.directory.queries import PeoplePage, PersonFile, filter_nodes, person_file, reach_of, search_people


@never_cache
@require_GET
@login_required
def people(request: HttpRequest) -> HttpResponse:
    """Find people by name, number or class."""
    scope = _scope(request)
    if not scope.may(Permission.PEOPLE_VIEW):
        raise NotYours
    day = day_of(now())
    text = request.GET.get("q", "").replace("\x00", "").strip()[:60]
    audience = _choice(request.GET.get("audience"))
    node = None
    if (node_id := _whole(request.GET.get("node"))) is not None:
        node = get_organisation(scope, node_id, Permission.PEOPLE_VIEW)
    reach = reach_of(scope)
    # a million people one after the other help nobody: from above the schools one searches
    ask = reach.everywhere and not text and node is None
    page = (
        PeoplePage([])
        if ask
        else search_people(
            scope,
            day=day,
            text=text,
            node=node,
            audience=audience,
            after=_whole(request.GET.get("after")),
            before=_whole(request.GET.get("before")),
            reach=reach,
        )
    )
    kept = {"q": text, "node": node.pk if node else "", "audience": audience or ""}
    context = {
        "ask": ask,
        "menu": "people",
        "text": text,
        "node": node,
        "audience": audience,
        "audiences": Audience.choices,
        "nodes": filter_nodes(scope),
        "page": page,
        "wide": reach.is_wide,
        "several_schools": reach.is_wide,
        "filtered": bool(text or node or audience),
        "previous": _page(kept, before=page.before),
        "next": _page(kept, after=page.after),
        "may_import": scope.may(Permission.DIRECTORY_IMPORT),
        "import_url": _reverse_or_nothing("directory:imports", "directory:import"),
    }
    return render(request, "directory/console/people.html", context)


@never_cache
@require_GET
@login_required
def person(request: HttpRequest, person_id: int) -> HttpResponse:
    """One person: what the directory knows, and from the rooms above what was reported."""
    scope, day = _scope(request), day_of(now())
    found = get_person(scope, person_id, day)
    file = person_file(scope, found, day)
    context: dict[str, Any] = {
        "menu": "people",
        "file": file,
        "person": found,
        "trail": crumbs(scope, file.trail, (found.name, "")),
        "may": {
            "phone": _may(scope, file, day, Permission.PHONE_REVEAL),
            "proxy": found.pk != scope.person_id and _may(scope, file, day, Permission.REPORT_PROXY),
            "exempt": _may(scope, file, day, Permission.EXEMPT),
        },
    }
    return render(request, "directory/console/person.html", context)


@never_cache
@require_POST
@login_required
def phone(request: HttpRequest, person_id: int) -> HttpResponse:
    """Show one phone number; who looked is written down.  Without script the answer is the person's page."""
    scope, moment = _scope(request), now()
    found = get_person(scope, person_id, day_of(moment))
    number = reveal_phone(by=scope, now=moment, person=found)
    if request.headers.get("HX-Request") == "true":
        return render(request, "ui/parts/phone_shown.html", {"phone": number})
    context = {"person": found, "phone": number, "menu": "people", "title": _("Phone number")}
    return render(request, "directory/console/phone.html", context)


def _scope(request: HttpRequest) -> Scope:
    scope: Scope = request.scope  # type: ignore[attr-defined]
    return scope


def _may(scope: Scope, file: PersonFile, day: date, permission: Permission) -> bool:
    """As ``may_reach``, without asking the database again for the class that the file already knows."""
    if file.node is not None and scope.may(permission, file.node.path):
        return True
    return bool(scope.place_paths_for(permission)) and may_reach(scope, file.person, day, permission)


def _whole(text: str | None) -> int | None:
    # at most nine digits, so that no number leaves the range of a database integer
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 9 else None


def _choice(text: str | None) -> int | None:
    number = _whole(text)
    return number if number in Audience.values else None


def _page(kept: dict[str, Any], **key: int | None) -> str:
    (value,) = key.values()
    if value is None:
        return ""
    return "?" + urlencode({k: v for k, v in {**kept, **key}.items() if v not in ("", None)})


def _reverse_or_nothing(*names: str) -> str:
    for name in names:
        try:
            return reverse(name)
        except NoReverseMatch:
            continue
    return ""
