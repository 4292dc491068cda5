"""What people type on the phone: their school and number, or the code from their slip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext_lazy as _

from anxiao.accounts.forms_base import PlainForm
from anxiao.accounts.models import User
from anxiao.accounts.rules import plain, read_code
from anxiao.directory.models import School


class SchoolSignInForm(PlainForm):
    """School, number and password."""

    school = forms.CharField(
        label=_("School"),
        max_length=100,
        widget=forms.TextInput(attrs={"list": "schools", "autocomplete": "organization", "data-school": ""}),
    )
    number = forms.CharField(
        label=_("Student or staff number"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, schools: Sequence[School], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.schools = schools

    def clean_school(self) -> School:
        """The school of a typed name: the whole name or code, or a part of one name only."""
        typed = plain(self.cleaned_data["school"])
        for school in self.schools:
            if typed in (plain(school.name), school.code):
                return school
        similar = [school for school in self.schools if typed in plain(school.name)]
        if len(similar) == 1:
            return similar[0]
        if similar:
            raise forms.ValidationError(_("Several schools have this in their name. Please choose one from the list."))
        raise forms.ValidationError(_("There is no school of this name here. Please choose one from the list."))


class ActivationForm(PlainForm):
    """The code of the slip, and who it is for."""

    code = forms.CharField(
        label=_("Activation code"),
        max_length=40,
        help_text=_("Twelve letters and digits on your slip; scanning the picture fills them in."),
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )
    number = forms.CharField(
        label=_("Student or staff number"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    name = forms.CharField(
        label=_("Name"), max_length=60, widget=forms.TextInput(attrs={"autocomplete": "name", "spellcheck": "false"})
    )

    def clean_code(self) -> tuple[int, str]:
        read = read_code(self.cleaned_data["code"])
        if read is None:
            raise forms.ValidationError(
                _("This is not a complete code: it has twelve letters and digits, without 0, 1, I and O.")
            )
        return read


class NewPasswordForm(PlainForm):
    """A password of one's own, twice."""

    password = forms.CharField(
        label=_("New password"),
        strip=False,
        max_length=200,
        help_text=_("At least 10 characters. A short sentence is easy to remember and hard to guess."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=_("New password, once more"),
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, self.owner)
        return password

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "password" in cleaned and cleaned.get("again") != cleaned["password"]:
            self.add_error("again", _("The two passwords are not the same."))
        return cleaned
