"""The wall in words and numbers as they are shown, so that page, poll and stream cannot format them differently."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from anxiao.base.clock import SHANGHAI
from anxiao.portal.queries.wall import Wall
from anxiao.reporting.rules_sheets import Standing
from anxiao.ui.charts import Chart, hour_curve
from anxiao.ui.templatetags.ui import figure, percent


def payload(wall: Wall) -> dict[str, Any]:
    """Everything that moves on the screen, as plain JSON."""
    total, sheets = wall.total, wall.sheets
    signed = sheets.get(Standing.ON_TIME, 0) + sheets.get(Standing.LATE, 0)
    return {
        "day": wall.day.isoformat(),
        "at": f"{wall.at.astimezone(SHANGHAI):%H:%M:%S}",
        "texts": {
            "share": percent(total.reported, total.expected),
            "reported": figure(total.reported),
            "expected": figure(total.expected),
            "on_time": figure(total.on_time),
            "late": figure(total.late),
            "missing": figure(total.missing),
            "unwell": figure(total.unwell),
            "fever": figure(total.fever),
            "suspected": figure(total.suspected),
            "confirmed": figure(total.confirmed),
            "isolated": figure(total.isolated),
            "signed": figure(signed),
            "schools": figure(sum(sheets.values())),
            "sheets_late": figure(sheets.get(Standing.LATE, 0)),
            "sheets_returned": figure(sheets.get(Standing.RETURNED, 0)),
            "sheets_open": figure(sheets.get(Standing.MISSING, 0) + sheets.get(Standing.WAITING, 0)),
            "sheet": _sheet_words(wall),
            "ticker": _ticker_words(wall),
        },
        "progress": {"value": total.reported, "max": max(total.expected, 1)},
        "groups": [
            {
                "name": group.name,
                "share": percent(group.counts.reported, group.counts.expected),
                "value": group.counts.reported,
                "max": max(group.counts.expected, 1),
                "missing": figure(group.counts.missing),
            }
            for group in wall.groups
        ],
        "ticker": [f"{name} {figure(n)}" if n else name for name, n in wall.waiting],
        "curve": curve(wall).spec,
    }


def _sheet_words(wall: Wall) -> str:
    """The state of a school's own sheet."""
    words = {
        Standing.ON_TIME: _("Signed on time"),
        Standing.LATE: _("Signed late"),
        Standing.RETURNED: _("Returned"),
        Standing.MISSING: _("Missing"),
        Standing.WAITING: _("Not signed yet"),
    }
    return next((words[standing] for standing, n in wall.sheets.items() if n), "–")


def _ticker_words(wall: Wall) -> str:
    if wall.round is None:
        return _("Nobody is asked today.")
    if not wall.above:
        return _("People missing") if wall.waiting else _("Everybody has reported.")
    if not wall.waiting:
        return _("All schools have signed their day sheet.")
    return _("Day sheet missing") if wall.sheets_owed else _("Day sheet not signed yet")


def curve(wall: Wall) -> Chart:
    """Reports by hour, with those of yesterday."""
    hour = wall.at.astimezone(SHANGHAI).hour
    # an hour that has not come is unknown, not zero
    today = [n if i <= hour else None for i, n in enumerate(wall.hours or [0] * 24)]
    return hour_curve(
        "hours",
        _("Reports by hour"),
        today,
        {_("Yesterday"): list(wall.hours_before)} if wall.hours_before else {},
        today_name=_("Today"),
        deadline=wall.round.deadline_at.astimezone(SHANGHAI).hour if wall.round else 14,
        deadline_label=_("Deadline"),
    )
