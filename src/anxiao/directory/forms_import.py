"""The upload form of the import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from anxiao.directory.models import School
from anxiao.directory.names import Audience


class UploadForm(forms.Form):
    """Which list, for which school (asked only of those who answer for several), and the file."""

    school = forms.ChoiceField(label=_("School"))
    kind = forms.TypedChoiceField(
        label=_("Which list is it?"),
        coerce=lambda value: Audience(int(value)),
        choices=[(Audience.STAFF.value, _("Staff")), (Audience.STUDENT.value, _("Students"))],
        widget=forms.RadioSelect,
        help_text=_("Staff first: counsellors of a class must be on the staff list."),
    )
    file = forms.FileField(
        label=_("File"),
        max_length=200,
        help_text=_(
            "Excel workbook (.xlsx) or CSV, at most 20 MB. Nothing is changed before you have seen what would happen."
        ),
        widget=forms.FileInput(attrs={"accept": ".xlsx,.csv"}),
        error_messages={"empty": _("The file is empty.")},
    )

    def __init__(self, *args: Any, schools: Sequence[School], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["school"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(school.pk, school.name) for school in schools]
        if len(schools) == 1:
            # One school is not a question: whatever is posted, it is this one.
            field.widget = forms.HiddenInput()
            field.required = False
        self.schools = schools

    def clean_school(self) -> School:
        """The chosen school, or the only one there is to choose."""
        chosen = self.cleaned_data["school"] or str(self.schools[0].pk)
        return next(school for school in self.schools if str(school.pk) == chosen)
