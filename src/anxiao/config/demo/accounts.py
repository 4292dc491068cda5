"""The demo's accounts: one per role that anybody may sign in with, and those of people who activated theirs."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.hashers import make_password

from anxiao.accounts.rules import person_username
from anxiao.base.permissions import Role
from anxiao.config.demo import words
from anxiao.config.demo.load import Ids, copy_rows
from anxiao.config.demo.population import Human, Stage, University
from anxiao.config.demo.shape import PROVINCE
from anxiao.directory.models import Organisation

PASSWORD = "anxiao-demo"
"""The published password of the demo, and of nothing else."""

ABOVE = {"operator": Role.OPERATOR, "province": Role.PROVINCE_OFFICER}
AT_SCHOOL = {
    "school": Role.SCHOOL_ADMIN,
    "officer": Role.EPIDEMIC_OFFICER,
    "dorm": Role.DORM_MANAGER,
    "doctor": Role.SCHOOL_DOCTOR,
    "security": Role.SECURITY,
}
ENDINGS = (
    *("operator", "province", "school", "officer", "college", "counsellor", "classhead"),
    *("dorm", "doctor", "security", "student", "staff"),
)
"""Of the accounts' names, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Account:
    """One line of ``accounts.json``."""

    name: str
    password: str
    role: str
    school: str
    node: str


@dataclass(slots=True)
class Accounts:
    """What was made: whose account is which, who signs for a school, and the lines to show."""

    by_person: dict[int, int] = field(default_factory=dict)
    officers: dict[int, int] = field(default_factory=dict)
    """By school: the account of its epidemic officer."""
    province_officer: int = 0
    shown: list[Account] = field(default_factory=list)
    count: int = 0


@dataclass(frozen=True, slots=True)
class _Grant:
    user_id: int
    role: Role
    organisation_id: int
    place_id: int | None = None


_ACCOUNT = (
    *("id", "username", "password", "display_name", "person_id", "home_school_id"),
    *("is_active", "is_demo", "pass_version", "date_joined"),
)
_GRANT = ("id", "user_id", "role", "organisation_id", "place_id", "valid_from", "given_by", "given_at")


def make_accounts(
    cursor: Any,
    universities: Sequence[University],
    stages: Mapping[int, Stage],
    *,
    province: Organisation,
    now: datetime,
    since: date,
    seed: int,
) -> Accounts:
    """Write accounts and grants of everybody; the one password is hashed once."""
    made = Accounts()
    secret = make_password(PASSWORD)
    # The others chose a password, or they would not count as activated; this one is known to nobody, not even to us.
    forgotten = make_password(secrets.token_urlsafe(32))
    take_account, take_grant = Ids(cursor, "account"), Ids(cursor, "account_grant")
    chance = words.stream(seed, "accounts")
    rows: list[tuple[Any, ...]] = []
    grants: list[_Grant] = []

    def add(username: str, shown: str, human: Human | None, school_id: int | None, password: str, demo: bool) -> int:
        user_id = take_account()
        joined = now - timedelta(days=20, minutes=chance.randint(0, 30_000))
        person_id = human.id if human else None
        rows.append((user_id, username, password, shown, person_id, school_id, True, demo, 1, joined))
        if human:
            made.by_person[human.id] = user_id
        return user_id

    for university in universities:
        stage = stages.get(university.school_id)
        if stage is None:
            continue
        for ending in ENDINGS:
            human = stage.roles.get(ending)
            name = f"{university.shape.prefix}-{ending}"
            shown = human.name if human else {"operator": "平台运维", "province": "省防控办"}[ending]
            user_id = add(name, shown, human, university.school_id if human else None, secret, True)
            own = list(_grants_of(ending, user_id, university, stage, province))
            grants += own
            role = own[0].role.value if own else ending
            made.shown.append(_line(name, role, ending, human, university, stage))
            if ending == "officer":
                made.officers[university.school_id] = user_id
            if ending == "province" and not made.province_officer:
                made.province_officer = user_id

    for university in universities:
        rate = chance.uniform(0.72, 0.9)
        code, counsellors = university.shape.code, {h.id for h in university.counsellor_of.values()}
        if university.school_id not in made.officers:
            officer = university.staff[0]
            user_id = add(
                person_username(code, officer.number), officer.name, officer, university.school_id, forgotten, False
            )
            grants.append(_Grant(user_id, Role.EPIDEMIC_OFFICER, university.node_id))
            made.officers[university.school_id] = user_id
        # in the class of the story somebody always waits for a code: there is something to print
        story = stages.get(university.school_id)
        waiting = {h.id for h in [h for h in university.students if story and h.node is story.class_][-2:]}
        pace: dict[int, float] = {}
        for human in university.people:
            # classes differ: that is what the board of activation is there to show
            share = pace.setdefault(human.node.id, min(1.0, max(0.3, chance.gauss(rate, 0.09))))
            if human.id in made.by_person or human.id in waiting:
                continue
            if not (human.id in counsellors or chance.random() < share):
                continue
            add(person_username(code, human.number), human.name, human, university.school_id, forgotten, False)
        for class_id, human in university.counsellor_of.items():
            if story is None or human is not story.roles["counsellor"]:
                grants.append(_Grant(made.by_person[human.id], Role.COUNSELLOR, class_id))

    made.count = copy_rows(cursor, "account", _ACCOUNT, rows)
    copy_rows(
        cursor,
        "account_grant",
        _GRANT,
        ((take_grant(), g.user_id, g.role.value, g.organisation_id, g.place_id, since, 0, now) for g in grants),
    )
    made.shown.sort(key=lambda a: (a.name.partition("-")[0], ENDINGS.index(a.name.partition("-")[2])))
    return made


def write_accounts(path: Path, accounts: Sequence[Account]) -> None:
    """The accounts for whoever tries the demo: a file beside the data, never in the repository."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(a) for a in accounts], ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _grants_of(
    ending: str, user_id: int, university: University, stage: Stage, province: Organisation
) -> Iterator[_Grant]:
    if ending in ABOVE:
        yield _Grant(user_id, ABOVE[ending], province.pk)
    elif ending in AT_SCHOOL:
        place = stage.building.id if ending == "dorm" else None
        yield _Grant(user_id, AT_SCHOOL[ending], university.node_id, place)
    elif ending == "college":
        yield _Grant(user_id, Role.COLLEGE_OFFICER, stage.class_.parent_id)
    elif ending == "counsellor":
        for class_id, human in university.counsellor_of.items():
            if human is stage.roles["counsellor"]:
                yield _Grant(user_id, Role.COUNSELLOR, class_id)
    elif ending == "classhead":
        yield _Grant(user_id, Role.CLASS_HEAD, stage.class_.id)


def _line(name: str, role: str, ending: str, human: Human | None, university: University, stage: Stage) -> Account:
    college = next(n for n in university.nodes if n.id == stage.class_.parent_id)
    class_name = f"{college.name} {stage.class_.grade} {stage.class_.name}"
    if human is None:
        return Account(name, PASSWORD, role, "", PROVINCE)
    node = {
        "college": college.name,
        "counsellor": class_name,
        "classhead": class_name,
        "student": class_name,
        "dorm": f"{university.name} {stage.building.name}",
        "staff": human.node.name,
    }.get(ending, university.name)
    return Account(name, PASSWORD, role, university.name, node)
