"""A receipt to take home: a file that proves by itself what was sent and when it was received."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from anxiao.base.clock import day_of, now
from anxiao.base.deployment import receipt_signer
from anxiao.base.errors import NotYours
from anxiao.base.scope import Scope
from anxiao.portal.queries import phone
from anxiao.portal.views_h5 import for_a_person
from anxiao.reporting.rules_receipts import receipt_file


@require_GET
@for_a_person
def receipt(request: HttpRequest, round_id: int) -> HttpResponse:
    """The reporter's own report of a round as a signed file; ``?version=1`` for another than the last."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    moment = now()
    who = phone.me(scope, day_of(moment))
    versions = {str(kept.row["version"]): kept for kept in phone.my_round(scope, who, round_id, moment).versions}
    kept = versions.get(request.GET.get("version", max(versions, key=int, default="")))
    if kept is None:
        raise NotYours
    text = receipt_file(kept.row, receipt_signer())
    response = HttpResponse(text, content_type="application/json; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="anxiao-{kept.receipt.number}.json"'
    return response
