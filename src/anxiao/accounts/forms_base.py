"""What the forms of this room have in common: they speak as people do."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class PlainForm(forms.Form):
    """Says "Please fill this in." where Django speaks of fields."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.say_plainly()

    def say_plainly(self) -> None:
        """To be called again by a form that adds fields of its own."""
        for field in self.fields.values():
            choosing = isinstance(field, forms.ChoiceField)
            field.error_messages["required"] = _("Please choose.") if choosing else _("Please fill this in.")
