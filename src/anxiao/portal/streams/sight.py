"""What is read for the viewers: one ``Sight`` for all who look at the same thing, read again only when it has moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from anxiao.base.clock import SHANGHAI
from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.directory.access import get_organisation
from anxiao.directory.models import Organisation, Place
from anxiao.portal.queries.wall import Wall, wall_seen
from anxiao.portal.shown_boards import Shown, node_key, place_key, shown_board, shown_rows
from anxiao.portal.shown_wall import payload
from anxiao.portal.streams.tickets import Watch
from anxiao.reporting.access import get_place
from anxiao.reporting.models import Round
from anxiao.reporting.queries.boards import NOTHING, Figures, board_of, children_of, figures, nodes_of_board
from anxiao.reporting.queries.places import place_board
from anxiao.reporting.queries.sheets import sheet_counts, sheets_mark
from anxiao.statistics.queries import Numbers, marks, numbers

Mark = object
"""Differs when something that a sight shows may have moved."""

ANEW = timedelta(seconds=60)
"""How long rows (a college, a floor) may be taken as known."""

PLACE_PAUSE = timedelta(seconds=5)
"""Residents are counted one by one, not by counters: a building is counted no more often than this."""


@dataclass
class Sight:
    """What somebody looks at: who is shown, and what was read last.

    ``scope`` is the scope of one who looks; all who share a sight reach equally far.  ``schools`` are those whose
    counters it shows, None for all.  ``lost``: what was looked at is not there any more, or not theirs.
    """

    watch: Watch
    scope: Scope
    schools: frozenset[int] | None
    round: Round | None = None
    nodes: Sequence[Organisation] = ()
    children: Sequence[Organisation] = ()
    places: Sequence[Place] = ()
    known_at: datetime | None = None
    mark: Mark = None
    read_at: datetime | None = None
    sheets: tuple[Mark, tuple[int, int]] | None = None
    lost: bool = False
    found: Any = field(default=None, repr=False)


def prepare(scope: Scope, watch: Watch, moment: datetime) -> Sight:
    """Fetch what a watch speaks of, as the page does that shows it.  NotYours when the caller may not look."""
    if watch.face == "wall":
        wall = wall_seen(scope, now=moment)
        reach = scope.schools
        return Sight(watch, scope, None if wall.above or reach == "*" else frozenset(reach))
    round = Round.objects.filter(pk=watch.round_id, day=watch.day).select_related("campaign").first()
    if round is None:
        raise NotYours
    nodes = [get_organisation(scope, node) for node in watch.nodes]
    places = [get_place(scope, place, Permission.BOARD_VIEW) for place in watch.places]
    if watch.sheets and not all(scope.may(Permission.SHEET_VIEW, node.path) for node in nodes):
        raise NotYours
    schools = frozenset([*(node.school_id for node in nodes), *(place.school_id for place in places)])
    sight = Sight(watch, scope, None if SHARED_SCHOOL in schools else schools, round, nodes, (), places)
    _know_rows(sight, moment)
    return sight


def read(sights: Sequence[Sight], moment: datetime) -> list[Sight]:
    """Read again what has moved since it was read, all boards of a round in one statement; returns what was read.

    Within ``school_context`` of all their schools.
    """
    if not sights:
        return []
    seen = marks(sights[0].scope)
    days = {sight.watch.day for sight in sights if sight.watch.sheets or sight.watch.face == "wall"}
    signed = {day: sheets_mark(sights[0].scope, day=day) for day in days}
    due = [sight for sight in sights if _is_due(sight, moment, seen, signed)]
    boards: dict[tuple[int, date], list[Sight]] = {}
    for sight in due:
        if sight.watch.face == "wall":
            with _may_be_lost(sight):
                sight.found = wall_seen(sight.scope, now=moment)
        else:
            assert sight.round is not None
            boards.setdefault((sight.round.campaign_id, sight.round.day), []).append(sight)
    for (series, day), together in boards.items():
        for sight in together:
            _know_rows(sight, moment)
        wanted = {node for sight in together for node in _counted(sight)}
        found = numbers(together[0].scope, nodes=wanted, series=series, day=day) if wanted else {}
        for sight in together:
            with _may_be_lost(sight):
                sight.found = _board(sight, found, moment, signed.get(day))
    for sight in due:
        sight.read_at = moment
    return due


def shown(sight: Sight) -> dict[str, Any]:
    """What was read, in the words of the language that is active now; plain JSON without the moment."""
    if isinstance(sight.found, Wall):
        told = payload(sight.found)
        del told["at"]
        return told
    words: Shown = shown_rows(*sight.found) if sight.watch.face in ("mine", "place") else shown_board(*sight.found)
    return {
        "day": sight.watch.day.isoformat(),
        "missing": words.missing,
        "rows": words.rows,
        "cells": dict(words.cells),
        "bars": {key: list(bar) for key, bar in words.bars.items()},
    }


@contextmanager
def _may_be_lost(sight: Sight) -> Iterator[None]:
    try:
        yield
    except NotYours:
        sight.lost = True


def _know_rows(sight: Sight, moment: datetime) -> None:
    if sight.known_at is None or moment - sight.known_at >= ANEW:
        sight.children = children_of(sight.scope, sight.nodes[0]) if sight.watch.face == "node" else ()
        sight.known_at = moment


def _is_due(
    sight: Sight, moment: datetime, seen: Mapping[int, tuple[int, int]], signed: Mapping[date, tuple[int, int, int]]
) -> bool:
    """Note the mark of this moment and say whether it is another than when the sight was read."""
    if sight.places and sight.read_at is not None and moment - sight.read_at < PLACE_PAUSE:
        return False
    schools = seen if sight.schools is None else sight.schools
    mark: list[object] = [(school, seen.get(school)) for school in sorted(schools)]
    if sight.watch.day in signed and (sight.watch.sheets or sight.watch.face == "wall"):
        # an hour that begins shows in the curve, and the minute at which sheets are due lies somewhere within one
        mark += [signed[sight.watch.day], f"{moment.astimezone(SHANGHAI):%H:%M}"]
    moved = mark != sight.mark
    sight.mark = mark
    return moved


def _counted(sight: Sight) -> list[int]:
    if sight.watch.face == "node":
        return nodes_of_board(sight.nodes[0], sight.children)
    return [node.pk for node in sight.nodes]


def _board(sight: Sight, found: Mapping[int, Numbers], moment: datetime, signed: Mark) -> Any:
    assert sight.round is not None
    if sight.watch.face == "node":
        node = sight.nodes[0]
        own = {pk: found[pk] for pk in nodes_of_board(node, sight.children)}
        return board_of(node, sight.round, own, sight.children), _sheets(sight, moment, signed)
    if sight.watch.face == "place":
        place = place_board(sight.scope, sight.places[0], sight.round)
        return place.total, {place_key(child.place.pk): child.figures for child in place.children}
    rows: dict[str, Figures] = {
        node_key(node.pk): figures(found[node.pk], sight.round.campaign.audiences) for node in sight.nodes
    }
    # classes and buildings are never added up: a resident of one may sit in the other
    total = sum(rows.values(), NOTHING)
    houses = {place_key(p.pk): place_board(sight.scope, p, sight.round).total for p in sight.places}
    return (total if rows else sum(houses.values(), NOTHING)), rows | houses


def _sheets(sight: Sight, moment: datetime, signed: Mark) -> tuple[int, int] | None:
    if not sight.watch.sheets:
        return None
    if sight.sheets is None or sight.sheets[0] != signed:
        assert sight.round is not None
        counts = {str(standing): n for standing, n in sheet_counts(sight.scope, round=sight.round, now=moment).items()}
        absent = sum(counts.get(key, 0) for key in ("waiting", "missing", "returned"))
        sight.sheets = signed, (absent, counts.get("late", 0))
    return sight.sheets[1]
