"""The listeners of this process, and the one thread that looks for all of them.

Once a second the thread asks who may still listen and which schools have counted anything, and reads what has moved:
two statements when nothing has, whatever the number of viewers.  It never works for more than a fifth of the time:
where a look takes long, looks become rarer.  A viewer keeps nothing but the id of what it was told last, so a slow one
misses states in between, never the newest.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.db import DatabaseError, connection
from django.http import HttpRequest
from django.utils import translation

from anxiao.accounts.gate import first_duty
from anxiao.accounts.queries import scope_of, standings
from anxiao.base.clock import SHANGHAI, day_of, now
from anxiao.base.errors import NotYours
from anxiao.base.tenancy import school_context
from anxiao.portal.streams.sight import Sight, prepare, read, shown
from anxiao.portal.streams.tickets import Ticket, Watch

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two looks; also the least time between two events of a viewer."""

REST = 4
"""Rest at least this many times as long as the last look took."""

STALE = 10.0
"""Seconds after which the last look is too old to call the figures live."""

MOST = 600
"""Viewers of one process.  Each holds an open connection, of which a process usually may have 1024."""

MOST_EACH = 12
"""Viewers of one account in one process: visible windows, not tabs, because a hidden tab does not listen."""

_AT_ONCE = 20
_PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class State:
    """Something to tell, encoded once for all who are told it."""

    id: str
    told: Mapping[str, Any]
    whole: bytes
    before: str = ""
    changes: bytes = b""


@dataclass(eq=False)
class Topic:
    """A sight and the states made of it, by language."""

    sight: Sight
    viewers: set[Viewer] = field(default_factory=set)
    states: dict[str, State] = field(default_factory=dict)


@dataclass(eq=False)
class Viewer:
    """One open page."""

    ticket: Ticket
    session: str
    standing: str
    topic: Topic
    loop: asyncio.AbstractEventLoop
    told: str = ""
    over: str = ""
    """Why there is nothing more to come: ``access`` or ``day`` (the page should be loaded anew), ``closing``."""
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def news(self) -> bytes | None:
        """The event to be sent now: what has changed since the last one, or everything; None when nothing has."""
        state = self.topic.states.get(self.ticket.language)
        if state is None or state.id == self.told:
            return None
        event = state.changes if state.before and state.before == self.told else state.whole
        self.told = state.id
        return event


@dataclass(frozen=True, slots=True)
class _Arrival:
    ticket: Ticket
    session: str
    last_id: str
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Viewer | int]


class Hub:
    """All listeners of a process.  ``join`` and ``leave`` belong to the event loop, ``turn`` to the thread.

    ``alone``: no thread is started and every turn is a look; somebody else calls ``turn``.
    """

    def __init__(
        self,
        *,
        most: int = MOST,
        most_each: int = MOST_EACH,
        clock: Callable[[], datetime] = now,
        alone: bool = False,
    ) -> None:
        self._most, self._most_each, self._clock, self._alone = most, most_each, clock, alone
        self._lock = threading.Lock()
        self._awake = threading.Event()
        self._thread: threading.Thread | None = None
        self._arrivals: deque[_Arrival] = deque()
        self._viewers: set[Viewer] = set()
        self._topics: dict[tuple[Watch, str], Topic] = {}
        self._closing = False
        self._looked: tuple[float, datetime] | None = None
        self._due = 0.0

    # -- the event loop's side

    async def join(self, ticket: Ticket, session: str, last_id: str = "") -> Viewer | int:
        """Listen: a viewer who already has something to be told, or the status of a refusal.

        401 nobody is signed in, 403 somebody else's ticket, 404 not theirs to see, 503 full or not able to look.
        """
        loop = asyncio.get_running_loop()
        arrival = _Arrival(ticket, session, last_id, loop, loop.create_future())
        with self._lock:
            held: list[Viewer | _Arrival] = [*self._viewers, *self._arrivals]
            mine = sum(one.ticket.user_id == ticket.user_id for one in held)
            if self._closing or len(held) >= self._most or mine >= self._most_each:
                return 503
            self._arrivals.append(arrival)
            if self._thread is None and not self._alone:
                self._thread = threading.Thread(target=self._run, name="live figures", daemon=True)
                self._thread.start()
        self._awake.set()
        try:
            return await asyncio.wait_for(asyncio.shield(arrival.answer), _PATIENCE)
        except TimeoutError:
            arrival.answer.add_done_callback(self._leave_late)
            return 503
        except asyncio.CancelledError:
            arrival.answer.add_done_callback(self._leave_late)
            raise

    def leave(self, viewer: Viewer) -> None:
        """Nobody listens there any more."""
        with self._lock:
            self._forget(viewer)

    @property
    def alive_at(self) -> datetime | None:
        """When the figures were true last; None when that is too long ago to call them live."""
        looked = self._looked
        return looked[1] if looked is not None and time.monotonic() - looked[0] < STALE else None

    def close(self) -> None:
        """End every stream at once: the server is about to stop.  May be called from a signal handler."""
        self._closing = True
        self._awake.set()
        for viewer in tuple(self._viewers):
            viewer.over = viewer.over or "closing"
            _ring(viewer.loop, [viewer])

    def _leave_late(self, answer: asyncio.Future[Viewer | int]) -> None:
        if not answer.cancelled() and isinstance(viewer := answer.result(), Viewer):
            self.leave(viewer)

    def _forget(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)
        viewer.topic.viewers.discard(viewer)
        if not viewer.topic.viewers:
            for key in [key for key, topic in self._topics.items() if topic is viewer.topic]:
                del self._topics[key]

    # -- the thread's side

    def _run(self) -> None:
        failing = False
        try:
            while True:
                self._awake.clear()
                try:
                    self.turn()
                    failing = False
                except (DatabaseError, OSError) as error:
                    if not failing:
                        log.warning("live figures cannot be read: %s", type(error).__name__)
                    failing = True
                    connection.close()
                    self._due = time.monotonic() + 2 * EVERY
                except Exception:
                    # a fault of ours in one look must not leave every board silent for good
                    log.exception("a look failed")
                    connection.close()
                    self._due = time.monotonic() + 5 * EVERY
                with self._lock:
                    if self._closing or not (self._viewers or self._arrivals):
                        self._thread = None
                        break
                    waiting = bool(self._arrivals)
                if not waiting:
                    self._awake.wait(max(0.0, self._due - time.monotonic()))
        finally:
            self._turn_away()
            connection.close()

    def turn(self) -> None:
        """Let in who has come; look when it is time."""
        started = time.monotonic()
        moment = self._clock()
        connection.close_if_unusable_or_obsolete()
        self._admit(moment)
        if (self._alone or started >= self._due) and self._viewers:
            self._look(moment)
            took = time.monotonic() - started
            self._due = started + max(EVERY, (1 + REST) * took)

    def _look(self, moment: datetime) -> None:
        viewers = tuple(self._viewers)
        topics = tuple(dict.fromkeys(v.topic for v in viewers))
        with school_context(_fence(topics)):
            standing = standings({(v.ticket.user_id, v.session) for v in viewers}, moment)
            try:
                moved = {id(sight) for sight in read([topic.sight for topic in topics], moment)}
            except BaseException:
                for topic in topics:
                    topic.sight.mark = None  # noted as seen, but not read
                raise
        self._looked = time.monotonic(), moment
        for viewer in viewers:
            if standing.get((viewer.ticket.user_id, viewer.session)) != viewer.standing:
                viewer.over = viewer.over or "access"
            elif viewer.ticket.watch.day != day_of(moment):
                viewer.over = viewer.over or "day"
        for topic in topics:
            if topic.sight.lost:
                self._end(topic, "access")
            elif id(topic.sight) in moved:
                try:
                    self._word(topic, moment)
                except Exception:
                    log.exception("figures without words: %s", topic.sight.watch)
                    self._end(topic, "closing")
        told = [v for v in viewers if v.over or _newest(v) != v.told]
        for loop in {v.loop for v in told}:
            _ring(loop, [v for v in told if v.loop is loop])

    def _end(self, topic: Topic, why: str) -> None:
        for viewer in tuple(topic.viewers):
            viewer.over = viewer.over or why

    def _word(self, topic: Topic, moment: datetime) -> None:
        for language in {v.ticket.language for v in tuple(topic.viewers)}:
            with translation.override(language):
                told = shown(topic.sight)
            before = topic.states.get(language)
            if before is None or before.told != told:
                topic.states[language] = _state(told, before, moment)

    def _admit(self, moment: datetime) -> None:
        for _ in range(_AT_ONCE):
            with self._lock:
                if not self._arrivals:
                    return
                arrival = self._arrivals[0]
            try:
                answer = self._judge(arrival, moment)
            except Exception as error:
                # whoever knocks must not stop those who listen
                log.warning("nobody can be let in: %s", type(error).__name__)
                connection.close()
                answer = 503
            with self._lock:
                self._arrivals.popleft()
                if isinstance(answer, Viewer):
                    self._viewers.add(answer)
                    answer.topic.viewers.add(answer)
            _settle(arrival, answer)

    def _judge(self, arrival: _Arrival, moment: datetime) -> Viewer | int:
        """Whether the ticket is of the account that is signed in, and whether that account may look, now."""
        ticket, day = arrival.ticket, day_of(moment)
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(arrival.session)
        user = request.user = get_user(request)
        if not user.is_authenticated:
            return 401
        if user.pk != ticket.user_id or ticket.watch.day != day:
            return 403
        scope = scope_of(user, day)
        if first_duty(request, scope) is not None:
            return 401
        reach = ""
        if ticket.watch.face != "node" or ticket.watch.sheets:
            # a node looks the same to everybody; of the others, only to those who reach equally far
            reach = repr(sorted((grant.role, grant.node_path, grant.place_path or "") for grant in scope.grants))
        with school_context(scope.db_scope):
            standing = standings([(user.pk, arrival.session)], moment).get((user.pk, arrival.session))
            try:
                sight = prepare(scope, ticket.watch, moment)
            except NotYours:
                return 404
            if standing is None:
                return 401
            with self._lock:
                topic = self._topics.setdefault((ticket.watch, reach), Topic(sight))
            if topic.sight.read_at is None:
                read([topic.sight], moment)
        if self._looked is None or not self._viewers:
            self._looked = time.monotonic(), moment
        if ticket.language not in topic.states:
            with translation.override(ticket.language):
                topic.states[ticket.language] = _state(shown(topic.sight), None, moment)
        told = arrival.last_id if arrival.last_id == topic.states[ticket.language].id else ""
        return Viewer(ticket, arrival.session, standing, topic, arrival.loop, told)

    def _turn_away(self) -> None:
        while True:
            with self._lock:
                if not self._arrivals:
                    return
                arrival = self._arrivals.popleft()
            _settle(arrival, 503)


def _fence(topics: Iterable[Topic]) -> str:
    """The schools of everybody who looks: the house looks for all of them at once, as a job does."""
    schools: set[int] = {0}
    for topic in topics:
        if topic.sight.schools is None:
            return "*"
        schools |= topic.sight.schools
    return ",".join(str(school) for school in sorted(schools))


def _newest(viewer: Viewer) -> str:
    state = viewer.topic.states.get(viewer.ticket.language)
    return state.id if state is not None else viewer.told


def _state(told: Mapping[str, Any], before: State | None, moment: datetime) -> State:
    """Encode what there is to tell: everything, and what differs from the state before."""
    text = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    name = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    at = f"{moment.astimezone(SHANGHAI):%H:%M:%S}"
    whole = encode("figures", {"at": at, **told}, name)
    if before is None or "cells" not in told:
        return State(name, told, whole)
    changed = {
        part: {key: value for key, value in told[part].items() if before.told[part].get(key) != value}
        for part in ("cells", "bars")
    }
    return State(name, told, whole, before.id, encode("figures", {"at": at, **told, **changed}, name))


def encode(event: str, data: Mapping[str, Any], name: str = "") -> bytes:
    """A server-sent event."""
    lines = [f"id: {name}"] if name else []
    lines += [f"event: {event}", "data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":"))]
    return ("\n".join(lines) + "\n\n").encode()


def _ring(loop: asyncio.AbstractEventLoop, viewers: list[Viewer]) -> None:
    def ring() -> None:
        for viewer in viewers:
            viewer.bell.set()

    _call(loop, ring)


def _settle(arrival: _Arrival, answer: Viewer | int) -> None:
    def settle() -> None:
        if not arrival.answer.done():
            arrival.answer.set_result(answer)

    _call(arrival.loop, settle)


def _call(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(act)
    except RuntimeError:
        log.debug("the event loop has gone")
