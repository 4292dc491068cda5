"""Pages of the roster: one person's places with both times, and the changes of people's places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from anxiao.base.clock import day_of, now
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory import commands_exchange as exchanges
from anxiao.directory import commands_roster as commands
from anxiao.directory.access import get_person
from anxiao.directory.access_roster import answering_node, get_change, get_managed_node, get_managed_person, may_manage
from anxiao.directory.commands_profile import look_at
from anxiao.directory.crumbs import crumbs
from anxiao.directory.forms_roster import ABROAD, MOVING, ChangeForm, PersonForm, initial
from anxiao.directory.models import Person, School
from anxiao.directory.models_roster import RosterChange
from anxiao.directory.names_roster import AWAY, ChangeKind
from anxiao.directory.queries_roster import (
    History,
    absence_of,
    changes_in,
    exchange_of,
    history_of,
)
from anxiao.directory.queries_tree import path_of, targets_for

PERSONAL = tuple(k for k in ChangeKind if k not in (ChangeKind.MERGER, ChangeKind.RENAMING))


@never_cache
@require_GET
@login_required
def person_roster(request: HttpRequest, person_id: int) -> HttpResponse:
    """Where somebody belonged, belongs and will belong; what was believed once; which decisions there were."""
    scope, moment = scope_of(request), now()
    day = day_of(moment)
    person = get_person(scope, person_id, day)
    look_at(by=scope, now=moment, person=person)
    history = history_of(scope, person)
    node = answering_node(person, day)
    managed = node is not None and may_manage(scope, node)
    context = {
        **_person_frame(scope, person, node, day),
        "history": history,
        "held": _holds(history, day),
        "absence": absence_of(scope, person, day),
        "exchange": exchange_of(scope, person, day),
        "actions": _actions(history, day) if managed else [],
        "managed": managed,
        "day": day,
        "trail": crumbs(
            scope,
            path_of(scope, node),
            (person.name, reverse("directory:person", args=[person.pk])),
            (_("Places in the roster"), ""),
        ),
    }
    return render(request, "directory/console/roster_person.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def person_change(request: HttpRequest, person_id: int, kind: str) -> HttpResponse:
    """Enter a transfer, a leave, a return, a graduation or an exchange."""
    scope, moment = scope_of(request), now()
    day = day_of(moment)
    person, node = get_managed_person(scope, person_id, day)
    if kind not in PERSONAL:
        raise NotYours
    what = ChangeKind(kind)
    targets = targets_for(scope, person.school_id, person.audience) if what in MOVING else []
    schools = list(School.objects.exclude(pk=person.school_id).order_by("name")) if what in ABROAD else []
    form = PersonForm(what, request.POST or None, initial=initial(day), targets=targets, schools=schools)
    if request.method == "POST" and form.is_valid():
        made = carry_out(form, lambda: _enter(scope, moment, person, what, form.cleaned_data))
        if made is not None:
            messages.success(request, _("Entered. The expected numbers follow from that day on."))
            return redirect("directory:person_roster", person_id=person.pk)
    context = {
        **_person_frame(scope, person, node, day),
        "kind": what,
        "form": form,
        "effects": _effects(what),
        "trail": crumbs(
            scope,
            path_of(scope, node),
            (person.name, reverse("directory:person", args=[person.pk])),
            (_("Places in the roster"), reverse("directory:person_roster", args=[person.pk])),
            (str(what.label), ""),
        ),
    }
    return render(request, "directory/console/roster_change.html", context, status=400 if form.errors else 200)


@never_cache
@require_GET
@login_required
def changes(request: HttpRequest) -> HttpResponse:
    """Decisions about the roster: lately, of days to come, and who is away."""
    scope, day = scope_of(request), day_of(now())
    if not scope.may(Permission.ROSTER_MANAGE):
        raise NotYours
    tab = request.GET.get("show", "")
    tab = tab if tab in ("coming", "away") else "lately"
    page = changes_in(scope, day=day, coming=tab == "coming", away=tab == "away", after=whole(request.GET.get("after")))
    here = reverse("directory:roster")
    context = {
        "menu": "roster",
        "page": page,
        "day": day,
        "tab": tab,
        "tabs": [
            ("lately", _("Lately"), here),
            ("coming", _("Days to come"), f"{here}?show=coming"),
            ("away", _("Away now"), f"{here}?show=away"),
        ],
        "next": f"{here}?show={tab}&after={page.after}" if page.after else "",
        "trail": [(_("People"), reverse("directory:people")), (_("Roster changes"), "")],
    }
    return render(request, "directory/console/roster_changes.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def undo(request: HttpRequest, change_id: int) -> HttpResponse:
    """Take a decision back, after a look at what it was."""
    scope, moment = scope_of(request), now()
    change = get_change(scope, change_id)
    refused = ""
    if request.method == "POST":
        try:
            commands.undo_change(by=scope, now=moment, change=change)
        except Refused as no:
            refused = str(no)
        else:
            messages.success(request, _("Taken back. The expected numbers are what they were before."))
            if change.person_id:
                return redirect("directory:person_roster", person_id=change.person_id)
            return redirect("directory:roster")
    context = {
        "menu": "roster",
        "change": change,
        "refused": refused,
        "may_undo": change.undone_at is None and change.kind != ChangeKind.RENAMING,
        "trail": [(_("Roster changes"), reverse("directory:roster")), (_("Take back"), "")],
    }
    return render(request, "directory/console/roster_undo.html", context, status=409 if refused else 200)


def carry_out(form: ChangeForm, command: Callable[[], RosterChange]) -> RosterChange | None:
    """Run a command; what it says against the input stands at the fields of the form."""
    try:
        return command()
    except Invalid as invalid:
        for field, text in invalid.fields.items():
            form.add_error(field if field in form.fields else None, str(text))
    except Refused as no:
        form.add_error(None, str(no))
    return None


def scope_of(request: HttpRequest) -> Scope:
    scope: Scope = request.scope  # type: ignore[attr-defined]
    return scope


def whole(text: str | None) -> int | None:
    """A number of the address; at most nine digits, so that none leaves the range of a database integer."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 9 else None


def _enter(scope: Scope, moment: datetime, person: Person, kind: ChangeKind, given: Mapping[str, Any]) -> RosterChange:
    about: dict[str, Any] = {"by": scope, "now": moment, "person": person, "on": given["on"], "reason": given["reason"]}
    match kind:
        case ChangeKind.TRANSFER:
            return commands.transfer(**about, to=get_managed_node(scope, given["to"]))
        case ChangeKind.RETURN:
            return commands.come_back(**about, to=get_managed_node(scope, given["to"]))
        case ChangeKind.LEAVE:
            return commands.take_leave(**about, until=given["until"])
        case ChangeKind.GRADUATION:
            return commands.graduate(**about)
        case ChangeKind.SENT:
            host = School.objects.get(pk=given["school"])
            return exchanges.send_out(**about, until=given["until"], host=host)
        case _:
            home = School.objects.get(pk=given["school"])
            return exchanges.receive_guest(**about, until=given["until"], home=home, home_number=given["home_number"])


def _person_frame(scope: Scope, person: Person, node: Any, day: date) -> dict[str, Any]:
    return {"menu": "people", "person": person, "node": node}


def _holds(history: History, day: date) -> Any:
    return next((one for one in history.standing if one.since <= day and (one.until is None or one.until >= day)), None)


def _actions(history: History, day: date) -> list[tuple[ChangeKind, str]]:
    """What can be entered for somebody as they stand: who is away returns, all others go."""
    away = _holds(history, day) is None or any(
        c.kind in AWAY and c.undone_at is None and (c.until is None or c.until > day) for c in history.changes
    )
    here = _holds(history, day) is not None
    kinds = [ChangeKind.TRANSFER, ChangeKind.LEAVE] if here else []
    kinds += [ChangeKind.RETURN] if away else []
    kinds += [ChangeKind.GRADUATION, ChangeKind.SENT, ChangeKind.GUEST] if here else []
    return [(kind, icon) for kind, icon in _ICONS.items() if kind in kinds]


_ICONS = {
    ChangeKind.TRANSFER: "exchange",
    ChangeKind.LEAVE: "clock",
    ChangeKind.RETURN: "undo",
    ChangeKind.GRADUATION: "check-circle",
    ChangeKind.SENT: "send",
    ChangeKind.GUEST: "user",
}


def _effects(kind: ChangeKind) -> list[str]:
    """What will happen, in words, before anybody presses the button."""
    counted = _(
        "Boards count it so from that day on, also on days that lie behind us; signed day sheets stay as signed and say"
        " that the roster has changed since."
    )
    return {
        ChangeKind.TRANSFER: [
            _("From that day on the person is expected in the new class or unit."),
            _("A change that is planned for later still happens."),
        ],
        ChangeKind.LEAVE: [
            _("During the leave nothing is expected, and nobody counts the person as missing."),
            _("With a first day back the person returns to the same class by itself."),
        ],
        ChangeKind.RETURN: [_("From that day on the person is expected in this class again.")],
        ChangeKind.GRADUATION: [
            _("From that day on the person belongs nowhere, and no planned change happens any more."),
            _("The record and all reports stay."),
        ],
        ChangeKind.SENT: [
            _("During the exchange the person is expected at the host school and not here."),
            _("The host school enters its guest itself; the province sees when both expect the same person."),
        ],
        ChangeKind.GUEST: [
            _("The person is expected here during the stay only."),
            _("The home school enters the exchange itself; the province sees when both expect the same person."),
        ],
    }[kind] + [counted]
