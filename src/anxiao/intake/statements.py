"""What this door reads and notes. Every statement names the school and reaches reports by their whole key."""

from __future__ import annotations

from anxiao.questionnaires.concepts import COLUMNS

SCOPE = "SELECT anxiao_scope(%(scope)s)"

HOLDER = """
SELECT u.id AS user_id, p.id AS person_id, p.name, p.audience, p.school_id
FROM person p JOIN account u ON u.person_id = p.id
WHERE p.school_id = %(school)s AND p.id = %(person)s AND u.id = %(user)s
"""

ROUNDS_OF_DAY = """
SELECT r.id, r.day, r.opens_at, r.deadline_at, r.closes_at, r.version_id, c.questionnaire_id, c.title, c.title_en
FROM round r
JOIN campaign c ON c.id = r.campaign_id
JOIN organisation top ON top.id = c.organisation_id
JOIN membership m ON m.school_id = %(school)s AND m.person_id = %(person)s AND m.superseded_at IS NULL
    AND m.valid_from <= r.day AND (m.valid_to IS NULL OR m.valid_to > r.day)
JOIN organisation o ON o.school_id = m.school_id AND o.id = m.organisation_id
WHERE %(audience)s = ANY(c.audiences) AND o.path <@ top.path AND r.day = %(day)s
ORDER BY r.day, r.id
"""
"""The rounds of a day that ask this person."""

DEFINITION = "SELECT definition FROM questionnaire_version WHERE id = %(version)s"

EXEMPT = """
SELECT valid_to FROM exemption WHERE school_id = %(school)s AND person_id = %(person)s AND cancelled_at IS NULL
    AND valid_from <= %(day)s AND valid_to > %(day)s
"""

OWN = """
SELECT * FROM report WHERE school_id = %(school)s AND day = %(day)s AND round_id = %(round)s AND person_id = %(person)s
ORDER BY version
"""
"""All versions of one's own report in a round."""

_COLUMNS = ", ".join(f"p.{column}" for column in (*COLUMNS, "answers"))

_ASKED = """unnest(%(schools)s::int[], %(persons)s::int[], %(days)s::date[], %(rounds)s::int[], %(versions)s::int[])
    WITH ORDINALITY AS d(school_id, person_id, day, round_id, version, n)"""

EARLIER = f"""
WITH before AS MATERIALIZED (
    SELECT this.id AS this_id, r.id, r.day FROM round this
    JOIN campaign own ON own.id = this.campaign_id
    JOIN campaign c ON c.questionnaire_id = own.questionnaire_id
    JOIN round r ON r.campaign_id = c.id AND r.day BETWEEN this.day - 14 AND this.day AND r.id <> this.id
    WHERE this.id = ANY(%(rounds)s::int[])
)
SELECT d.n, e.* FROM {_ASKED}
JOIN LATERAL (
    SELECT {_COLUMNS}
    FROM (SELECT b.id, b.day FROM before b WHERE b.this_id = d.round_id ORDER BY b.day DESC, b.id DESC OFFSET 0) r
    JOIN report p ON p.school_id = d.school_id AND p.day = r.day AND p.round_id = r.id AND p.person_id = d.person_id
        AND p.is_current
    ORDER BY r.day DESC, r.id DESC LIMIT 1
) e ON true
WHERE d.version = 0
UNION ALL
SELECT d.n, {_COLUMNS} FROM {_ASKED}
JOIN report p ON p.school_id = d.school_id AND p.day = d.day AND p.round_id = d.round_id
    AND p.person_id = d.person_id AND p.version = d.version
WHERE d.version > 0
"""
"""What "no change" refers to, for many at once: the version before a correction, or one's newest standing report of the
fourteen days before a round, that round left out, so that a repeated request is judged like the first. The rounds are
gone through backwards: nearly everybody is found in the first of them."""

ACTOR = "SELECT username FROM account WHERE id = %(user)s"
