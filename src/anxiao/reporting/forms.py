"""What is typed into the pages of day sheets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from anxiao.reporting.commands.sheets import LONGEST_NOTE, LONGEST_REASON
from anxiao.reporting.names import ZeroCategory
from anxiao.reporting.rules_sheets import SheetFigures

ZERO, NUMBER = "zero", "number"


@dataclass(frozen=True, slots=True)
class Statement:
    """A category as it stands in the form, beside the number that the reports give."""

    label: Any
    live: int
    choice: forms.BoundField
    number: forms.BoundField

    @property
    def problems(self) -> list[str]:
        return [str(e) for e in (*self.choice.errors, *self.number.errors)]


class SheetForm(forms.Form):
    """A word for each category of zero reporting, and a note.  Nothing is filled in beforehand: it is stated."""

    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Needed when you state another number than the reports give."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for category in ZeroCategory:
            self.fields[category.value] = forms.ChoiceField(
                label=category.label,
                required=False,
                choices=[(ZERO, _("None – zero report")), (NUMBER, _("Number of people"))],
                widget=forms.RadioSelect,
            )
            self.fields[_number(category)] = forms.IntegerField(
                label=_("%(category)s: number of people") % {"category": category.label},
                required=False,
                min_value=0,
                max_value=10_000_000,
                widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for category in ZeroCategory:
            if cleaned.get(category.value) == ZERO and cleaned.get(_number(category)):
                self.add_error(category.value, _("Zero and a number contradict each other. Please keep one of them."))
        return cleaned

    @property
    def statements(self) -> dict[str, int | None]:
        """What is stated; a category without a word stays ``None``.  A typed number speaks for itself."""
        found: dict[str, int | None] = {}
        for category in ZeroCategory:
            zero = self.cleaned_data.get(category.value) == ZERO
            found[category.value] = 0 if zero else self.cleaned_data.get(_number(category))
        return found

    def rows(self, figures: SheetFigures) -> list[Statement]:
        return [
            Statement(
                label=category.label,
                live=figures.of(category),
                choice=self[category.value],
                number=self[_number(category)],
            )
            for category in ZeroCategory
        ]


class ReturnForm(forms.Form):
    """Why a sheet goes back, and which version was looked at."""

    number = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("The school reads this word for word."),
        error_messages={"required": gettext_lazy("Please say what is wrong, so that the school can put it right.")},
    )


def _number(category: ZeroCategory) -> str:
    return f"{category.value}_number"
