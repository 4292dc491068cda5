"""The gallery: every component with the markup that makes it. Only where it disturbs nobody: debug and demo."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _

from anxiao.base import clock
from anxiao.ui.charts import Chart, Series, hour_curve


class _ExampleForm(forms.Form):
    name = forms.CharField(max_length=40)
    phone = forms.RegexField(regex=r"^1\d{10}$")
    kind = forms.ChoiceField(widget=forms.RadioSelect)
    remark = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    agreed = forms.BooleanField()

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        words = {
            "name": (_("Full name"), ""),
            "phone": (_("Mobile number"), _("A mainland number stands alone; any other carries its country code.")),
            "kind": (_("Category"), ""),
            "remark": (_("Remark"), ""),
            "agreed": (_("I have checked the figures"), ""),
        }
        for key, (label, help_text) in words.items():
            self.fields[key].label = label
            self.fields[key].help_text = help_text
        self.fields["phone"].error_messages["invalid"] = _("This is not a mobile number: it needs 11 digits.")
        self.fields["kind"].choices = [("student", _("Student")), ("staff", _("Staff member"))]  # type: ignore[attr-defined]


def gallery(request: HttpRequest) -> HttpResponse:
    """Show the components in the console's frame, in the phone's with `?frame=h5`, on the wall with `?frame=wall`."""
    if not (settings.DEBUG or getattr(settings, "ANXIAO_DEMO", False)):
        raise Http404
    if request.method == "POST":  # the examples' buttons: a number is shown, everything else comes back here
        if request.headers.get("HX-Request"):
            return render(request, "ui/parts/phone_shown.html", {"phone": "13900005678"})
        return HttpResponseRedirect(request.get_full_path())
    frame = request.GET.get("frame", "console")
    if frame not in {"console", "h5", "wall"}:
        raise Http404
    morning = [2, 1, 0, 0, 1, 14, 96, 310, 488, 402, 251, 166, 143, 187]
    rest = [62, 24, 18, 12, 9, 11, 7, 5, 3, 1]
    today: list[int | None] = [*morning[:12], *([None] * 12)]
    context = {
        "trail": [(_("Anhui"), "#"), (_("Example University"), "#"), (_("College of Electronics"), "")],
        "day": clock.day_of(clock.now()),
        "stats": [(_("Expected"), 3011), (_("Share reported"), "96.4%"), (_("Activated"), "98.1%")],
        "parts": [(_("Undergraduates"), 2140, "brand"), (_("Postgraduates"), 612, "info"), (_("Staff"), 259, "exempt")],
        "tabs": [("a", _("Missing"), "#", 107), ("b", _("Unwell"), "#", 3), ("c", _("All"), "#")],
        "step_labels": [_("Choose the file"), _("Look at the preview"), _("Apply")],
        "form": _ExampleForm({"name": "", "phone": "12345", "kind": "student"}),
        "rows": [
            (_("Communications, class 1"), 32, 28, 1, 3, 0),
            (_("Communications, class 2"), 30, 30, 0, 0, 1),
            (_("Microelectronics, class 1"), 35, 20, 4, 11, 0),
        ],
        "people": [("张晓雨", "P20180001", "139****5678", "missing"), ("李梓涵", "P20180002", "138****0042", "ill")],
        "effects": [_("107 people get a notice in the app."), _("Nobody is reminded twice within an hour.")],
        "receipt": [
            (_("Receipt number"), "20200215-0340-8F2C"),
            (_("Received"), "2020-02-15 08:14:09"),
            (_("Digest"), "sha256:5b1f…a90c"),
        ],
        "hours": hour_curve(
            "gallery-hours",
            _("Reports per hour"),
            today,
            {_("Yesterday"): [*morning, *rest]},
            today_name=_("Today"),
            deadline_label=_("Deadline 14:00"),
        ),
        "units": Chart(
            key="gallery-units",
            title=_("Reporting by class"),
            labels=[_("Communications, class 1"), _("Communications, class 2"), _("Microelectronics, class 1")],
            series=[
                Series(_("On time"), [28, 30, 20], tone="good", kind="bar", stack="all"),
                Series(_("Late"), [1, 0, 4], tone="late", kind="bar", stack="all"),
                Series(_("Missing"), [3, 0, 11], tone="missing", kind="bar", stack="all"),
            ],
            axis=_("Class"),
            horizontal=True,
        ),
    }
    return render(request, f"ui/gallery_{frame}.html", context)
