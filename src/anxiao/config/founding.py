"""What a fresh installation needs before the first school can apply: its province, what is asked daily, one officer.

Each step looks first for what stands, so that founding again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from anxiao.accounts.commands.founding import found_officer
from anxiao.accounts.commands.onboarding import Credential
from anxiao.accounts.models import Grant, User
from anxiao.accounts.queries import user_called
from anxiao.base.clock import day_of
from anxiao.base.errors import Refused
from anxiao.base.permissions import Role
from anxiao.base.scope import SHARED_SCHOOL, Scope, system_scope
from anxiao.base.tenancy import school_context
from anxiao.directory.commands import add_organisation
from anxiao.directory.models import Organisation, School
from anxiao.directory.names import Audience, OrganisationKind
from anxiao.questionnaires.models import Questionnaire
from anxiao.questionnaires.names import PROVINCIAL_DAILY
from anxiao.reporting.commands.campaigns import start_daily_campaign
from anxiao.reporting.models import Campaign

MINISTRY = "教育部"
CAMPAIGN, CAMPAIGN_EN = "每日健康状况上报", "Daily health report"
LONGEST_NAME, LONGEST_OFFICER = 100, 60


@dataclass(frozen=True, slots=True)
class Step:
    """One thing of the foundation, and whether this run made it."""

    what: str
    name: str
    made: bool = False


@dataclass(frozen=True, slots=True)
class Foundation:
    """What stands now.  ``credential`` holds the officer's first password when this run made the account."""

    steps: tuple[Step, ...]
    credential: Credential | None


def found_province(
    *, now: datetime, name: str, officer: str, officer_name: str = "", starts_on: date | None = None
) -> Foundation:
    """Found the province in a prepared database (``installation.prepare``), in one transaction.

    The officer's account is called ``officer``; another one is made for every name that has none yet.
    """
    name, officer_name = name.strip(), officer_name.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise Refused(f"Name the province in 1 to {LONGEST_NAME} characters, for example 安徽省教育厅.")
    if len(officer_name) > LONGEST_OFFICER or not officer_name.isprintable():
        raise Refused(f"The officer's name has at most {LONGEST_OFFICER} characters.")
    by = system_scope("founding")
    with school_context("*"):
        ministry, ministry_made = ensure_above(by=by, now=now, kind=OrganisationKind.MINISTRY, name=MINISTRY)
        province, province_made = ensure_above(
            by=by, now=now, kind=OrganisationKind.PROVINCE, name=name, parent=ministry
        )
        if province.name != name:
            raise Refused(f"This installation belongs to {province.name} already; another province needs its own.")
        campaign, campaign_made = _ensure_campaign(by=by, now=now, province=province, starts_on=starts_on)
        user, credential = _ensure_officer(
            by=by, now=now, province=province, username=officer, display_name=officer_name or name[:LONGEST_OFFICER]
        )
        schools = School.objects.count()
    return Foundation(
        (
            Step("register", f"{schools} schools"),
            Step("ministry", ministry.name, ministry_made),
            Step("province", province.name, province_made),
            Step("campaign", f"{campaign.title}, daily from {campaign.starts_on}", campaign_made),
            Step("officer", user, credential is not None),
        ),
        credential,
    )


def ensure_above(
    *, by: Scope, now: datetime, kind: OrganisationKind, name: str, parent: Organisation | None = None
) -> tuple[Organisation, bool]:
    """The node of a kind above the schools, of which there is one, and whether it was made now."""
    standing = Organisation.objects.filter(school_id=SHARED_SCHOOL, kind=kind).first()
    if standing is not None:
        return standing, False
    return add_organisation(by=by, now=now, kind=kind, name=name, parent=parent), True


def start_provincial_daily(*, by: Scope, now: datetime, province: Organisation, starts_on: date) -> Campaign:
    """The daily report and zero report of the notice: everybody answers the provincial questionnaire."""
    return start_daily_campaign(
        by=by,
        now=now,
        organisation=province,
        questionnaire=Questionnaire.objects.get(code=PROVINCIAL_DAILY),
        title=CAMPAIGN,
        title_en=CAMPAIGN_EN,
        audiences=(Audience.STUDENT, Audience.STAFF),
        starts_on=starts_on,
    )


def _ensure_campaign(
    *, by: Scope, now: datetime, province: Organisation, starts_on: date | None
) -> tuple[Campaign, bool]:
    today = day_of(now)
    standing = (
        Campaign.objects.filter(organisation=province, questionnaire__code=PROVINCIAL_DAILY)
        .exclude(ends_on__lt=today)
        .order_by("starts_on", "id")
        .first()
    )
    if standing is not None:
        return standing, False
    if starts_on is not None and starts_on < today:
        raise Refused(f"{starts_on} is past: nobody can report for it. The first day is {today} or later.")
    return start_provincial_daily(by=by, now=now, province=province, starts_on=starts_on or today), True


def _ensure_officer(
    *, by: Scope, now: datetime, province: Organisation, username: str, display_name: str
) -> tuple[str, Credential | None]:
    standing = user_called(username)
    if standing is None:
        made = found_officer(
            by=by,
            now=now,
            username=username,
            display_name=display_name,
            role=Role.PROVINCE_OFFICER,
            province=province,
        )
        return made.username, made
    if not _is_officer(standing, province, day_of(now)):
        raise Refused(f"The user name {standing.username} belongs to an account without this role; choose another.")
    return standing.username, None


def _is_officer(user: User, province: Organisation, day: date) -> bool:
    return Grant.objects.valid_on(day).filter(user=user, role=Role.PROVINCE_OFFICER, organisation=province).exists()
