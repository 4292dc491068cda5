"""Signing a day sheet and sending one back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.events import publish
from anxiao.base.locks import school_roster_lock
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.ledger.commands import record
from anxiao.reporting.access_sheets import get_school_node
from anxiao.reporting.models import DaySheet, DaySheetVersion, Round
from anxiao.reporting.names import SHEET_RETURNED, SHEET_SUBMITTED, SheetState, ZeroCategory
from anxiao.reporting.queries.sheets import live_figures
from anxiao.reporting.rules_sheets import (
    Fault,
    SheetFigures,
    Signed,
    differing,
    digest_of,
    faults_of,
    is_late,
    may_return,
    may_submit,
)

LONGEST_REASON, LONGEST_NOTE = 300, 2000


@transaction.atomic
def submit_sheet(
    *,
    by: Scope,
    now: datetime,
    round: Round,
    school_id: int,
    statements: Mapping[str, int | None],
    note: str = "",
) -> DaySheetVersion:
    """Freeze a school's figures of this moment with the officer's statements, and sign them.

    The first signature makes version 1; after a return the next one makes a new version, and the old ones stay.
    Raises ``Invalid`` with a message for each category that is not stated, or when a difference is not explained.
    """
    # who, before the lock: a stranger must not make another school's officer wait
    node = get_school_node(by, school_id, Permission.SHEET_SIGN)
    sheet = _locked(school_id, round, now)
    if not may_submit(_state(sheet)):
        raise Refused(_("This sheet was already submitted. It can be signed again only after the province returns it."))
    if now < round.opens_at:
        raise Refused(_("This round is not open yet."))
    # reports wait for these few milliseconds, so that all figures, from counters and from reports, are of one moment
    school_roster_lock(school_id)
    figures = live_figures(by, node=node, round=round)
    note = note.strip()
    check_statements(statements, figures, note)

    number = sheet.current + 1
    signed = Signed(
        school_id=school_id,
        day=round.day,
        round_id=round.pk,
        number=number,
        figures=figures.stored(),
        statements={category: int(statements[category] or 0) for category in ZeroCategory.values},
        note=note,
        late=is_late(round.sheets_due_at, now),
        signed_by=by.user_id,
        signed_by_name=by.display_name or by.username,
        signed_at=now,
    )
    version = DaySheetVersion.objects.create(
        school_id=school_id,
        sheet=sheet,
        number=number,
        figures=signed.figures,
        statements=signed.statements,
        note=signed.note,
        late=signed.late,
        digest=digest_of(signed),
        signed_by=signed.signed_by,
        signed_by_name=signed.signed_by_name,
        signed_at=signed.signed_at,
    )
    DaySheet.objects.filter(pk=sheet.pk).update(state=SheetState.SUBMITTED, current=number)
    record(
        by=by,
        now=now,
        verb="sheet.submitted",
        object_type="day_sheet",
        object_id=f"{round.day}/{sheet.pk}/{number}",
        school_id=school_id,
        facts={"digest": version.digest, "late": version.late, "statements": version.statements},
    )
    publish(SHEET_SUBMITTED, school_id=school_id, round_id=round.pk, number=number)
    return version


@transaction.atomic
def return_sheet(
    *, by: Scope, now: datetime, round: Round, school_id: int, number: int, reason: str
) -> DaySheetVersion:
    """Send a submitted sheet back to its school, with a reason the school reads.

    ``number`` is the version that was looked at: one that was signed meanwhile is not returned unseen.
    """
    get_school_node(by, school_id, Permission.SHEET_RETURN)
    reason = reason.strip()
    if not reason:
        raise Invalid({"reason": _("Please say what is wrong, so that the school can put it right.")})
    if len(reason) > LONGEST_REASON:
        raise Invalid({"reason": _("Please keep the reason within %(n)s characters.") % {"n": LONGEST_REASON}})
    sheet = DaySheet.objects.select_for_update().filter(school_id=school_id, round=round).first()
    if sheet is None:
        raise NotYours
    if not may_return(_state(sheet)):
        raise Refused(_("This sheet was already returned; the school has not signed it again yet."))
    if sheet.current != number:
        raise Refused(_("The school has signed a newer version meanwhile. Please look at it first."))
    version = DaySheetVersion.objects.get(sheet=sheet, number=number)
    version.returned_by, version.returned_at, version.return_reason = by.user_id, now, reason
    version.save(update_fields=["returned_by", "returned_at", "return_reason"])
    DaySheet.objects.filter(pk=sheet.pk).update(state=SheetState.RETURNED)
    record(
        by=by,
        now=now,
        verb="sheet.returned",
        object_type="day_sheet",
        object_id=f"{round.day}/{sheet.pk}/{number}",
        school_id=school_id,
        facts={"digest": version.digest, "reason": reason},
    )
    publish(SHEET_RETURNED, school_id=school_id, round_id=round.pk, number=number)
    return version


def _locked(school_id: int, round: Round, now: datetime) -> DaySheet:
    """The sheet's row, made where there is none, and held until the transaction ends.

    Two officers who click at once both insert; the unique constraint makes the second wait for the first, and then
    the row lock shows what the first has done.  Version 0 stands for "nothing signed" and never outlives this
    transaction: it becomes 1 or is rolled back.
    """
    DaySheet.objects.bulk_create(
        [
            DaySheet(
                school_id=school_id,
                round=round,
                day=round.day,
                state=SheetState.SUBMITTED,
                current=0,
                first_submitted_at=now,
            )
        ],
        ignore_conflicts=True,
    )
    return DaySheet.objects.select_for_update().get(school_id=school_id, round=round)


def _state(sheet: DaySheet) -> SheetState | None:
    return SheetState(sheet.state) if sheet.current else None


def check_statements(statements: Mapping[str, int | None], figures: SheetFigures, note: str) -> None:
    """Raise ``Invalid`` for what stands against signing; a page asks before it asks for the password."""
    if len(note) > LONGEST_NOTE:
        raise Invalid({"note": _("Please keep the note within %(n)s characters.") % {"n": LONGEST_NOTE}})
    faults = faults_of(statements, figures, note)
    if not faults:
        return
    messages: dict[str, object] = {}
    for name, fault in faults.items():
        if fault is Fault.UNEXPLAINED:
            messages[name] = _("Please explain in the note: %(differences)s.") % {
                "differences": "; ".join(
                    _("%(category)s – stated %(stated)s, reports %(reports)s")
                    % {"category": c.label, "stated": statements[c], "reports": figures.of(c)}
                    for c in differing(statements, figures)
                )
            }
        elif fault is Fault.NEGATIVE:
            messages[name] = _("A number of people cannot be below zero.")
        else:
            messages[name] = _("Please state a number, or zero: no statement is not a zero.")
    raise Invalid(messages)
