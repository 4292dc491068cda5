"""Campaigns and their rounds.  A round comes into being when somebody first needs it: no clock has to strike for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time

from django.db import transaction
from django.utils.translation import gettext as _

from anxiao.base.clock import day_bounds, moment_at
from anxiao.base.errors import Invalid
from anxiao.base.scope import SHARED_SCHOOL, Scope
from anxiao.directory.models import Organisation
from anxiao.ledger.commands import record
from anxiao.questionnaires.models import Questionnaire
from anxiao.reporting.models import Campaign, Round

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
    """The rounds of ``day``, one a running campaign; made now where they are missing.

    Safe to run by many at once: the unique constraint decides, and everybody reads what stands.
    """
    running = Campaign.objects.filter(starts_on__lte=day).exclude(ends_on__lt=day)
    standing = {r.campaign_id: r for r in Round.objects.filter(day=day).select_related("campaign", "version")}
    missing = [campaign for campaign in running if campaign.pk not in standing]
    if missing:
        Round.objects.bulk_create([_round(campaign, day) for campaign in missing], ignore_conflicts=True)
        standing = {r.campaign_id: r for r in Round.objects.filter(day=day).select_related("campaign", "version")}
    return [standing[key] for key in sorted(standing)]


def _round(campaign: Campaign, day: date) -> Round:
    version = campaign.questionnaire.versions.order_by("-number").first()
    if version is None:
        raise RuntimeError(f"questionnaire {campaign.questionnaire.code} has no published version")
    return Round(
        campaign=campaign,
        day=day,
        version=version,
        opens_at=moment_at(day, campaign.opens_at),
        deadline_at=moment_at(day, campaign.deadline_at),
        sheets_due_at=moment_at(day, campaign.sheets_due_at),
        closes_at=day_bounds(day)[1],
    )
