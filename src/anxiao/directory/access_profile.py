"""Who may decide what a person asks to have corrected.  Absent and not yours answer alike."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from anxiao.base import deployment, sealing
from anxiao.base.errors import NotYours
from anxiao.base.permissions import Permission
from anxiao.base.scope import Scope
from anxiao.directory.access_roster import answering_node
from anxiao.directory.models import Organisation, Person
from anxiao.directory.models_people import ProfileProposal
from anxiao.directory.names_people import ProfileField


def nodes_to_answer(person: Person, day: date) -> tuple[Organisation, ...]:
    """The node that answers for a person, or none."""
    node = answering_node(person, day)
    return (node,) if node is not None else ()


def get_proposal(scope: Scope, proposal_id: int, day: date, *, lock: bool = False) -> ProfileProposal:
    """A proposal of somebody for whom the caller answers; never one's own."""
    proposals = ProfileProposal.objects.select_for_update(of=("self",)) if lock else ProfileProposal.objects
    proposal = proposals.select_related("person__category").filter(pk=proposal_id).first()
    if proposal is None or proposal.person_id == scope.person_id:
        raise NotYours
    if not any(scope.may(Permission.PROFILE_CONFIRM, node.path) for node in nodes_to_answer(proposal.person, day)):
        raise NotYours
    return proposal


def may_decide(scope: Scope, proposal: ProfileProposal, day: date) -> bool:
    """Whether the caller may also confirm it: a change of class needs both classes."""
    if proposal.field != ProfileField.CLASS:
        return True
    to = Organisation.objects.filter(pk=proposal.wanted_id or 0, school_id=proposal.school_id).first()
    return to is None or scope.may(Permission.PROFILE_CONFIRM, to.path)


_LOOK, _LOOKS_FOR = "look.1", timedelta(minutes=10)


def seal_look(scope: Scope, person: Person, now: datetime) -> str:
    """Says that opening this person has just been written down: what the page itself fetches need not be again."""
    return sealing.seal(deployment.secret(), _LOOK, (scope.user_id, person.pk, int(now.timestamp())))


def is_same_look(scope: Scope, person: Person, text: str, now: datetime) -> bool:
    """Whether ``text`` was sealed for this caller and this person within the last ten minutes."""
    told = sealing.unseal(deployment.secret(), _LOOK, text, 3)
    if told is None or (told[0], told[1]) != (scope.user_id, person.pk):
        return False
    return 0 <= now.timestamp() - told[2] < _LOOKS_FOR.total_seconds() + 1
