"""The gallery: every component with the markup that makes it. Only where it disturbs nobody: debug and demo."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render


def gallery(request: HttpRequest) -> HttpResponse:
    """Show the components in the console's frame, or in the phone's with `?frame=h5`."""
    if not (settings.DEBUG or getattr(settings, "ANXIAO_DEMO", False)):
        raise Http404
    frame = "h5" if request.GET.get("frame") == "h5" else "console"
    return render(request, f"ui/gallery_{frame}.html", {})
