"""Which rounds there are.  Rounds belong to no school; they say what was asked, never who answered."""

from __future__ import annotations

from datetime import date

from anxiao.base.scope import Scope, lies_under
from anxiao.reporting.models import Round


def rounds_of(scope: Scope, path: str, day: date) -> list[Round]:
    """Rounds of ``day`` whose campaign asks the people under ``path``, the widest campaign first."""
    found = Round.objects.filter(day=day).select_related("campaign__organisation", "version")
    asked = [r for r in found if lies_under(path, r.campaign.organisation.path)]
    return sorted(asked, key=lambda r: (r.campaign.organisation.path.count("."), r.campaign_id))


def rounds_between(scope: Scope, campaign_id: int, first: date, last: date) -> list[Round]:
    """Rounds of one campaign from ``first`` to ``last``, both included, oldest first."""
    return list(Round.objects.filter(campaign_id=campaign_id, day__range=(first, last)).order_by("day", "id"))
