"""Whether this house answers: for supervisors and load balancers, so without a name, a school or a session."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from anxiao import __version__
from anxiao.accounts.middleware import sets_own_context


@sets_own_context
@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, 503 when it does not."""
    answers = _database_answers()
    return JsonResponse(
        {
            "status": "ok" if answers else "unavailable",
            "database": "ok" if answers else "unavailable",
            "version": __version__,
        },
        status=200 if answers else 503,
    )


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    except DatabaseError:
        # a dead connection would answer every later question of this thread with the same error
        connection.close()
        return False
