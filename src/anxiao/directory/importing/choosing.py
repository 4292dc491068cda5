"""Who leaves: of the people who are not in a full list, those whom somebody has chosen. Nobody is chosen at first."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from anxiao.base.errors import Refused
from anxiao.base.scope import Scope
from anxiao.directory.importing.access import check_may_import
from anxiao.directory.importing.pages import leaving
from anxiao.directory.models import DirectoryImport, ImportRow, School
from anxiao.directory.names import ImportState, RowVerdict
from anxiao.ledger.commands import record


def choose_leavers(
    *, by: Scope, import_: DirectoryImport, shown: Collection[int] | None, chosen: Collection[int] | bool, now: datetime
) -> int:
    """Choose among the rows of a preview, and say how many are chosen afterwards.

    ``shown``: ids of the rows that stood before the eyes of the caller, all others keep what was chosen; None for
    every row of the preview. ``chosen``: of these the ids that leave, or True for all and False for none.
    """
    with transaction.atomic():
        check_may_import(by, School.objects.get(pk=import_.school_id))
        state = (
            DirectoryImport.objects.select_for_update()
            .filter(pk=import_.pk, school_id=import_.school_id)
            .values_list("state", flat=True)
            .first()
        )
        if state != ImportState.PREVIEWED:
            raise Refused(_("This import has already been decided. Nothing was changed."), code="decided")
        rows = ImportRow.objects.filter(school_id=import_.school_id, source=import_, verdict=RowVerdict.LEAVES)
        if shown is not None:
            rows = rows.filter(pk__in=list(shown))
        if isinstance(chosen, bool):
            rows.exclude(chosen=chosen).update(chosen=chosen)
        else:
            rows.filter(chosen=True).exclude(pk__in=list(chosen)).update(chosen=False)
            rows.filter(chosen=False, pk__in=list(chosen)).update(chosen=True)
        found = leaving(by, import_)
        record(
            by=by,
            now=now,
            verb="import.leavers_chosen",
            object_type="directory_import",
            object_id=import_.pk,
            school_id=import_.school_id,
            facts={"chosen": found.chosen, "of": found.total},
        )
    return found.chosen
