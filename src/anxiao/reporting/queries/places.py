"""The board of a building: who lives there and has reported.

Counters know the organisation tree, not the places, because people move between rooms every week and a building holds a
few hundred people: they are counted when somebody looks, in one statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection

from anxiao.base.scope import Scope
from anxiao.directory.models import Place
from anxiao.reporting.models import Round
from anxiao.reporting.queries.boards import NOTHING, Figures
from anxiao.reporting.queries.people import BELONGS, EXCUSED, RESIDES, parameters, where_place

_COUNT = f"""
SELECT h.place_id, count(*)::int,
       count(*) FILTER (WHERE e.id IS NOT NULL)::int,
       count(*) FILTER (WHERE e.id IS NULL AND r.late = false)::int,
       count(*) FILTER (WHERE e.id IS NULL AND r.late)::int,
       count(*) FILTER (WHERE e.id IS NOT NULL AND r.person_id IS NOT NULL)::int
FROM person p {BELONGS} {RESIDES} {EXCUSED}
LEFT JOIN report r ON r.school_id = p.school_id AND r.person_id = p.id AND r.school_id = %(school)s
    AND r.day = %(day)s AND r.round_id = %(round)s AND r.version = 1
WHERE p.school_id = %(school)s AND p.audience = ANY(%(audiences)s)
GROUP BY h.place_id
"""


@dataclass(frozen=True, slots=True)
class PlaceChild:
    """A floor or room with its numbers."""

    place: Place
    figures: Figures


@dataclass(frozen=True, slots=True)
class PlaceBoard:
    """People, expected, on time, late, missing and exempt among the residents of a place.

    No health figures: a building is small enough for a number to be a person.
    """

    place: Place
    round: Round
    total: Figures
    children: Sequence[PlaceChild]


def place_board(scope: Scope, place: Place, round: Round) -> PlaceBoard:
    """The board of a place and of what lies right beneath it; three statements."""
    where = where_place(scope, place)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, parameters(where, round))
        counted = {
            row[0]: Figures(people=row[1], exempt=row[2], on_time=row[3], late=row[4], exempt_reported=row[5])
            for row in cursor.fetchall()
        }
    inside = {p.pk: p for p in Place.objects.filter(school_id=place.school_id, pk__in=where.place_ids or ())}
    children = sorted((p for p in inside.values() if p.parent_id == place.pk), key=lambda p: (p.name, p.pk))
    return PlaceBoard(
        place=place,
        round=round,
        total=sum(counted.values(), NOTHING),
        children=[PlaceChild(child, _beneath(child, inside, counted)) for child in children],
    )


def _beneath(child: Place, inside: Mapping[int, Place], counted: Mapping[int, Figures]) -> Figures:
    return sum(
        (found for place_id, found in counted.items() if _lies_in(inside[place_id], child)),
        NOTHING,
    )


def _lies_in(place: Place, other: Place) -> bool:
    return place.path == other.path or str(place.path).startswith(f"{other.path}.")
