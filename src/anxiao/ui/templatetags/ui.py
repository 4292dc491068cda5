"""Template tags of the frames and components. Load with `{% load ui %}`; the gallery at /ui shows each with its markup."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import RequestContext
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from anxiao.ui import menu
from anxiao.ui.icons import ICONS

register = template.Library()

_ROLES = {
    "operator": gettext_lazy("Platform operator"),
    "province_officer": gettext_lazy("Province officer"),
    "school_admin": gettext_lazy("School administrator"),
    "epidemic_officer": gettext_lazy("Epidemic officer"),
    "college_officer": gettext_lazy("College officer"),
    "counsellor": gettext_lazy("Counsellor"),
    "class_head": gettext_lazy("Class head"),
    "dorm_manager": gettext_lazy("Dorm manager"),
    "school_doctor": gettext_lazy("School doctor"),
    "security": gettext_lazy("Security"),
    "logistics": gettext_lazy("Logistics"),
}


@register.simple_tag
def icon(name: str, label: str = "", css: str = "") -> SafeString:
    """A line icon. Decorative (hidden from screen readers) unless it has a `label`."""
    classes = f"ax-icon {css}".strip()
    if label:
        return format_html(
            '<svg class="{}" viewBox="0 0 24 24" role="img" aria-label="{}"><path d="{}"/></svg>',
            classes,
            label,
            ICONS[name],
        )
    return format_html(
        '<svg class="{}" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="{}"/></svg>',
        classes,
        ICONS[name],
    )


@register.filter
def role_name(role: object) -> str:
    """The name of a role in the reader's language."""
    return str(_ROLES.get(str(role), role))


@register.inclusion_tag("ui/parts/menu.html", takes_context=True)
def console_menu(context: RequestContext) -> dict[str, Any]:
    """The task list of the console for `request.scope`. A view may set `menu` to a key to mark it by hand."""
    request = context.get("request")
    if request is None:
        return {"entries": ()}
    scope = getattr(request, "scope", None)
    return {"entries": menu.entries(scope, request.path, str(context.get("menu", "")))}


@register.inclusion_tag("ui/parts/tabbar.html", takes_context=True)
def phone_tabs(context: RequestContext) -> dict[str, Any]:
    """The bar at the foot of the phone; shown only when there are at least two places to go."""
    request = context.get("request")
    scope = getattr(request, "scope", None)
    if request is None or not getattr(scope, "is_known", False):
        return {"entries": ()}
    entries = menu.phone_entries(request.path, str(context.get("tab", "")))
    return {"entries": entries if len(entries) > 1 else ()}


@register.inclusion_tag("ui/parts/language.html", takes_context=True)
def language_switch(context: RequestContext, css: str = "") -> dict[str, Any]:
    """One button to the other language; a POST, and it comes back to the same page."""
    request = context.get("request")
    if request is None:
        return {}
    english = getattr(request, "LANGUAGE_CODE", "zh-hans").startswith("en")
    return {
        "css": css,
        "code": "zh-hans" if english else "en",
        "label": "中文" if english else "English",
        "lang": "zh-Hans" if english else "en",
        "next": request.get_full_path(),
        "csrf_token": context.get("csrf_token"),
    }


@register.simple_tag
def crumbs_label() -> str:
    """The name of the breadcrumb landmark (a constant, so that frames of all rooms say the same)."""
    return _("Place in the organisation")
