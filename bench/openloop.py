"""An open loop: requests leave at the moments of a plan, whether or not earlier ones were answered.

The plan is a Poisson process with a constant mean rate: many people who know nothing of each other.  What a person
waits is counted from the planned moment, so that a server which stands still is not measured by the few who got in.
Prints one line ``JSON {...}``; ``--acknowledged`` writes what the door acknowledged: moment (``time.time()``) and key.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import sys
import time
from array import array
from collections import Counter, deque
from pathlib import Path

import uvloop

PATIENCE = 30.0
MOST_CONNECTIONS = 1500
TICK = 0.002


class Connection(asyncio.Protocol):
    """One kept connection: a request out, an answer in."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.number = -1
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def send(self, number: int) -> None:
        self.number = number
        assert self.transport is not None
        self.transport.write(self.plan.requests[number])

    def data_received(self, data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
        end = data.find(b"\r\n\r\n")
        at = data.find(b"content-length: ", 0, end) if end >= 0 else -1
        if at < 0 or len(data) < end + 4 + int(data[at + 16 : data.index(b"\r", at)]):
            self.buffer = data
            return
        self.buffer = b""
        number, self.number = self.number, -1
        self.plan.answered(self, number, int(data[9:12]), data[end + 4 :])

    def connection_lost(self, error: Exception | None) -> None:
        self.plan.lost(self)


class Plan:
    """All requests with their moments, and what became of them."""

    def __init__(self, requests: list[bytes], due: array[float], port: int) -> None:
        self.requests, self.due, self.port = requests, due, port
        self.free: list[Connection] = []
        self.all: set[Connection] = set()
        self.waiting: deque[int] = deque()
        self.opening = 0
        self.statuses: Counter[int] = Counter()
        self.waited = array("d", bytes(8 * len(requests)))
        self.acknowledged = array("d", bytes(8 * len(requests)))
        self.open = len(requests)
        self.most_waiting = 0
        self.finished = asyncio.Event()
        self.clock = time.perf_counter
        self.epoch = time.time() - time.perf_counter()

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        self.opening += 1
        try:
            _transport, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.port)
        except OSError:
            return
        finally:
            self.opening -= 1
        self.all.add(connection)
        self._take(connection)

    def _take(self, connection: Connection) -> None:
        if self.waiting:
            connection.send(self.waiting.popleft())
        else:
            self.free.append(connection)

    def go(self, number: int) -> None:
        if self.free:
            self.free.pop().send(number)
            return
        self.waiting.append(number)
        self.most_waiting = max(self.most_waiting, len(self.waiting))
        if len(self.all) + self.opening < MOST_CONNECTIONS:
            task = asyncio.get_running_loop().create_task(self.connect())
            task.add_done_callback(lambda _: None)

    def answered(self, connection: Connection, number: int, status: int, body: bytes) -> None:
        now = self.clock()
        self.waited[number] = now - self.due[number]
        self.statuses[status] += 1
        if status == 201:
            self.acknowledged[number] = self.epoch + now
        self._done()
        self._take(connection)

    def lost(self, connection: Connection) -> None:
        self.all.discard(connection)
        if connection in self.free:
            self.free.remove(connection)
        if connection.number >= 0:
            self.statuses[0] += 1
            self.waited[connection.number] = PATIENCE
            self._done()

    def _done(self) -> None:
        self.open -= 1
        if self.open == 0:
            self.finished.set()

    async def play(self) -> None:
        number, last = 0, len(self.requests)
        while number < last:
            now = self.clock()
            while number < last and self.due[number] <= now:
                self.go(number)
                number += 1
            if number < last:
                # in ticks: waking for each of five thousand a second would cost more than sending them
                await asyncio.sleep(max(self.due[number] - self.clock(), TICK))
        try:
            await asyncio.wait_for(self.finished.wait(), PATIENCE)
        except TimeoutError:
            self.statuses[0] += self.open


def read(path: Path, start: int, count: int) -> tuple[list[bytes], list[str], int]:
    """Ready requests, their keys, and where the file was left."""
    requests, keys = [], []
    with path.open("rb") as file:
        file.seek(start)
        for _ in range(count):
            line = file.readline().rstrip(b"\n")
            if not line:
                break
            _person, held, body = line.split(b"\t", 2)
            requests.append(
                b"POST /intake/v1/reports HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                b"X-Anxiao: 1\r\nCookie: anxiao_pass=%b\r\nContent-Length: %d\r\n\r\n%b" % (held, len(body), body)
            )
            at = body.index(b'"key":"') + 7
            keys.append(body[at : at + 36].decode())
        return requests, keys, file.tell()


def quantile(sorted_: list[float], share: float) -> float:
    return sorted_[min(int(len(sorted_) * share), len(sorted_) - 1)] if sorted_ else 0.0


async def main(options: argparse.Namespace) -> None:
    requests, keys, position = read(options.file, options.start, options.count)
    chance = random.Random(options.seed)  # noqa: S311 - the same seed makes the same plan
    plan = Plan(requests, array("d", bytes(8 * len(requests))), options.port)
    await asyncio.gather(*(plan.connect() for _ in range(options.connections)))
    gc.collect()
    gc.freeze()
    begin = plan.clock() + 0.2
    at = begin
    for number in range(len(requests)):
        plan.due[number] = at
        at += chance.expovariate(options.rate)
    await plan.play()
    seconds = plan.clock() - begin
    waits = sorted(plan.waited)
    by_second: list[list[float]] = [[] for _ in range(int(at - begin) + 1)]
    for due, waited in zip(plan.due, plan.waited, strict=True):
        by_second[int(due - begin)].append(waited)
    if options.acknowledged is not None:
        with options.acknowledged.open("w") as file:
            file.writelines(f"{at:.6f}\t{key}\n" for at, key in zip(plan.acknowledged, keys, strict=True) if at)
    told = {
        "sent": len(requests),
        "seconds": round(seconds, 3),
        "planned_rate": options.rate,
        "statuses": {str(status): n for status, n in sorted(plan.statuses.items())},
        "accepted": plan.statuses[201],
        **{f"p{int(p * 1000) / 10:g}": round(quantile(waits, p) * 1000, 2) for p in (0.5, 0.95, 0.99, 0.999)},
        "max": round(waits[-1] * 1000, 2) if waits else 0.0,
        "connections": len(plan.all),
        "most_waiting": plan.most_waiting,
        "position": position,
        "by_second": [
            [len(s), round(quantile(sorted(s), 0.5) * 1000, 1), round(quantile(sorted(s), 0.99) * 1000, 1)]
            for s in by_second
        ],
    }
    sys.stdout.write("JSON " + json.dumps(told) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--acknowledged", type=Path)
    uvloop.run(main(parser.parse_args()))
