"""Which node of the tree a row means: colleges and departments by name, classes by college, grade and name."""

from __future__ import annotations

from anxiao.directory.names import Audience, OrganisationKind

OPEN = "(closed_on IS NULL OR closed_on > %(today)s)"

COLLEGES = f"""
colleges AS MATERIALIZED (
    SELECT DISTINCT ON (name) id, name, path FROM organisation
    WHERE school_id = %(school)s AND kind IN ('college', 'department') AND {OPEN}
    ORDER BY name, (kind = 'college') DESC, nlevel(path), id
)
"""
"""Colleges and departments by name. Where both kinds carry one name, the college is meant."""


def nodes_of(rows: str) -> str:
    """Common table expressions that end in ``nodes``: (college, grade, class) of ``rows`` with ``organisation_id``,
    null while the node does not exist yet.  Judged once for every class, not once a row."""
    return f"""
    {COLLEGES},
    said AS MATERIALIZED (
        SELECT DISTINCT college, coalesce(grade, '') AS grade, coalesce("class", '') AS class FROM {rows}
        WHERE college IS NOT NULL
    ),
    nodes AS MATERIALIZED (
        SELECT s.*, CASE WHEN %(student)s THEN c.id ELSE g.id END AS organisation_id, g.id AS college_id
        FROM said s
        LEFT JOIN colleges g ON g.name = s.college
        LEFT JOIN LATERAL (
            SELECT id FROM organisation
            WHERE %(student)s AND school_id = %(school)s AND kind = 'class' AND parent_id = g.id
              AND grade = s.grade AND name = s.class AND {OPEN}
            ORDER BY id LIMIT 1
        ) c ON true
    )
    """


LABEL = """(SELECT CASE WHEN o.kind = 'class' THEN u.name || ' / ' || ltrim(o.grade || ' ' || o.name) ELSE o.name END
           FROM organisation o LEFT JOIN organisation u ON u.id = o.parent_id WHERE o.id = {})"""
"""The name of a node as the preview shows it: its college and the class with its grade."""


def kind_of_unit(name: str, audience: Audience) -> OrganisationKind:
    """Whether a new unit is a college or a department. Units with students are colleges; the preview names the kind."""
    teaching = name.endswith(("学院", "书院", "研究院", "系", "学部"))
    return OrganisationKind.COLLEGE if audience is Audience.STUDENT or teaching else OrganisationKind.DEPARTMENT
