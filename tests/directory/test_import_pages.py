"""The pages of the import, from the templates to the result, in both languages."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest
from django.test import Client
from django.urls import reverse

from anxiao.accounts.models import Grant, User
from anxiao.base.permissions import Role
from anxiao.directory.importing.sheets import STUDENTS
from anxiao.directory.models import DirectoryImport, Organisation, Person
from anxiao.directory.names import Audience, ImportState
from anxiao.ledger.models import Entry
from tests.directory import import_sheets as make
from tests.directory.import_cast import MORNING, Cast, acting, make_cast

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def cast(database: object, settings: Any) -> Cast:
    settings.ANXIAO_DEMO = True  # accounts of a demo are let off the second factor
    return make_cast()


def client_of(node: Organisation, role: Role = Role.SCHOOL_ADMIN, name: str = "admin") -> Client:
    user = User.objects.create(username=name, display_name=name, is_demo=True, date_joined=MORNING)
    Grant.objects.create(
        user=user, role=role, organisation=node, valid_from=MORNING.date(), given_by=0, given_at=MORNING
    )
    client = Client(HTTP_ACCEPT_LANGUAGE="zh-hans")
    client.force_login(user)
    return client


@pytest.fixture
def admin(cast: Cast) -> Client:
    return client_of(cast.node)


def upload(client: Client, data: bytes, kind: Audience, name: str = "名单.xlsx") -> Any:
    file = io.BytesIO(data)
    file.name = name
    return client.post(reverse("directory:imports"), {"kind": kind.value, "school": "", "file": file})


def bring(client: Client, cast: Cast, data: bytes, kind: Audience) -> DirectoryImport:
    answer = upload(client, data, kind)
    assert answer.status_code == 302, answer.content.decode()
    with acting(cast.admin):
        import_ = DirectoryImport.objects.latest("id")
    assert answer.headers["Location"] == reverse("directory:import", args=[import_.pk])
    answer = client.post(reverse("directory:import_apply", args=[import_.pk]))
    assert answer.status_code == 302
    return import_


def test_the_way_of_an_administrator(admin: Client, cast: Cast) -> None:
    page = admin.get(reverse("directory:imports")).content.decode()
    assert reverse("directory:import_template", args=["staff"]) in page
    assert "内地教职工" in page

    template = admin.get(reverse("directory:import_template", args=["student"]))
    book = openpyxl.load_workbook(io.BytesIO(template.content))
    assert [cell.value for cell in book.worksheets[0][1]] == list(STUDENTS.headers)
    assert "filename*=utf-8''" in template.headers["Content-Disposition"]

    bring(admin, cast, make.staff_sheet(), Audience.STAFF)
    answer = upload(admin, make.student_sheet(600).data, Audience.STUDENT)
    with acting(cast.admin):
        staged = DirectoryImport.objects.latest("id")
    here = reverse("directory:import", args=[staged.pk])
    assert answer.headers["Location"] == here
    page = admin.get(here).content.decode()
    rejected, new = staged.counts["rejected"], staged.counts["new"]
    for word in (
        str(rejected),
        str(new),
        "E",
        "手机号",
        "139****5678",
        reverse("directory:import_apply", args=[staged.pk]),
    ):
        assert word in page
    assert "\u202e" in page or "U+202E" in page
    assert "王五↵李四" in page

    # Through all pages of the new rows, forward and back.
    seen, url = 0, f"{here}?rows=new"
    while url:
        response = admin.get(url)
        seen += len(response.context["rows"])
        assert make.phone(1) not in response.content.decode()
        last, url = response, f"{here}{response.context['next']}" if response.context["next"] else ""
    assert seen == new
    assert admin.get(f"{here}{last.context['previous']}").context["rows"]
    assert admin.get(f"{here}?rows=changed").status_code == 200
    assert admin.get(f"{here}?rows=nonsense&after=x").status_code == 200

    assert admin.post(reverse("directory:import_apply", args=[staged.pk])).status_code == 302
    page = admin.get(here).content.decode()
    errors = reverse("directory:import_errors", args=[staged.pk])
    assert errors in page
    workbook = openpyxl.load_workbook(io.BytesIO(admin.get(errors).content))
    assert workbook.worksheets[0].max_row == rejected + 1
    with acting(cast.admin):
        assert Person.objects.filter(audience=Audience.STUDENT).count() == new
        assert Entry.objects.filter(verb="import.errors_exported").count() == 1
        assert DirectoryImport.objects.get(pk=staged.pk).state == ImportState.APPLIED
    # Pressed once more, it says so and changes nothing.
    answer = admin.post(reverse("directory:import_apply", args=[staged.pk]), follow=True)
    assert answer.status_code == 200
    assert admin.get(reverse("directory:imports")).content.decode().count(here) == 1


def test_in_english(admin: Client, cast: Cast) -> None:
    bring(admin, cast, make.staff_sheet(), Audience.STAFF)
    upload(admin, make.student_sheet(600).data, Audience.STUDENT)
    with acting(cast.admin):
        staged = DirectoryImport.objects.latest("id")
    page = admin.get(reverse("directory:import", args=[staged.pk]), headers={"accept-language": "en"}).content.decode()
    for words in ("Some digits are hidden by asterisks", "Apply to", "This is not your school", "What is wrong"):
        assert words in page
    page = admin.get(reverse("directory:imports"), headers={"accept-language": "en"}).content.decode()
    assert "Upload a sheet" in page


def test_what_cannot_be_read_is_said_beside_the_file(admin: Client, cast: Cast) -> None:
    for data in (b"\x89PNG" + bytes(90), make.staff_sheet(), make.sheet_of(STUDENTS, [])):
        answer = upload(admin, data, Audience.STUDENT)
        assert answer.status_code == 200
        assert answer.context["form"].errors["file"]
        # What was chosen is still chosen.
        assert 'value="1" required' in answer.content.decode() or "checked" in answer.content.decode()
    answer = upload(admin, b"", Audience.STUDENT)
    assert answer.status_code == 200
    answer = admin.post(reverse("directory:imports"), {})
    assert set(answer.context["form"].errors) >= {"kind", "file"}
    with acting(cast.admin):
        assert not DirectoryImport.objects.exists()


def test_a_preview_can_be_discarded(admin: Client, cast: Cast) -> None:
    upload(admin, make.staff_sheet(), Audience.STAFF)
    with acting(cast.admin):
        staged = DirectoryImport.objects.latest("id")
    answer = admin.post(reverse("directory:import_discard", args=[staged.pk]), follow=True)
    assert answer.status_code == 200
    with acting(cast.admin):
        assert not Person.objects.exists()
    assert admin.get(reverse("directory:import", args=[staged.pk])).status_code == 200


def test_others_find_nothing(admin: Client, cast: Cast) -> None:
    upload(admin, make.staff_sheet(), Audience.STAFF)
    with acting(cast.admin):
        staged = DirectoryImport.objects.latest("id")
    pages = [
        ("get", reverse("directory:imports")),
        ("post", reverse("directory:imports")),
        ("get", reverse("directory:import_template", args=["staff"])),
        ("get", reverse("directory:import", args=[staged.pk])),
        ("post", reverse("directory:import_apply", args=[staged.pk])),
        ("post", reverse("directory:import_discard", args=[staged.pk])),
        ("get", reverse("directory:import_errors", args=[staged.pk])),
    ]
    counsellor = client_of(cast.node, Role.COUNSELLOR, "counsellor")
    outsider = client_of(cast.other_node, Role.SCHOOL_ADMIN, "outsider")
    for method, url in pages:
        assert getattr(Client(), method)(url).status_code == 302
        assert getattr(counsellor, method)(url).status_code == 404
        if str(staged.pk) in url:
            assert getattr(outsider, method)(url).status_code == 404
    # The fence is in the database too: the outsider's own page lists nothing of ours.
    assert "名单.xlsx" not in outsider.get(reverse("directory:imports")).content.decode()
    assert admin.get(reverse("directory:import_template", args=["nothing"])).status_code == 404
    assert admin.get(reverse("directory:import", args=[999_999])).status_code == 404
    assert admin.get(reverse("directory:import_apply", args=[staged.pk])).status_code == 405
