"""What is typed into the pages of the roster: a day, a reason, and where to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from anxiao.directory.commands_roster import LONGEST_REASON
from anxiao.directory.models import Organisation, School
from anxiao.directory.names_roster import ChangeKind

MOVING = (ChangeKind.TRANSFER, ChangeKind.RETURN)
BOUNDED = (ChangeKind.LEAVE, ChangeKind.SENT, ChangeKind.GUEST)
ABROAD = (ChangeKind.SENT, ChangeKind.GUEST)


def _day(label: Any, *, required: bool = True, help_text: Any = "") -> forms.DateField:
    return forms.DateField(
        label=label,
        required=required,
        help_text=help_text,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )


class ChangeForm(forms.Form):
    """The day from which a change holds, and why."""

    on = _day(_("From which day"), help_text=_("This day included; a day that lies behind or ahead of us is fine."))
    reason = forms.CharField(
        label=_("Reason"),
        max_length=LONGEST_REASON,
        help_text=_("For example the number of the decision. Whoever manages the roster reads it."),
    )


class PersonForm(ChangeForm):
    """A change of one person's place; which fields there are depends on the kind."""

    def __init__(
        self,
        kind: ChangeKind,
        *args: Any,
        targets: Sequence[Organisation] = (),
        schools: Sequence[School] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        own: dict[str, forms.Field] = {}
        if kind in MOVING:
            own["to"] = forms.TypedChoiceField(label=_("To which class or unit"), choices=_grouped(targets), coerce=int)
        if kind in ABROAD:
            label = _("Host school") if kind is ChangeKind.SENT else _("Home school")
            choices = [("", _("Please choose")), *((s.pk, s.name) for s in schools)]
            own["school"] = forms.TypedChoiceField(label=label, choices=choices, coerce=int)
        if kind is ChangeKind.GUEST:
            own["home_number"] = forms.CharField(label=_("Number at the home school"), max_length=30)
        if kind in BOUNDED:
            label = _("First day after the stay") if kind is ChangeKind.GUEST else _("First day back")
            own["until"] = _day(label, required=False, help_text=_("Leave it empty when it is not known yet."))
        names = [
            *(n for n in ("to", "school", "home_number") if n in own),
            "on",
            *(["until"] if "until" in own else []),
        ]
        self.fields.update(own)
        self.order_fields([*names, "reason"])


class MergeForm(ChangeForm):
    """Into which college, from which day."""

    def __init__(self, *args: Any, targets: Sequence[Organisation] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", _("Please choose")), *((node.pk, node.name) for node in targets)]
        self.fields["into"] = forms.TypedChoiceField(label=_("Into which one"), choices=choices, coerce=int)
        self.order_fields(["into", "on", "reason"])


class RenameForm(ChangeForm):
    """The new name, and the grade of a class."""

    name = forms.CharField(label=_("New name"), max_length=100)
    grade = forms.CharField(label=_("Grade"), max_length=10, required=False)

    def __init__(self, *args: Any, is_class: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_class:
            del self.fields["grade"]
        self.order_fields(["grade", "name", "on", "reason"])


def _grouped(targets: Sequence[Organisation]) -> list[tuple[Any, Any]]:
    """Choices by college: a school has hundreds of classes."""
    choices: list[tuple[Any, Any]] = [("", _("Please choose"))]
    for parent, nodes in groupby(targets, key=lambda node: node.parent.name if node.parent else ""):
        choices.append((parent, [(node.pk, node.label) for node in nodes]))
    return choices


def initial(day: date) -> dict[str, Any]:
    """What stands in a fresh form."""
    return {"on": day}
