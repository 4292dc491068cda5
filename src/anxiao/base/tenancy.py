"""The fence in the database: every transaction says first which schools it may see.

``anxiao_scope(text)`` (see ``base/schema.py``) executes ``SET LOCAL anxiao.schools``; policies on every table with a
school compare against it.  It must be the first statement of the *outermost* transaction: a narrower scope
set inside a savepoint can be lost, and a session setting would leak to the next request.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connections, transaction


@contextmanager
def school_context(db_scope: str, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """One transaction that sees the schools of ``db_scope`` (``"*"``, ``""`` or ``"0,12"``) and no others."""
    connection = connections[using]
    if connection.in_atomic_block:
        raise RuntimeError("the scope must be set in the outermost transaction")
    with transaction.atomic(using=using):
        with connection.cursor() as cursor:
            cursor.execute("SELECT anxiao_scope(%s)", [db_scope])
        yield
