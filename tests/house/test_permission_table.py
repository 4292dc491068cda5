"""Who may open what: every address, every role, own and foreign objects, against ``permission_table.csv``.

The table is the promise; these tests only read it.  A new address without a line fails, and so does a line of an
address that is gone.  When a line must change, change it by hand and say why in the commit.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from anxiao.base.permissions import Role
from anxiao.intake.app import application
from tests.conftest import Database
from tests.house.permissions import ROLES, PermissionStage, Row, TestClient, addresses, prepare, read_table

TABLE = read_table()

WITHOUT_A_FOREIGN_LINE = {
    "portal:h5_report": "the round is everybody's, the report is always one's own",
    "portal:h5_correct": "the round is everybody's, the report is always one's own",
    "portal:h5_receipt": "the round is everybody's, the receipt is always one's own",
    "portal:h5_receipt_file": "the round is everybody's, the receipt is always one's own",
    "portal:h5_wish": "which fact is meant stands in the address, the person is always oneself",
    "portal:console_mine_list": "one's own nodes, no object in the address",
    "directory:import_template": "the kind of a template, no object in the address",
    "settings:onboarding_decide": "applications belong to the province; no school decides",
    "onboarding:sent": "public: says to everybody alike that an application is on its way",
    "api:absent": "there is nothing",
    "api:directory_import": "only with a school's key, never a session; another school's in test_api_directory",
    "api:directory_rows": "only with a school's key, never a session; another school's in test_api_directory",
    "api:directory_apply": "only with a school's key, never a session; another school's in test_api_directory",
}
"""Addresses with a parameter that needs no line for another school's object."""


@pytest.fixture(scope="module")
def stage(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PermissionStage]:
    made = prepare(tmp_path_factory.mktemp("permissions"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANXIAO_SECRET_KEY", settings.SECRET_KEY)  # both doors check the pass with the same key
        with TestClient(application) as made.intake:
            yield made


def test_every_address_has_a_line() -> None:
    missing = sorted(set(addresses()) - {row.url for row in TABLE})
    assert not missing, f"say in permission_table.csv who may open these: {missing}"


def test_no_line_is_stale() -> None:
    gone = sorted({row.url for row in TABLE} - set(addresses()))
    assert not gone, f"these addresses are gone: {gone}"
    labels = [row.label for row in TABLE]
    assert len(labels) == len(set(labels)), "a line stands twice"


def test_every_address_with_an_object_is_asked_for_a_foreign_one() -> None:
    asked = {row.url for row in TABLE if row.what.startswith("foreign")}
    ours = {name for name, address in addresses().items() if address.parameters and address.is_ours}
    assert ours - asked == set(WITHOUT_A_FOREIGN_LINE)


def test_every_cell_is_filled_and_explained() -> None:
    for row in TABLE:
        assert all(row.expected.values()), row.label
        assert row.note, row.label
        assert "500" not in row.expected.values(), row.label


def test_every_role_has_a_column() -> None:
    """A new role is in the table on the day it is born."""
    assert len(ROLES) == len(Role) - len({Role.LOGISTICS}) + 3, "anonymous, student, staff and the roles of the demo"


def test_the_table_itself_keeps_schools_apart() -> None:
    """Whatever the answers are: nobody below the province is shown a foreign object, and nobody unknown any."""
    for row in TABLE:
        if row.what:
            assert row.expected["anonymous"] in ("login", "404", "401"), row.label
        if row.what.startswith("foreign"):
            open_to = {role for role, answer in row.expected.items() if answer not in ("404", "login", "401")}
            assert open_to <= {"province"}, row.label


@pytest.mark.parametrize("row", TABLE, ids=[row.label for row in TABLE])
def test_answers_are_those_of_the_table(row: Row, stage: PermissionStage) -> None:
    wrong = {}
    for role in ROLES:
        answers = [stage.ask(row, role)]
        if row.what.startswith("foreign") and role != "anonymous":
            answers.append(stage.ask(row, role, "demo2"))
        if set(answers) != {row.expected[role]}:
            wrong[role] = f"{'/'.join(answers)} instead of {row.expected[role]}"
    assert not wrong, row.label
