"""Pages of the tree: colleges that merge, nodes that are renamed, classes that graduate."""

from __future__ import annotations

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
from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission
from anxiao.directory.access_roster import get_managed_node
from anxiao.directory.commands_roster import graduate_class
from anxiao.directory.commands_tree import MERGEABLE, RENAMEABLE, merge, rename
from anxiao.directory.forms_roster import ChangeForm, MergeForm, RenameForm, initial
from anxiao.directory.models import Organisation
from anxiao.directory.names import OrganisationKind
from anxiao.directory.queries_tree import Beneath, beneath_of, open_nodes, units_of
from anxiao.directory.views_roster import carry_out, scope_of, whole

ACTS = ("rename", "merge", "graduate")


@never_cache
@require_GET
@login_required
def tree(request: HttpRequest) -> HttpResponse:
    """The colleges and departments that one answers for, or the classes of one of them."""
    scope, day = scope_of(request), day_of(now())
    if not scope.may(Permission.ROSTER_MANAGE):
        raise NotYours
    node = None
    if (node_id := whole(request.GET.get("node"))) is not None:
        node = get_managed_node(scope, node_id)
    rows = units_of(scope, node, day)
    context = {
        "menu": "roster",
        "node": node,
        "rows": [(row, _acts_on(row.node)) for row in rows],
        "trail": [
            (_("Roster changes"), reverse("directory:roster")),
            (_("Colleges and classes"), reverse("directory:tree") if node else ""),
            *([(node.label, "")] if node else []),
        ],
    }
    return render(request, "directory/console/roster_tree.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def node_change(request: HttpRequest, node_id: int, act: str) -> HttpResponse:
    """Rename a node, merge a college into another, let a class graduate."""
    scope, moment = scope_of(request), now()
    day = day_of(moment)
    node = get_managed_node(scope, node_id)
    if act not in ACTS or act not in [a for a, _label, _icon in _acts_on(node)]:
        raise NotYours
    data = request.POST or None
    form: ChangeForm
    if act == "merge":
        beside = [n for n in open_nodes(scope, node.school_id, [node.kind]) if n.pk != node.pk]
        form = MergeForm(data, initial=initial(day), targets=beside)
    elif act == "rename":
        is_class = node.kind == OrganisationKind.CLASS
        form = RenameForm(data, initial={**initial(day), "name": node.name, "grade": node.grade}, is_class=is_class)
    else:
        form = ChangeForm(data, initial=initial(day))
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        about: dict[str, Any] = {"by": scope, "now": moment, "node": node, "on": given["on"], "reason": given["reason"]}
        made = carry_out(
            form,
            lambda: (
                merge(**about, into=get_managed_node(scope, given["into"]))
                if act == "merge"
                else rename(**about, name=given["name"], grade=given.get("grade"))
                if act == "rename"
                else graduate_class(**about)
            ),
        )
        if made is not None:
            messages.success(request, _("Entered. It holds from that day on."))
            return redirect("directory:roster")
    counted = beneath_of(scope, node, day)
    context = {
        "menu": "roster",
        "node": node,
        "act": act,
        "title": _title(act),
        "submit": _title(act),
        "form": form,
        "counted": counted,
        "effects": _effects(act, counted),
        "trail": [
            (_("Roster changes"), reverse("directory:roster")),
            (_("Colleges and classes"), _tree_url(node)),
            (node.label, ""),
        ],
        "back": _tree_url(node),
    }
    return render(request, "directory/console/roster_node.html", context, status=400 if form.errors else 200)


def _tree_url(node: Organisation) -> str:
    here = reverse("directory:tree")
    return f"{here}?node={node.parent_id}" if node.kind == OrganisationKind.CLASS else here


def _acts_on(node: Organisation) -> list[tuple[str, str, str]]:
    if node.closed_on is not None:
        return []
    acts = [("rename", _("Rename"), "edit")] if node.kind in RENAMEABLE else []
    if node.kind in MERGEABLE:
        acts.append(("merge", _("Merge"), "exchange"))
    if node.kind == OrganisationKind.CLASS:
        acts.append(("graduate", _("Graduate"), "check-circle"))
    return acts


def _title(act: str) -> str:
    return {"rename": _("Rename"), "merge": _("Merge into another one"), "graduate": _("Let the class graduate")}[act]


def _effects(act: str, counted: Beneath) -> list[str]:
    if act == "rename":
        return [
            _("Days before keep the former name; the new one is shown from that day on."),
            _("Nobody moves, and no number changes."),
        ]
    people = _("%(people)s people are concerned as of today.") % {"people": counted.people}
    if act == "graduate":
        return [
            people,
            _("From that day on its students belong nowhere, and the class closes."),
            _("The records and all reports stay."),
        ]
    return [
        people,
        _("%(classes)s classes go over under their names, with their counsellors and whoever holds a role on them.")
        % {"classes": counted.classes},
        _("Days before stay counted where they were; from that day on this node is closed."),
        _("Roles on the node itself are not carried over: give them anew where they are needed."),
    ]
