"""People correct what the directory says about them: phone and sex at once, what matters as a proposal.

A proposal is confirmed or declined by whoever answers for the person (counsellor, college, school); both see its state.
The ledger names fields and proposals, never values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from anxiao.base.clock import day_of
from anxiao.base.errors import Invalid, NotYours, Refused
from anxiao.base.events import publish
from anxiao.base.permissions import Permission, Role
from anxiao.base.scope import Grant, Scope
from anxiao.directory.access_profile import get_proposal, may_decide, nodes_to_answer
from anxiao.directory.commands_roster import transfer
from anxiao.directory.commands_search import refresh
from anxiao.directory.importing.phones import judge_phone
from anxiao.directory.importing.text import invisible, tidy_code, tidy_name, unreadable
from anxiao.directory.models import Category, Membership, Organisation, Person
from anxiao.directory.models_people import ProfileProposal
from anxiao.directory.names import PROFILE_CHANGED, Sex
from anxiao.directory.names_people import LOOKED_AT, ProfileField, ProposalState
from anxiao.directory.queries_profile import units_for
from anxiao.ledger.commands import record

MOST_A_DAY = 20
LONGEST_NAME, LONGEST_NUMBER, LONGEST_REASON = 60, 30, 300


def look_at(*, by: Scope, now: datetime, person: Person) -> None:
    """Write down that somebody opens the page of a person; one's own page is nobody's business."""
    if by.person_id != person.pk:
        record(by=by, now=now, verb=LOOKED_AT, object_type="person", object_id=person.pk, school_id=person.school_id)


@transaction.atomic
def correct_own(*, by: Scope, now: datetime, phone: str, sex: str) -> list[str]:
    """A person corrects their own phone and sex, at once; returns the fields that changed."""
    person = _myself(by, lock=True)
    # what stands already is no mistake of today, even if today's rule would not let it in
    clean, fault = (person.phone, None) if phone.strip() == person.phone else judge_phone(phone.strip()[:60])
    problems: dict[str, object] = {}
    if fault is not None:
        problems["phone"] = _("This is no mobile number. Mainland numbers have 11 digits; others begin with +852- …")
    if sex not in Sex.values:
        problems["sex"] = _("Please choose one.")
    if problems:
        raise Invalid(problems)
    changed = [name for name, value in (("phone", clean), ("sex", sex)) if getattr(person, name) != value]
    if not changed:
        return []
    Person.objects.filter(pk=person.pk).update(phone=clean, sex=sex, changed_at=now)
    refresh([person.pk])
    _enter(by, now, "profile.corrected", person, {"fields": changed})
    return changed


@transaction.atomic
def propose(*, by: Scope, now: datetime, field: ProfileField, wanted: str, reason: str) -> ProfileProposal:
    """A person asks for a correction; ``wanted`` is a text, or the id of the class or category.

    An earlier proposal about the same fact that is still open is taken back.
    """
    person = _myself(by, lock=True)
    before, shown, wanted_id = _read_wish(person, field, wanted, now)
    reason = reason.strip()[:LONGEST_REASON]
    if not reason:
        raise Invalid({"reason": _("Please say why. Whoever confirms it has only your words.")})
    asked_today = ProfileProposal.objects.filter(person=person, asked_at__gt=now - timedelta(days=1)).count()
    if asked_today >= MOST_A_DAY:
        raise Refused(_("That is a lot for one day. Please talk to your counsellor."))
    mine = ProfileProposal.objects.filter(person=person, field=field, state=ProposalState.OPEN)
    mine.update(state=ProposalState.WITHDRAWN, decided_at=now, decided_by=by.user_id, decided_by_name=by.display_name)
    proposal = ProfileProposal.objects.create(
        school_id=person.school_id,
        person=person,
        field=field,
        before=before,
        wanted=shown,
        wanted_id=wanted_id,
        reason=reason,
        asked_by=by.user_id,
        asked_at=now,
    )
    _enter(by, now, "profile.proposed", person, {"proposal": proposal.pk, "field": field.value})
    return proposal


@transaction.atomic
def withdraw(*, by: Scope, now: datetime, proposal_id: int) -> ProfileProposal:
    """Take one's own proposal back while nobody has decided."""
    person = _myself(by)
    proposal = ProfileProposal.objects.select_for_update().filter(pk=proposal_id, person=person).first()
    if proposal is None:
        raise NotYours
    return _decide(proposal, by, now, ProposalState.WITHDRAWN, "")


@transaction.atomic
def confirm(*, by: Scope, now: datetime, proposal_id: int) -> ProfileProposal:
    """Confirm a proposal: what was asked for is written, and everything that follows from it."""
    proposal = get_proposal(by, proposal_id, day_of(now), lock=True)
    if not may_decide(by, proposal, day_of(now)):
        raise Refused(_("The other class is not yours: the college or the school confirms this one."))
    person = Person.objects.select_for_update().get(pk=proposal.person_id)
    field = ProfileField(proposal.field)
    decided = _decide(proposal, by, now, ProposalState.CONFIRMED, "")
    if field is ProfileField.CLASS:
        _move(by, now, person, proposal)
    else:
        _write(by, now, person, proposal, field)
    return decided


@transaction.atomic
def decline(*, by: Scope, now: datetime, proposal_id: int, answer: str) -> ProfileProposal:
    """Decline a proposal with a reason, which the person reads."""
    proposal = get_proposal(by, proposal_id, day_of(now), lock=True)
    answer = answer.strip()[:LONGEST_REASON]
    if not answer:
        raise Invalid({"answer": _("Please say why, so that the person knows what to do.")})
    return _decide(proposal, by, now, ProposalState.DECLINED, answer)


def _myself(by: Scope, *, lock: bool = False) -> Person:
    people = Person.objects.select_for_update(of=("self",)) if lock else Person.objects
    person = people.select_related("category").filter(pk=by.person_id or 0, school_id=by.school_id or 0).first()
    if person is None:
        raise NotYours
    return person


def _read_wish(person: Person, field: ProfileField, wanted: str, now: datetime) -> tuple[str, str, int | None]:
    """(as it is, as it shall be, id of what is meant), or Invalid."""
    if field is ProfileField.NAME:
        text = tidy_name(wanted)
        if not text or len(text) > LONGEST_NAME or invisible(text) or unreadable(text):
            raise Invalid({"wanted": _("Please enter the name as it stands in your papers, at most 60 characters.")})
        return _differs(person.name, text), text, None
    if field is ProfileField.NUMBER:
        text = tidy_code(wanted)
        if not text or len(text) > LONGEST_NUMBER or not text.isascii() or not text.isprintable() or " " in text:
            raise Invalid({"wanted": _("Please enter the number: letters and digits, at most 30.")})
        return _differs(person.number, text), text, None
    wanted_id = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) <= 9 else 0
    if field is ProfileField.CATEGORY:
        chosen = Category.objects.filter(pk=wanted_id, school_id=person.school_id, audience=person.audience).first()
        if chosen is None:
            raise Invalid({"wanted": _("Please choose one.")})
        return _differs(person.category.name, chosen.name), chosen.name, chosen.pk
    node = units_for(person).filter(pk=wanted_id).first()
    if node is None:
        raise Invalid({"wanted": _("Please choose one.")})
    standing = Membership.objects.valid_on(day_of(now)).filter(person=person).select_related("organisation").first()
    if standing is not None and standing.organisation_id == node.pk:
        raise Invalid({"wanted": _("That is how it stands already.")})
    return (standing.organisation.label if standing else "–"), node.label, node.pk


def _differs(before: str, wanted: str) -> str:
    if before == wanted:
        raise Invalid({"wanted": _("That is how it stands already.")})
    return before


def _decide(proposal: ProfileProposal, by: Scope, now: datetime, state: ProposalState, answer: str) -> ProfileProposal:
    if proposal.state != ProposalState.OPEN:
        raise Refused(_("This has been decided already."))
    proposal.state, proposal.answer = state, answer
    proposal.decided_by, proposal.decided_by_name, proposal.decided_at = by.user_id, by.display_name[:150], now
    proposal.save(update_fields=["state", "answer", "decided_by", "decided_by_name", "decided_at"])
    _enter(by, now, f"profile.{state.value}", proposal.person, {"proposal": proposal.pk, "field": proposal.field})
    return proposal


def _write(by: Scope, now: datetime, person: Person, proposal: ProfileProposal, field: ProfileField) -> None:
    before = person.number
    if field is ProfileField.NUMBER:
        taken = Person.objects.filter(school_id=person.school_id, number=proposal.wanted).exclude(pk=person.pk)
        if taken.exists():
            raise Refused(_("This number belongs to somebody else of the school."))
        person.number = proposal.wanted
    elif field is ProfileField.NAME:
        person.name = proposal.wanted
    else:
        still = Category.objects.filter(pk=proposal.wanted_id or 0, audience=person.audience).first()
        if still is None:
            raise Refused(_("This category is no longer there."))
        person.category = still
    person.changed_at = now
    person.save(update_fields=["number", "name", "category", "changed_at"])
    refresh([person.pk])
    publish(
        PROFILE_CHANGED,
        person_id=person.pk,
        school_id=person.school_id,
        fields=(field.value,),
        before=before,
        now=now,
    )


def _move(by: Scope, now: datetime, person: Person, proposal: ProfileProposal) -> None:
    day = day_of(now)
    to = Organisation.objects.filter(pk=proposal.wanted_id or 0, school_id=person.school_id).first()
    if to is None:
        raise Refused(_("This class is no longer there."))
    # whoever confirms a class answers for both classes; for this one change that is enough
    lent = tuple(
        Grant(Role.COLLEGE_OFFICER, node.pk, str(node.path), node.kind, node.school_id)
        for node in (*nodes_to_answer(person, day), to)
        if by.may(Permission.PROFILE_CONFIRM, node.path)
    )
    mover = replace(by, grants=(*by.grants, *lent))
    reason = _("Asked for by the person, proposal %(id)d") % {"id": proposal.pk}
    transfer(by=mover, now=now, person=person, to=to, on=day, reason=reason)


def _enter(by: Scope, now: datetime, verb: str, person: Person, facts: Mapping[str, object]) -> None:
    record(
        by=by,
        now=now,
        verb=verb,
        object_type="person",
        object_id=person.pk,
        school_id=person.school_id,
        facts=facts,
    )
