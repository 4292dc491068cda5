"""The forms of the import: which file, and what its unknown columns are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from anxiao.directory.importing.faults import listed
from anxiao.directory.models import School
from anxiao.directory.names import ImportTemplate

_CHANGES, _FULL = "changes", "full"


class UploadForm(forms.Form):
    """Which list, for which school (asked only of those who answer for several), and the file."""

    school = forms.ChoiceField(label=_("School"))
    kind = forms.TypedChoiceField(
        label=_("Which list is it?"),
        coerce=ImportTemplate,
        widget=forms.RadioSelect,
        help_text=_("Staff first: counsellors of a class must be on the staff list."),
    )
    full_list = forms.TypedChoiceField(
        label=_("What does the file hold?"),
        coerce=lambda value: value == _FULL,
        choices=[
            (_CHANGES, _("Additions and changes: whoever is not in the file stays as they are")),
            (_FULL, _("The full list: I also want to see who is no longer in it")),
        ],
        initial=_CHANGES,
        widget=forms.RadioSelect,
        help_text=_("Nobody is taken off a list without your choice, person by person if you wish."),
    )
    file = forms.FileField(
        label=_("File"),
        max_length=200,
        widget=forms.FileInput(attrs={"accept": ".xlsx,.xls,.csv,.txt", "data-drop": ""}),
        error_messages={"empty": _("The file is empty.")},
    )

    def __init__(
        self,
        *args: Any,
        schools: Sequence[School],
        kinds: Sequence[ImportTemplate],
        largest: int,
        rows: int,
        **kwargs: Any,
    ) -> None:
        """``largest``: bytes of the largest file that is taken; ``rows``: the most rows."""
        super().__init__(*args, **kwargs)
        field = self.fields["school"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(school.pk, school.name) for school in schools]
        if len(schools) == 1:
            # One school is not a question: whatever is posted, it is this one.
            field.widget = forms.HiddenInput()
            field.required = False
        kind = self.fields["kind"]
        assert isinstance(kind, forms.TypedChoiceField)
        kind.choices = [(one.value, one.label) for one in kinds]
        self.schools = schools
        self.largest = largest
        file = self.fields["file"]
        megabytes = largest // 1024 // 1024
        file.widget.attrs["data-largest"] = str(largest)
        file.widget.attrs["data-too-large"] = gettext("This file is larger than %(size)s MB.") % {"size": megabytes}
        file.help_text = gettext(
            "Drag the file here or choose it. Excel (.xlsx, .xls) or CSV, at most %(size)s MB and %(rows)s rows."
            " Nothing is changed before you have seen what would happen."
        ) % {"size": megabytes, "rows": f"{rows:,}"}

    def clean_school(self) -> School:
        """The chosen school, or the only one there is to choose."""
        chosen = self.cleaned_data["school"] or str(self.schools[0].pk)
        return next(school for school in self.schools if str(school.pk) == chosen)

    def clean_file(self) -> Any:
        """The file, unless it is too large to be kept."""
        file = self.cleaned_data["file"]
        if file.size > self.largest:
            raise forms.ValidationError(
                gettext("This file is larger than %(size)s MB.") % {"size": self.largest // 1024 // 1024}
            )
        return file


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file whose header is not known."""

    key: str
    header: str
    letter: str
    guess: str
    samples: tuple[str, ...]


class MappingForm(forms.Form):
    """One question per unknown column; each field of the list at most once, the necessary ones exactly once.

    ``choices``: (value, header) of the fields which no column has yet; ``needed``: values that must be answered.
    """

    def __init__(
        self, *args: Any, columns: Iterable[Column], choices: Mapping[str, str], needed: Iterable[str], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.columns = list(columns)
        self.headers = dict(choices)
        self.needed = [value for value in needed if value in self.headers]
        offered = [("", pgettext_lazy("a column of the file", "not read")), *self.headers.items()]
        for at, column in enumerate(self.columns):
            self.fields[f"c{at}"] = forms.ChoiceField(
                label=gettext("Column %(letter)s, “%(header)s”") % {"letter": column.letter, "header": column.header},
                choices=offered,
                required=False,
                initial=column.guess if column.guess in self.headers else "",
            )

    @property
    def rows(self) -> list[tuple[Column, forms.BoundField]]:
        """Each column with its question."""
        return [(column, self[f"c{at}"]) for at, column in enumerate(self.columns)]

    @property
    def mapping(self) -> dict[str, str]:
        """What was said: header key -> field, "" for a column that is not read."""
        return {column.key: self.cleaned_data[f"c{at}"] for at, column in enumerate(self.columns)}

    def clean(self) -> dict[str, Any]:
        """Two columns cannot be the same field, and the necessary fields need a column."""
        said = [value for value in self.cleaned_data.values() if value]
        twice = sorted({value for value in said if said.count(value) > 1})
        if twice:
            raise forms.ValidationError(
                gettext("Chosen more than once: %(fields)s.") % {"fields": listed(self.headers[one] for one in twice)}
            )
        absent = [self.headers[value] for value in self.needed if value not in said]
        if absent:
            raise forms.ValidationError(
                gettext("Say which column holds: %(fields)s. If the file has none, add it and upload again.")
                % {"fields": listed(absent)}
            )
        return self.cleaned_data
