"""The uploaded file itself, kept sealed beside its import: in pieces of a megabyte, so that none fills the memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from django.db import connection

from anxiao.base.boxes import Boxes
from anxiao.base.deployment import secret
from anxiao.directory.models import DirectoryImport, ImportFile

PIECE = 1024 * 1024


def keep(import_: DirectoryImport, file: BinaryIO, *, most: int | None = None) -> None:
    """Seal a file and keep it; sets ``file_digest`` (SHA-256, hex) and ``file_size`` of the import and saves them.

    Stops behind ``most`` bytes: the size then says that there were more.
    """
    boxes, digest, size = _boxes(), hashlib.sha256(), 0
    for part, piece in enumerate(iter(lambda: file.read(PIECE), b"")):
        digest.update(piece)
        size += len(piece)
        box = boxes.seal(piece, _context(import_, part))
        ImportFile.objects.create(school_id=import_.school_id, source=import_, part=part, sealed=box)
        if most is not None and size > most:
            break
    import_.file_digest, import_.file_size = digest.hexdigest(), size
    import_.save(update_fields=["file_digest", "file_size"])


def pieces(import_: DirectoryImport) -> Iterator[bytes]:
    """The file again; raises `Unopened` where the deployment's secret is another one by now.  Empty when forgotten."""
    boxes = _boxes()
    parts = ImportFile.objects.filter(school_id=import_.school_id, source=import_)
    for part in range(parts.count()):
        yield boxes.open(bytes(parts.values_list("sealed", flat=True).get(part=part)), _context(import_, part))


@contextmanager
def unsealed(import_: DirectoryImport) -> Iterator[Path]:
    """The file at a path that only we can read, for as long as the context lasts."""
    with TemporaryDirectory(prefix="anxiao-import-") as room:
        path = Path(room) / "upload"
        with path.open("xb") as out:
            for piece in pieces(import_):
                out.write(piece)
        yield path


def forget(import_: DirectoryImport) -> None:
    """Destroy the file."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM import_file WHERE school_id = %s AND source_id = %s", [import_.school_id, import_.pk]
        )


def _boxes() -> Boxes:
    return Boxes(secret(), "import-file")


def _context(import_: DirectoryImport, part: int) -> str:
    return f"import_file:{import_.school_id}:{import_.pk}:{part}"
