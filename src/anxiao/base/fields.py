"""Column types that Django does not bring along."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.models import Lookup


class LtreeField(models.TextField):
    """A path in a tree, labels joined by dots (PostgreSQL ``ltree``).  Labels are the ids of the nodes."""

    def db_type(self, connection: Any) -> str:
        return "ltree"

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else str(value)


@LtreeField.register_lookup
class Under(Lookup):
    """``path__under="1.4"`` or ``path__under=["1.4", "1.9"]``: the nodes themselves and everything beneath them."""

    lookup_name = "under"
    prepare_rhs = False

    def get_prep_lookup(self) -> Any:
        if isinstance(self.rhs, str):
            return [self.rhs]
        if isinstance(self.rhs, Iterable):
            return [str(path) for path in self.rhs]
        return self.rhs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, left_params = self.process_lhs(compiler, connection)
        return f"{left} <@ ANY(%s::ltree[])", (*left_params, self.rhs)


@LtreeField.register_lookup
class Above(Lookup):
    """``path__above="1.4.17"``: the node itself and everything it hangs from."""

    lookup_name = "above"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, left_params = self.process_lhs(compiler, connection)
        return f"{left} @> %s::ltree", (*left_params, str(self.rhs))
