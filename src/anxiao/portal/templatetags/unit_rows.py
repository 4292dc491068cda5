"""The rows of a board's table: put together here, because a board of a hundred units is mostly these rows."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from anxiao.ui.templatetags.ui import percent, state_bar

register = template.Library()


@register.simple_tag
def unit_rows(rows: Iterable[Any], health: bool) -> SafeString:
    """A table row for each unit (``views_console.boards.Row``); ``health``: with the column of the unwell.

    Cells carry the names under which a stream renews them (``shown_boards``), and on a phone their heading.
    """
    heads = {
        name: escape(label)
        for name, label in {
            "expected": _("Expected"),
            "on_time": _("On time"),
            "late": _("Late"),
            "missing": _("Missing"),
            "exempt": _("Exempt"),
            "unwell": _("Unwell"),
            "share": _("Share reported"),
            "bar": _("Progress"),
        }.items()
    }

    def cell(key: str, name: str, shown: str, more: str = "", mark: str = "") -> str:
        live = f' data-live-mark="{mark}"' if mark else ""
        return f'<td class="num{more}" data-label="{heads[name]}" data-live="{key}:{name}"{live}>{shown}</td>'

    lines = []
    for number, row in enumerate(rows, 1):
        of, key, label = row.figures, escape(row.key), escape(row.label)
        name = f'<a href="{escape(row.url)}" id="row-{number}">{label}</a>' if row.url else label
        cells = [
            cell(key, "expected", f"{of.expected:,}"),
            cell(key, "on_time", f"{of.on_time:,}"),
            cell(key, "late", f"{of.late:,}"),
            cell(key, "missing", _linked(of.missing, row.missing_url), " cb-missing" * bool(of.missing), "cb-missing"),
            cell(key, "exempt", f"{of.exempt:,}"),
        ]
        if health:
            cells.append(cell(key, "unwell", _linked(of.unwell, row.unwell_url), " cb-ill" * bool(of.unwell), "cb-ill"))
        cells.append(cell(key, "share", percent(of.reported, of.expected)))
        bar = state_bar(of.on_time, of.late, of.missing, of.exempt, legend=False, thin=True, live=row.key)
        lines.append(
            f'<tr><th scope="row">{name}</th>{"".join(cells)}'
            f'<td class="cb-bar" data-label="{heads["bar"]}">{bar}</td></tr>'
        )
    return mark_safe("\n".join(lines))  # noqa: S308 - every text is escaped


def _linked(number: int, url: str) -> str:
    return f'<a href="{escape(url)}">{number:,}</a>' if number and url else f"{number:,}"
