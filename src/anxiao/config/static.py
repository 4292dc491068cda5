"""Static files as phones should get them: named by their content, compressed once, kept for a year by the browser."""

from __future__ import annotations

import hashlib
from pathlib import Path

from anxiao import __version__

STAMP = ".collected-from"


def collect() -> bool:
    """Collect and compress what changed since the last start; false when nothing did.  Django is set up."""
    from django.conf import settings
    from django.core.management import call_command

    root = Path(settings.STATIC_ROOT)
    sources = _digest_of_sources()
    stamp = root / STAMP
    if stamp.exists() and stamp.read_text(encoding="ascii") == sources:
        return False
    call_command("collectstatic", interactive=False, verbosity=0, clear=root.exists())
    stamp.write_text(sources, encoding="ascii")
    return True


def _digest_of_sources() -> str:
    from django.contrib.staticfiles.finders import get_finders

    digest = hashlib.sha256(__version__.encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            state = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()
