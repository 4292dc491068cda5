"""Static files as phones should get them: named by their content, compressed once, kept for a year by the browser."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

from anxiao import __version__

STAMP = ".collected-from"


class Collected(CompressedManifestStaticFilesStorage):
    """Also makes the phone's one style file out of ``PHONE_STYLES``."""

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        """``paths``: name -> (storage, path in it) of every source that was found."""
        if not dry_run:
            parts = []
            for name in settings.PHONE_STYLES:
                storage, path = paths[name]
                with storage.open(path) as part:
                    parts.append(part.read().decode())
            self.delete(settings.PHONE_STYLE)
            self.save(settings.PHONE_STYLE, ContentFile(slim("".join(parts)).encode()))
            paths = {**paths, settings.PHONE_STYLE: (self, settings.PHONE_STYLE)}
        yield from super().post_process(paths, dry_run=dry_run, **options)


def slim(style: str) -> str:
    """The same style without its comments and without space at the edges of lines."""
    bare = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    return "\n".join(filter(None, map(str.strip, bare.splitlines()))) + "\n"


def collect() -> bool:
    """Collect and compress what changed since the last start; false when nothing did.  Django is set up."""
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

    digest = hashlib.sha256("\0".join([__version__, settings.PHONE_STYLE, *settings.PHONE_STYLES]).encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            state = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()
