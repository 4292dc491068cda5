"""Every field that can say something about a person is classified in ``personal_fields.csv``.

``about``: ``nobody``, ``person`` or ``health``.  ``treatment``:

- ``keep``     stored as it is, shown to whoever may see the person (health: only with the permission for health)
- ``mask``     shown masked; the whole value only by an act of its own, which leaves a ledger row
- ``scrub``    never copied into the ledger, a log or an error message
- ``hash``     only a keyed or salted hash is stored
- ``encrypt``  to be encrypted in the application at rest (decision 14); listed here so that it is not forgotten
"""

from __future__ import annotations

import csv

from django.apps import apps
from django.db import models

from anxiao.questionnaires.concepts import COLUMNS
from tests.house.plan import ROOT

LIST = ROOT / "tests" / "house" / "personal_fields.csv"
TEXTS = (models.CharField, models.TextField, models.JSONField)
TREATMENTS = {"nobody": {"", "scrub"}, "person": {"keep", "mask", "scrub", "hash", "encrypt"}}
TREATMENTS["health"] = TREATMENTS["person"]


def listed() -> dict[tuple[str, str], dict[str, str]]:
    with LIST.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {(row["table"], row["column"]): row for row in rows}
    assert len(found) == len(rows), "a column stands twice in personal_fields.csv"
    return found


def to_classify() -> set[tuple[str, str]]:
    """Everything that holds words, and every answer of a report whatever its type."""
    found = {("report", column) for column in COLUMNS}
    for model in apps.get_models():
        if model.__module__.startswith("anxiao."):
            found |= {
                (model._meta.db_table, field.column)
                for field in model._meta.concrete_fields
                if isinstance(field, TEXTS) and not field.is_relation
            }
    return found


def test_every_field_with_words_is_classified() -> None:
    missing = to_classify() - set(listed())
    assert not missing, f"say in personal_fields.csv whom these are about: {sorted(missing)}"


def test_no_line_is_stale() -> None:
    columns = {
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if field.column
    }
    assert set(listed()) <= columns


def test_the_words_of_the_list_are_known() -> None:
    for key, row in listed().items():
        assert row["treatment"] in TREATMENTS[row["about"]], key
        assert row["说明"], key
