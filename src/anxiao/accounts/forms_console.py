"""What is typed in the settings: a role for somebody, a category, a reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from anxiao.accounts.forms_base import PlainForm
from anxiao.accounts.rules import ROLE_NODES
from anxiao.base.permissions import Role
from anxiao.directory.models import Organisation, Place
from anxiao.directory.names import Audience
from anxiao.ui.templatetags.ui import ROLES


class GrantForm(PlainForm):
    """A role on a node, from a day to a day."""

    role = forms.ChoiceField(label=_("Role"))
    organisation = forms.TypedChoiceField(label=_("Where"), coerce=int)
    place = forms.TypedChoiceField(
        label=_("Building"), coerce=int, empty_value=None, required=False, help_text=_("Only for dorm managers.")
    )
    valid_from = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    last_day = forms.DateField(
        label=_("Last day"),
        required=False,
        help_text=_("Empty: until somebody ends it."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    username = forms.CharField(
        label=_("User name"),
        required=False,
        max_length=40,
        help_text=_("For signing in on a PC, for example zhang.san. Empty: school code and staff number."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )

    def __init__(
        self,
        *args: Any,
        nodes: Sequence[Organisation],
        places: Sequence[Place],
        has_account: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [("", _("Please choose")), *((r.value, ROLES[r]) for r in ROLE_NODES)]  # type: ignore[attr-defined]
        self.fields["organisation"].choices = [("", _("Please choose")), *_grouped(nodes)]  # type: ignore[attr-defined]
        self.fields["place"].choices = [("", "–"), *((p.pk, _place(p)) for p in places)]  # type: ignore[attr-defined]
        if has_account:
            del self.fields["username"]

    def clean_last_day(self) -> date | None:
        last: date | None = self.cleaned_data["last_day"]
        if last is not None and last.year > 2099:
            raise forms.ValidationError(_("Please choose a day between 2020 and 2099."))
        return last

    @property
    def granted(self) -> dict[str, Any]:
        """What the command takes; the last day typed is the last day with the role."""
        last: date | None = self.cleaned_data["last_day"]
        return {
            "role": Role(self.cleaned_data["role"]),
            "valid_from": self.cleaned_data["valid_from"],
            "valid_to": last + timedelta(days=1) if last else None,
        }


class CategoryForm(PlainForm):
    """A new kind of staff or student."""

    audience = forms.TypedChoiceField(label=_("For"), choices=Audience.choices, coerce=lambda v: Audience(int(v)))
    name = forms.CharField(label=_("Name of the category"), max_length=30)


def _grouped(nodes: Sequence[Organisation]) -> list[tuple[str, list[tuple[int, str]]]]:
    """Options by college, so that 500 classes can be found; ``nodes`` come sorted from outside in."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for node in nodes:
        head = node.parent.name if node.kind == "class" and node.parent else str(_("School, colleges and departments"))
        groups.setdefault(head, []).append((node.pk, node.label))
    return list(groups.items())


def _place(place: Place) -> str:
    return f"{place.parent.name} {place.name}" if place.parent else place.name
