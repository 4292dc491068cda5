"""The stage of the permission table: a small demo province, a browser for each role, and the objects rows speak of.

An object is named by whose it is and what it is:

- ``own``      lies in the reach of the counsellor of the demo: their class, a student of it who lives in the dormitory
               manager's building, that building
- ``other``    the same school, but another college, another building
- ``foreign``  the other school; such a row is asked from both sides, ``demo-x`` for the other school's object and
               ``demo2-x`` for the first school's: the answers must be alike
"""

from __future__ import annotations

import asyncio
import csv
import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.db import connections
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse
from django.utils import timezone
from starlette.requests import Request

from anxiao.accounts.models import ActivationAlarm, Grant, User
from anxiao.base.clock import day_of, moment_at, now
from anxiao.base.passes import COOKIE
from anxiao.config.demo import create_demo
from anxiao.directory.models import DirectoryImport, Onboarding
from anxiao.directory.models_people import ProfileProposal
from anxiao.directory.models_roster import RosterChange
from anxiao.directory.names import RowVerdict
from anxiao.intake.app import COMMANDS
from anxiao.portal.streams import door as streams
from anxiao.portal.streams.hub import Hub
from anxiao.portal.streams.tickets import Watch, seal
from anxiao.reporting.models import Exemption

with warnings.catch_warnings():
    # Starlette recommends a client that is not released yet.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

TABLE = Path(__file__).with_name("permission_table.csv")
BACKEND = "anxiao.accounts.backends.AccountBackend"
BULK = "bulk"

ROLES = (
    *("anonymous", "operator", "province", "school", "officer", "college", "counsellor", "classhead"),
    *("dorm", "doctor", "security", "student", "staff"),
)
"""Columns of the table; all but the first are endings of the demo accounts' names."""

PREFIXES = ("demo", "demo2")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    url: str
    method: str
    what: str
    extra: str
    expected: Mapping[str, str]
    note: str

    @property
    def label(self) -> str:
        return " ".join(filter(None, (self.method, self.url, self.what, self.extra)))


def read_table() -> list[Row]:
    """The table without its legend."""
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return [
        Row(line["url"], line["method"], line["object"], line["with"], {r: line[r] for r in ROLES}, line["说明"])
        for line in csv.DictReader(lines)
    ]


@dataclass(frozen=True, slots=True)
class Address:
    """A place of the house that can be asked for."""

    parameters: tuple[str, ...]
    is_ours: bool
    """Whether the page is made in this house; of the others (allauth, Django) only GET is in the table."""


INTAKE = "intake:"
"""So begin the addresses of the small door for the morning peak; it stands beside Django and knows the pass only."""

STREAMS = "streams:"
"""So begin the addresses of the live figures; they stand beside Django and know the session and the page's ticket."""


@cache
def addresses() -> dict[str, Address]:
    """Every address of the house, by its full name.  One without a name is named after its route."""
    intake = {INTAKE + path: Address((), True) for _method, path in COMMANDS}
    live = {f"{STREAMS}/board": Address(("node_id",), True), f"{STREAMS}/wall": Address((), True)}
    assert {name.removeprefix(STREAMS) for name in live} == {route.path for route in streams.routes}
    return dict(_walk(get_resolver(), "", "", ())) | intake | live


def _walk(resolver: URLResolver, space: str, route: str, parameters: tuple[str, ...]) -> Iterator[tuple[str, Address]]:
    for entry in resolver.url_patterns:
        own = (*parameters, *entry.pattern.regex.groupindex)
        if isinstance(entry, URLResolver):
            inner = f"{space}{entry.namespace}:" if entry.namespace else space
            yield from _walk(entry, inner, route + str(entry.pattern), own)
        else:
            yield (
                space + (entry.name or f"/{route}{entry.pattern}"),
                Address(own, entry.callback.__module__.startswith("anxiao")),
            )


@dataclass
class PermissionStage:
    """Two schools with their objects, and a browser for each account."""

    ids: dict[str, dict[str, int]] = field(default_factory=dict)
    """``demo`` and ``demo2``: what stands where, by ``own class``, ``other person`` ..."""
    rounds: dict[str, int] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    intake: TestClient | None = None

    def ask(self, row: Row, role: str, prefix: str = "demo") -> str:
        """The answer that the browser of a role gets, in the words of the table."""
        client = Client(raise_request_exception=False) if role == "anonymous" else self._client(f"{prefix}-{role}")
        if row.url.startswith(INTAKE):
            return self._ask_intake(row, client)
        if row.url.startswith(STREAMS):
            return self._listen(row, role, prefix, client)
        url = self.url(row, prefix)
        response = client.get(url) if row.method == "GET" else client.post(url, {"round": self.rounds["today"]})
        return said(response)

    def _ask_intake(self, row: Row, client: Client) -> str:
        assert self.intake is not None
        client.get(reverse("portal:h5_help"))  # any page gives a person's phone its pass
        held = client.cookies.get(COOKIE)
        headers = {"X-Anxiao": "1"} | ({"Cookie": f"{COOKIE}={held.value}"} if held else {})
        path = row.url.removeprefix(INTAKE)
        if row.method == "GET":
            return str(self.intake.get(path, headers=headers).status_code)
        return str(self.intake.post(path, json={}, headers=headers).status_code)

    def _listen(self, row: Row, role: str, prefix: str, client: Client) -> str:
        """The answer to a ticket that this role's page would have been given if its view had not looked who asks."""
        day = day_of(now())
        watch = Watch("wall", day)
        if row.url.endswith("/board"):
            watch = Watch("node", day, self.rounds["today"], nodes=(self._object("node_id", row.what, prefix),))
        user = client.session.get("_auth_user_id", "0")
        cookie = client.cookies.get(settings.SESSION_COOKIE_NAME)
        hub = Hub(alone=True)
        asked = Request(
            {
                "type": "http",
                "method": "GET",
                "query_string": b"ticket=" + seal(int(user), watch).encode(),
                "headers": [(b"cookie", f"{cookie.key}={cookie.value}".encode())] if cookie else [],
                "app": SimpleNamespace(state=SimpleNamespace(hub=hub)),
            }
        )
        loop = asyncio.new_event_loop()
        try:
            answer = loop.create_task((streams.wall if watch.face == "wall" else streams.board)(asked))
            loop.run_until_complete(asyncio.sleep(0))
            hub.turn()
            return str(loop.run_until_complete(answer).status_code)
        finally:
            loop.close()

    def url(self, row: Row, prefix: str) -> str:
        given = dict(part.split("=", 1) for part in row.extra.split()) if row.extra else {}
        values: dict[str, Any] = {}
        for name in addresses()[row.url].parameters:
            if name == "round_id":
                values[name] = self.rounds[given.get("round", "today")]
            elif name in given:
                values[name] = given[name]
            else:
                values[name] = self._object(name, row.what, prefix)
        return reverse(row.url, kwargs=values)

    def _object(self, parameter: str, what: str, prefix: str) -> int:
        whose, _, kind = what.partition(" ")
        if whose == "foreign":
            prefix = PREFIXES[1 - PREFIXES.index(prefix)]
            what = f"own {kind}"
        if parameter in MAKERS:
            return MAKERS[parameter](self.ids[prefix], "other" if whose == "other" else "own")
        return self.ids[prefix][what]

    def _client(self, name: str) -> Client:
        client = self.clients.get(name)
        if client is None or "_auth_user_id" not in client.session:
            client = self.clients[name] = Client(raise_request_exception=False)
            client.force_login(User.objects.get(username=name), backend=BACKEND)
        return client


def said(response: Any) -> str:
    """A status, or where a redirect leads when that is the point of it."""
    if response.status_code in (301, 302, 303):
        target = response.headers["Location"]
        for word, part in (("login", "/login/"), ("login", "/h5/sign-in/"), ("confirm", "/reauthenticate/")):
            if part in target:
                return word
    return str(response.status_code)


def prepare(data: Path) -> PermissionStage:
    """Make the demo and find the objects in it."""
    # late enough for everybody with a role to have reported, at whatever hour the table is read
    today = day_of(now())
    create_demo(
        people=420, days=2, seed=1, data_dir=data, now=max(now(), moment_at(today, time(23))), say=lambda _: None
    )
    stage = PermissionStage()
    for prefix in PREFIXES:
        stage.ids[prefix] = _objects(prefix, today)
    with connections[BULK].cursor() as cursor:
        cursor.execute("SELECT day, id FROM round")
        by_day = dict(cursor.fetchall())
    stage.rounds = {"today": by_day[today], "yesterday": by_day[today - timedelta(days=1)]}
    return stage


_OBJECTS = """
WITH actor AS (
    SELECT a.person_id, g.organisation_id AS class_id, o.parent_id AS college_id, o.school_id
    FROM account a JOIN account_grant g ON g.user_id = a.id JOIN organisation o ON o.id = g.organisation_id
    WHERE a.username = %(prefix)s || '-classhead'
), building AS (
    SELECT p.id, p.path FROM account a JOIN account_grant g ON g.user_id = a.id JOIN place p ON p.id = g.place_id
    WHERE a.username = %(prefix)s || '-dorm'
), lodger AS (
    SELECT m.person_id, m.organisation_id, o.parent_id, m.school_id, room.path <@ (SELECT path FROM building) AS inside
    FROM membership m
    JOIN organisation o ON o.id = m.organisation_id AND o.kind = 'class'
    JOIN residence x ON x.person_id = m.person_id
    JOIN place room ON room.id = x.place_id
    WHERE m.person_id NOT IN (SELECT person_id FROM account WHERE is_demo AND person_id IS NOT NULL)
      AND EXISTS (SELECT FROM report r WHERE r.school_id = m.school_id AND r.person_id = m.person_id)
)
SELECT json_build_object(
    'own class', (SELECT class_id FROM actor),
    'own college', (SELECT college_id FROM actor),
    'own school', (SELECT o.id FROM organisation o JOIN actor USING (school_id) WHERE o.kind = 'school'),
    'own person', (SELECT l.person_id FROM lodger l JOIN actor a ON l.organisation_id = a.class_id
                   WHERE l.inside ORDER BY 1 LIMIT 1),
    'own building', (SELECT id FROM building),
    'other class', (SELECT min(o.id) FROM organisation o JOIN actor a USING (school_id)
                    WHERE o.kind = 'class' AND o.parent_id <> a.college_id),
    'other college', (SELECT min(o.id) FROM organisation o JOIN actor a USING (school_id)
                      WHERE o.kind = 'college' AND o.id <> a.college_id),
    'other person', (SELECT l.person_id FROM lodger l JOIN actor a USING (school_id)
                     WHERE l.parent_id <> a.college_id AND NOT l.inside ORDER BY 1 LIMIT 1),
    'other building', (SELECT min(p.id) FROM place p JOIN actor USING (school_id)
                       WHERE p.kind = 'building' AND p.id NOT IN (SELECT id FROM building)),
    'own account', (SELECT id FROM account WHERE username = %(prefix)s || '-counsellor'),
    'province', (SELECT id FROM organisation WHERE kind = 'province'),
    'school number', (SELECT school_id FROM actor)
)
"""


def _objects(prefix: str, today: date) -> dict[str, int]:
    with connections[BULK].cursor() as cursor:
        cursor.execute(_OBJECTS, {"prefix": prefix})
        (found,) = cursor.fetchone()
        ids: dict[str, int] = json.loads(found) if isinstance(found, str) else found
        # whatever the time of day: those whom the table speaks of have not reported yet today
        cursor.execute(
            "DELETE FROM report WHERE day = %s AND person_id = ANY(%s)",
            [today, [ids["own person"], ids["other person"]]],
        )
    return ids


# -- objects that an act uses up: a new one for every question --------------------------------------------------------


def _exemption(ids: Mapping[str, int], whose: str) -> int:
    Exemption.objects.using(BULK).filter(school_id=ids["school number"], person_id=ids[f"{whose} person"]).delete()
    today = day_of(now())
    return (
        Exemption.objects.using(BULK)
        .create(
            school_id=ids["school number"],
            person_id=ids[f"{whose} person"],
            reason="leave",
            valid_from=today + timedelta(days=30),
            valid_to=today + timedelta(days=31),
            created_by=0,
            created_at=timezone.now(),
        )
        .pk
    )


def _import(ids: Mapping[str, int], whose: str) -> int:
    return (
        DirectoryImport.objects.using(BULK)
        .create(
            school_id=ids["school number"],
            template="students",
            audience=1,
            filename="名单.xlsx",
            file_digest="0" * 64,
            file_size=1,
            state="previewed",
            counts={**dict.fromkeys(RowVerdict.values, 0), "makes": {}},
            created_by=0,
            created_at=timezone.now(),
        )
        .pk
    )


def _grant(ids: Mapping[str, int], whose: str) -> int:
    user = User.objects.using(BULK).filter(person__school_id=ids["school number"], is_demo=False).first()
    assert user is not None
    return (
        Grant.objects.using(BULK)
        .create(
            user=user,
            role="counsellor",
            organisation_id=ids[f"{whose} class"],
            valid_from=day_of(now()),
            given_by=0,
            given_at=timezone.now(),
        )
        .pk
    )


def _alarm(ids: Mapping[str, int], whose: str) -> int:
    ActivationAlarm.objects.using(BULK).filter(person_id=ids[f"{whose} person"]).delete()
    moment = timezone.now()
    return (
        ActivationAlarm.objects.using(BULK)
        .create(
            school_id=ids["school number"],
            person_id=ids[f"{whose} person"],
            kind="too_often",
            raised_at=moment,
            last_at=moment,
        )
        .pk
    )


def _proposal(ids: Mapping[str, int], whose: str) -> int:
    mine = ProfileProposal.objects.using(BULK).filter(person_id=ids[f"{whose} person"])
    mine.update(state="withdrawn")
    return (
        ProfileProposal.objects.using(BULK)
        .create(
            school_id=ids["school number"],
            person_id=ids[f"{whose} person"],
            field="name",
            before="旧名",
            wanted=f"新名{mine.count()}",
            reason="写错了",
            asked_by=0,
            asked_at=timezone.now(),
        )
        .pk
    )


def _application(ids: Mapping[str, int], whose: str) -> int:
    waiting = Onboarding.objects.using(BULK).filter(state="waiting").first()
    assert waiting is not None
    return waiting.pk


def _school_number(ids: Mapping[str, int], whose: str) -> int:
    return ids["school number"]


def _change(ids: Mapping[str, int], whose: str) -> int:
    today = day_of(now())
    return (
        RosterChange.objects.using(BULK)
        .create(
            school_id=ids["school number"],
            kind="leave",
            person_id=ids[f"{whose} person"],
            node_id=ids[f"{whose} class"],
            effective_on=today,
            reason="休学",
            made_by=0,
            made_by_name="house",
            made_at=timezone.now(),
        )
        .pk
    )


MAKERS = {
    "change_id": _change,
    "exemption_id": _exemption,
    "import_id": _import,
    "grant_id": _grant,
    "alarm_id": _alarm,
    "proposal_id": _proposal,
    "application_id": _application,
    "school_id": _school_number,
}
