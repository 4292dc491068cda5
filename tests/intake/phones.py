"""Phones by the dozen: people with passes, and requests that are cheap enough to be sent by the thousand."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from anxiao.accounts.models import User
from anxiao.base import deployment, tickets
from anxiao.base.passes import COOKIE, LIFETIME, Pass, seal
from anxiao.base.tenancy import school_context
from anxiao.base.tickets import Ticket
from anxiao.directory.models import Category, Membership, Organisation, Person
from anxiao.directory.names import Audience
from anxiao.intake.app import application, lifespan
from anxiao.intake.app import door as the_door
from anxiao.intake.door import Door
from anxiao.intake.requests import Submission
from anxiao.questionnaires.queries import compiled
from anxiao.questionnaires.rules import judge
from anxiao.reporting.models import Round
from anxiao.reporting.storage import Draft
from tests.builders import MORNING, TODAY, answers, round_of

T = TypeVar("T")

_numbers = itertools.count(1)


def crowd(node: Organisation, count: int) -> list[Pass]:
    """People of a class with a pass each, made quickly."""
    with school_context("*"):
        category = Category.objects.filter(school_id=node.school_id, audience=Audience.STUDENT).first()
        people = Person.objects.bulk_create(
            Person(
                school_id=node.school_id,
                number=f"C{next(_numbers):06d}",
                name="学生",
                sex="F",
                phone=f"138{next(_numbers):08d}",
                audience=Audience.STUDENT,
                category=category,
                created_at=MORNING,
                changed_at=MORNING,
            )
            for _ in range(count)
        )
        Membership.objects.bulk_create(
            Membership(
                school_id=node.school_id,
                person=person,
                organisation=node,
                valid_from=TODAY.replace(day=1),
                known_from=MORNING,
            )
            for person in people
        )
        users = User.objects.bulk_create(
            User(
                username=f"crowd-{person.pk}",
                display_name=person.name,
                person=person,
                home_school_id=person.school_id,
                is_demo=True,
                date_joined=MORNING,
                password="!",
            )
            for person in people
        )
    return [Pass(u.pk, p.pk, p.school_id, 1, MORNING + LIFETIME) for u, p in zip(users, people, strict=True)]


def asked() -> Round:
    """The round of the test's day."""
    with school_context("*"):
        return round_of()


def ticket_of(held: Pass, round: Round, *, version: int = 1, at: datetime = MORNING) -> str:
    given = Ticket(held.person_id, held.school_id, round.day, round.pk, round.version_id, version, int(at.timestamp()))
    return tickets.seal(deployment.secret(), given)


def submission(held: Pass, round: Round, *, key: UUID | None = None, **changes: Any) -> Submission:
    return Submission(
        ticket_of(held, round), round.pk, round.version_id, key or uuid4(), answers(**changes), False, None, None
    )


def drafts(holders: list[Pass], round: Round, **typed: Any) -> list[Draft]:
    """Judged reports, one a holder; ``typed`` overrules what the judge found."""
    with school_context("*"):
        verdict = judge(compiled(round.version), answers(), round.day)
    return [
        Draft(
            school_id=held.school_id,
            person_id=held.person_id,
            day=round.day,
            round_id=round.pk,
            key=uuid4(),
            typed={**verdict.typed, **typed},
            answers=verdict.extra,
            form_version_id=round.version_id,
            channel=1,
            received_at=MORNING,
            by_user_id=held.user_id,
            version=1,
        )
        for held in holders
    ]


def opened(story: Callable[[Door], Coroutine[Any, Any, T]]) -> T:
    """Play a story before the open door of this process."""

    async def played() -> T:
        async with lifespan():
            return await story(the_door)

    return asyncio.run(played())


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(slots=True)
class Phone:
    """A phone that speaks to the application without a socket between."""

    held: Pass
    language: str = "zh-CN"
    cookie: str = field(init=False)

    def __post_init__(self) -> None:
        self.cookie = seal(deployment.secret(), self.held)

    async def today(self) -> Answered:
        return await self.ask("GET", "/today")

    async def report(self, body: Mapping[str, Any], path: str = "/reports") -> Answered:
        return await self.ask("POST", path, json.dumps(body).encode())

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answered:
        async def once() -> AsyncIterator[bytes]:
            yield body

        return await self.stream(method, path, once())

    async def stream(self, method: str, path: str, chunks: AsyncIterator[bytes]) -> Answered:
        where = urlsplit(path)
        headers = {
            "cookie": f"{COOKIE}={self.cookie}",
            "content-type": "application/json",
            "x-anxiao": "1",
            "accept-language": self.language,
        }
        scope = {
            "type": "http",
            "method": method,
            "path": where.path,
            "query_string": where.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            chunk = await anext(chunks, None)
            return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

        async def send(message: Any) -> None:
            sent.append(message)

        await application(scope, receive, send)
        start, content = sent
        answered = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answered(start["status"], answered, json.loads(content["body"]) if content["body"] else None)
