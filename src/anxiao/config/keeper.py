"""The housekeeper: one process beside the web workers that does what no visitor should have to wait for.

Called as ``python -m anxiao.config.keeper LIFELINE [SOCKET]`` (see ``worker``); on the socket it answers the monitors
of the machine room (see ``watch``). Every chore is one command that is safe to run twice and safe to be cut off, so a
restart at any moment is harmless.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from anxiao.config import watch

logger = logging.getLogger("anxiao.keeper")


@dataclass(slots=True)
class Chore:
    """A command and the seconds between two of its runs."""

    name: str
    run: Callable[[], object]
    every: float
    due: float = 0.0


def chores() -> list[Chore]:
    """What is to be done and how often. Counters are folded often, so that boards add up few deltas."""
    from django.core.management import call_command

    from anxiao.base import clock
    from anxiao.config.installation import open_rounds
    from anxiao.directory.commands_search import fill_missing
    from anxiao.directory.commands_tree import names_come_due
    from anxiao.directory.importing.commands import forget_rows
    from anxiao.reporting.commands.partitions import ensure_partitions
    from anxiao.statistics.commands import fold, mend_above

    work = [
        Chore("fold counters", fold, every=2),
        Chore("compare the sums above the schools", mend_above, every=24 * 3600),
        Chore("open the rounds of the day", open_rounds, every=60),
        Chore("carry names over whose day has come", lambda: names_come_due(now=clock.now()), every=600),
        Chore("make search keys that are missing", fill_missing, every=600),
        Chore("make partitions ahead", lambda: ensure_partitions(day=clock.day_of(clock.now())), every=24 * 3600),
        Chore("forget the rows of old imports", lambda: forget_rows(now=clock.now()), every=24 * 3600),
        Chore("forget old sessions", lambda: call_command("clearsessions", verbosity=0), every=6 * 3600),
    ]
    keep = months_to_keep()
    if keep:
        work.append(Chore("set old months aside", lambda: set_months_aside(keep), every=6 * 3600))
    return work


def months_to_keep() -> int:
    """The policy for old reports, in months; 0 keeps all of them at hand."""
    text = os.environ.get("ANXIAO_KEEP_MONTHS", "0").strip()
    if not text.isdigit():
        logger.error("ANXIAO_KEEP_MONTHS is no number; nothing is set aside")
        return 0
    return int(text)


def set_months_aside(keep: int) -> None:
    """By the policy of the operator; what is set aside is in the ledger."""
    from anxiao.base import clock
    from anxiao.base.scope import system_scope
    from anxiao.reporting.commands.partitions import set_aside

    set_aside(by=system_scope("housekeeping"), now=clock.now(), keep_months=keep)


def run_due(work: list[Chore], now: float) -> None:
    """Run what is due. A chore that fails is logged and tried again at its next turn; the others go on."""
    from django.db import close_old_connections

    for chore in work:
        if chore.due > now:
            continue
        close_old_connections()
        try:
            chore.run()
        except Exception:
            logger.exception("the chore %r failed", chore.name)
        chore.due = now + chore.every


def main() -> None:
    import django

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    threading.Thread(target=watch.leave_with_supervisor, args=(int(sys.argv[1]), stop), daemon=True).start()
    if len(sys.argv) > 2:
        watch.start(int(sys.argv[2]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "anxiao.config.settings")
    django.setup()
    work = chores()
    while not stop.wait(1.0):
        run_due(work, time.monotonic())


if __name__ == "__main__":
    main()
