"""Kinds of staff and students of a school, with how many people have each."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from anxiao.base.scope import Scope
from anxiao.directory.models import Category
from anxiao.directory.names import Audience


@dataclass(frozen=True, slots=True)
class CategoryLine:
    name: str
    people: int


def categories_of(scope: Scope, school_id: int) -> dict[Audience, list[CategoryLine]]:
    """Categories by audience in the order of the templates; ``people`` counts everybody ever imported with it."""
    found: dict[Audience, list[CategoryLine]] = {audience: [] for audience in Audience}
    for category in (
        Category.objects.filter(school_id=school_id)
        .annotate(people=Count("person"))
        .order_by("audience", "position", "id")
    ):
        found[Audience(category.audience)].append(CategoryLine(category.name, category.people))
    return found
