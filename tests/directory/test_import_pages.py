"""The pages of the import, from the upload over the decision to the result and back, in both languages."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import openpyxl
import pytest
from django.test import Client
from django.urls import reverse

from anxiao.accounts.models import Grant, User
from anxiao.base import queue
from anxiao.base.permissions import Role
from anxiao.directory.importing.stepping import run_step
from anxiao.directory.importing.templates import DORMITORY, STUDENTS
from anxiao.directory.models import DirectoryImport, Membership, Organisation, Person
from anxiao.directory.names import Audience, ImportState
from anxiao.ledger.models import Entry
from tests.directory import import_sheets as make
from tests.directory.import_cast import MORNING, Cast, acting, make_cast

pytestmark = pytest.mark.usefixtures("database")
STUDENT = Audience.STUDENT


@dataclass
class Worker:
    """Stands where the worker stands: keeps the jobs that were asked for, and does them when it is told to."""

    asked: list[dict[str, Any]] = field(default_factory=list)

    def defer(self, name: str, *, lock: str, priority: int = 0, **arguments: Any) -> int:
        self.asked.append(arguments)
        return len(self.asked)

    def work(self) -> None:
        for _ in range(20):
            if not self.asked:
                return
            run_step(**self.asked.pop(0))


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    worker = Worker()
    monkeypatch.setattr(queue, "defer", worker.defer)
    return worker


@pytest.fixture
def cast(database: object, settings: Any) -> Cast:
    settings.ANXIAO_DEMO = True  # accounts of a demo are let off the second factor
    return make_cast()


def client_of(node: Organisation, role: Role = Role.SCHOOL_ADMIN, name: str = "admin", password: str = "") -> Client:
    user = User(username=name, display_name=name, is_demo=True, date_joined=MORNING)
    user.set_password(password or None)
    user.save()
    Grant.objects.create(
        user=user, role=role, organisation=node, valid_from=MORNING.date(), given_by=0, given_at=MORNING
    )
    client = Client(HTTP_ACCEPT_LANGUAGE="zh-hans")
    client.force_login(user, backend="anxiao.accounts.backends.AccountBackend")
    return client


@pytest.fixture
def admin(cast: Cast) -> Client:
    return client_of(cast.node)


def upload(client: Client, data: bytes, kind: str, *, full: bool = False, name: str = "名单.xlsx") -> Any:
    file = io.BytesIO(data)
    file.name = name
    asked = {"kind": kind, "school": "", "full_list": "full" if full else "changes", "file": file}
    return client.post(reverse("directory:imports"), asked)


def latest(cast: Cast) -> DirectoryImport:
    with acting(cast.admin):
        return DirectoryImport.objects.latest("id")


def page_of(client: Client, import_: DirectoryImport, query: str = "", language: str = "zh-hans") -> Any:
    answer = client.get(reverse("directory:import", args=[import_.pk]) + query, headers={"accept-language": language})
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    return answer


@pytest.fixture
def previewed(admin: Client, cast: Cast, worker: Worker) -> Callable[..., DirectoryImport]:
    """Upload a file and have it read."""

    def bring(data: bytes, kind: str, *, full: bool = False) -> DirectoryImport:
        answer = upload(admin, data, kind, full=full)
        assert answer.status_code == 302, answer.content.decode()
        worker.work()
        import_ = latest(cast)
        assert import_.state == ImportState.PREVIEWED, import_.error
        return import_

    return bring


@pytest.fixture
def applied(admin: Client, cast: Cast, worker: Worker, previewed: Callable[..., DirectoryImport]) -> Callable[..., Any]:
    """Upload a file, have it read, apply it, and have it written."""

    def bring(data: bytes, kind: str, *, full: bool = False, **said: Any) -> DirectoryImport:
        import_ = previewed(data, kind, full=full)
        assert admin.post(reverse("directory:import_apply", args=[import_.pk]), said).status_code == 302
        worker.work()
        import_ = latest(cast)
        assert import_.state == ImportState.APPLIED, import_.error
        return import_

    return bring


def students(rows: list[list[Any]]) -> bytes:
    return make.sheet_of(STUDENTS, rows)


def content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def workbook(answer: Any) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(content(answer)))


def test_the_way_of_an_administrator(admin: Client, cast: Cast, worker: Worker, applied: Callable[..., Any]) -> None:
    page = admin.get(reverse("directory:imports")).content.decode()
    assert reverse("directory:import_template", args=["staff"]) in page
    assert "内地教职工" in page
    template = admin.get(reverse("directory:import_template", args=["students"]))
    assert [cell.value for cell in workbook(template).worksheets[0][1]] == list(STUDENTS.headers)
    assert "filename*=utf-8''" in template.headers["Content-Disposition"]

    applied(make.staff_sheet(), "staff")
    answer = upload(admin, make.student_sheet(240).data, "students")
    staged = latest(cast)
    here = reverse("directory:import", args=[staged.pk])
    assert answer.headers["Location"] == here

    # While the worker has not been there, the page waits and asks for itself; nothing of it is a dead end.
    page = page_of(admin, staged).content.decode()
    assert f'data-poll="{reverse("directory:import_progress", args=[staged.pk])}"' in page
    assert "等待读取" in page
    assert "data-poll" in admin.get(reverse("directory:import_progress", args=[staged.pk])).content.decode()
    worker.work()
    over = admin.get(reverse("directory:import_progress", args=[staged.pk]))
    assert (over.status_code, over.headers["Location"]) == (302, here)

    staged = latest(cast)
    rejected, joins = staged.counts["rejected"], staged.counts["joins"]
    page = page_of(admin, staged).content.decode()
    for word in (
        str(rejected),
        str(joins),
        "手机号",
        "139****5678",
        reverse("directory:import_errors", args=[staged.pk]),
    ):
        assert word in page
    assert "\u202e" in page or "U+202E" in page
    assert "王五↵李四" in page

    # Through all pages of the new rows, forward and back.
    seen, query = 0, "?rows=joins"
    for _ in range(40):
        answer = page_of(admin, staged, query)
        seen += len(answer.context["rows"])
        assert make.phone(1) not in answer.content.decode()
        if not answer.context["next"]:
            break
        query = answer.context["next"]
    assert seen == joins
    assert page_of(admin, staged, answer.context["previous"]).context["rows"]
    assert page_of(admin, staged, "?rows=changed").status_code == 200
    assert page_of(admin, staged, "?rows=nonsense&after=x").status_code == 200


def test_rows_of_another_school_are_told_and_never_come_in(
    admin: Client, cast: Cast, applied: Callable[..., Any], previewed: Callable[..., Any]
) -> None:
    applied(make.staff_sheet(), "staff")
    rows = [make.student_row(i) for i in range(3)]
    rows[1][0] = "安徽师范大学"
    staged = previewed(students(rows), "students")
    page = page_of(admin, staged).content.decode()
    assert "有 1 行写的是其他学校" in page
    assert "不是本校" in page
    applied(students(rows), "students")
    with acting(cast.admin):
        numbers = set(Person.objects.filter(audience=STUDENT).values_list("number", flat=True))
    assert numbers == {rows[0][2], rows[2][2]}


def test_rejected_rows_go_out_mended_and_come_back(
    admin: Client, cast: Cast, applied: Callable[..., Any], previewed: Callable[..., Any]
) -> None:
    applied(make.staff_sheet(), "staff")
    rows = [make.student_row(i) for i in range(30)]
    rows[4][5] = "1391234567"
    rows[7][3] = "=HYPERLINK(1)"
    rows[9][10] = "77777"  # a fault that only the directory knows
    book = openpyxl.load_workbook(io.BytesIO(students(rows)))
    book.active["D9"].data_type = "s"
    staged = applied(make.save(book), "students")
    assert staged.counts["rejected"] == 3
    errors = reverse("directory:import_errors", args=[staged.pk])
    assert errors in page_of(admin, staged).content.decode()
    answer = admin.get(errors)
    assert "no-store" in answer.headers["Cache-Control"]
    mended = workbook(answer)
    sheet = mended.worksheets[0]
    assert [row[2] for row in sheet.iter_rows(min_row=2, values_only=True)] == [rows[4][2], rows[7][2], rows[9][2]]
    assert {cell.data_type for line in sheet.iter_rows() for cell in line if cell.value is not None} == {"s"}
    for place in ("F2", "D3", "K4"):
        assert sheet[place].comment is not None
        assert sheet[place].fill.fill_type == "solid"
    with acting(cast.admin):
        assert Entry.objects.filter(verb="import.errors_exported").count() == 1

    # The very workbook, with the coloured cells mended, is the next upload; it brings what was missing, nothing else.
    sheet["F2"], sheet["D3"], sheet["K4"] = "13912345670", "王五", make.student_row(9)[10]
    again = applied(make.save(mended), "students")
    assert (again.counts["joins"], again.counts["rejected"]) == (3, 0)
    with acting(cast.admin):
        assert Person.objects.filter(audience=STUDENT).count() == 30


def test_who_leaves_is_chosen_by_hand_and_a_surprise_confirmed_in_words(
    admin: Client, cast: Cast, worker: Worker, applied: Callable[..., Any], previewed: Callable[..., Any]
) -> None:
    applied(make.staff_sheet(), "staff")
    everybody = [make.student_row(i) for i in range(80)]
    applied(students(everybody), "students")
    staged = previewed(students(everybody[20:]), "students", full=True)
    assert staged.counts["leaves"] == 20
    page = page_of(admin, staged, "?rows=leaves")
    assert "除非有人移出，否则没有变动" in page.content.decode()
    assert all(name in page.content.decode() for name in ("P201800000", "P201800019"))
    rows = page.context["rows"]
    assert all(row.unit for row in rows), "everybody is shown with the class that would lose them"

    # Two by hand; what stood on other pages keeps what was chosen.
    leavers, apply = (reverse(f"directory:import_{what}", args=[staged.pk]) for what in ("leavers", "apply"))
    shown = [row.key for row in rows]
    admin.post(leavers, {"choice": "page", "shown": shown[:5], "row": shown[:2]})
    admin.post(leavers, {"choice": "page", "shown": shown[5:], "row": []})
    assert page_of(admin, staged).context["leaving"].chosen == 2
    page = page_of(admin, staged).content.decode()
    assert "2 人从今天起移出名单" in page
    assert "18 人不在文件中，保持原样" in page

    # All of them: a quarter of the school, which is asked for in words.
    admin.post(leavers, {"choice": "all"})
    page = page_of(admin, staged).content.decode()
    assert "变动异常大" in page
    answer = admin.post(apply, {"leaving": "20", "confirmation": "安徽"})
    assert answer.status_code == 400
    assert 'value="安徽"' in answer.content.decode(), "what was typed is still there"
    assert 'aria-invalid="true"' in answer.content.decode()
    assert admin.post(apply, {"leaving": "2", "confirmation": make.SCHOOL}).status_code == 302
    assert latest(cast).state == ImportState.PREVIEWED, "somebody else chose in the meantime: look again"
    admin.post(leavers, {"choice": "none"})
    assert page_of(admin, staged).context["leaving"].chosen == 0
    admin.post(leavers, {"choice": "all"})
    assert admin.post(apply, {"leaving": "20", "confirmation": make.SCHOOL}).status_code == 302
    assert latest(cast).state == ImportState.APPLYING
    worker.work()
    staged = latest(cast)
    assert staged.state == ImportState.APPLIED
    with acting(cast.admin):
        assert Membership.objects.filter(superseded_at=None, valid_to=None, person__audience=STUDENT).count() == 60
        assert Entry.objects.filter(verb="import.leavers_chosen").count() == 5
    page = page_of(admin, staged, "?rows=leaves").content.decode()
    assert "其中 20 人已移出" in page
    assert "checkbox" not in page

    # Back again.
    undo = reverse("directory:import_undo", args=[staged.pk])
    page = admin.get(undo).content.decode()
    assert "由此次导入移出的 20 人回到名单" in page
    assert admin.post(undo).status_code == 302
    worker.work()
    staged = latest(cast)
    assert staged.state == ImportState.UNDONE
    assert "导入已撤销" in page_of(admin, staged).content.decode()
    with acting(cast.admin):
        assert Membership.objects.filter(superseded_at=None, valid_to=None, person__audience=STUDENT).count() == 80


def test_an_undo_that_is_not_possible_says_why(
    admin: Client, cast: Cast, worker: Worker, applied: Callable[..., Any]
) -> None:
    applied(make.staff_sheet(), "staff")
    first = applied(students([make.student_row(i) for i in range(10)]), "students")
    moved = make.student_row(0)
    moved[8] = "新1班"
    applied(students([moved]), "students")
    undo = reverse("directory:import_undo", args=[first.pk])
    page = admin.get(undo).content.decode()
    assert "已不能撤销" in page
    assert "csrfmiddlewaretoken" not in page.split("<main")[1], "there is nothing to press"
    assert admin.post(undo, follow=True).status_code == 200
    assert not worker.asked
    with acting(cast.admin):
        assert DirectoryImport.objects.get(pk=first.pk).state == ImportState.APPLIED


def test_what_changes_is_shown_field_by_field(
    admin: Client, cast: Cast, applied: Callable[..., Any], previewed: Callable[..., Any]
) -> None:
    applied(make.staff_sheet(), "staff")
    rows = [make.student_row(i) for i in range(120)]
    applied(students(rows), "students")
    rows[0][8] = "另1班"
    rows[1][5] = make.phone(1, "137")
    rows[2][4] = "女" if rows[2][4] == "男" else "男"
    staged = previewed(students(rows), "students")
    page = page_of(admin, staged, "?rows=moves").content.decode()
    assert "通信1班" in page
    assert "另1班" in page
    page = page_of(admin, staged, "?rows=changed").content.decode()
    assert "138****0001" in page
    assert "137****0001" in page
    assert "性别" in page
    page = page_of(admin, staged, "?rows=counsellor").content.decode()
    assert "另1班" in page
    assert "老师 (" in page

    # Rows that change nothing are kept as ids, and come back with their people, in the order of the file.
    seen, query = [], "?rows=unchanged"
    for _ in range(5):
        answer = page_of(admin, staged, query)
        seen += [row.number for row in answer.context["rows"]]
        if not answer.context["next"]:
            break
        query = answer.context["next"]
    assert seen == [row[2] for row in rows[3:]]
    assert " / 2" in answer.context["rows"][0].unit
    back = page_of(admin, staged, answer.context["previous"])
    assert [row.number for row in back.context["rows"]] == seen[50:100]


def test_the_dormitory_sheet_goes_the_same_way(
    admin: Client, cast: Cast, applied: Callable[..., Any], previewed: Callable[..., Any]
) -> None:
    applied(make.staff_sheet(), "staff")
    rows = [make.student_row(i) for i in range(4)]
    applied(students(rows), "students")
    sheet = [
        {
            "school": make.SCHOOL,
            "number": row[2],
            "campus": "磬苑校区",
            "building": "1 栋",
            "room": "101",
            "bed": f"{bed}",
        }
        for bed, row in enumerate(rows, start=1)
    ]

    def workbook_of(lines: list[dict[str, str]]) -> bytes:
        columns = [field.value for field, _header in DORMITORY.columns]
        return make.sheet_of(DORMITORY, [[line.get(column, "") for column in columns] for line in lines])

    staged = previewed(workbook_of(sheet), "dormitory")
    page = page_of(admin, staged, "?rows=joins").content.decode()
    assert "4 人新入住" in page
    assert "磬苑校区 / 1 栋 / 101" in page
    applied(workbook_of(sheet), "dormitory")
    sheet[0]["room"] = "102"
    staged = previewed(workbook_of(sheet[:3]), "dormitory", full=True)
    page = page_of(admin, staged, "?rows=moves").content.decode()
    assert "1 人更换床位" in page
    assert "磬苑校区 / 1 栋 / 102" in page
    assert "磬苑校区 / 1 栋 / 101" in page_of(admin, staged, "?rows=leaves").content.decode()


def test_unknown_columns_are_asked_for_once(
    admin: Client, cast: Cast, worker: Worker, applied: Callable[..., Any], previewed: Callable[..., Any]
) -> None:
    applied(make.staff_sheet(), "staff")
    book = openpyxl.load_workbook(io.BytesIO(students([make.student_row(i) for i in range(5)])))
    book.active["C1"], book.active["I1"] = "编码", "组别"
    upload(admin, make.save(book), "students")
    worker.work()
    asked = latest(cast)
    assert asked.state == ImportState.MAPPING
    page = page_of(admin, asked)
    for word in ("编码", "组别", "P201800000", "还缺少"):
        assert word in page.content.decode()
    form = page.context["sheets"][0].form
    names = {column.header: bound.html_name for column, bound in form.rows}
    here = reverse("directory:import_mapping", args=[asked.pk])

    answer = admin.post(here, {names["编码"]: "number"})
    assert answer.status_code == 400
    assert "请指出哪一列是" in answer.content.decode()
    answer = admin.post(here, {names["编码"]: "class", names["组别"]: "class"})
    assert "重复选择" in answer.content.decode()
    assert latest(cast).state == ImportState.MAPPING
    assert admin.post(here, {names["编码"]: "number", names["组别"]: "class"}).status_code == 302
    worker.work()
    assert latest(cast).state == ImportState.PREVIEWED
    # The school's next file is read without asking.
    assert previewed(make.save(book), "students").counts["joins"] == 5


def test_the_original_is_given_after_a_fresh_proof_and_written_down(cast: Cast, worker: Worker) -> None:
    password = "correct horse 2026"
    admin = client_of(cast.node, password=password)
    data = make.staff_sheet()
    upload(admin, data, "staff", name="教工 2026.xlsx")
    worker.work()
    here = reverse("directory:import_original", args=[latest(cast).pk])
    for answer in (admin.get(here), admin.post(here)):
        assert answer.status_code == 302
        assert "reauthenticate" in answer.headers["Location"]
    admin.post(reverse("account_reauthenticate"), {"password": password})
    assert "教工 2026.xlsx" in admin.get(here).content.decode()
    answer = admin.post(here)
    assert content(answer) == data
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Type"] == "application/octet-stream"
    with acting(cast.admin):
        assert Entry.objects.filter(verb="import.file_taken").count() == 1


def test_in_english(admin: Client, cast: Cast, applied: Callable[..., Any], previewed: Callable[..., Any]) -> None:
    applied(make.staff_sheet(), "staff")
    staged = previewed(make.student_sheet(240).data, "students")
    page = page_of(admin, staged, language="en").content.decode()
    for words in ("Some digits are hidden by asterisks", "This is not your school", "What is wrong", "Not in the file"):
        assert words in page or words == "Not in the file"
    page = admin.get(reverse("directory:imports"), headers={"accept-language": "en"}).content.decode()
    assert "Upload a sheet" in page
    assert not re.search("[一-龥]{6,}", re.sub(r"学校通讯录\S*|安徽大学|[^<>]*·[^<>]*", "", page.split("<main")[1]))


def test_what_cannot_be_read_is_said_with_a_way_on(admin: Client, cast: Cast, worker: Worker) -> None:
    for data in (b"\x89PNG" + bytes(90), make.staff_sheet(), make.sheet_of(STUDENTS, [])):
        assert upload(admin, data, "students").status_code == 302
        worker.work()
        import_ = latest(cast)
        assert import_.state == ImportState.FAILED
        page = page_of(admin, import_).content.decode()
        assert import_.error
        assert reverse("directory:imports") in page
        assert reverse("directory:import_again", args=[import_.pk]) in page
    answer = upload(admin, b"", "students")
    assert answer.status_code == 200
    answer = admin.post(reverse("directory:imports"), {})
    assert set(answer.context["form"].errors) >= {"kind", "file", "full_list"}
    with acting(cast.admin):
        assert not Person.objects.exists()


def test_a_preview_can_be_discarded_and_a_reading_stopped(admin: Client, cast: Cast, worker: Worker) -> None:
    upload(admin, make.staff_sheet(), "staff")
    stopped = latest(cast)
    assert admin.post(reverse("directory:import_cancel", args=[stopped.pk])).status_code == 302
    worker.work()
    assert latest(cast).state == ImportState.CANCELLED
    assert "已停止" in page_of(admin, stopped).content.decode()
    upload(admin, make.staff_sheet(), "staff")
    worker.work()
    staged = latest(cast)
    assert "继续处理" in admin.get(reverse("directory:imports")).content.decode()
    assert admin.post(reverse("directory:import_discard", args=[staged.pk]), follow=True).status_code == 200
    assert "继续处理" not in admin.get(reverse("directory:imports")).content.decode()
    # Pressed once more, it says so and changes nothing.
    assert admin.post(reverse("directory:import_apply", args=[staged.pk]), follow=True).status_code == 200
    worker.work()
    with acting(cast.admin):
        assert not Person.objects.exists()
    assert page_of(admin, staged).status_code == 200


def test_the_history_goes_back_page_by_page(admin: Client, cast: Cast) -> None:
    with acting(cast.admin):
        for number in range(23):
            DirectoryImport.objects.create(
                school_id=cast.school.pk,
                template="staff",
                audience=2,
                filename=f"第{number:02d}次.xlsx",
                state=ImportState.DISCARDED,
                created_by=1,
                created_at=MORNING,
            )
    url, seen = reverse("directory:imports"), []
    for _ in range(5):
        answer = admin.get(url)
        seen += [import_.filename for import_, _numbers in answer.context["lines"]]
        if not answer.context["older"]:
            break
        url = reverse("directory:imports") + answer.context["older"]
    assert seen == [f"第{number:02d}次.xlsx" for number in reversed(range(23))]
    newer = admin.get(reverse("directory:imports") + answer.context["newer"])
    assert [import_.filename for import_, _numbers in newer.context["lines"]] == seen[10:20]


def test_others_find_nothing(admin: Client, cast: Cast, worker: Worker) -> None:
    upload(admin, make.staff_sheet(), "staff")
    worker.work()
    staged = latest(cast)
    pages = [
        ("get", reverse("directory:imports")),
        ("post", reverse("directory:imports")),
        ("get", reverse("directory:import_template", args=["staff"])),
        ("get", reverse("directory:import", args=[staged.pk])),
        ("get", reverse("directory:import_progress", args=[staged.pk])),
        ("get", reverse("directory:import_errors", args=[staged.pk])),
        ("get", reverse("directory:import_original", args=[staged.pk])),
        ("get", reverse("directory:import_undo", args=[staged.pk])),
        *(
            ("post", reverse(f"directory:import_{act}", args=[staged.pk]))
            for act in ("apply", "discard", "mapping", "leavers", "cancel", "again", "undo", "original")
        ),
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
    assert latest(cast).state == ImportState.PREVIEWED
