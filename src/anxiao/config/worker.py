"""One web worker: serves the socket it was given and ends when the supervisor does.

Called as ``python -m anxiao.config.worker SOCKET LIFELINE``, both file descriptors. Nobody writes to the lifeline;
when the supervisor dies, even by ``kill -9``, its end closes and the worker leaves, so that no orphan keeps the port
and serves a database that is about to be restarted.
"""

from __future__ import annotations

import os
import socket
import sys
import threading

import uvicorn

APPLICATION = "anxiao.config.asgi:application"
DRAIN_SECONDS = 20


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    server = uvicorn.Server(
        uvicorn.Config(
            APPLICATION,
            log_level=os.environ.get("ANXIAO_LOG", "warning"),
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
    threading.Thread(target=leave_with_supervisor, args=(int(sys.argv[2]), server), daemon=True).start()
    server.run(sockets=[listener])


def leave_with_supervisor(lifeline: int, server: uvicorn.Server) -> None:
    """Wait for the end of the lifeline, then let the server drain as if it had been asked to stop."""
    while os.read(lifeline, 1):
        pass
    server.should_exit = True


if __name__ == "__main__":
    main()
