"""The whole story in one browser: from an Excel roster to a day sheet that the province has received twice.

安徽大学 begins empty. Its administrator imports two workbooks and gives the roles that come out of them; 张三 prints
slips; 王五 reports well and corrects, 赵六 reports a fever, 钱七 is reminded and then reported for; everybody's numbers
are compared with what happened; the school signs, the province returns, the school signs again. 合肥工业大学 stands
beside it, so that a wrong number above the school would show. It plays today, by the clock of the server.
"""

from __future__ import annotations

import base64
import hmac
import re
import struct
import time as clock
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Error

from anxiao.base.clock import SHANGHAI, day_of, moment_at, now
from anxiao.base.permissions import Role
from anxiao.base.tenancy import school_context
from anxiao.directory.commands import add_organisation, open_school
from anxiao.directory.importing import templates
from anxiao.directory.names import DEFAULT_CATEGORIES, Audience, OrganisationKind
from anxiao.reporting.commands.partitions import ensure_partitions
from tests.builders import HOUSE, add_account, add_person, add_school, counted, report, start_campaign

pytestmark = pytest.mark.journey

PASSWORD = "correct horse 2026"
OWN_PASSWORD = "天蓝的自行车 19 辆"
SCHOOL = "安徽大学"
COLLEGE = "电子信息工程学院"
DEADLINE, SHEETS_DUE = time(14), time(16)
REASON = "请在备注中说明发热学生的处置情况。"
NOTE = "该生已送校医院隔离观察。"

STAFF = (
    (SCHOOL, COLLEGE, "00001", "张三", "男", "13912345678", "内地教职工"),
    (SCHOOL, COLLEGE, "00002", "李四", "女", "13912345679", "内地教职工"),
    (SCHOOL, "文学院", "00003", "周十", "男", "13912345670", "内地教职工"),
)
_COUNSELLOR = ("张三", "00001", "13912345678")
STUDENTS = (
    (SCHOOL, COLLEGE, "P20180001", "王五", "男", "13812345671", "本科生", "18级", "通信1班", *_COUNSELLOR),
    (SCHOOL, COLLEGE, "P20180002", "赵六", "女", "13812345672", "本科生", "18级", "通信1班", *_COUNSELLOR),
    (SCHOOL, COLLEGE, "P20180003", "钱七", "男", "13812345673", "本科生", "18级", "通信1班", *_COUNSELLOR),
    (SCHOOL, COLLEGE, "P20180004", "孙八", "女", "13812345674", "本科生", "18级", "通信2班", *_COUNSELLOR),
    (SCHOOL, COLLEGE, "P20180005", "冯九", "男", "1381234567", "本科生", "18级", "通信2班", *_COUNSELLOR),
)
"""The last phone number is one digit short: that row is rejected, the others are not."""


@dataclass(frozen=True, slots=True)
class Board:
    """The numbers of one board as a person reads them off the page."""

    expected: int
    reported: int
    missing: int
    late: int
    on_time: int
    unwell: int
    fever: int
    proxy: int


@pytest.fixture(scope="module")
def stage(module_database: Any, worker: None) -> None:
    """The province, its campaign, two open schools and the accounts that onboarding makes."""
    _keep_away_from_the_hour()
    moment = now()
    ensure_partitions(day=day_of(moment))
    anda = add_school("4134010357", SCHOOL)
    gongda = add_school("4134010359", "合肥工业大学")
    with school_context("*"):
        province = add_organisation(
            by=HOUSE, now=moment, kind=OrganisationKind.PROVINCE, name="安徽省教育厅", parent=None
        )
        start_campaign(province)
        anda_node = open_school(by=HOUSE, now=moment, school=anda, province=province)
        gongda_node = open_school(by=HOUSE, now=moment, school=gongda, province=province)
        mechanics = add_organisation(
            by=HOUSE,
            now=moment,
            kind=OrganisationKind.COLLEGE,
            name="机械工程学院",
            parent=gongda_node,
            school_id=gongda.pk,
        )
        reporter = add_person(mechanics, "吴一", number="G0001", audience=Audience.STAFF)
        add_person(mechanics, "郑二", number="G0002", audience=Audience.STAFF)
        counted(gongda.pk)
        report(reporter, at=moment)
        add_account("reporter", person=reporter)
        add_account("province", role=Role.PROVINCE_OFFICER, node=province)
        add_account("admin", role=Role.SCHOOL_ADMIN, node=anda_node)
        add_account("officer", role=Role.EPIDEMIC_OFFICER, node=anda_node)


def _keep_away_from_the_hour() -> None:
    """A story of two minutes must not begin before a deadline or midnight and end after it."""
    moment = now()
    day = day_of(moment)
    turns = (moment_at(day, DEADLINE), moment_at(day, SHEETS_DUE), moment_at(day + timedelta(days=1), time(0)))
    for turn in turns:
        if timedelta(0) <= turn - moment < timedelta(minutes=3):
            clock.sleep((turn - moment).total_seconds() + 1)


def _is_late(due: time = DEADLINE) -> bool:
    return now().astimezone(SHANGHAI).time() >= due


# -- what people do ---------------------------------------------------------------------------------------------------


def button(page: Any, name: str | re.Pattern[str]) -> Any:
    return page.get_by_role("button", name=name, exact=isinstance(name, str))


def link(page: Any, name: str | re.Pattern[str]) -> Any:
    return page.get_by_role("link", name=name, exact=isinstance(name, str))


def menu(page: Any, name: str) -> None:
    page.locator(".shell-side").get_by_role("link", name=name, exact=True).click()


def said(page: Any) -> str:
    return str(page.inner_text("main"))


def sign_in(page: Any, username: str, words: tuple[str, str, str] = ("用户名", "密码", "登录")) -> None:
    page.goto("/console/")
    page.get_by_label(words[0]).fill(username)
    page.get_by_label(words[1], exact=True).fill(PASSWORD)
    button(page, words[2]).click()
    page.wait_for_load_state()


def prove(page: Any) -> None:
    """The password once more, before an act that weighs."""
    page.wait_for_url("**/reauthenticate/**")
    page.get_by_label("密码", exact=True).fill(PASSWORD)
    button(page, "确认").click()


def one_time_code(secret: str) -> str:
    """RFC 6238, as every authenticator app computes it."""
    step = struct.pack(">Q", int(clock.time()) // 30)
    digest = hmac.digest(base64.b32decode(secret + "=" * (-len(secret) % 8)), step, "sha1")
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def fill_template(template: Path, rows: tuple[tuple[str, ...], ...]) -> Path:
    """Open the downloaded workbook and write the rows beneath its header, as text like a spreadsheet program does."""
    book = openpyxl.load_workbook(template)
    sheet = book.worksheets[0]
    for y, row in enumerate(rows, start=2):
        for x, value in enumerate(row, start=1):
            sheet.cell(y, x, value).number_format = "@"
    book.save(template)
    return template


def activate(page: Any, code: str, number: str, name: str) -> None:
    """From the front door with the slip in one's hand; the account is there afterwards."""
    page.goto("/h5/")
    link(page, re.compile("第一次使用")).click()
    page.get_by_label("激活码").fill(code)
    page.get_by_label("学号或教工号").fill(number)
    page.get_by_label("姓名").fill(name)
    page.locator("main button[type=submit]").click()
    page.get_by_label("新密码", exact=True).fill(OWN_PASSWORD)
    page.get_by_label(re.compile("再")).fill(OWN_PASSWORD)
    page.locator("main button[type=submit]").click()


def enrol(page: Any) -> None:
    """Whoever holds a role is held at the second factor: key into the app, code out of it."""
    page.wait_for_url("**/totp/activate/**")
    page.get_by_text("无法扫描").click()
    page.get_by_label("验证码").fill(one_time_code(page.inner_text("#authenticator_secret")))
    button(page, "启用").click()
    page.wait_for_url("**/recovery-codes/**")


def reads(page: Any, read: Callable[[Any], object], wanted: object) -> None:
    """What a person reads there once the page they asked for has come: a click does not wait for it."""
    found: object = None
    for _ in range(50):
        try:
            found = read(page)
        except (Error, ValueError, KeyError, AssertionError) as not_yet:
            found = not_yet
        if found == wanted:
            return
        page.wait_for_timeout(200)
    assert found == wanted


def says(page: Any, words: str) -> None:
    reads(page, lambda page: words in said(page), True)


def slips(page: Any) -> dict[str, str]:
    """Name and code of every slip on the printed sheet."""
    page.locator(".slip").first.wait_for()
    return {
        slip.locator(".slip-who strong").inner_text(): slip.locator(".slip-code").inner_text()
        for slip in page.locator(".slip").all()
    }


def tap(page: Any, question: str, answer: str) -> None:
    page.locator(f"#q-{question}").get_by_text(answer, exact=True).click()


def say_how_one_is(page: Any, symptom: str, temperature: str) -> None:
    tap(page, "symptoms", symptom)
    page.get_by_label("体温").fill(temperature)
    tap(page, "person_type", "持续在皖师生")
    tap(page, "at_school", "是")
    page.get_by_label("目前所在地区").select_option("340100")


def read_board(page: Any) -> Board:
    page.wait_for_selector("#numbers")
    tiles: dict[str, int] = {}
    for tile in page.locator("#numbers .ax-tile").all():
        label = tile.locator(".ax-tile__label").inner_text().strip()
        tiles[label] = int(tile.locator(".ax-tile__number").inner_text().strip())
    signs: dict[str, int] = {}
    for line in page.locator("#numbers .cb-signs > div").all():
        signs[line.locator("dt").inner_text().strip()] = int(line.locator("dd").inner_text().strip())
    whole = re.findall(r"\d+", page.locator(".cb-whole__line strong").inner_text())
    assert len(whole) == 2
    return Board(
        expected=max(map(int, whole)),
        reported=min(map(int, whole)),
        missing=tiles["漏报" if _is_late() else "尚未上报"],
        late=tiles["迟报"],
        on_time=tiles["按时"],
        unwell=tiles["不适"],
        fever=signs["发热"],
        proxy=signs["代填"],
    )


def board(expected: int, reported: int, *, ill: int = 1, proxy: int = 0) -> Board:
    """What a board must show when ``reported`` of ``expected`` have answered by now."""
    late = _is_late()
    return Board(
        expected=expected,
        reported=reported,
        missing=expected - reported,
        late=reported if late else 0,
        on_time=0 if late else reported,
        unwell=ill,
        fever=ill,
        proxy=proxy,
    )


# -- the story --------------------------------------------------------------------------------------------------------


def test_from_roster_to_signed_sheet(
    stage: None,
    live_server_url: str,
    visitor: Callable[..., Any],
    shot: Callable[..., Any],
    tmp_path: Path,
) -> None:
    # The administrator: staff first, then students, of whom one has a wrong phone number.
    admin = visitor()
    sign_in(admin, "admin")
    shot(admin, "story-01-empty-school")
    link(admin, "导入通讯录").click()
    bring(admin, "教职工", STAFF, tmp_path)
    reads(admin, tiles, {"未通过": 0, "新增": 3, "调动": 0, "有变化": 0, "无变化": 0})
    button(admin, "确认导入 3 人").click()
    admin.wait_for_selector("text=导入完成")
    link(admin, "再上传一张表").click()
    shot(admin, "story-02-import-start")
    bring(admin, "学生", STUDENTS, tmp_path)
    reads(admin, tiles, {"未通过": 1, "新增": 4, "调动": 0, "有变化": 0, "无变化": 0})
    rejected = admin.locator("#rows tbody tr")
    reads(admin, lambda _: rejected.count(), 1)
    for word in ("F6", "手机号", "1381234567", "冯九"):
        assert word in rejected.inner_text()
    shot(admin, "story-03-import-preview")
    button(admin, "确认导入 4 人").click()
    admin.wait_for_selector("text=导入完成，但有例外")
    shot(admin, "story-04-import-result")
    mend = openpyxl.load_workbook(download(admin, link(admin, "下载未通过的行").first, tmp_path)).worksheets[0]
    assert [row[3] for row in mend.iter_rows(min_row=2, values_only=True)] == ["冯九"]
    assert mend["F2"].comment is not None
    assert mend["F2"].fill.fill_type == "solid"

    # The roles: counsellors as the sheet names them, the college's officer by hand; slips for both.
    menu(admin, "设置")
    link(admin, "授予角色").last.click()
    prove(admin)
    button(admin, "授予角色").click()
    link(admin, "授予角色").first.click()
    admin.get_by_label("教工号或学号").fill("00002")
    button(admin, "查找").click()
    admin.get_by_label("角色").select_option(Role.COLLEGE_OFFICER)
    admin.get_by_label("范围").select_option(label=COLLEGE)
    admin.get_by_label("用户名").fill("li.si")
    shot(admin, "story-05-give-a-role")
    button(admin, "授予").click()
    admin.wait_for_selector("text=li.si")
    shot(admin, "story-06-roles")
    menu(admin, "激活")
    link(admin, COLLEGE).click()
    shot(admin, "story-07-activation")
    button(admin, "打印激活码").click()
    staff_slips = slips(admin)

    # The counsellor: activation, a real second factor, the class sheet.
    counsellor = visitor()
    activate(counsellor, staff_slips["张三"], "00001", "张三")
    enrol(counsellor)
    shot(counsellor, "story-08-recovery-codes")
    link(counsellor, "我已保管好，继续").click()
    counsellor.wait_for_selector("#numbers")
    menu(counsellor, "激活")
    shot(counsellor, "story-09-two-classes")
    link(counsellor, re.compile("通信1班")).click()
    button(counsellor, "打印激活码").click()
    codes = slips(counsellor)
    assert set(codes) == {"王五", "赵六", "钱七"}
    shot(counsellor, "story-10-slips")

    # 王五 is well.
    wangwu = visitor(phone=True)
    activate(wangwu, codes["王五"], "P20180001", "王五")
    shot(wangwu, "story-11-activated")
    link(wangwu, "现在上报").click()
    wangwu.wait_for_selector("text=今日未上报")
    shot(wangwu, "story-12-today")
    link(wangwu, "现在上报").click()
    say_how_one_is(wangwu, "自觉正常", "36.5")
    shot(wangwu, "story-13-form")
    button(wangwu, "提交").click()
    wangwu.wait_for_url("**/receipt/**")
    first_receipt = receipt(wangwu)
    shot(wangwu, "story-14-receipt")

    # 赵六 has a fever and gets help.
    zhaoliu = visitor(phone=True)
    activate(zhaoliu, codes["赵六"], "P20180002", "赵六")
    link(zhaoliu, "现在上报").click()
    link(zhaoliu, "现在上报").click()
    say_how_one_is(zhaoliu, "发热", "38.4")
    button(zhaoliu, "提交").click()
    zhaoliu.wait_for_url("**/receipt/**")
    says(zhaoliu, "张三")
    says(zhaoliu, "13912345678")
    assert receipt(zhaoliu) != first_receipt
    shot(zhaoliu, "story-15-help")

    # Four levels look, and each sees exactly what happened beneath it.
    officer, province, college = visitor(), visitor(), visitor()
    sign_in(officer, "officer")
    reads(officer, read_board, board(7, 2))
    reads(officer, lambda page: unit(page, COLLEGE)["应报"], 6)
    reads(officer, lambda page: unit(page, "文学院")["应报"], 1)
    shot(officer, "story-16-board-school")
    sign_in(province, "province")
    reads(province, read_board, board(9, 3))
    reads(province, lambda page: unit(page, SCHOOL)["应报"], 7)
    reads(province, lambda page: unit(page, "合肥工业大学")["应报"], 2)
    shot(province, "story-17-board-province")
    activate(college, staff_slips["李四"], "00002", "李四")
    enrol(college)
    link(college, "我已保管好，继续").click()
    reads(college, read_board, board(6, 2))
    college.wait_for_selector("#activation .ax-progress")
    shot(college, "story-18-board-college")
    college.locator("#numbers .ax-tile a").first.click()
    reads(college, named, {"钱七", "孙八", "张三", "李四"})
    counsellor.goto("/console/")
    reads(counsellor, read_board, board(4, 2))
    link(counsellor, re.compile("通信1班")).first.click()
    reads(counsellor, read_board, board(3, 2))
    reads(counsellor, named, {"钱七"})
    shot(counsellor, "story-19-board-class")

    # The missing one is reminded, sees it, and is then reported for.
    counsellor.locator("#names").get_by_role("button", name="提醒", exact=True).first.click()
    shot(counsellor, "story-20-remind", full=False)
    button(counsellor, "提醒 1 人").click()
    counsellor.wait_for_selector("text=已提醒")
    qianqi = visitor(phone=True)
    activate(qianqi, codes["钱七"], "P20180003", "钱七")
    link(qianqi, "现在上报").click()
    says(qianqi, "张三")
    shot(qianqi, "story-21-reminded")
    link(counsellor, "代填").click()
    say_how_one_is(counsellor, "自觉正常", "36.6")
    counsellor.get_by_label("代填原因").fill("手机损坏，电话询问")
    shot(counsellor, "story-22-proxy")
    button(counsellor, "提交").click()
    counsellor.wait_for_selector("#reports td")
    shot(counsellor, "story-23-person")
    menu(counsellor, "今日")
    link(counsellor, re.compile("通信1班")).first.click()
    reads(counsellor, read_board, board(3, 3, proxy=1))
    reads(counsellor, lambda page: "全部已上报" in page.inner_text("#names"), True)
    qianqi.reload()
    says(qianqi, "由 张三 代填")
    link(qianqi, "记录").click()
    says(qianqi, "张三")
    shot(qianqi, "story-24-proxy-history")

    # 王五 corrects; both versions stay.
    link(wangwu, "情况有变或填错了").click()
    wangwu.get_by_label("体温").fill("36.9")
    tap(wangwu, "symptoms", "自觉正常")
    wangwu.get_by_label("为什么更正？").fill("下午又量了一次")
    button(wangwu, "提交更正").click()
    wangwu.wait_for_selector("text=第 1 次更正")
    says(wangwu, "下午又量了一次")
    assert receipt(wangwu) != first_receipt
    shot(wangwu, "story-25-corrected")
    link(wangwu, "完成").click()
    link(wangwu, "记录").click()
    says(wangwu, "已更正")

    # The school states its zeros and signs.
    menu(officer, "日报表")
    state(officer, fever=1)
    shot(officer, "story-26-sheet")
    button(officer, "签报并提交").click()
    prove(officer)
    button(officer, "签报并提交").click()
    officer.wait_for_selector("text=日报表已签报，省级已收到")
    signed_late = _is_late(SHEETS_DUE)
    shot(officer, "story-27-signed")

    # The province has it, and sends it back.
    standing = "迟报" if signed_late else "按时"
    menu(province, "日报表")
    row = province.locator("tr", has_text=SCHOOL)
    reads(province, lambda _: standing in row.inner_text(), True)
    shot(province, "story-28-province-sheets")
    link(province, SCHOOL).click()
    province.get_by_text("退回本校日报表").click()
    province.get_by_label("原因").fill(REASON)
    button(province, "退回日报表").click()
    province.wait_for_selector("text=日报表已退回")
    shot(province, "story-29-returned")

    # The school sees why, and signs again.
    officer.reload()
    says(officer, REASON)
    state(officer, fever=1)
    officer.get_by_label("备注").fill(NOTE)
    shot(officer, "story-30-sign-again")
    button(officer, "签报并提交").click()
    officer.wait_for_selector("text=日报表已签报，省级已收到")
    menu(province, "日报表")
    reads(province, lambda _: "第 2 版" in row.inner_text(), True)
    link(province, SCHOOL).click()
    for words in ("第 1 版", "第 2 版", REASON, NOTE):
        says(province, words)
    shot(province, "story-31-both-versions")
    menu(province, "今日")
    reads(province, read_board, board(9, 4, proxy=1))


def bring(page: Any, kind: str, rows: tuple[tuple[str, ...], ...], folder: Path) -> None:
    """Download the template of ``kind``, fill it and upload it."""
    book = fill_template(download(page, link(page, f"学校通讯录-{kind}.xlsx"), folder), rows)
    page.get_by_label(kind, exact=True).check()
    page.get_by_label("文件", exact=True).set_input_files(book)
    button(page, "上传并预览").click()
    page.wait_for_selector("text=确认导入")


def download(page: Any, what: Any, folder: Path) -> Path:
    with page.expect_download() as coming:
        what.click()
    path = folder / coming.value.suggested_filename
    coming.value.save_as(path)
    return path


def tiles(page: Any) -> dict[str, int]:
    """The big numbers of a page."""
    return {
        tile.locator(".ax-tile__label").inner_text().strip(): int(tile.locator(".ax-tile__number").inner_text().strip())
        for tile in page.locator(".ax-tile").all()
    }


def unit(page: Any, name: str) -> dict[str, int]:
    """A line of a board's table, its first numbers by column."""
    row = page.locator("#children tbody tr", has=page.get_by_role("link", name=name))
    return {
        cell.get_attribute("data-label"): int(cell.inner_text())
        for cell in row.locator("td.num").all()
        if cell.inner_text().strip().isdigit()
    }


def named(page: Any) -> set[str]:
    """Everybody whom the page names."""
    page.wait_for_selector("tbody .ax-person__name")
    return {who.inner_text().strip() for who in page.locator("tbody .ax-person__name").all()}


def receipt(page: Any) -> str:
    found = re.search(r"\d{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}", said(page))
    assert found is not None
    return found.group()


def state(page: Any, *, fever: int) -> None:
    """Zero for three categories and a number for the fourth: nothing is filled in beforehand."""
    for category in ("疑似", "确诊", "隔离"):
        page.get_by_role("group", name=category).get_by_text("无（零报告）").click()
    page.get_by_role("group", name="发热").get_by_text("人数", exact=True).click()
    page.get_by_label("发热：人数").fill(str(fever))


# -- the same pages in English ----------------------------------------------------------------------------------------

PAGES = {
    "": ("/accounts/login/", "/h5/sign-in/", "/h5/activate/", "/onboarding/"),
    "admin": (
        "/console/",
        "/console/people/",
        "/console/people/import/",
        "/console/settings/roles/",
        "/console/settings/categories/",
        "/console/settings/activation/",
        "/console/sheets/",
    ),
    "province": (
        "/console/",
        "/console/sheets/province/",
        "/console/sheets/comparison/",
        "/console/people/",
        "/console/settings/schools/",
        "/console/schools/",
        "/wall/",
    ),
    "reporter": ("/h5/", "/h5/history/", "/h5/notices/", "/h5/me/", "/h5/help/"),
}
FACTS = {
    REASON,
    NOTE,
    *(word for row in (*STAFF, *STUDENTS) for word in row),
    *("中文", "安徽省教育厅", "合肥工业大学", "机械工程学院", "吴一", "郑二", "合肥市"),
    *(word for sheet in (templates.STAFF, templates.STUDENTS) for word in (sheet.title, *sheet.headers)),
    *(word for names in DEFAULT_CATEGORIES.values() for word in names),
}
"""What stays Chinese in every language: names of people and units, and the notice's own templates."""

ATTRIBUTES = """() => [...document.querySelectorAll("[aria-label], [title], [placeholder], [alt]")].flatMap(
    (one) => ["aria-label", "title", "placeholder", "alt"].map((name) => one.getAttribute(name) || "")
)"""
"""What is said without being seen."""


def test_the_main_pages_in_english(
    stage: None, live_server_url: str, visitor: Callable[..., Any], shot: Callable[..., Any]
) -> None:
    facts = re.compile("|".join(re.escape(word) for word in sorted(FACTS, key=len, reverse=True)))
    found: list[str] = []
    for username, addresses in PAGES.items():
        page = visitor(locale="en-GB")
        if username:
            sign_in(page, username, ("User name", "Password", "Sign in"))
        for number, address in enumerate(addresses, start=1):
            for width in (1440, 375):
                page.set_viewport_size({"width": width, "height": 900 if width > 1000 else 812})
                answer = page.goto(address)
                assert answer.ok, address
                shot(page, f"english-{username or 'nobody'}-{number}-{width}")
                if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                    found.append(f"{address} scrolls sideways at {width} px")
            if address.endswith("register"):
                continue  # 119 names of schools and nothing else
            for line in (*page.inner_text("body").splitlines(), *page.evaluate(ATTRIBUTES)):
                # A single sign is the face of somebody without a picture.
                if len(line) > 1 and re.search("[\u4e00-\u9fff]", facts.sub("", line)):
                    found.append(f"{address}: {line}")
    assert not found, "\n".join(found)
