"""A line between a phone and the platform: counts every octet of every connection, and can be as slow as a bad network.

The browser's own throttling knows nothing of its workers; a line knows no difference.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PIECE = 2048


@dataclass
class Line:
    """``rtt`` in seconds, ``rate`` in octets a second and direction (0: as fast as it goes).

    ``asked`` is the log: the path of each request and the number of the connection that carried it.
    """

    upstream: int
    port: int = 0
    rtt: float = 0.0
    rate: float = 0.0
    sent: int = 0
    received: int = 0
    connections: int = 0
    asked: dict[str, int] = field(default_factory=dict)

    @property
    def octets(self) -> int:
        return self.sent + self.received

    def reset(self) -> None:
        self.sent = self.received = self.connections = 0
        self.asked.clear()

    def __post_init__(self) -> None:
        self._free = {"sent": 0.0, "received": 0.0}
        self._number = itertools.count(1)

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = next(self._number)
        await asyncio.sleep(self.rtt)  # the handshake
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            await asyncio.gather(
                self._pump(reader, far_writer, "sent", number), self._pump(far_reader, writer, "received", number)
            )
        except asyncio.CancelledError:
            writer.close()
            far_writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str, number: int) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        deliver = asyncio.create_task(self._deliver(queue, writer))
        clock = asyncio.get_running_loop().time
        try:
            while True:
                piece = await reader.read(PIECE)
                setattr(self, way, getattr(self, way) + len(piece))
                if piece.startswith(b"GET "):
                    self.asked[piece.split(b" ", 2)[1].decode()] = number
                # All connections share the line.
                self._free[way] = max(clock(), self._free[way]) + (len(piece) / self.rate if self.rate else 0.0)
                queue.put_nowait((self._free[way] + self.rtt / 2, piece))
                if not piece:
                    break
        except ConnectionError:
            queue.put_nowait((0.0, b""))
        await deliver

    async def _deliver(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        try:
            while True:
                due, piece = await queue.get()
                await asyncio.sleep(max(0.0, due - clock()))
                if not piece:
                    break
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@contextmanager
def laid(upstream: int) -> Iterator[Line]:
    """A line to a port of this machine, while the block lasts."""
    line = Line(upstream)
    ready = threading.Event()
    end: list[asyncio.Event] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        end.append(asyncio.Event())
        server = await asyncio.start_server(line.connect, "127.0.0.1", 0)
        line.port = server.sockets[0].getsockname()[1]
        ready.set()
        await end[0].wait()
        server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield line
    finally:
        loop.call_soon_threadsafe(end[0].set)
        thread.join(10)
        loop.close()
