"""Campaigns and their rounds.  A round comes into being when somebody first needs it: no clock has to strike for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time

from django.db import connection, transaction
from django.utils.translation import gettext as _

from anxiao.base.errors import Invalid
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.directory.models import Organisation
from anxiao.ledger.commands import record
from anxiao.questionnaires.models import Questionnaire
from anxiao.reporting.models import Campaign, Round
from anxiao.reporting.storage import MAKE_ROUNDS

OPENS_AT, DEADLINE_AT = time(0), time(14)
SHEETS_DUE_AT = time(16)
"""Two hours after the people: a school that waits for its last reports on time can still sign on time."""


@transaction.atomic
def start_daily_campaign(
    *,
    by: Scope,
    now: datetime,
    organisation: Organisation,
    questionnaire: Questionnaire,
    title: str,
    title_en: str,
    audiences: Iterable[int],
    starts_on: date,
    deadline_at: time = DEADLINE_AT,
    sheets_due_at: time = SHEETS_DUE_AT,
) -> Campaign:
    """Begin a daily campaign of a province.

    Everybody of ``audiences`` answers each day before ``deadline_at``; every school signs its day sheet before
    ``sheets_due_at``, which cannot be the earlier of the two.
    """
    if sheets_due_at < deadline_at:
        raise Invalid({"sheets_due_at": _("A school cannot sign before its people have had their time.")})
    campaign = Campaign.objects.create(
        organisation=organisation,
        questionnaire=questionnaire,
        title=title,
        title_en=title_en,
        audiences=[int(a) for a in audiences],
        opens_at=OPENS_AT,
        deadline_at=deadline_at,
        sheets_due_at=sheets_due_at,
        starts_on=starts_on,
    )
    record(
        by=by,
        now=now,
        verb="campaign.started",
        object_type="campaign",
        object_id=campaign.pk,
        school_id=organisation.school_id or SHARED_SCHOOL,
    )
    return campaign


def ensure_rounds(*, day: date) -> list[Round]:
    """The rounds of ``day``, one a running campaign; made now where they are missing."""
    running = set(Campaign.objects.filter(starts_on__lte=day).exclude(ends_on__lt=day).values_list("pk", flat=True))
    standing = _rounds_on(day)
    if running - {round_.campaign_id for round_ in standing}:
        with connection.cursor() as cursor:
            cursor.execute(MAKE_ROUNDS, {"day": day})
        standing = _rounds_on(day)
    return standing


def _rounds_on(day: date) -> list[Round]:
    return list(Round.objects.filter(day=day).select_related("campaign", "version").order_by("campaign_id"))
