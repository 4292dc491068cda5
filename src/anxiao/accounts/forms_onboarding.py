"""The information form of a school (mission A.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext_lazy as _

from anxiao.accounts.commands.onboarding import Contact
from anxiao.accounts.forms_base import PlainForm
from anxiao.directory.importing.phones import judge_phone
from anxiao.directory.models import School
from anxiao.directory.names import SchoolState

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


_LABELS = {
    "admin": {
        "name": _("Administrator's name"),
        "position": _("Administrator's position"),
        "phone": _("Administrator's mobile number"),
        "office": _("Administrator's office"),
    },
    "officer": {
        "name": _("Officer's name"),
        "position": _("Officer's position"),
        "phone": _("Officer's mobile number"),
        "office": _("Officer's office"),
    },
}


class OnboardingForm(PlainForm):
    """A school of the register, and its two responsible persons with the same four facts each."""

    school = forms.TypedChoiceField(label=_("School"), coerce=int)

    def __init__(self, *args: Any, schools: Sequence[School], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.school_codes = {school.pk: school.code for school in schools}
        cities: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for school in schools:
            cities[school.city].append((school.pk, _with_state(school)))
        self.fields["school"].choices = [("", _("Please choose")), *cities.items()]  # type: ignore[attr-defined]
        for who, labels in _LABELS.items():
            for fact, label in labels.items():
                self.fields[f"{who}_{fact}"] = _field(fact, label)
        self.say_plainly()

    def clean_admin_phone(self) -> str:
        return _mobile(self.cleaned_data["admin_phone"])

    def clean_officer_phone(self) -> str:
        return _mobile(self.cleaned_data["officer_phone"])

    def contact(self, who: str) -> Contact:
        """One of the two persons, as typed."""
        return Contact(
            *(self.cleaned_data[f"{who}_{fact}"].strip() for fact in ("name", "position", "phone", "office"))
        )

    @property
    def admin_fields(self) -> list[BoundField]:
        return [field for field in self if field.name.startswith("admin_")]

    @property
    def officer_fields(self) -> list[BoundField]:
        return [field for field in self if field.name.startswith("officer_")]


def _field(fact: str, label: str | _StrPromise) -> forms.CharField:
    if fact != "phone":
        return forms.CharField(label=label, max_length=100 if fact == "office" else 60)
    return forms.CharField(
        label=label,
        max_length=24,
        help_text=_("A mainland number stands alone; any other carries its country code."),
        widget=forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "off"}),
    )


def _with_state(school: School) -> str:
    if school.state == SchoolState.REGISTERED:
        return school.name
    return f"{school.name} ({SchoolState(school.state).label})"


def _mobile(typed: str) -> str:
    phone, fault = judge_phone(typed)
    if fault is not None:
        raise forms.ValidationError(
            _("This is not a mobile number. Mainland: 11 digits; elsewhere with country code, such as +852-91234567.")
        )
    return phone
