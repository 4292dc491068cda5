"""Tables and files in place before anything is served: ``python -m anxiao.config.readying [own]``.

A process that passes: Django, once loaded, would stay in the supervisor for good, a hundred megabytes of it.  ``own``
says that the database is ours to prepare; another's is only looked at.
"""

from __future__ import annotations

import sys

from anxiao.config.environment import NotReady

#: The exit code for a sentence on the error output, meant for the person at the shell.
TOLD = 3


def make_ready(*, own: bool) -> None:
    """Migrate our own database and collect the static files; ``NotReady`` where another's is not prepared."""
    import django
    from django.db import connections

    from anxiao.config import doctor, installation, static

    django.setup()
    pending = not doctor.migrations()[0].good
    if pending and not own:
        raise NotReady("The database has pending migrations; run: anxiao migrate")
    if pending:
        sys.stdout.write("Preparing the database ...\n")
        sys.stdout.flush()
    if own:
        installation.prepare()
    static.collect()
    connections.close_all()


if __name__ == "__main__":
    try:
        make_ready(own="own" in sys.argv[1:])
    except NotReady as told:
        sys.stderr.write(str(told))
        sys.exit(TOLD)
