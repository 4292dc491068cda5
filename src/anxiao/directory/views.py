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
from anxiao.directory.access_profile import seal_look
from anxiao.directory.commands import reveal_phone
from anxiao.directory.commands_profile import look_at
from anxiao.directory.crumbs import crumbs
from anxiao.directory.models import Organisation
from anxiao.directory.names import Audience, OrganisationKind
from anxiao.directory.names_people import Presence
from anxiao.directory.queries import PersonFile, person_file, reach_of
from anxiao.directory.queries_filters import category_names, levels
from anxiao.directory.queries_search import PeoplePage, search_people
from anxiao.directory.rules_search import LONGEST


@never_cache
@require_GET
@login_required
def people(request: HttpRequest) -> HttpResponse:
    """Find people by name, pinyin, number, class or the end of a phone number."""
    scope = _scope(request)
    if not scope.may(Permission.PEOPLE_VIEW):
        raise NotYours
    day = day_of(now())
    text = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST]
    audience = _choice(request.GET.get("audience"))
    node = _chosen_node(request, scope)
    reach = reach_of(scope)
    tree = levels(reach, node)
    categories = category_names(scope, reach)
    category = request.GET.get("category", "")
    category = category if category in categories else ""
    presence = _presence(request, scope)
    # a million people one after the other help nobody: from above the schools one searches
    ask = reach.everywhere and not text and (node is None or not node.school_id)
    page = (
        PeoplePage([])
        if ask
        else search_people(
            scope,
            day=day,
            text=text,
            node=node,
            audience=audience,
            category=category,
            presence=presence,
            after=request.GET.get("after"),
            before=request.GET.get("before"),
            reach=reach,
        )
    )
    kept = {
        "q": text,
        "node": node.pk if node else "",
        "audience": audience or "",
        "category": category,
        "state": presence.value if presence is not Presence.HERE else "",
    }
    context = {
        "ask": ask,
        "menu": "people",
        "text": text,
        "levels": tree,
        "audience": audience,
        "audiences": Audience.choices,
        "category": category,
        "categories": categories,
        "presence": presence.value,
        "presences": Presence.choices if _sees_all_times(scope) else (),
        "page": page,
        "wide": reach.is_wide,
        "several_schools": reach.is_wide and not (node and node.school_id),
        "filtered": any(kept.values()),
        "previous": _page(kept, before=page.before),
        "next": _page(kept, after=page.after),
        "may_import": scope.may(Permission.DIRECTORY_IMPORT),
        "import_url": _reverse_or_nothing("directory:imports", "directory:import"),
        "may_decide": scope.may(Permission.PROFILE_CONFIRM),
    }
    return render(request, "directory/console/people.html", context)


@never_cache
@require_GET
@login_required
def person(request: HttpRequest, person_id: int) -> HttpResponse:
    """One person: what the directory knows, and from the rooms above what was reported.  Opening it is written down."""
    scope, moment = _scope(request), now()
    day = day_of(moment)
    found = get_person(scope, person_id, day)
    look_at(by=scope, now=moment, person=found)
    file = person_file(scope, found, day)
    context: dict[str, Any] = {
        "menu": "people",
        "file": file,
        "person": found,
        "look": seal_look(scope, found, moment),
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


def _chosen_node(request: HttpRequest, scope: Scope) -> Organisation | None:
    """The narrowest node of ?school= > ?college= > ?class= that lies in the one before it, or ?node=."""
    node: Organisation | None = None
    given = [(name, _whole(request.GET.get(name))) for name in ("node", "school", "college", "class")]
    if any(name != "node" and value is not None for name, value in given):
        given = given[1:]
    for _name, node_id in given:
        if node_id is None:
            continue
        found = get_organisation(scope, node_id, Permission.PEOPLE_VIEW)
        # a class of the college that was chosen before is no longer meant
        if node is None or f"{found.path}.".startswith(f"{node.path}."):
            node = found
    return node


def _sees_all_times(scope: Scope) -> bool:
    """Those who have left or are still coming are shown to whoever keeps the roster of a whole school."""
    return any(
        Permission.ROSTER_MANAGE in g.permissions and g.node_kind == OrganisationKind.SCHOOL and g.place_path is None
        for g in scope.grants
    )


def _presence(request: HttpRequest, scope: Scope) -> Presence:
    wanted = request.GET.get("state")
    return Presence(wanted) if wanted in Presence.values and _sees_all_times(scope) else Presence.HERE


def _page(kept: dict[str, Any], **key: str | None) -> str:
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
