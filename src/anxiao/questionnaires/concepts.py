"""The provincial standard: each concept, its column and its code table.

Pure: the intake door imports this without Django. The integers below are stored in millions of
rows and exchanged with other platforms, so a number is never reused and never renumbered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from anxiao.questionnaires.names import Concept, HealthState, Kind


def _codes(**codes: int) -> Mapping[str, int]:
    return MappingProxyType(codes)


#: Bit of each standard symptom. Zero is the explicit answer 自觉正常.
SYMPTOM_BITS: Final = _codes(normal=0, fever=1, dry_cough=2, fatigue=4, diarrhoea=8, cold=16, headache=32)

PERSON_TYPES: Final = _codes(
    outside_anhui=1,
    staying_in_anhui=2,
    returned_early_january=3,
    arrived_early_january=4,
    returned_mid_january=5,
    arrived_mid_january=6,
    home_observation=7,
    central_observation=8,
)

RETURN_PLANS: Final = _codes(undecided=1, planned=2, not_this_term=3)
ISOLATIONS: Final = _codes(none=0, home=1, central=2, hospital=3)
DIAGNOSES: Final = _codes(none=0, suspected=1, confirmed=2)


@dataclass(frozen=True, slots=True)
class Meaning:
    """How one concept is stored and how it may be asked."""

    column: str
    kinds: frozenset[Kind]
    codes: Mapping[str, int] | None = None
    #: False for what must be answered afresh every day, whatever a definition would like.
    may_be_stable: bool = True


def _asked_as(*kinds: Kind) -> frozenset[Kind]:
    return frozenset(kinds)


MEANINGS: Final[Mapping[Concept, Meaning]] = MappingProxyType(
    {
        Concept.TEMPERATURE: Meaning("temperature_tenths", _asked_as(Kind.NUMBER), may_be_stable=False),
        Concept.SYMPTOMS: Meaning("symptoms", _asked_as(Kind.MULTIPLE), SYMPTOM_BITS, may_be_stable=False),
        Concept.PERSON_TYPE: Meaning("person_type", _asked_as(Kind.SINGLE), PERSON_TYPES),
        Concept.AT_SCHOOL: Meaning("at_school", _asked_as(Kind.YES_NO)),
        Concept.RETURN_PLAN: Meaning("return_plan", _asked_as(Kind.SINGLE), RETURN_PLANS),
        Concept.RETURN_ON: Meaning("return_on", _asked_as(Kind.DATE)),
        Concept.REGION: Meaning("region", _asked_as(Kind.REGION)),
        Concept.LEFT_REGION: Meaning("left_region", _asked_as(Kind.YES_NO)),
        Concept.CROSSED_BORDER: Meaning("crossed_border", _asked_as(Kind.YES_NO)),
        Concept.CONTACT: Meaning("contact", _asked_as(Kind.YES_NO)),
        Concept.ISOLATION: Meaning("isolation", _asked_as(Kind.SINGLE), ISOLATIONS),
        Concept.DIAGNOSIS: Meaning("diagnosis", _asked_as(Kind.SINGLE), DIAGNOSES),
        Concept.HUBEI: Meaning("hubei", _asked_as(Kind.YES_NO)),
    }
)

#: Every typed column of a report, the two derived ones last.
COLUMNS: Final[tuple[str, ...]] = (
    *(meaning.column for meaning in MEANINGS.values()),
    "unwell",
    "fever",
)


def to_column(concept: Concept, answer: Any) -> Any:
    """Turn a judged answer into the value of its column."""
    codes = MEANINGS[concept].codes
    if concept is Concept.TEMPERATURE:
        return int(Decimal(str(answer)) * 10)
    if concept is Concept.SYMPTOMS:
        return sum(SYMPTOM_BITS[code] for code in answer)
    if codes is not None:
        return codes[answer]
    if concept is Concept.REGION:
        return int(answer)
    return answer


def from_column(concept: Concept, value: Any) -> Any:
    """Turn the value of a column back into an answer; None when it no longer means anything."""
    codes = MEANINGS[concept].codes
    if value is None:
        return None
    if concept is Concept.TEMPERATURE:
        return float(Decimal(value) / 10)
    if concept is Concept.SYMPTOMS:
        return symptoms_of(value)
    if codes is not None:
        return next((code for code, number in codes.items() if number == value), None)
    if isinstance(value, date):
        return value.isoformat()
    if concept is Concept.REGION:
        return f"{value:06d}"
    return value


def symptoms_of(mask: int) -> list[str]:
    """Codes of the symptoms in a stored mask; ``["normal"]`` when somebody felt well."""
    found = [code for code, bit in SYMPTOM_BITS.items() if mask & bit]
    return found or ["normal"]


def health_state(row: Mapping[str, Any]) -> HealthState:
    """Derive the one word for a report's typed columns."""
    if row.get("diagnosis") == DIAGNOSES["confirmed"]:
        return HealthState.CONFIRMED
    if row.get("diagnosis") == DIAGNOSES["suspected"]:
        return HealthState.SUSPECTED
    if row.get("isolation") or row.get("person_type") in (
        PERSON_TYPES["home_observation"],
        PERSON_TYPES["central_observation"],
    ):
        return HealthState.UNDER_OBSERVATION
    if row.get("unwell"):
        return HealthState.UNWELL
    return HealthState.WELL
