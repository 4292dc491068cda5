"""What the pages of the settings share."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope


def scope_of(request: HttpRequest) -> Scope:
    scope: Scope = request.scope  # type: ignore[attr-defined]
    return scope


def whole(text: str | None) -> int | None:
    """A number of an address or a form, small enough for the database; None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def words(text: str | None, most: int = 60) -> str:
    return (text or "").replace("\x00", "").strip()[:most]


def settings_tabs(scope: Scope, gaps: int | None = None) -> list[tuple[object, ...]]:
    """The tabs of the settings; ``gaps`` says how many nodes lack a responsible person, where that was counted."""
    found: list[tuple[object, ...]] = []
    if scope.may(Permission.GRANT_MANAGE):
        found.append(("grants", _("Roles"), reverse("settings:grants")))
        gap_tab = ("gaps", _("Without a responsible person"), reverse("settings:gaps"))
        found.append(gap_tab if gaps is None else (*gap_tab, gaps))
    if scope.may(Permission.CATEGORY_MANAGE):
        found.append(("categories", _("Categories"), reverse("settings:categories")))
    return found
