"""One web worker: serves the socket it was given and ends when the supervisor does.

Called as ``python -m anxiao.config.worker SOCKET LIFELINE DOORS``: two file descriptors and which application. Nobody
writes to the lifeline; when the supervisor dies, even by ``kill -9``, its end closes and the worker leaves, so that no
orphan keeps the port and serves a database that is about to be restarted.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading

import uvicorn

#: By the name of the process group (``supervisor.Doors``).
APPLICATIONS = {
    "both": "anxiao.config.asgi:application",
    "console": "anxiao.config.asgi_console:application",
    "intake": "anxiao.config.asgi_intake:application",
}
#: The intake door alone needs no ASGI between the connection and its handlers.
PROTOCOLS = {"intake": "anxiao.intake.protocol:IntakeProtocol"}
#: Where the doors have processes of their own, the intake steps back a little behind somebody who waits for a page: a
#: report may be a few milliseconds later, and takes nothing that is free. In the peak a page would else wait behind a
#: hundred of them at each of its steps.
NICENESS = {"intake": 5}
DRAIN_SECONDS = 20
#: Longer than the proxy keeps an idle connection, so that it never sends a request into one that is just being closed.
KEEP_ALIVE_SECONDS = 75


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    behind_proxy = os.environ.get("ANXIAO_HTTPS") == "1"
    local = listener.family == getattr(socket, "AF_UNIX", None)
    server = uvicorn.Server(
        uvicorn.Config(
            APPLICATIONS[sys.argv[3]],
            http=PROTOCOLS.get(sys.argv[3], "httptools"),
            loop="uvloop" if sys.platform != "win32" else "auto",
            # Without a proxy these headers are whatever a visitor likes to say.
            proxy_headers=behind_proxy,
            # Through a socket file only the proxy comes; by port, only what runs on this machine is believed.
            forwarded_allow_ips="*" if local else "127.0.0.1,::1",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            log_level=os.environ.get("ANXIAO_LOG", "warning"),
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
    server.config.load()
    settle_memory()
    if sys.platform != "win32":
        os.nice(NICENESS.get(sys.argv[3], 0))
    threading.Thread(target=leave_with_supervisor, args=(int(sys.argv[2]),), daemon=True).start()
    server.run(sockets=[listener])


def settle_memory() -> None:
    """What was loaded stays, and need not be searched for garbage: with Django in memory each search takes a tenth of
    a second, and the objects of reports, which end by themselves, would ask for one every few hundred reports."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def leave_with_supervisor(lifeline: int) -> None:
    """Wait for the end of the lifeline, then ask ourselves to stop: everybody who listens for that must hear it."""
    while os.read(lifeline, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
