"""The tools around the code: make, lock files, front-end files, the catalogue of messages."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from anxiao.config import frontend, messages
from anxiao.config.messages import Message

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-node.lock"]


def make(*arguments: str) -> str:
    # Called from `make test`, make would take the outer one's flags over.
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_make_help_lists_what_a_newcomer_needs() -> None:
    text = make("help")
    targets = re.findall(r"^  make (\S+) +\S", text, re.MULTILINE)
    assert {"help", "demo", "test", "check", "messages", "lock"} <= set(targets)
    assert make() == text
    assert "PORT=8000 PEOPLE=3000 DAYS=14 DATA=var/demo" in text


def test_make_demo_hands_its_variables_on() -> None:
    text = make("--dry-run", "demo", "PORT=8123", "PEOPLE=500", "DAYS=3", "DATA=/tmp/somewhere")
    assert '--data "/tmp/somewhere" --people 500 --days 3 --once' in text
    assert 'serve --data "/tmp/somewhere" --port 8123' in text


@pytest.mark.parametrize("name", LOCKS)
def test_python_locks_have_digests_and_no_host(name: str) -> None:
    text = (ROOT / name).read_text()
    packages = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    assert packages
    for package in packages:
        assert re.match(r"[a-z0-9._-]+==\S+", package), package
        assert "--hash=sha256:" in package
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


def test_every_dependency_says_why_it_is_there() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    inside = explained = False
    for line in lines:
        if re.match(r"(dependencies|dev) = \[", line):
            inside, explained = True, False
        elif line == "]":
            inside = False
        elif inside and line.startswith("  #"):
            explained = True
        elif inside:
            assert explained, f"{line.strip()} has no comment"


def test_the_run_lock_is_part_of_the_development_lock() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^(\S+==\S+)", (ROOT / name).read_text(), re.MULTILINE))

    assert pins("requirements.lock") < pins("requirements-dev.lock")
    names = {pin.split("==")[0] for pin in pins("requirements-dev.lock")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    assert {re.split(r"[\[<>=;~ ]", name)[0].lower().replace("_", "-") for name in wanted} <= names


def test_the_npm_lock_has_digests_and_no_host() -> None:
    text = (ROOT / "package-lock.json").read_text()
    assert "://" not in text
    packages = {name: facts for name, facts in json.loads(text)["packages"].items() if name}
    assert packages
    assert all("integrity" in facts for facts in packages.values())
    assert frontend.without_hosts(text) == text
    assert all(
        f"node_modules/{'/'.join(source.split('/')[: 2 if source[0] == '@' else 1])}" in packages
        for source in frontend.FILES.values()
    )


def test_front_end_files_are_copied_with_their_licences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = tmp_path / "node_modules"
    for source in frontend.FILES.values():
        path = modules / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("code();\n//# sourceMappingURL=code.js.map\n")
    (modules / "echarts" / "LICENSE").write_text("Apache")
    monkeypatch.setattr(frontend, "VENDOR", tmp_path / "vendor")
    frontend.copy(modules)
    made = {path.name for path in (tmp_path / "vendor").iterdir()}
    assert made == {*frontend.FILES, "LICENSE-echarts.txt"}
    assert "sourceMappingURL" not in (tmp_path / "vendor" / "htmx.min.js").read_text()


# -- messages ---------------------------------------------------------------------------------------------------------

CODE = """
from django.utils.translation import gettext as _, ngettext, pgettext
PLAIN = {"empty": "Please answer."}
def say(n):
    return _("Report today"), ngettext("%(n)s person", "%(n)s people", n), pgettext("month", "May")
"""
PAGE = """{% load i18n %}
<h1 title="{% translate 'Saved at 100%' %}">{{ _("Hello") }}</h1>
{% blocktranslate trimmed with name=person.name count n=n %}
  {{ n }} class of {{ name }}
{% plural %}
  {{ n }} classes of {{ name }}
{% endblocktranslate %}
"""
PAIRS = """\
Report today\t今日上报
%(n)s person\t%(n)s 人
May\t五月
Saved at 100%\t已保存 100%
Hello\t你好
%(n)s class of %(name)s\t%(name)s的 %(n)s 个班
Please answer.\t请填写。\\n谢谢。
Nobody says this\t没有人说
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "room" / "templates").mkdir(parents=True)
    (tmp_path / "room" / "views.py").write_text(CODE, encoding="utf-8")
    (tmp_path / "room" / "templates" / "page.html").write_text(PAGE, encoding="utf-8")
    pairs = tmp_path / "locale" / "zh_Hans" / "pairs"
    pairs.mkdir(parents=True)
    (pairs / "room.tsv").write_text(PAIRS, encoding="utf-8")
    monkeypatch.setattr(messages, "PACKAGE", tmp_path)
    monkeypatch.setattr(messages, "PAIRS", pairs)
    monkeypatch.setattr(messages, "PO", tmp_path / "django.po")
    monkeypatch.setattr(messages, "MO", tmp_path / "django.mo")
    monkeypatch.setattr("sys.argv", ["messages"])
    return tmp_path


def test_messages_are_found_in_code_and_templates(house: Path) -> None:
    assert set(messages.gather(house)) == {
        Message("Report today"),
        Message("%(n)s person", "%(n)s people"),
        Message("May", context="month"),
        Message("Saved at 100%%"),
        Message("Hello"),
        Message("%(n)s class of %(name)s", "%(n)s classes of %(name)s"),
    }


def test_the_catalogue_speaks_chinese_when_compiled(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import gettext

    assert messages.main() == 0
    assert "no longer used: 'Nobody says this'" in capsys.readouterr().err
    with (house / "django.mo").open("rb") as file:
        chinese = gettext.GNUTranslations(file)
    assert chinese.gettext("Report today") == "今日上报"
    assert chinese.gettext("Please answer.") == "请填写。\n谢谢。"
    assert chinese.gettext("Saved at 100%%") == "已保存 100%%"
    assert chinese.ngettext("%(n)s person", "%(n)s people", 2) == "%(n)s 人"
    assert chinese.pgettext("month", "May") == "五月"


def test_checking_complains_about_what_is_missing_or_stale(
    house: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert messages.main() == 0
    monkeypatch.setattr("sys.argv", ["messages", "--check"])
    assert messages.main() == 0
    (house / "room" / "more.py").write_text('from x import _\n_("New words")\n')
    assert messages.main() == 1
    assert "without translation: 'New words' (room/more.py)" in capsys.readouterr().err
    (house / "locale" / "zh_Hans" / "pairs" / "more.tsv").write_text("New words\t新词\n", encoding="utf-8")
    assert messages.main() == 1
    assert "out of date" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pair", "complaint"),
    [
        ("Report today\t今天上报", "is '今日上报' in room.tsv"),
        ("Report today", "is not English<TAB>Chinese"),
        ("%(who)s reported\t已上报", "lost %(who)s"),
        ("%(who)s reported\t%(whom)s 已上报", "has placeholders which"),
    ],
)
def test_a_faulty_pair_is_refused(house: Path, capsys: pytest.CaptureFixture[str], pair: str, complaint: str) -> None:
    (house / "room" / "more.py").write_text('from x import _\n_("%(who)s reported")\n')
    (house / "locale" / "zh_Hans" / "pairs" / "z.tsv").write_text(pair + "\n", encoding="utf-8")
    assert messages.main() == 1
    assert complaint in capsys.readouterr().err
