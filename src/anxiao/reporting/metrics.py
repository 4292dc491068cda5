"""The truth behind every counter, as one query each: what ``mend`` and the tests hold the counters against."""

from __future__ import annotations

from anxiao.questionnaires.concepts import DIAGNOSES
from anxiao.reporting.rules import OBSERVED_TYPES, OWN_CHANNELS, Metric

WAY_IN = [int(Metric.DELIVERED), int(Metric.ACTIVATED), int(Metric.BEGUN)]
ROSTER_METRICS = [int(Metric.PEOPLE), int(Metric.EXEMPT), *WAY_IN]
REPORT_METRICS = [int(m) for m in Metric if m not in ROSTER_METRICS]
ALL_METRICS = ROSTER_METRICS + REPORT_METRICS

_HEALTH = {
    Metric.UNWELL: "r.unwell",
    Metric.FEVER: "r.fever",
    Metric.SUSPECTED: f"r.diagnosis = {DIAGNOSES['suspected']}",
    Metric.CONFIRMED: f"r.diagnosis = {DIAGNOSES['confirmed']}",
    Metric.ISOLATED: f"(r.isolation > 0 OR r.person_type IN ({', '.join(map(str, OBSERVED_TYPES))}))",
    Metric.CONTACT: "r.contact",
}

# A report counts for the node that holds its person on the day of the round, as the roster knows it now.
_REPORTS = f"""
SELECT r.school_id, m.organisation_id AS node_id, r.day, d.campaign_id AS series, p.audience, x.metric, x.slot,
       count(*)::int AS n
FROM report r
JOIN round d ON d.id = r.round_id
JOIN person p ON p.school_id = r.school_id AND p.id = r.person_id
JOIN membership m ON m.school_id = r.school_id AND m.person_id = r.person_id AND m.superseded_at IS NULL
    AND m.valid_from <= r.day AND (m.valid_to IS NULL OR m.valid_to > r.day)
LEFT JOIN exemption e ON e.school_id = r.school_id AND e.person_id = r.person_id AND e.cancelled_at IS NULL
    AND e.valid_from <= r.day AND e.valid_to > r.day
CROSS JOIN LATERAL (VALUES
    (CASE WHEN r.version > 1 THEN NULL WHEN e.id IS NOT NULL THEN {Metric.EXEMPT_REPORTED:d}
          WHEN r.late THEN {Metric.LATE:d} ELSE {Metric.ON_TIME:d} END,
     CASE WHEN e.id IS NOT NULL THEN 0
          ELSE extract(hour FROM r.received_at AT TIME ZONE 'Asia/Shanghai')::int END),
    (CASE WHEN r.version = 1 AND r.channel = 3 THEN {Metric.PROXY:d} END, 0),
    {", ".join(f"(CASE WHEN r.is_current AND {sql} THEN {metric:d} END, 0)" for metric, sql in _HEALTH.items())}
) AS x(metric, slot)
WHERE r.school_id = %(school_id)s AND r.day >= %(since)s AND x.metric IS NOT NULL
GROUP BY r.school_id, m.organisation_id, r.day, d.campaign_id, p.audience, x.metric, x.slot
"""

_PEOPLE = f"""
SELECT m.school_id, m.organisation_id AS node_id, s.day, 0 AS series, p.audience, {Metric.PEOPLE:d} AS metric,
       0 AS slot, sum(s.n)::int AS n
FROM membership m
JOIN person p ON p.school_id = m.school_id AND p.id = m.person_id
CROSS JOIN LATERAL (VALUES (m.valid_from, 1), (m.valid_to, -1)) AS s(day, n)
WHERE m.school_id = %(school_id)s AND m.superseded_at IS NULL AND s.day >= %(since)s
GROUP BY m.school_id, m.organisation_id, s.day, p.audience
"""

# An exemption counts where its person belongs: it ends and begins again at every change of class.
_EXEMPT = f"""
SELECT m.school_id, m.organisation_id AS node_id, s.day, 0 AS series, p.audience, {Metric.EXEMPT:d} AS metric,
       0 AS slot, sum(s.n)::int AS n
FROM exemption e
JOIN person p ON p.school_id = e.school_id AND p.id = e.person_id
JOIN membership m ON m.school_id = e.school_id AND m.person_id = e.person_id AND m.superseded_at IS NULL
    AND m.valid_from < e.valid_to AND (m.valid_to IS NULL OR m.valid_to > e.valid_from)
CROSS JOIN LATERAL (VALUES (greatest(m.valid_from, e.valid_from), 1), (least(m.valid_to, e.valid_to), -1)) AS s(day, n)
WHERE e.school_id = %(school_id)s AND e.cancelled_at IS NULL AND s.day >= %(since)s
GROUP BY m.school_id, m.organisation_id, s.day, p.audience
"""

# How far people have come counts from the first day of their membership: the question is always asked of today.
_WAY_IN = f"""
SELECT m.school_id, m.organisation_id AS node_id, s.day, 0 AS series, p.audience, x.metric, 0 AS slot,
       sum(s.n)::int AS n
FROM activation a
JOIN person p ON p.school_id = a.school_id AND p.id = a.person_id
JOIN membership m ON m.school_id = a.school_id AND m.person_id = a.person_id AND m.superseded_at IS NULL
CROSS JOIN LATERAL (VALUES (m.valid_from, 1), (m.valid_to, -1)) AS s(day, n)
CROSS JOIN LATERAL (VALUES ({Metric.DELIVERED:d}, a.delivered OR a.activated), ({Metric.ACTIVATED:d}, a.activated),
                           ({Metric.BEGUN:d}, a.activated AND a.reported)) AS x(metric, holds)
WHERE a.school_id = %(school_id)s AND x.holds AND s.day >= %(since)s
GROUP BY m.school_id, m.organisation_id, s.day, p.audience, x.metric
"""

OF_ROSTER = f"{_PEOPLE} UNION ALL {_EXEMPT} UNION ALL {_WAY_IN}"
OF_REPORTS = _REPORTS
BEGINNERS = f"""
UPDATE activation a SET reported = true
WHERE a.school_id = %(school_id)s AND NOT a.reported AND EXISTS (
    SELECT FROM report r WHERE r.school_id = a.school_id AND r.person_id = a.person_id
                           AND r.channel IN ({", ".join(map(str, OWN_CHANNELS))})
)
"""
"""Who has reported and is not noted as such: nobody, unless reports came by another way than the doors."""

TRUTH = f"{OF_REPORTS} UNION ALL {OF_ROSTER}"
"""Every counter of a school from the day ``since`` on, at the nodes that hold the people themselves."""
