"""Builders: short ways to a situation.  They call the real commands, so what they build is what the product builds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from anxiao.accounts.models import Grant as GrantRow
from anxiao.accounts.models import User
from anxiao.base.clock import moment_at
from anxiao.base.permissions import Role
from anxiao.base.scope import Grant, Scope, system_scope
from anxiao.directory.models import Category, ClassCounsellor, Membership, Organisation, Person, School
from anxiao.directory.names import Audience
from anxiao.questionnaires.commands import ensure_provincial_daily
from anxiao.questionnaires.models import Questionnaire
from anxiao.questionnaires.names import PROVINCIAL_DAILY
from anxiao.reporting.commands.campaigns import ensure_rounds, start_daily_campaign
from anxiao.reporting.commands.counting import recount
from anxiao.reporting.commands.reports import submit_report
from anxiao.reporting.models import Campaign, Round
from anxiao.reporting.storage import Accepted

TODAY = date(2026, 3, 2)
"""A Monday in term: the day on which every test plays unless it says otherwise."""

MORNING = moment_at(TODAY, time(8, 30))
HOUSE = system_scope("tests")

_numbers = itertools.count(1)

WELL: Mapping[str, Any] = {
    "person_type": "staying_in_anhui",
    "at_school": True,
    "region": "340100",
    "address": "九龙路",
    "detailed_address": "111 号",
    "hubei_history": False,
    "left_region_14d": False,
    "crossed_border_14d": False,
    "contact_14d": False,
    "isolation": "none",
    "diagnosis": "none",
    "symptoms": ["normal"],
    "temperature": 36.5,
}
"""Answers of somebody who is well and on campus; ``answers()`` changes what a test is about."""


def answers(**changes: Any) -> dict[str, Any]:
    """Answers of a healthy person with some changes; ``None`` takes a question out."""
    return {key: value for key, value in {**WELL, **changes}.items() if value is not None}


def add_school(code: str, name: str, city: str = "合肥市") -> School:
    """A school in the register (which migrations may have filled already)."""
    return School.objects.using("bulk").get_or_create(
        code=code, defaults={"name": name, "department": "安徽省", "city": city, "city_code": "340100", "level": "本科"}
    )[0]


def add_person(
    node: Organisation,
    name: str,
    *,
    number: str = "",
    audience: Audience = Audience.STUDENT,
    since: date = TODAY - timedelta(days=30),
    now: datetime = MORNING,
    phone: str = "",
) -> Person:
    """A person with a membership of ``node``.  The caller counts (``recount``) when all are there."""
    n = next(_numbers)
    category = Category.objects.filter(school_id=node.school_id, audience=audience).first()
    person = Person.objects.create(
        school_id=node.school_id,
        number=number or f"N{n:06d}",
        name=name,
        sex="F" if n % 2 else "M",
        phone=phone or f"139{n:08d}",
        audience=audience,
        category=category,
        created_at=now,
        changed_at=now,
    )
    Membership.objects.create(
        school_id=node.school_id, person=person, organisation=node, valid_from=since, known_from=now
    )
    return person


def add_people(node: Organisation, count: int, *, audience: Audience = Audience.STUDENT) -> list[Person]:
    return [add_person(node, f"学生{next(_numbers)}", audience=audience) for _ in range(count)]


def counted(school_id: int) -> None:
    """Bring a school's counters up to people that a builder put in behind the commands' back."""
    recount(school_id=school_id)


def give_counsellor(class_: Organisation, person: Person, since: date = TODAY - timedelta(days=30)) -> None:
    ClassCounsellor.objects.create(school_id=class_.school_id, organisation=class_, person=person, valid_from=since)


def scope_for(
    role: Role | None, node: Organisation | None, *, person: Person | None = None, place_path: str | None = None
) -> Scope:
    """A scope without an account, for queries and commands."""
    n = next(_numbers)
    grants = ()
    if role is not None and node is not None:
        grants = (
            Grant(
                role=role,
                node_id=node.pk,
                node_path=node.path,
                node_kind=node.kind,
                school_id=node.school_id,
                node_name=node.name,
                place_path=place_path,
            ),
        )
    return Scope(
        user_id=10_000 + n,
        username=f"user-{n}",
        display_name=f"user-{n}",
        person_id=person.pk if person else None,
        school_id=person.school_id if person else (node.school_id if node and node.school_id else None),
        grants=grants,
    )


def add_account(
    username: str,
    *,
    role: Role | None = None,
    node: Organisation | None = None,
    person: Person | None = None,
    password: str = "correct horse 2026",
    demo: bool = True,
) -> User:
    """An account that may sign in; a demo account by default, so that no second factor stands in the way."""
    school_id = person.school_id if person else (node.school_id if node else None)
    user = User(
        username=username,
        display_name=person.name if person else username,
        person=person,
        home_school_id=school_id or None,
        is_demo=demo,
        date_joined=MORNING,
    )
    user.set_password(password)
    user.save()
    if role is not None:
        GrantRow.objects.create(
            user=user,
            role=role,
            organisation=node,
            valid_from=TODAY - timedelta(days=30),
            given_by=0,
            given_at=MORNING,
        )
    return user


def start_campaign(province: Organisation, *, starts_on: date = TODAY - timedelta(days=30)) -> Campaign:
    """The provincial daily campaign for students and staff."""
    ensure_provincial_daily(now=MORNING)
    return start_daily_campaign(
        by=HOUSE,
        now=MORNING,
        organisation=province,
        questionnaire=Questionnaire.objects.get(code=PROVINCIAL_DAILY),
        title="每日健康状况上报",
        title_en="Daily health report",
        audiences=(Audience.STUDENT, Audience.STAFF),
        starts_on=starts_on,
    )


def round_of(day: date = TODAY) -> Round:
    (round_,) = ensure_rounds(day=day)
    return round_


def report(
    person: Person, *, at: datetime = MORNING, by: Scope | None = None, key: UUID | None = None, **changes: Any
) -> Accepted:
    """``person`` reports (or ``by`` reports for them)."""
    day_round = round_of(at.astimezone(moment_at(TODAY, time(0)).tzinfo).date())
    return submit_report(
        by=by or scope_for(None, None, person=person),
        round=day_round,
        school_id=person.school_id,
        person_id=person.pk,
        answers=answers(**changes),
        key=key or uuid4(),
        now=at,
    )


@dataclass
class Situation:
    """Where a test plays; filled by ``tests/cast.py``."""

    province: Organisation
    schools: dict[str, School] = field(default_factory=dict)
    nodes: dict[str, Organisation] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
