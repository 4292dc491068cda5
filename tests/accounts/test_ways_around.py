"""Ways around the rules that somebody tried: a code older than a role, a building in place of a class."""

from __future__ import annotations

import pytest
from django.test import Client

from anxiao.accounts.commands.activation import Answer, activate, print_codes, try_code
from anxiao.accounts.commands.grants import give_grant_to_person
from anxiao.accounts.models import Grant, User
from anxiao.accounts.queries import scope_of, user_called
from anxiao.accounts.rules import fold_username
from anxiao.base.errors import Invalid, Refused
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.directory.commands import add_place
from anxiao.directory.names import PlaceKind
from tests.builders import HOUSE, MORNING, TODAY, add_account
from tests.cast import Cast

PASSWORD = "九龙路 111 good horse"


def test_a_code_is_no_way_into_a_role_that_came_after_it(cast: Cast) -> None:
    """Whoever printed it must be able to give the role at the moment at which the code is used, too."""
    officer = add_account("dean", role=Role.COLLEGE_OFFICER, node=cast.electronics)
    by = scope_of(officer, TODAY)
    with cast.seen_by(by):
        (slip,) = print_codes(by=by, now=MORNING, node=cast.electronics, person_ids=[cast.zhangsan.pk]).slips
    with cast.seen_by(cast.admin) as admin:
        give_grant_to_person(
            by=admin,
            now=MORNING,
            person=cast.zhangsan,
            role=Role.SCHOOL_DOCTOR,
            organisation=cast.anda_node,
            valid_from=TODAY,
        )
    with school_context(f"0,{cast.anda.pk}"):
        tried = try_code(now=MORNING, school_id=cast.anda.pk, code=slip.code, number=slip.number, name=slip.name)
        assert tried.answer is Answer.FITS
        with pytest.raises(Refused):
            activate(now=MORNING, school_id=cast.anda.pk, code_id=tried.code_id, password=PASSWORD)
    assert not User.objects.get(person=cast.zhangsan).has_usable_password()


def test_a_code_of_somebody_who_may_give_the_role_still_opens_the_account(cast: Cast) -> None:
    head = add_account("head", role=Role.SCHOOL_ADMIN, node=cast.anda_node)
    by = scope_of(head, TODAY)
    with cast.seen_by(by):
        (slip,) = print_codes(by=by, now=MORNING, node=cast.electronics, person_ids=[cast.zhangsan.pk]).slips
        give_grant_to_person(
            by=by, now=MORNING, person=cast.zhangsan, role=Role.COUNSELLOR, organisation=cast.tongxin1, valid_from=TODAY
        )
    with school_context(f"0,{cast.anda.pk}"):
        tried = try_code(now=MORNING, school_id=cast.anda.pk, code=slip.code, number=slip.number, name=slip.name)
        user = activate(now=MORNING, school_id=cast.anda.pk, code_id=tried.code_id, password=PASSWORD)
    assert user.has_usable_password()


def test_only_roles_of_a_building_take_a_building(cast: Cast) -> None:
    """A counsellor with a building would see the health of all who live there, and of nobody in the class."""
    with cast.seen_by(cast.admin) as admin:
        building = add_place(
            by=HOUSE, now=MORNING, kind=PlaceKind.BUILDING, name="1号楼", parent=None, school_id=cast.anda.pk
        )
        with pytest.raises(Invalid) as wrong:
            give_grant_to_person(
                by=admin,
                now=MORNING,
                person=cast.zhangsan,
                role=Role.COUNSELLOR,
                organisation=cast.tongxin1,
                place=building,
                valid_from=TODAY,
            )
        assert "place" in wrong.value.fields
        assert not Grant.objects.filter(user__person=cast.zhangsan).exists()


def test_every_spelling_that_finds_an_account_counts_as_one(cast: Cast) -> None:
    """The database compares in capitals, where the dotless i is an I: it must not bring ten more guesses."""
    officer = add_account("officer-li", role=Role.COLLEGE_OFFICER, node=cast.electronics)
    for typed in ("Officer-Li", "offıcer-lı", "ＯＦＦＩＣＥＲ-li ", "ofﬁcer-li"):
        assert user_called(typed) == officer
        assert fold_username(typed) == "officer-li"


def test_a_day_beyond_the_calendar_is_said_and_not_an_accident(cast: Cast) -> None:
    from anxiao.accounts.forms_console import GrantForm

    form = GrantForm(
        {"role": "counsellor", "organisation": cast.tongxin1.pk, "valid_from": "2026-03-02", "last_day": "9999-12-31"},
        nodes=[cast.tongxin1],
        places=[],
        has_account=True,
    )
    assert not form.is_valid()
    assert "last_day" in form.errors


def test_superscript_numbers_are_not_numbers(cast: Cast) -> None:
    user = add_account("head", role=Role.SCHOOL_ADMIN, node=cast.anda_node)
    client = Client()
    client.force_login(user, backend="anxiao.accounts.backends.AccountBackend")
    assert client.get("/console/settings/roles/?before=²").status_code == 200
    assert client.post(f"/console/settings/activation/{cast.tongxin1.pk}/print/", {"person": "²"}).status_code == 409


def test_a_phone_reports_for_nobody_who_held_it_before(cast: Cast) -> None:
    """Who comes in over somebody else's session takes the pass over, or takes it away."""
    from anxiao.base import passes

    phone = Client()
    phone.force_login(add_account("wangwu", person=cast.wangwu), backend="anxiao.accounts.backends.AccountBackend")
    phone.get("/h5/")
    assert phone.cookies[passes.COOKIE].value
    officer = add_account("officer", role=Role.EPIDEMIC_OFFICER, node=cast.anda_node)
    phone.force_login(officer, backend="anxiao.accounts.backends.AccountBackend")
    phone.get("/console/")
    assert not phone.cookies[passes.COOKIE].value


def test_hostile_addresses_are_answered_and_not_an_accident(cast: Cast) -> None:
    client = Client()
    user = add_account("head", role=Role.SCHOOL_ADMIN, node=cast.anda_node)
    client.force_login(user, backend="anxiao.accounts.backends.AccountBackend")
    for address in (
        f"/console/sheets/{cast.anda.pk}/?day=0001-01-01",
        f"/console/sheets/{cast.anda.pk}/?day=9999-12-31",
        "/console/people/?q=%00",
        "/console/settings/roles/?q=%00",
        "/console/?day=0001-01-01",
        "/api/v1/sheets?day=0001-01-01",
    ):
        assert client.get(address).status_code == 200, address
