"""Pages of the day sheets: a school signs its own, the province reads all of them and sends some back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from anxiao.accounts.access import require_recent_proof
from anxiao.base.clock import SHANGHAI, day_of, now
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.scope import Scope
from anxiao.directory.models import Organisation
from anxiao.directory.names import Audience
from anxiao.directory.queries_roster import expected_twice
from anxiao.reporting import shown_sheets as shown
from anxiao.reporting.access_sheets import (
    answers_for_province,
    get_school_node,
    may_send_back,
    may_sign,
    own_school_ids,
)
from anxiao.reporting.commands.campaigns import ensure_rounds
from anxiao.reporting.commands.sheets import check_statements, return_sheet, submit_sheet
from anxiao.reporting.forms import ReturnForm, SheetForm
from anxiao.reporting.models import Round
from anxiao.reporting.queries import sheets as queries
from anxiao.reporting.queries.expected import RosterSince, roster_since
from anxiao.reporting.rules_sheets import SheetFigures, Standing, is_owed, may_return, may_submit

DRAFT = "sheet_draft"
"""Session key of what an officer typed: it must survive the way through the password page."""

_EARLIEST = date(2020, 1, 1)
"""No sheet is older than the notice; a day before it must not lead over the edge of the calendar."""

ORDER = (Standing.MISSING, Standing.RETURNED, Standing.LATE, Standing.WAITING, Standing.ON_TIME)
"""The province's list begins with what needs somebody."""


@login_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Leads to the list of all schools, or to one's own sheet."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    if answers_for_province(scope):
        return redirect("reporting:province")
    schools = own_school_ids(scope)
    if not schools:
        raise NotYours
    return redirect("reporting:sheet", school_id=schools[0])


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def sheet(request: HttpRequest, school_id: int) -> HttpResponse:
    """One school's sheet of a day: the live draft, the statements, the signature, and every version."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    node = get_school_node(scope, school_id)
    day, moment = _day(request), now()
    round = _round(day, moment)
    if round is None:
        return _page(request, node, day, {"round": None})
    if request.method == "POST":
        return _sign(request, node, round, moment)
    kept = _kept(request, node, round)
    return _sheet_page(request, node, round, moment, form=SheetForm(initial=kept), kept=bool(kept))


@login_required
@require_POST
def send_back(request: HttpRequest, school_id: int) -> HttpResponse:
    """The province returns a sheet with its reason."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    node = get_school_node(scope, school_id)
    day, moment = _day(request), now()
    round = _round(day, moment)
    if round is None or not may_send_back(scope, node):
        raise NotYours
    form = ReturnForm(request.POST)
    if form.is_valid():
        try:
            return_sheet(by=scope, now=moment, round=round, school_id=school_id, **form.cleaned_data)
        except Invalid as invalid:
            _complain(form, invalid)
        except Refused as no:
            messages.warning(request, str(no))
            return HttpResponseRedirect(_at("reporting:sheet", day, school_id))
        else:
            messages.success(request, _("The sheet was returned. The school sees your reason and signs again."))
            return HttpResponseRedirect(_at("reporting:sheet", day, school_id))
    return _sheet_page(request, node, round, moment, form=SheetForm(), return_form=form)


@login_required
@require_GET
def history(request: HttpRequest, school_id: int) -> HttpResponse:
    """A school's own sheets of the last fourteen days."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    node = get_school_node(scope, school_id)
    day, moment = _day(request), now()
    round = _round(day, moment)
    school = next((s for s in queries.schools_in_use(scope) if s.id == school_id), None)
    days = queries.history(scope, school=school, round=round, now=moment) if round and school else []
    return _page(request, node, day, {"round": round, "days": days, "tab": "history"}, "reporting/console/history.html")


@login_required
@require_GET
def province(request: HttpRequest) -> HttpResponse:
    """All schools of the day: who has signed, who is late, missing or sent back."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    if not answers_for_province(scope):
        raise NotYours
    day, moment = _day(request), now()
    round = _round(day, moment)
    whole = queries.province_sheets(scope, round=round, now=moment) if round else queries.ProvinceSheets()
    wanted, city = request.GET.get("state", ""), request.GET.get("city", "")
    rows = [
        row
        for row in whole.rows
        if (not wanted or row.sheet.standing == wanted) and (not city or row.school.city == city)
    ]
    rows.sort(key=lambda row: ORDER.index(row.sheet.standing))

    def filtered(state: str) -> str:
        return "?" + urlencode({k: v for k, v in (("day", day.isoformat()), ("state", state), ("city", city)) if v})

    counts = whole.counts
    return render(
        request,
        "reporting/console/province.html",
        {
            **_frame(day, "province"),
            "round": round,
            "whole": whole,
            "twice": expected_twice(scope, day=day),
            "rows": rows,
            "wanted": wanted,
            "city": city,
            "counts": {state.value: counts.get(state, 0) for state in Standing},
            "links": {state.value: filtered(state.value) for state in Standing} | {"all": filtered("")},
            "owed": round is not None and is_owed(round.sheets_due_at, moment),
            "at": moment.astimezone(SHANGHAI),
            "states": [
                ("", _("All schools"), filtered(""), len(whole.rows)),
                *(
                    (state.value, _standing_words()[state], filtered(state.value), counts.get(state, 0))
                    for state in ORDER
                    if counts.get(state, 0) or state.value == wanted
                ),
            ],
        },
    )


@login_required
@require_GET
def comparison(request: HttpRequest) -> HttpResponse:
    """Totals of the signed sheets beside the live figures, and the schools in which they differ."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    if not answers_for_province(scope):
        raise NotYours
    day, moment = _day(request), now()
    round = _round(day, moment)
    whole = queries.province_sheets(scope, round=round, now=moment) if round else queries.ProvinceSheets()
    return render(
        request,
        "reporting/console/comparison.html",
        {
            **_frame(day, "comparison"),
            "round": round,
            "whole": whole,
            "signed_schools": sum(row.standing_version is not None for row in whole.rows),
            "totals": shown.totals(whole),
            "differences": shown.differences(whole),
            "at": moment.astimezone(SHANGHAI),
        },
    )


# -- pieces -----------------------------------------------------------------------------------------------------------


def _sign(request: HttpRequest, node: Organisation, round: Round, moment: datetime) -> HttpResponse:
    scope: Scope = request.scope  # type: ignore[attr-defined]
    if not may_sign(scope, node):
        raise NotYours
    form = SheetForm(request.POST)
    _keep(request, node, round, form)
    if not form.is_valid():
        return _sheet_page(request, node, round, moment, form=form)
    statements, note = form.statements, form.cleaned_data["note"]
    try:
        # what is wrong is said before the password is asked for; the command judges again at its own moment
        check_statements(statements, queries.live_figures(scope, node=node, round=round), note)
        require_recent_proof(request)
        submit_sheet(by=scope, now=moment, round=round, school_id=node.school_id, statements=statements, note=note)
    except Invalid as invalid:
        _complain(form, invalid)
        return _sheet_page(request, node, round, moment, form=form)
    except Refused as no:
        messages.warning(request, str(no))
    else:
        request.session.pop(DRAFT, None)
        messages.success(request, _("The sheet is signed and has reached the province."))
    return HttpResponseRedirect(_at("reporting:sheet", round.day, node.school_id))


def _sheet_page(
    request: HttpRequest,
    node: Organisation,
    round: Round,
    moment: datetime,
    *,
    form: SheetForm,
    return_form: ReturnForm | None = None,
    kept: bool = False,
) -> HttpResponse:
    scope: Scope = request.scope  # type: ignore[attr-defined]
    live = queries.live_figures(scope, node=node, round=round)
    found = queries.sheet_of(scope, school_id=node.school_id, round=round, now=moment)
    signing = may_sign(scope, node) and may_submit(found.state) and moment >= round.opens_at
    returning = may_send_back(scope, node) and may_return(found.state)
    if returning and return_form is None and found.current is not None:
        return_form = ReturnForm(initial={"number": found.current.number})
    return _page(
        request,
        node,
        round.day,
        {
            "round": round,
            "sheet": found,
            "live": live,
            "at": moment.astimezone(SHANGHAI),
            # the people's deadline: who has not answered by then is missing in the sheet, whenever it is signed
            "over": moment >= round.deadline_at,
            "signing": signing,
            "form": form,
            "statements": form.rows(live),
            "kept": kept and signing,
            "return_form": return_form if returning else None,
            "draft": shown.draft(live),
            "audiences": shown.audiences(),
            "regions": shown.regions(live),
            "compared": shown.versions(found, live) if found.versions else [],
            "stated": shown.stated(found.current.statements) if found.current else [],
            "changed": found.current is not None and _moved(found.current.figures, live),
            "roster_since": _roster_since(scope, node, round, found, moment),
        },
        status=400 if form.errors or (return_form is not None and return_form.errors) else 200,
    )


def _roster_since(
    scope: Scope, node: Organisation, round: Round, found: queries.Sheet, moment: datetime
) -> RosterSince | None:
    """What became known of the day's roster after the counting version was signed; None when nothing was signed."""
    if found.current is None:
        return None
    return roster_since(
        scope,
        school_id=node.school_id,
        day=round.day,
        audiences=[int(a) for a in Audience],
        since=found.current.signed_at,
        now=moment,
    )


def _moved(signed: SheetFigures, live: SheetFigures) -> bool:
    return signed.total != live.total or signed.total_facts != live.total_facts


def _page(
    request: HttpRequest,
    node: Organisation,
    day: date,
    context: Mapping[str, Any],
    template: str = "reporting/console/sheet.html",
    status: int = 200,
) -> HttpResponse:
    scope: Scope = request.scope  # type: ignore[attr-defined]
    above = answers_for_province(scope)
    days = {"day": day.isoformat()}
    trail = [(_("Day sheets"), f"{reverse('reporting:province')}?{urlencode(days)}")] if above else []
    return render(
        request,
        template,
        {
            **_frame(day, "sheet"),
            "node": node,
            "above": above,
            "trail": [*trail, (node.name, "")],
            "tabs": [
                ("sheet", _("Day sheet"), _at("reporting:sheet", day, node.school_id)),
                ("history", _("Last 14 days"), _at("reporting:history", day, node.school_id)),
            ],
            **context,
        },
        status=status,
    )


def _frame(day: date, tab: str) -> dict[str, Any]:
    today = day_of(now())
    days = urlencode({"day": day.isoformat()})
    return {
        "menu": "sheets",
        "tab": tab,
        "day": day,
        "previous": f"?day={day - timedelta(days=1)}",
        "next": f"?day={day + timedelta(days=1)}" if day < today else "",
        "tabs": [
            ("province", _("All schools"), f"{reverse('reporting:province')}?{days}"),
            ("comparison", _("Sheets and live figures"), f"{reverse('reporting:comparison')}?{days}"),
        ],
    }


def _standing_words() -> dict[Standing, str]:
    return {
        Standing.MISSING: _("Missing"),
        Standing.RETURNED: _("Returned"),
        Standing.LATE: _("Late"),
        Standing.WAITING: _("Not signed yet"),
        Standing.ON_TIME: _("On time"),
    }


def _day(request: HttpRequest) -> date:
    """The day asked for; today when none is, when it is not a day, or when it has not come yet."""
    today = day_of(now())
    try:
        return max(_EARLIEST, min(date.fromisoformat(request.GET.get("day", "")), today))
    except ValueError:
        return today


def _round(day: date, moment: datetime) -> Round | None:
    # today's round may not have been needed by anybody yet; one of the past either was or never will be
    if day == day_of(moment):
        ensure_rounds(day=day)
    return queries.round_on(day)


def _at(name: str, day: date, school_id: int) -> str:
    return f"{reverse(name, args=[school_id])}?{urlencode({'day': day.isoformat()})}"


def _complain(form: SheetForm | ReturnForm, invalid: Invalid) -> None:
    for name, message in invalid.fields.items():
        form.add_error(name if name in form.fields else None, str(message))


def _draft_key(node: Organisation, round: Round) -> str:
    # by day, not by id: a round that this very request made is undone when the password is asked for
    return f"{node.school_id}/{round.day}"


def _keep(request: HttpRequest, node: Organisation, round: Round, form: SheetForm) -> None:
    typed = {name: request.POST[name][:2000] for name in form.fields if name in request.POST}
    request.session[DRAFT] = {"sheet": _draft_key(node, round), "typed": typed}


def _kept(request: HttpRequest, node: Organisation, round: Round) -> dict[str, str]:
    draft = request.session.get(DRAFT) or {}
    return dict(draft.get("typed", {})) if draft.get("sheet") == _draft_key(node, round) else {}
