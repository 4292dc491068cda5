"""A counsellor whom the roster names looks after the classes of the roster, without anybody giving a role."""

from __future__ import annotations

from datetime import timedelta

import pytest

from anxiao.accounts.queries import needs_second_factor, scope_of
from anxiao.base.permissions import Permission, Role
from anxiao.base.tenancy import school_context
from anxiao.directory.models import ClassCounsellor
from tests.builders import TODAY, add_account
from tests.cast import Cast, assemble


@pytest.fixture
def cast(database: object) -> Cast:
    return assemble()


def test_the_roster_makes_the_counsellor(cast: Cast) -> None:
    scope = scope_of(add_account("zhangsan", person=cast.zhangsan), TODAY)
    assert scope.roles == (Role.COUNSELLOR,)
    assert scope.paths_for(Permission.PEOPLE_VIEW) == tuple(sorted((cast.tongxin1.path, cast.tongxin2.path)))
    assert not scope.may(Permission.PEOPLE_VIEW, cast.hanyu1.path)


def test_a_link_that_has_ended_opens_nothing(cast: Cast) -> None:
    with school_context("*"):
        ClassCounsellor.objects.filter(person=cast.zhangsan).update(valid_to=TODAY)
    account = add_account("zhangsan", person=cast.zhangsan)
    assert scope_of(account, TODAY).grants == ()
    assert len(scope_of(account, TODAY - timedelta(days=1)).grants) == 2


def test_a_role_given_besides_is_held_once(cast: Cast) -> None:
    account = add_account("zhangsan", person=cast.zhangsan, role=Role.COUNSELLOR, node=cast.tongxin1)
    assert len(scope_of(account, TODAY).grants) == 2


def test_a_counsellor_by_roster_needs_a_second_factor_too(cast: Cast) -> None:
    assert needs_second_factor(add_account("zhangsan", person=cast.zhangsan, demo=False), TODAY)
    assert not needs_second_factor(add_account("wangwu", person=cast.wangwu, demo=False), TODAY)
