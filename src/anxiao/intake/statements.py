"""What this door reads and notes. Every statement names the school and reaches reports by their whole key."""

from __future__ import annotations

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

BEFORE = """
SELECT p.* FROM round r
JOIN campaign c ON c.id = r.campaign_id
JOIN report p ON p.school_id = %(school)s AND p.day = r.day AND p.round_id = r.id AND p.person_id = %(person)s
    AND p.is_current
WHERE c.questionnaire_id = (
    SELECT own.questionnaire_id FROM round this JOIN campaign own ON own.id = this.campaign_id WHERE this.id = %(round)s
) AND r.day BETWEEN %(day)s::date - 14 AND %(day)s AND r.id <> %(round)s
ORDER BY p.day DESC, p.round_id DESC LIMIT 1
"""
"""What "no change" refers to: one's newest standing report of the last fourteen days, this round left out, so that a
repeated request is judged like the first."""

ACTOR = "SELECT username FROM account WHERE id = %(user)s"
