"""The breadcrumb of the console: the place in the organisation tree, with links as far as the caller may look."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import NoReverseMatch, reverse

from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.models import Organisation


def crumbs(
    scope: Scope, nodes: Iterable[Organisation], *more: tuple[str, str], query: str = ""
) -> list[tuple[str, str]]:
    """(label, address) pairs for ``trail`` in ``ui/console.html``: the nodes from the root down, then ``more``.

    Nodes above the caller's own are named and lead nowhere, so that everybody knows where they are.
    """
    found = []
    for node in nodes:
        url = ""
        if scope.may(Permission.BOARD_VIEW, node.path):
            try:
                url = reverse("portal:console_node", args=[node.pk]) + query
            except NoReverseMatch:
                url = ""
        found.append((node.label, url))
    return [*found, *more]
