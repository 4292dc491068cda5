"""The figures of a board in the words in which its page shows them, under the names by which the page finds them.

The template shows the same values through the same filters; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from anxiao.reporting.queries.boards import NOTHING, Board, Figures
from anxiao.ui.templatetags.ui import figure, percent

Bar = tuple[int, int, int, int]
"""On time, late, missing, exempt."""

TOTAL, OWN = "total", "own"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows: cells by ``row:column``, bars by row, the rows in the order of their keys."""

    missing: int = 0
    cells: Mapping[str, str] = field(default_factory=dict)
    bars: Mapping[str, Bar] = field(default_factory=dict)
    rows: str = ""


def node_key(node_id: int) -> str:
    return str(node_id)


def place_key(place_id: int) -> str:
    return f"p{place_id}"


def audience_key(audience: int) -> str:
    return f"a{audience}"


def row_keys(keys: Sequence[str]) -> str:
    """Which rows a page has, whatever their order: when this changes, the page is asked for anew."""
    return " ".join(sorted(keys))


def shown_board(board: Board, sheets: tuple[int, int] | None = None) -> Shown:
    """A node with its children.  ``sheets``: missing ones and late ones, where the page shows them."""
    rows = {node_key(child.node.pk): child.figures for child in board.children if child.figures != NOTHING}
    if board.own is not None:
        rows[OWN] = board.own
    cells: dict[str, str] = {}
    if len(board.by_audience) > 1:
        for audience, figures in board.by_audience.items():
            cells |= _of_audience(audience_key(audience), figures)
    if sheets is not None:
        cells["sheets:missing"] = figure(sheets[0])
        cells["sheets:note"] = _("%(number)s came late") % {"number": figure(sheets[1])}
    return shown_rows(board.total, rows, cells)


def shown_rows(total: Figures, rows: Mapping[str, Figures], more: Mapping[str, str] | None = None) -> Shown:
    """A sum and the rows beneath it."""
    cells = dict(more or {}) | _of_total(total)
    for key, figures in rows.items():
        cells |= _of_row(key, figures)
    bars = {key: _bar(figures) for key, figures in {TOTAL: total, **rows}.items()}
    return Shown(total.missing, cells, bars, row_keys(list(rows)))


def _of_row(key: str, of: Figures) -> dict[str, str]:
    return {
        f"{key}:expected": figure(of.expected),
        f"{key}:on_time": figure(of.on_time),
        f"{key}:late": figure(of.late),
        f"{key}:missing": figure(of.missing),
        f"{key}:exempt": figure(of.exempt),
        f"{key}:unwell": figure(of.unwell),
        f"{key}:share": percent(of.reported, of.expected),
    }


def _of_audience(key: str, of: Figures) -> dict[str, str]:
    return {
        f"{key}:expected": figure(of.expected),
        f"{key}:reported": figure(of.reported),
        f"{key}:share": percent(of.reported, of.expected),
        f"{key}:missing": figure(of.missing),
        f"{key}:unwell": figure(of.unwell),
    }


def _of_total(of: Figures) -> dict[str, str]:
    said = {"reported": figure(of.reported), "expected": figure(of.expected)}
    return _of_row(TOTAL, of) | {
        "total:fever": figure(of.fever),
        "total:suspected": figure(of.suspected),
        "total:confirmed": figure(of.confirmed),
        "total:isolated": figure(of.isolated),
        "total:contact": figure(of.contact),
        "total:proxy": figure(of.proxy),
        "total:fever_note": _("%(number)s with fever") % {"number": figure(of.fever)},
        "total:share_note": f"{_('Share reported')} {percent(of.reported, of.expected)}",
        "total:exempt_note": _("%(number)s reported anyway") % {"number": figure(of.exempt_reported)},
        "total:line": _("%(reported)s of %(expected)s expected people have reported.") % said,
    }


def _bar(of: Figures) -> Bar:
    return of.on_time, of.late, of.missing, of.exempt
