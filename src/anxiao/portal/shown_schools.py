"""The words of the list of schools, on the page and in the workbook alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from anxiao.base.clock import SHANGHAI
from anxiao.base.tables.write import SheetPlan, write_workbook
from anxiao.portal.queries.schools import Lack, SchoolLine, Step
from anxiao.ui.templatetags.ui import percent

TONES = {
    Step.REGISTERED: "inactive",
    Step.APPLIED: "waiting",
    Step.APPROVED: "new",
    Step.IMPORTED: "new",
    Step.ACTIVATED: "late",
    Step.REPORTING: "open",
    Step.SIGNING: "good",
}
"""Which state of ``ui`` a step looks like."""


def step_words() -> dict[Step, str]:
    return {
        Step.REGISTERED: _("Not yet applied"),
        Step.APPLIED: _("Application waiting"),
        Step.APPROVED: _("Approved"),
        Step.IMPORTED: _("Directory imported"),
        Step.ACTIVATED: _("Being activated"),
        Step.REPORTING: _("Reporting"),
        Step.SIGNING: _("Signs day sheets"),
    }


def lack_words() -> dict[Lack, str]:
    return {
        Lack.APPLICATION: _("the information form"),
        Lack.DECISION: _("the province's decision"),
        Lack.ADMIN: _("an administrator"),
        Lack.OFFICER: _("an epidemic officer"),
        Lack.DIRECTORY: _("the directory"),
        Lack.ACTIVATION: _("activation: nobody yet"),
        Lack.FIRST_REPORT: _("the first report"),
        Lack.FIRST_SHEET: _("the first day sheet"),
    }


def schools_workbook(lines: Sequence[SchoolLine], moment: datetime) -> bytes:
    """The list as it stands on the page, as an .xlsx file."""
    steps, lacks = step_words(), lack_words()
    header = [
        *(_("School code"), _("School"), _("City"), _("Level"), _("State"), _("People"), _("Code delivered")),
        *(_("Activated"), _("Activation rate"), _("First report"), _("First day sheet"), _("What is missing")),
    ]
    rows = [
        [
            line.code,
            line.name,
            line.city,
            line.level,
            steps[line.step],
            *(str(n) for n in (line.people.people, line.people.delivered, line.people.activated)),
            percent(line.people.activated, line.people.people),
            str(line.people.begun),
            line.first_sheet.isoformat() if line.first_sheet else "",
            " · ".join(lacks[lack] for lack in line.lacks),
        ]
        for line in lines
    ]
    as_of = moment.astimezone(SHANGHAI)
    return write_workbook(
        [
            SheetPlan(
                name=f"{_('Schools')} {as_of:%Y-%m-%d %H%M}",
                header=header,
                rows=rows,
                widths=(14, 30, 10, 8, 14, 10, 10, 10, 10, 10, 12, 40),
            )
        ]
    )
