"""The statements of a search: each way to somebody, walked by its index or looked for among one's own people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anxiao.directory.names_people import Presence
from anxiao.directory.queries import Reach
from anxiao.directory.rules_search import Way


@dataclass(frozen=True, slots=True)
class Step:
    """One way to somebody: its condition, what it is ordered by, and the table whose index gives that order."""

    way: Way
    condition: str
    key: str
    led_by: str = "p"


MOMENT = {
    Presence.HERE: "{m}.valid_from <= %(day)s AND ({m}.valid_to IS NULL OR {m}.valid_to > %(day)s)",
    Presence.LEFT: """{m}.valid_to <= %(day)s AND NOT EXISTS (
        SELECT FROM membership n WHERE n.school_id = {m}.school_id AND n.person_id = {m}.person_id
          AND n.superseded_at IS NULL AND (n.valid_to IS NULL OR n.valid_to > {m}.valid_to))""",
    Presence.COMING: """{m}.valid_from > %(day)s AND NOT EXISTS (
        SELECT FROM membership n WHERE n.school_id = {m}.school_id AND n.person_id = {m}.person_id
          AND n.superseded_at IS NULL AND n.valid_from < {m}.valid_from
          AND (n.valid_to IS NULL OR n.valid_to > %(day)s))""",
}
"""Which membership speaks for somebody; each picks at most one a person."""

_HOUSED = """SELECT h.person_id FROM residence h WHERE h.place_id = ANY(%(places)s)
    AND h.valid_from <= %(day)s AND (h.valid_to IS NULL OR h.valid_to > %(day)s)"""


def within(reach: Reach) -> tuple[str, dict[str, Any]]:
    if reach.everywhere:
        return "true", {}
    parts = []
    params: dict[str, Any] = {}
    for ids, name, condition in (
        (reach.schools, "schools", "p.school_id = ANY(%(schools)s)"),
        (reach.nodes, "nodes", "m.organisation_id = ANY(%(nodes)s)"),
        (reach.places, "places", f"p.id IN ({_HOUSED})"),
    ):
        if ids:
            parts.append(condition)
            params[name] = list(ids)
    return (f"({' OR '.join(parts)})" if parts else "false"), params


def from_indexes(
    steps: Sequence[Step],
    reach: Reach,
    presence: Presence,
    filters: str,
    place: Way | None,
    backwards: bool,
    params: dict[str, Any],
) -> str:
    """Whole schools: each way walks its own index in its order and stops when the page is full."""
    ours, more = within(reach)
    params |= more
    branches = []
    for number, step in enumerate(steps):
        if place is not None and (step.way > place if backwards else step.way < place):
            continue
        table = step.led_by
        home, who = ("s.school_id", "s.person_id") if table == "s" else ("p.school_id", "p.id")
        if table == "m":
            home, who = "m.school_id", "m.person_id"
        others = [other.condition for other in steps[:number]]
        where = [step.condition, ours.replace("p.school_id", home), f"true{filters}"]
        if others:
            where.append(f"(({') OR ('.join(others)})) IS NOT TRUE")
        if step.way == place:
            where.append(
                f"({home}, {step.key}, {who}) {'<' if backwards else '>'} (%(k_school)s, %(k_{step.key})s, %(k_id)s)"
            )
        source = {
            "p": "person p LEFT JOIN person_search s ON s.person_id = p.id",
            "s": "person_search s JOIN person p ON p.school_id = s.school_id AND p.id = s.person_id",
            "m": "membership m JOIN person p ON p.school_id = m.school_id AND p.id = m.person_id"
            " LEFT JOIN person_search s ON s.person_id = p.id",
        }[table]
        if table == "p" and not any("s." in other for other in others):
            source = "person p"
        moment = f"m.superseded_at IS NULL AND {MOMENT[presence].format(m='m')}"
        order = _ordered((home, step.key, who), backwards)
        picked = f"SELECT {home} AS school_id, {step.key} AS key, {who} AS id, m.organisation_id FROM {source}"
        if table == "m":
            where.append(moment)
        else:
            # a limit of its own keeps the planner from asking everybody who is called so where they belong
            picked += f""" CROSS JOIN LATERAL (
                SELECT m.organisation_id FROM membership m
                WHERE m.school_id = {home} AND m.person_id = {who} AND {moment} LIMIT 1) m"""
        body = f"{picked} WHERE {' AND '.join(where)} ORDER BY {order} LIMIT %(limit)s"
        key = "lpad(key::text, 10, '0')" if table == "m" else "key"
        branches.append(
            f"(SELECT {int(step.way)} AS way, school_id, {key} AS key, id, organisation_id FROM ({body}) b{step.way:d})"
        )
    return f"SELECT * FROM ({' UNION ALL '.join(branches)}) u ORDER BY {_hit_order(backwards)} LIMIT %(limit)s"


def from_ours(
    steps: Sequence[Step],
    reach: Reach,
    presence: Presence,
    filters: str,
    place: Way | None,
    backwards: bool,
    params: dict[str, Any],
) -> str:
    """Classes and buildings: their people first, then which of them are meant."""
    params |= {"schools": list(reach.schools), "nodes": list(reach.nodes), "places": list(reach.places)}
    moment = f"m.superseded_at IS NULL AND {MOMENT[presence].format(m='m')}"
    whose = [
        condition
        for ids, condition in (
            (reach.nodes, "m.organisation_id = ANY(%(nodes)s)"),
            (reach.schools, "m.school_id = ANY(%(schools)s)"),
            (reach.places, f"m.person_id IN ({_HOUSED})"),
        )
        if ids
    ]
    member = "SELECT m.school_id, m.person_id, m.organisation_id FROM membership m WHERE"
    parts = [f"{member} {condition} AND {moment}" for condition in whose]
    cases = " ".join(f"WHEN {step.condition} THEN {int(step.way)}" for step in steps)
    keys = " ".join(f"WHEN {int(step.way)} THEN {_text_key(step)}" for step in steps)
    beyond = ""
    if place is not None:
        step = next((step for step in steps if step.way == place), None)
        sign = "<" if backwards else ">"
        key = f"%(k_{step.key})s" if step else "''"
        if step is not None and step.led_by == "m":
            key = f"lpad({key}::text, 10, '0')"
        beyond = f"AND (way, school_id, key, id) {sign} (%(k_way)s, %(k_school)s, {key}, %(k_id)s)"
    return f"""
        SELECT * FROM (
            SELECT way, school_id, CASE way {keys} END AS key, id, organisation_id FROM (
                SELECT CASE {cases} END AS way, p.school_id, p.id, m.organisation_id, p.number, p.name,
                       s.pinyin, s.initials, s.backwards
                FROM ({" UNION ".join(parts)}) m
                JOIN person p ON p.school_id = m.school_id AND p.id = m.person_id
                LEFT JOIN person_search s ON s.person_id = p.id
                WHERE true{filters}
            ) w WHERE way IS NOT NULL
        ) k WHERE true {beyond}
        ORDER BY {_hit_order(backwards)} LIMIT %(limit)s
    """


def _text_key(step: Step) -> str:
    bare = step.key.partition(".")[2]
    return "lpad(organisation_id::text, 10, '0')" if step.led_by == "m" else bare


def _ordered(columns: Sequence[str], backwards: bool) -> str:
    return ", ".join(f"{column} {'DESC' if backwards else 'ASC'}" for column in columns)


def _hit_order(backwards: bool) -> str:
    return _ordered(("way", "school_id", "key", "id"), backwards)
