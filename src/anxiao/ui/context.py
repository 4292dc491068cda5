"""What every frame needs and no view should have to pass."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from anxiao.base import clock


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `demo` (the banner), `today` (the day in Shanghai), `scope`, and `csp_nonce`.

    A view's own values of the same name win, because Django puts a view's context above the processors'.
    """
    scope = getattr(request, "scope", None)
    return {
        "demo": bool(getattr(settings, "ANXIAO_DEMO", False) or getattr(scope, "demo", False)),
        "today": clock.day_of(clock.now()),
        "scope": scope,
        "csp_nonce": getattr(request, "csp_nonce", ""),
    }
