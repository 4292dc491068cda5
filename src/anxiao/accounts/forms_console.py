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
from anxiao.directory.names import Audience, PlaceKind
from anxiao.ui.templatetags.ui import ROLES


def _username() -> forms.CharField:
    return forms.CharField(
        label=_("User name"),
        required=False,
        max_length=40,
        help_text=_("For signing in on a PC, for example zhang.san. Empty: school code and staff number."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )


def _sane(day: date) -> date:
    if not 2020 <= day.year <= 2099:
        raise forms.ValidationError(_("Please choose a day between 2020 and 2099."))
    return day


class GrantForm(PlainForm):
    """A role on a node, from a day to a day."""

    role = forms.ChoiceField(label=_("Role"))
    organisation = forms.TypedChoiceField(label=_("Where"), coerce=int)
    place = forms.TypedChoiceField(
        label=_("Place"),
        coerce=int,
        empty_value=None,
        required=False,
        help_text=_("Dorm managers need their building; doctors may have a clinic, security a gate."),
    )
    valid_from = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    last_day = forms.DateField(
        label=_("Last day"),
        required=False,
        help_text=_("Empty: until somebody ends it."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    username = _username()

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
        self.fields["place"].choices = [("", "–"), *_cells(places)]  # type: ignore[attr-defined]
        if has_account:
            del self.fields["username"]

    def clean_last_day(self) -> date | None:
        last: date | None = self.cleaned_data["last_day"]
        return _sane(last) if last is not None else None

    @property
    def granted(self) -> dict[str, Any]:
        """What the command takes; the last day typed is the last day with the role."""
        last: date | None = self.cleaned_data["last_day"]
        return {
            "role": Role(self.cleaned_data["role"]),
            "valid_from": self.cleaned_data["valid_from"],
            "valid_to": last + timedelta(days=1) if last else None,
        }


class DaysForm(PlainForm):
    """From a day to a last day: how long somebody stands in."""

    valid_from = forms.DateField(
        label=_("First day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    last_day = forms.DateField(label=_("Last day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    username = _username()

    def __init__(self, *args: Any, has_account: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if has_account:
            del self.fields["username"]

    @property
    def granted(self) -> dict[str, Any]:
        """What the command takes; the last day typed is the last day with the role."""
        cleaned = self.cleaned_data
        return {
            "valid_from": cleaned["valid_from"],
            "valid_to": cleaned["last_day"] + timedelta(days=1),
            "username": cleaned.get("username", ""),
        }

    def clean_last_day(self) -> date:
        return _sane(self.cleaned_data["last_day"])


class HandoverForm(PlainForm):
    """To whom, and from which day on."""

    number = forms.CharField(label=_("Number of the successor"), max_length=30)
    on = forms.DateField(
        label=_("From"),
        help_text=_("The first day on which the successor holds the roles."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def clean_number(self) -> str:
        return str(self.cleaned_data["number"]).strip()

    def clean_on(self) -> date:
        return _sane(self.cleaned_data["on"])


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


def _cells(places: Sequence[Place]) -> list[tuple[str, list[tuple[int, str]]]]:
    """Options by kind: campuses, buildings, clinics, gates."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for place in places:
        groups.setdefault(str(PlaceKind(place.kind).label), []).append((place.pk, _place(place)))
    return list(groups.items())


def _place(place: Place) -> str:
    return f"{place.parent.name} {place.name}" if place.parent else place.name
