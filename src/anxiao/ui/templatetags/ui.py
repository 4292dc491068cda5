"""Template tags of the frames and components, built in: no `{% load %}`. /ui shows each with its markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import urlsplit

from django import template
from django.conf import settings
from django.forms import BaseForm
from django.template.base import FilterExpression, Parser, Token, TokenType
from django.template.context import Context
from django.templatetags.static import static
from django.urls import get_script_prefix, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from anxiao.ui import menu
from anxiao.ui.charts import Chart
from anxiao.ui.icons import ICONS

register = template.Library()

ROLES = {
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

# state: (tone, icon, word). The icon's shape tells the states apart where colours cannot.
STATES = {
    "on_time": ("good", "check", gettext_lazy("On time")),
    "good": ("good", "check", gettext_lazy("Fine")),
    "late": ("late", "clock", gettext_lazy("Late")),
    "missing": ("missing", "minus", gettext_lazy("Missing")),
    "exempt": ("exempt", "ban", gettext_lazy("Exempt")),
    "ill": ("ill", "thermometer", gettext_lazy("Unwell")),
    "waiting": ("info", "clock", gettext_lazy("Waiting")),
    "open": ("info", "pulse", gettext_lazy("Open")),
    "closed": ("exempt", "lock", gettext_lazy("Closed")),
    "submitted": ("good", "check", gettext_lazy("Submitted")),
    "returned": ("missing", "undo", gettext_lazy("Returned")),
    "corrected": ("info", "edit", gettext_lazy("Corrected")),
    "proxy": ("info", "user", gettext_lazy("Filled in by somebody else")),
    "new": ("info", "plus", gettext_lazy("New")),
    "changed": ("late", "edit", gettext_lazy("Changed")),
    "unchanged": ("exempt", "check", gettext_lazy("Unchanged")),
    "rejected": ("missing", "cross", gettext_lazy("Rejected")),
    "active": ("good", "check", gettext_lazy("Activated")),
    "inactive": ("exempt", "minus", gettext_lazy("Not activated")),
}
TONE_ICONS = {
    "good": "check-circle",
    "late": "clock",
    "missing": "alert",
    "ill": "thermometer",
    "exempt": "ban",
    "info": "info",
}


# -- small things -----------------------------------------------------------------------------------------------------


# What stands in every row of a long table is put together here and not by a template: a page of fifty people, or of a
# hundred units, spends most of its time there.


@register.simple_tag
@lru_cache(maxsize=1024)
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
def at(key: int | None, url_name: str) -> str:
    """The address of a row: `{{ row.person_id|at:"directory:person" }}`, as `{% url %}` finds it, for whole numbers."""
    before, after = _around(url_name, get_script_prefix())
    return f"{before}{int(key or 0)}{after}"


@lru_cache(maxsize=256)
def _around(url_name: str, prefix: str) -> tuple[str, str]:
    """What stands before and after the number in an address; it does not change while the service runs."""
    stand_in = 918273645
    before, _number, after = reverse(url_name, args=[stand_in]).partition(str(stand_in))
    return before, after


@register.simple_tag
def phone_styles() -> list[str]:
    """Addresses of the phone's styles: one file once they are collected, else its parts as they lie in the rooms."""
    return [static(name) for name in ([settings.PHONE_STYLE] if settings.COLLECTED else settings.PHONE_STYLES)]


@register.simple_tag
def options(nodes: Iterable[Any], chosen: int | None = None) -> SafeString:
    """Options of a select over colleges and classes, classes set in; up to some hundreds."""
    return mark_safe(  # noqa: S308 - every text is escaped
        "".join(
            f'<option value="{int(node.pk)}"{" selected" if node.pk == chosen else ""}>'
            f"{'&nbsp;&nbsp;' if node.kind == 'class' else ''}{escape(node.label)}</option>"
            for node in nodes
        )
    )


@register.filter
def role_name(role: object) -> str:
    """The name of a role in the reader's language."""
    return str(ROLES.get(str(role), role))


@register.filter
def figure(number: object) -> str:
    """A number as people read it: 12,345; an unknown one is a dash, never a zero."""
    if number is None or number == "":
        return "–"
    if isinstance(number, bool) or not isinstance(number, int | float | Decimal):
        return str(number)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    return f"{number:,}"


@register.filter
def percent(part: float | None, whole: float | None) -> str:
    """Share in percent with one decimal, rounded down: 100% is written only when nobody is missing."""
    if part is None or not whole:
        return "–"
    share = (Decimal(str(part)) * 100 / Decimal(str(whole))).quantize(Decimal("0.1"), rounding=ROUND_FLOOR)
    return f"{share.normalize():f}%" if share == share.to_integral_value() else f"{share}%"


@register.filter
def mask(phone: str | None) -> str:
    """A phone number with its middle hidden: 139****5678, +852-****5678."""
    if not phone:
        return "–"
    head, _dash, number = phone.rpartition("-")
    if len(number) <= 4:
        hidden = "*" * len(number)
    elif head and head != "+86":
        hidden = "****" + number[-4:]
    else:
        hidden = number[:-8] + "****" + number[-4:]
    return f"{head}-{hidden}" if head else hidden


@register.filter
def local_path(referrer: str | None, otherwise: str = "/") -> str:
    """The path of the page we came from, never another host's: an error page may link back to it."""
    parts = urlsplit(referrer or "")
    if not parts.path.startswith("/") or parts.path.startswith("//"):
        return otherwise
    return parts.path + (f"?{parts.query}" if parts.query else "")


@register.simple_tag
def state(name: str, label: str = "") -> SafeString:
    """A state as tint, shape and word: `{% state "late" %}`."""
    tone, sign, word = STATES[name]
    return format_html('<span class="ax-state ax-state_{}">{}{}</span>', tone, icon(sign), label or word)


@register.simple_tag
def tick(yes: bool) -> SafeString:
    """Yes or no in a table cell, by shape and for screen readers by word."""
    return icon("check", _("Yes")) if yes else icon("minus", _("No"))


@register.simple_tag
def what(text: str) -> SafeString:
    """The little "what is this?" beside a number or a heading; opens without script."""
    if not text:
        return SafeString("")
    return format_html(
        '<details class="ax-what ax-what_inline" data-pop><summary>{}</summary>'
        '<p class="ax-what__text">{}</p></details>',
        icon("help", _("What is this?")),
        text,
    )


# -- frames -----------------------------------------------------------------------------------------------------------


@register.inclusion_tag("ui/parts/menu.html", takes_context=True)
def console_menu(context: Context) -> dict[str, Any]:
    """The task list of the console for `request.scope`. A view may set `menu` to a key to mark it by hand."""
    request = context.get("request")
    if request is None:
        return {"entries": ()}
    return {"entries": menu.entries(getattr(request, "scope", None), request.path, str(context.get("menu", "")))}


@register.inclusion_tag("ui/parts/tabbar.html", takes_context=True)
def phone_tabs(context: Context) -> dict[str, Any]:
    """The bar at the foot of the phone; shown only when there are at least two places to go."""
    request = context.get("request")
    if request is None or not getattr(getattr(request, "scope", None), "is_known", False):
        return {"entries": ()}
    entries = menu.phone_entries(request.path, str(context.get("tab", "")))
    return {"entries": entries if len(entries) > 1 else ()}


@register.inclusion_tag("ui/parts/language.html", takes_context=True)
def language_switch(context: Context, css: str = "") -> dict[str, Any]:
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
    """The name of the breadcrumb landmark (one word for all rooms)."""
    return _("Place in the organisation")


# -- numbers ----------------------------------------------------------------------------------------------------------


@register.inclusion_tag("ui/parts/tile.html")
def tile(
    label: str,
    number: object,
    tone: str = "",
    url: str = "",
    what: str = "",
    note: str = "",
    unit: str = "",
    live: str = "",
    live_note: str = "",
) -> dict[str, Any]:
    """A big number that opens its rows. `what` is its definition. Put several into `<div class="ax-tiles">`.

    `live` and `live_note` are the names under which a script finds the number and the note in order to renew them.
    """
    return {
        "label": label,
        "number": number,
        "tone": tone,
        "url": url,
        "what": what,
        "note": note,
        "unit": unit,
        "live": live,
        "live_note": live_note,
        "icon": TONE_ICONS.get(tone, ""),
    }


@register.inclusion_tag("ui/parts/progress.html")
def progress(value: float, total: float, label: str = "", note: str = "", tone: str = "") -> dict[str, Any]:
    """A bar with its counts in words; `note` is for the time left."""
    return {"value": value, "total": total, "label": label, "note": note, "tone": tone}


@register.simple_tag
def state_bar(
    on_time: int = 0,
    late: int = 0,
    missing: int = 0,
    exempt: int = 0,
    legend: bool = True,
    thin: bool = False,
    live: str = "",
) -> SafeString:
    """How the people of a node answered. In a table cell: `legend=False thin=True`. `live`: as for `tile`."""
    return _shares(
        [
            (_("On time"), on_time, "good"),
            (_("Late"), late, "late"),
            (_("Missing"), missing, "missing"),
            (_("Exempt"), exempt, "exempt"),
        ],
        legend,
        thin,
        live,
    )


@register.simple_tag
def share_bar(parts: Sequence[tuple[str, int, str]], legend: bool = True, thin: bool = False) -> SafeString:
    """Any whole made up of (name, number, tone) parts."""
    return _shares(parts, legend, thin)


def _shares(parts: Iterable[tuple[str, int, str]], legend: bool, thin: bool, live: str = "") -> SafeString:
    """Positions in percent. SVG attributes carry them, because the content policy forbids style attributes."""
    known = [(escape(name), max(0, int(number or 0)), tone) for name, number, tone in parts]
    total = sum(number for _name, number, _tone in known)
    bars, at = [], 0.0
    for name, number, tone in known:
        width = number * 100 / total if total else 0.0
        if number or live:
            place = f'x="{at:.3f}%" width="{width:.3f}%" height="100%"'
            bars.append(f'<rect class="ax-fill_{tone}" {place}><title>{name} {number:,}</title></rect>')
            if tone == "missing":
                bars.append(f'<rect {place} fill="url(#ax-hatch)"/>')
        at += width
    classes = f"ax-share{' ax-share_thin' if thin else ''}{'' if legend else ' ax-share_cell'}"
    words = ", ".join(f"{name} {number}" for name, number, _tone in known)
    bar = f' data-live-bar="{escape(live)}"' if live else ""
    return mark_safe(  # noqa: S308 - names are escaped, tones are ours
        f'<div class="{classes}"{bar}>'
        f'<svg role="img" aria-label="{words}" preserveAspectRatio="none">{"".join(bars)}</svg>'
        f"{_legend(known) if legend else ''}</div>"
    )


def _legend(known: Iterable[tuple[str, int, str]]) -> str:
    hatch = '<rect width="100%" height="100%" fill="url(#ax-hatch)"/>'
    items = (
        f'<li><svg aria-hidden="true"><rect class="ax-fill_{tone}" width="100%" height="100%"/>'
        f"{hatch if tone == 'missing' else ''}</svg>{name} <b>{number:,}</b></li>"
        for name, number, tone in known
    )
    return f'<ul class="ax-legend">{"".join(items)}</ul>'


@register.inclusion_tag("ui/parts/stats.html")
def stats(items: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """A row of figures: (name, number) or (name, number, unit)."""
    return {"stats": [(item[0], item[1], item[2] if len(item) > 2 else "") for item in items]}


# -- words and forms --------------------------------------------------------------------------------------------------


@register.inclusion_tag("ui/parts/alert.html")
def alert(text: str, tone: str = "info", title: str = "", link: str = "", link_text: str = "") -> dict[str, Any]:
    """A message in the page. Tones: info, success, warning, error, ill."""
    return {"text": text, "tone": tone, "title": title, "link": link, "link_text": link_text}


@register.inclusion_tag("ui/parts/empty.html")
def empty(
    title: str, text: str = "", url: str = "", link_text: str = "", icon: str = "list", tone: str = ""
) -> dict[str, Any]:
    """Nothing to show: says why, and what to do next. `tone="good"` when nothing is good news."""
    return {"title": title, "text": text, "url": url, "link_text": link_text, "icon": icon, "tone": tone}


@register.inclusion_tag("ui/parts/errors.html")
def form_errors(form: BaseForm | None) -> dict[str, Any]:
    """The summary above a form: each error in words, linked to its field. Shows nothing when all is well."""
    if form is None or not form.is_bound or form.is_valid():
        return {"problems": ()}
    problems = [("", "", str(error)) for error in form.non_field_errors()]
    problems += [
        (bound.id_for_label or bound.auto_id, str(bound.label), str(error)) for bound in form for error in bound.errors
    ]
    return {"problems": problems}


@register.inclusion_tag("ui/parts/pager.html")
def pager(previous: str = "", next: str = "", text: str = "") -> dict[str, Any]:
    """Keyset paging: earlier and later rows, no page numbers. `previous` and `next` are addresses or empty."""
    return {"previous": previous, "next": next, "text": text}


@register.inclusion_tag("ui/parts/tabs.html")
def tabs(items: Sequence[tuple[Any, ...]], current: str = "", label: str = "") -> dict[str, Any]:
    """Tabs that are links: (key, label, url) or (key, label, url, count)."""
    rows = [
        {"label": item[1], "url": item[2], "count": item[3] if len(item) > 3 else None, "current": item[0] == current}
        for item in items
    ]
    return {"items": rows, "label": label}


@register.inclusion_tag("ui/parts/steps.html")
def steps(labels: Sequence[str], now: int) -> dict[str, Any]:
    """Where we are in a task of several pages; `now` counts from 1."""
    return {
        "steps": [
            {"label": label, "number": i, "state": "done" if i < now else "now" if i == now else "next"}
            for i, label in enumerate(labels, start=1)
        ]
    }


@register.simple_tag
def person(name: str, more: str = "", url: str = "") -> SafeString:
    """A person in a row or a list: name, and one line beneath (number, class)."""
    name = str(name)
    tag, link = ("a", f' href="{escape(url)}"') if url else ("span", "")
    beneath = f'<span class="ax-person__more">{escape(str(more))}</span>' if more else ""
    return mark_safe(  # noqa: S308 - every text is escaped
        f'<{tag} class="ax-person"{link}><span class="ax-person__face" aria-hidden="true">{escape(name[:1])}</span>'
        f'<span class="ax-person__text"><span class="ax-person__name">{escape(name)}</span>{beneath}</span></{tag}>'
    )


@register.simple_tag(takes_context=True)
def masked_phone(context: Context, phone: str, reveal_url: str = "", name: str = "") -> SafeString:
    """A hidden phone number with the button that shows it. Pass the masked text, or the number to be masked here.

    `reveal_url` takes a POST, writes the ledger, and answers with `ui/parts/phone_shown.html` (context: `phone`).
    """
    masked = phone if "*" in (phone or "") else mask(phone)
    if not reveal_url or masked == "–":
        return mark_safe(f'<span class="ax-phone">{escape(masked)}</span>')  # noqa: S308 - escaped
    whose = _("the phone number of %(name)s") % {"name": name}
    return mark_safe(  # noqa: S308 - every text is escaped
        f'<form class="ax-phone" method="post" action="{escape(reveal_url)}" hx-post="{escape(reveal_url)}"'
        f' hx-swap="outerHTML"><input type="hidden" name="csrfmiddlewaretoken"'
        f' value="{escape(str(context.get("csrf_token") or ""))}"><span>{escape(masked)}</span><button type="submit">'
        f'{icon("eye")}{escape(_("Show"))}<span class="ax-hide">{escape(whose)}</span></button></form>'
    )


@register.inclusion_tag("ui/parts/day_nav.html")
def day_nav(day: Any, previous: str = "", next: str = "") -> dict[str, Any]:
    """The day shown, with links to the day before and after."""
    return {"day": day, "previous": previous, "next": next}


@register.inclusion_tag("ui/parts/confirm.html", takes_context=True)
def confirm(
    context: Context,
    title: str,
    action: str,
    submit: str,
    lead: str = "",
    effects: Sequence[str] = (),
    danger: bool = False,
    cancel_url: str = "",
    dialog: str = "",
    fields: Sequence[tuple[str, object]] = (),
) -> dict[str, Any]:
    """Says what will happen to how many people, and asks; a POST to `action` with the hidden `fields`.

    With `dialog="some-id"` it is a dialog that `<button data-dialog="some-id">` opens.
    """
    return {
        "title": title,
        "action": action,
        "submit": submit,
        "lead": lead,
        "effects": effects,
        "danger": danger,
        "cancel_url": cancel_url,
        "dialog": dialog,
        "fields": fields,
        "csrf_token": context.get("csrf_token"),
    }


@register.inclusion_tag("ui/parts/receipt.html")
def receipt(rows: Sequence[tuple[str, object]], phone: bool = False) -> dict[str, Any]:
    """What a reporter keeps: (name, value) pairs; `phone=True` in the phone's frame."""
    return {"rows": rows, "css": "h5-receipt" if phone else "ax-receipt"}


@register.inclusion_tag("ui/parts/job.html", takes_context=True)
def job(
    context: Context,
    id: str,
    done: int,
    total: int,
    label: str,
    note: str = "",
    poll_url: str = "",
    cancel_url: str = "",
) -> dict[str, Any]:
    """Long work: counts, time left, a way to stop it.

    `poll_url` answers with this same tag (same `id`) while the work runs, then without `poll_url` or by a redirect to
    the page of results, which the browser follows.
    """
    return {
        "id": id,
        "done": done,
        "total": total,
        "label": label,
        "note": note,
        "poll_url": poll_url,
        "cancel_url": cancel_url,
        "csrf_token": context.get("csrf_token"),
    }


# -- charts -----------------------------------------------------------------------------------------------------------


@register.inclusion_tag("ui/parts/chart.html")
def chart(chart: Chart, tall: bool = False) -> dict[str, Any]:
    """A chart and, behind one click, its table. The page also needs `{% chart_scripts %}` in its `scripts` block."""
    return {"chart": chart, "tall": tall, "data_id": f"{chart.key}-data", "plot_id": f"{chart.key}-plot"}


@register.inclusion_tag("ui/parts/chart_scripts.html", takes_context=True)
def chart_scripts(context: Context) -> dict[str, Any]:
    """The two scripts that draw charts; only pages with a chart pay for them."""
    return {"nonce": getattr(context.get("request"), "csp_nonce", "")}


# -- the gallery's own tag --------------------------------------------------------------------------------------------


class _Specimen(template.Node):
    def __init__(self, title: FilterExpression, source: str) -> None:
        self.title = title
        self.source = source

    def render(self, context: Context) -> SafeString:
        assert context.template is not None
        shown = context.template.engine.from_string(self.source).render(context)
        return format_html(
            '<section class="gallery-item"><h2>{}</h2><div class="gallery-item__live">{}</div>'
            '<details class="ax-more"><summary>{}{}</summary>'
            '<pre class="ax-code" tabindex="0">{}</pre></details></section>',
            self.title.resolve(context),
            mark_safe(shown),  # noqa: S308 - rendered by the engine one line above, with its escaping
            _("Markup"),
            icon("chevron-down"),
            self.source.strip("\n"),
        )


@register.tag
def specimen(parser: Parser, token: Token) -> _Specimen:
    """Show a piece of template and its source, so that the gallery can never disagree with itself."""
    title = parser.compile_filter(token.split_contents()[1])
    pieces: list[str] = []
    while parser.tokens:
        part = parser.next_token()
        if part.token_type == TokenType.BLOCK and part.contents == "endspecimen":
            return _Specimen(title, "".join(pieces))
        marks = {
            TokenType.BLOCK: ("{% ", " %}"),
            TokenType.VAR: ("{{ ", " }}"),
            TokenType.COMMENT: ("{# ", " #}"),
        }.get(part.token_type, ("", ""))
        pieces.append(marks[0] + part.contents + marks[1])
    raise template.TemplateSyntaxError("specimen without endspecimen")


@register.simple_tag
def icon_names() -> SafeString:
    """All icons with their names (for the gallery)."""
    return format_html_join("", "<li>{}<code>{}</code></li>", ((icon(name), name) for name in sorted(ICONS)))
