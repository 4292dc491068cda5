"""Words of the questionnaires room."""

from enum import StrEnum


class Kind(StrEnum):
    """How a question is answered."""

    SINGLE = "single"
    MULTIPLE = "multiple"
    YES_NO = "yes_no"
    NUMBER = "number"
    TEXT = "text"
    REGION = "region"
    DATE = "date"
    PHONE = "phone"


class Concept(StrEnum):
    """What the provincial standard can understand, whatever a form calls it."""

    TEMPERATURE = "temperature"
    SYMPTOMS = "symptoms"
    PERSON_TYPE = "person_type"
    AT_SCHOOL = "at_school"
    RETURN_PLAN = "return_plan"
    RETURN_ON = "return_on"
    REGION = "region"
    LEFT_REGION = "left_region_14d"
    CROSSED_BORDER = "crossed_border_14d"
    CONTACT = "contact_14d"
    ISOLATION = "isolation"
    DIAGNOSIS = "diagnosis"
    HUBEI = "hubei_history"


class Stable(StrEnum):
    """Whether "no change" may carry an answer over to the next day."""

    NEVER = "never"
    ALWAYS = "always"
    #: Carried only while the answer is the quiet default. An exposure or an isolation is asked
    #: about afresh every day for as long as it lasts, so that it cannot go stale unnoticed.
    WHILE_DEFAULT = "while_default"


class HealthState(StrEnum):
    """One word for a person's day, the gravest that applies."""

    WELL = "well"
    UNWELL = "unwell"
    UNDER_OBSERVATION = "under_observation"
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"


#: Code of the questionnaire of the notice (皖教防控办〔2020〕11号).
PROVINCIAL_DAILY = "provincial-daily"

#: Published when a new version of a questionnaire may be used: questionnaire, number.
VERSION_PUBLISHED = "questionnaire.version_published"
