"""What somebody types on the phone to correct their own facts."""

from __future__ import annotations

from collections.abc import Iterable

from django import forms
from django.utils.translation import gettext_lazy as _

from anxiao.directory.names import Sex
from anxiao.directory.names_people import ProfileField


class ContactForm(forms.Form):
    """Corrected at once; the rules are the command's."""

    phone = forms.CharField(
        label=_("Phone"),
        max_length=60,
        widget=forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "tel"}),
        help_text=_("11 digits; a number from elsewhere with its country code, for example +852-91234567."),
    )
    sex = forms.ChoiceField(label=_("Sex"), choices=Sex.choices, widget=forms.RadioSelect)


class WishForm(forms.Form):
    """One fact that somebody else confirms, and why."""

    wanted = forms.CharField(max_length=100)
    reason = forms.CharField(
        label=_("Why?"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("For example: wrong character, changed by the registry office, moved to this class."),
    )

    def __init__(
        self, *args: object, field: ProfileField, choices: Iterable[tuple[str, str]] = (), **kw: object
    ) -> None:
        super().__init__(*args, **kw)  # type: ignore[arg-type]
        label = {
            ProfileField.NAME: _("Name, as it shall be"),
            ProfileField.NUMBER: _("Number, as it shall be"),
            ProfileField.CATEGORY: _("Category, as it shall be"),
            ProfileField.CLASS: _("Class or unit, as it shall be"),
        }[field]
        if field in (ProfileField.CATEGORY, ProfileField.CLASS):
            self.fields["wanted"] = forms.CharField(
                label=label, widget=forms.Select(choices=[("", _("Please choose")), *choices])
            )
        else:
            self.fields["wanted"] = forms.CharField(
                label=label, max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"})
            )
        self.order_fields(["wanted", "reason"])


class CollegeForm(forms.Form):
    """Among whose classes somebody looks; sent by address, so that it can be gone back from."""

    college = forms.ChoiceField(label=_("College"))

    def __init__(self, *, colleges: Iterable[tuple[int, str]], chosen: int | None) -> None:
        super().__init__(initial={"college": chosen})
        self.fields["college"] = forms.ChoiceField(label=_("College"), choices=list(colleges))
