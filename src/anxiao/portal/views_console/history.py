"""What became of one person: where they belonged, their months of reports, by whose hand, excuses, and who looked."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from anxiao.base.clock import day_of, now
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.access import get_person, may_reach
from anxiao.directory.commands_profile import look_at
from anxiao.directory.crumbs import crumbs
from anxiao.directory.queries import PersonFile, person_file
from anxiao.directory.queries_profile import proposals_of
from anxiao.portal.queries.history import looks_at, month_of
from anxiao.portal.views_console.boards import campaign_title
from anxiao.portal.views_console.common import scope_of
from anxiao.reporting.queries.exemptions import exemptions_of
from anxiao.reporting.queries.months import is_set_aside

FIRST_MONTH = date(2020, 1, 1)


@never_cache
@require_GET
@login_required
def person_history(request: HttpRequest, person_id: int) -> HttpResponse:
    """One month of a person with everything around it; no answers.  Opening it is written down."""
    scope, moment = scope_of(request), now()
    today = day_of(moment)
    person = get_person(scope, person_id, today)
    look_at(by=scope, now=moment, person=person)
    first = _month(request.GET.get("month"), today)
    set_aside = is_set_aside(scope, first)
    month = None if set_aside else month_of(scope, person, first, today, moment)
    file = person_file(scope, person, today)
    own = scope.person_id == person.pk
    may_read_ledger = own or _may(scope, file, today, Permission.LEDGER_VIEW)
    may_confirm = own or _may(scope, file, today, Permission.PROFILE_CONFIRM)
    here = reverse("portal:console_person_history", args=[person.pk])
    context: dict[str, Any] = {
        "menu": "people",
        "person": person,
        "file": file,
        "first": first,
        "month": month,
        "days": [(day, campaign_title(day.round)) for day in month.days] if month else [],
        "changed": [(one, campaign_title(one.day.round)) for one in month.changed] if month else [],
        "exemptions": exemptions_of(scope, person, today),
        "may_exempt": own or _may(scope, file, today, Permission.EXEMPT),
        "may_health": _may(scope, file, today, Permission.HEALTH_VIEW),
        "may_read_ledger": may_read_ledger,
        "looks": looks_at(scope, person.school_id, person.pk, before=_id(request.GET.get("looks")))
        if may_read_ledger
        else None,
        "asked": proposals_of(scope, person.pk) if may_confirm else [],
        "previous": f"?month={_before(first):%Y-%m}" if first > FIRST_MONTH else "",
        "next": f"?month={_after(first):%Y-%m}" if _after(first) <= today else "",
        "here": here,
        "trail": crumbs(
            scope, file.trail, (person.name, reverse("directory:person", args=[person.pk])), (_("History"), "")
        ),
    }
    return render(request, "portal/console/history.html", context)


def _may(scope: Scope, file: PersonFile, day: date, permission: Permission) -> bool:
    """As ``may_reach``, without asking the database again for the class that the file already knows."""
    if file.node is not None and scope.may(permission, file.node.path):
        return True
    return bool(scope.place_paths_for(permission)) and may_reach(scope, file.person, day, permission)


def _month(text: str | None, today: date) -> date:
    """The first day of ?month=2020-02; nonsense and months to come mean this one."""
    try:
        first = date.fromisoformat(f"{text or ''}-01")
    except ValueError:
        return today.replace(day=1)
    return first if FIRST_MONTH <= first <= today else today.replace(day=1)


def _before(first: date) -> date:
    return date(first.year - (first.month == 1), 12 if first.month == 1 else first.month - 1, 1)


def _after(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def _id(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None
