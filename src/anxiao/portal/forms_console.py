"""Forms of the console: excusing somebody, and the answers of a report as a form takes them back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from anxiao.questionnaires.compiled import Compiled
from anxiao.questionnaires.concepts import MEANINGS, from_column
from anxiao.reporting.names import ExemptionReason


class ExemptionForm(forms.Form):
    """Reason and dates; both days are included."""

    reason = forms.ChoiceField(label=_("Reason"), choices=ExemptionReason.choices, widget=forms.RadioSelect)
    first_day = forms.DateField(label=_("First day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    last_day = forms.DateField(
        label=_("Last day, included"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=200,
        help_text=_("For example who allowed it. No diagnosis: this note is seen by everybody who manages exemptions."),
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        first, last = given.get("first_day"), given.get("last_day")
        if isinstance(first, date) and isinstance(last, date) and last < first:
            self.add_error("last_day", _("The last day lies before the first."))
        return given


def answers_of(compiled: Compiled, row: Mapping[str, Any]) -> dict[str, Any]:
    """A stored report as answers to its form, for those who may read it and are about to correct it."""
    extra = row["answers"] or {}
    answers: dict[str, Any] = {}
    for question in compiled.questions.values():
        if question.concept is not None:
            value = from_column(question.concept, row[MEANINGS[question.concept].column])
        else:
            value = extra.get(question.key)
        if value is not None:
            answers[question.key] = value
    return answers
