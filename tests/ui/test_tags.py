"""Small things that are read by thousands every day: shares, figures, masked numbers, links back."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from django import forms
from django.template import Context, Template

from anxiao.ui.icons import ICONS
from anxiao.ui.menu import KNOWN, PHONE_KNOWN
from anxiao.ui.templatetags.ui import STATES, TONE_ICONS, figure, form_errors, local_path, mask, percent, state_bar


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 10, "0%"),
        (1, 3, "33.3%"),
        (2, 3, "66.6%"),
        (9999, 10000, "99.9%"),
        (10, 10, "100%"),
        (1, 0, "–"),
        (None, 5, "–"),
    ],
)
def test_a_hundred_per_cent_means_everybody(part: int | None, whole: int, text: str) -> None:
    assert percent(part, whole) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (12345, "12,345"), (None, "–"), ("96%", "96%"), (2.0, "2"), (36.65, "36.65")]
)
def test_unknown_is_not_zero(number: object, text: str) -> None:
    assert figure(number) == text


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        ("13912345678", "139****5678"),
        ("+86-13912345678", "+86-139****5678"),
        ("+852-98765432", "+852-****5432"),
        ("+853-66123456", "+853-****3456"),
        ("1234", "****"),
        ("", "–"),
        (None, "–"),
    ],
)
def test_a_number_is_masked_in_its_middle(phone: str | None, masked: str) -> None:
    assert mask(phone) == masked


@pytest.mark.parametrize(
    ("referrer", "path"),
    [
        ("https://school.example/console/sheets/?day=1", "/console/sheets/?day=1"),
        ("https://evil.example//evil.example/x", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        (None, "/"),
    ],
)
def test_back_never_leads_to_another_host(referrer: str | None, path: str) -> None:
    assert local_path(referrer) == path


def test_the_parts_of_a_bar_fill_it() -> None:
    def widths(bar: str) -> list[float]:
        return [float(w) for w in re.findall(r'<rect class="[^"]+" x="[0-9.]+%" width="([0-9.]+)%"', bar)]

    assert sum(widths(state_bar(on_time=2863, late=41, missing=107, exempt=18, legend=False))) == pytest.approx(
        100, abs=0.01
    )
    assert widths(state_bar(legend=False)) == []
    assert widths(state_bar(legend=False, live="total")) == [0.0] * 4  # a stream finds them and fills them


def test_what_stands_in_rows_is_escaped() -> None:
    page = Template(
        '{% person name name url=url %}{% masked_phone "139****1234" reveal_url=url name=name %}{% options nodes %}'
    ).render(
        Context(
            {
                "name": '<b>"&',
                "url": '/x?"<',
                "nodes": [SimpleNamespace(pk=1, kind="class", label="<i>")],
                "csrf_token": '"><i>',
            }
        )
    )
    assert "<b>" not in page
    assert "<i>" not in page
    assert 'href="/x?&quot;&lt;"' in page
    assert '<option value="1">&nbsp;&nbsp;&lt;i&gt;</option>' in page


def test_the_address_of_a_row_is_that_of_the_page() -> None:
    page = Template('{{ 12|at:"directory:person" }} {% url "directory:person" 12 %}').render(Context())
    assert len(set(page.split())) == 1


def test_every_named_icon_exists() -> None:
    names = {sign for _tone, sign, _word in STATES.values()} | set(TONE_ICONS.values())
    names |= {name for name, _order in [*KNOWN.values(), *PHONE_KNOWN.values()]}
    assert names <= ICONS.keys()


class _Form(forms.Form):
    name = forms.CharField(label="Name", help_text="As on the card")
    kind = forms.ChoiceField(label="Kind", choices=[("a", "A")], widget=forms.RadioSelect)
    note = forms.CharField(label="Note", required=False)


def test_a_field_ties_its_words_together() -> None:
    form = _Form({"name": "", "kind": "a"})
    page = Template(
        "{{ form.name.as_field_group }}{{ form.note.as_field_group }}{{ form.kind.as_field_group }}"
    ).render(Context({"form": form}))
    assert '<label for="id_name">Name</label>' in page
    assert 'aria-invalid="true"' in page
    assert 'id="id_name_helptext"' in page
    assert 'id="id_name_error"' in page
    assert 'class="ax-field__optional"' in page
    assert "<legend>Kind</legend>" in page


def test_the_summary_names_each_problem_once_and_links_it() -> None:
    problems = form_errors(_Form({"name": "", "kind": ""}))["problems"]
    assert [label for _id, label, _text in problems] == ["Name", "Kind"]
    assert problems[0][0] == "id_name"
    assert form_errors(_Form())["problems"] == ()
    assert form_errors(_Form({"name": "x", "kind": "a"}))["problems"] == ()
