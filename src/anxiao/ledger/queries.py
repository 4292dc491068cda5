"""Reading the ledger: what was done about one thing."""

from __future__ import annotations

from collections.abc import Sequence

from anxiao.ledger.models import Entry


def entries_about(
    *, school_id: int, object_type: str, object_id: object, verbs: Sequence[str], before: int | None, limit: int
) -> list[Entry]:
    """Entries about one object with one of the verbs, newest first, those before the id ``before``; one statement."""
    found = Entry.objects.filter(
        school_id=school_id, object_type=object_type, object_id=str(object_id), verb__in=list(verbs)
    )
    if before is not None:
        found = found.filter(id__lt=before)
    return list(found.order_by("-id")[:limit])
