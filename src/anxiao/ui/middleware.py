"""Security headers of every page: a strict content policy, with a nonce for our own scripts."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# data: only for pictures: Tabler draws its check marks with them and allauth its QR code. No style but from our files:
# a chart sets its sizes through the style object, which the policy does not touch.
_POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_PERMISSIONS = (
    "accelerometer=(), camera=(), display-capture=(), geolocation=(self), gyroscope=(), magnetometer=(), "
    "microphone=(), payment=(), usb=(), publickey-credentials-create=(self), publickey-credentials-get=(self)"
)


def security_headers(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: give the request its `csp_nonce`, give the answer its policy."""

    def middleware(request: HttpRequest) -> HttpResponse:
        nonce = secrets.token_urlsafe(16)
        request.csp_nonce = nonce  # type: ignore[attr-defined]
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", _POLICY.format(nonce=nonce))
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            # a page carries names and a nonce: no shared cache may keep it
            response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    return middleware
