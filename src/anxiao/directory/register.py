"""The public register of the province's universities, from the list of the Ministry of Education.

``data/anhui_universities.csv``: ten-digit school code (学校标识码), name, department, city, city code (GB/T 2260),
level (本科 / 专科) and whether it is private.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

from django.db import transaction

from anxiao.directory.models import School

_FACTS = ("name", "department", "city", "city_code", "level", "private")


@cache
def registered_schools() -> tuple[dict[str, str], ...]:
    """The rows of the register, by school code."""
    text = files("anxiao.directory").joinpath("data/anhui_universities.csv").read_text(encoding="utf-8-sig")
    return tuple(sorted(csv.DictReader(text.splitlines()), key=lambda row: row["code"]))


def load_register(*, using: str = "bulk") -> int:
    """Bring the table of schools up to the register; returns how many schools it names.

    Safe to run at every start.  A school that is in use stays so: only public facts are refreshed.  Ids follow the
    order of the codes in an empty table, so that every new installation numbers the schools alike.
    """
    schools = [
        School(
            code=row["code"],
            name=row["name"],
            department=row["department"],
            city=row["city"],
            city_code=row["city_code"],
            level=row["level"],
            private=row["private"] == "1",
        )
        for row in registered_schools()
    ]
    with transaction.atomic(using=using):
        known = set(School.objects.using(using).values_list("code", flat=True))
        new = [school for school in schools if school.code not in known]
        School.objects.using(using).bulk_create(new)
        School.objects.using(using).bulk_create(
            [school for school in schools if school.code in known],
            update_conflicts=True,
            unique_fields=["code"],
            update_fields=list(_FACTS),
        )
    return len(schools)
