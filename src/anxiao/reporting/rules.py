"""Pure decisions about reports: on time or late, what is counted, what a receipt says.  No database, no clock."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import IntEnum
from typing import Any, NamedTuple
from uuid import UUID

from anxiao.base.clock import SHANGHAI
from anxiao.questionnaires.concepts import COLUMNS, DIAGNOSES, PERSON_TYPES
from anxiao.statistics.rules import Delta, Key


class Metric(IntEnum):
    """What is counted.  Numbers are stored by the million: never reuse one.

    Roster metrics stand in series 0 as steps at the day from which they hold; the others stand in the series of
    their campaign on the day of the round.
    """

    PEOPLE = 1  # step: +1 from the first day of a membership, -1 from the first day after it
    EXEMPT = 2  # step: the same for exemptions
    # steps of the membership of whoever has come so far by now, on the way from the directory to the first report
    DELIVERED = 3  # has a code in hand, or does not need one any more
    ACTIVATED = 4  # chose a password
    BEGUN = 5  # activated, and reported once with their own hand
    ON_TIME = 10  # slot = hour of reception in Shanghai
    LATE = 11  # slot = hour of reception in Shanghai
    EXEMPT_REPORTED = 12  # reported although exempt: such a person is not expected, so not counted as on time or late
    PROXY = 13  # filled in by somebody else
    UNWELL = 20
    FEVER = 21
    SUSPECTED = 22
    CONFIRMED = 23
    ISOLATED = 24
    CONTACT = 25


OWN_CHANNELS = (1, 2)
"""Ways in which people report with their own hand: phone and web form (``names.Channel``)."""

OBSERVED_TYPES = (PERSON_TYPES["home_observation"], PERSON_TYPES["central_observation"])


@dataclass(frozen=True, slots=True)
class RoundTimes:
    opens_at: datetime
    deadline_at: datetime
    closes_at: datetime


def is_open(times: RoundTimes, received_at: datetime) -> bool:
    """Whether a round takes reports at this moment; the moment at which it closes belongs to the next day."""
    return times.opens_at <= received_at < times.closes_at


def is_late(times: RoundTimes, received_at: datetime) -> bool:
    """Late from the deadline on: 13:59:59.999999 is on time, 14:00:00 is late ("before 14:00", the notice)."""
    return received_at >= times.deadline_at


def hour_of(received_at: datetime) -> int:
    """The hour (0-23, Shanghai) to whose column of the hour curve a report belongs."""
    return received_at.astimezone(SHANGHAI).hour


def health_metrics(row: Mapping[str, Any]) -> list[Metric]:
    """Health metrics that a report's typed columns count for."""
    found = []
    if row["unwell"]:
        found.append(Metric.UNWELL)
    if row["fever"]:
        found.append(Metric.FEVER)
    if row["diagnosis"] == DIAGNOSES["suspected"]:
        found.append(Metric.SUSPECTED)
    if row["diagnosis"] == DIAGNOSES["confirmed"]:
        found.append(Metric.CONFIRMED)
    if (row["isolation"] or 0) > 0 or row["person_type"] in OBSERVED_TYPES:
        found.append(Metric.ISOLATED)
    if row["contact"]:
        found.append(Metric.CONTACT)
    return found


def deltas_of_report(row: Mapping[str, Any], *, series: int, exempt: bool, proxy: bool) -> list[Delta]:
    """Counters that a first report moves.  ``row`` is a report with the columns of the table."""
    metrics: list[tuple[Metric, int]] = []
    if exempt:
        metrics.append((Metric.EXEMPT_REPORTED, 0))
    else:
        metrics.append((Metric.LATE if row["late"] else Metric.ON_TIME, hour_of(row["received_at"])))
    if proxy:
        metrics.append((Metric.PROXY, 0))
    metrics += [(metric, 0) for metric in health_metrics(row)]
    return [Delta(_key(row, series, metric, slot), 1) for metric, slot in metrics]


def deltas_of_correction(before: Mapping[str, Any], after: Mapping[str, Any], *, series: int) -> list[Delta]:
    """Counters that a correction moves: only health; whether somebody was on time is decided by the first report."""
    gone = [Delta(_key(after, series, metric), -1) for metric in health_metrics(before)]
    come = [Delta(_key(after, series, metric), 1) for metric in health_metrics(after)]
    return gone + come


def _key(row: Mapping[str, Any], series: int, metric: Metric, slot: int = 0) -> Key:
    return Key(row["school_id"], row["organisation_id"], row["day"], series, row["audience"], metric, slot)


class Receipt(NamedTuple):
    """What a reporter keeps (回执).  ``signature`` (``base.signatures``) is put under it when it is handed out."""

    number: str
    received_at: datetime
    digest: str
    late: bool
    version: int
    key: UUID
    signature: str = ""


_ENCODE = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def canonical_record(row: Mapping[str, Any]) -> bytes:
    """The one way to write a report down: UTF-8 JSON, keys sorted, times in UTC with microseconds."""
    record = {
        "school": row["school_id"],
        "day": row["day"].isoformat(),
        "round": row["round_id"],
        "person": row["person_id"],
        "version": row["version"],
        "received_at": row["received_at"].astimezone(UTC).isoformat(timespec="microseconds"),
        "late": row["late"],
        "form_version": row["form_version_id"],
        "key": str(row["key"]),
        "typed": {c: _plain(row[c]) for c in COLUMNS if row[c] is not None},
        "answers": row["answers"] or {},
    }
    return encode(record)


def encode(record: Mapping[str, Any]) -> bytes:
    """The bytes of a record that are digested, whatever the order and the spaces of what it was read from."""
    return _ENCODE(record).encode()


def digest_of(row: Mapping[str, Any]) -> str:
    """The SHA-256 of a report's canonical record, hexadecimal."""
    return hashlib.sha256(canonical_record(row)).hexdigest()


def receipt_of(row: Mapping[str, Any], digest: str = "", signature: str = "") -> Receipt:
    """The receipt of a stored report; its digest is computed where it is not at hand."""
    digest = digest or digest_of(row)
    number = number_of(row["day"].isoformat(), digest)
    return Receipt(number, row["received_at"], digest, row["late"], row["version"], row["key"], signature)


def number_of(day: str, digest: str) -> str:
    """The number of a receipt (``day`` as YYYY-MM-DD). It carries no name and no school number, so it may be shown."""
    return f"{day.replace('-', '')}-{digest[:4]}-{digest[4:8]}-{digest[8:12]}".upper()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
