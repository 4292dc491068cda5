"""What accounts say when somebody wants to take people back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import ngettext

from anxiao.accounts.models import User


def object_to_undo(*, people: Sequence[int], objections: list[tuple[str, int]], **_: Any) -> None:
    """Listens to ``import.undo_asked``: people who have an account already are not taken back."""
    if not people:
        return
    found = User.objects.filter(person__in=list(people)).count()
    words = ngettext("%(n)s of the people has an account.", "%(n)s of the people have an account.", found)
    objections.append((words, found))
