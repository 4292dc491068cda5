"""A receipt as a file: checked offline, and no change to it goes unnoticed."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from typer.testing import CliRunner

from anxiao.base import clock
from anxiao.base.signatures import Signer, new_key
from anxiao.base.tenancy import school_context
from anxiao.config.cli import app
from anxiao.portal import views_receipt
from anxiao.questionnaires.concepts import COLUMNS
from anxiao.reporting.rules_receipts import Verdict, check, receipt_file
from tests.builders import MORNING, add_account, report, round_of
from tests.cast import assemble

SIGNER = Signer(new_key())
ROW: dict[str, Any] = {
    **dict.fromkeys(COLUMNS),
    "school_id": 7,
    "day": date(2020, 2, 10),
    "round_id": 3,
    "person_id": 11,
    "version": 1,
    "received_at": datetime(2020, 2, 10, 1, 2, 3, 456789, tzinfo=UTC),
    "late": False,
    "form_version_id": 5,
    "key": uuid.UUID(int=42),
    "unwell": False,
    "region": 340100,
    "answers": {"q_note": '好 \u2028 "x"', "q_many": [1, 2]},
}


@pytest.fixture
def file() -> str:
    return receipt_file(ROW, SIGNER)


def changed(text: str, change: Callable[[dict[str, Any]], object]) -> str:
    document = json.loads(text)
    change(document)
    return json.dumps(document)


def test_an_untouched_receipt_is_valid_however_it_is_laid_out(file: str) -> None:
    for text in (file, json.dumps(json.loads(file)), json.dumps(json.loads(file), indent=8, sort_keys=True)):
        checked = check(text, SIGNER.public)
        assert (checked.verdict, checked.key_id, checked.own_word) == (Verdict.VALID, SIGNER.key_id, False)
    assert check(file, None).own_word, "its own key proves only that it fits itself"


def leaves(part: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(part, dict):
        return [path]
    return [found for name, inner in part.items() for found in leaves(inner, (*path, name))]


@pytest.mark.parametrize("path", leaves(json.loads(receipt_file(ROW, SIGNER))["record"]), ids="/".join)
def test_a_change_anywhere_in_the_record_is_seen(file: str, path: tuple[str, ...]) -> None:
    def change(document: dict[str, Any]) -> None:
        part = document["record"]
        for name in path[:-1]:
            part = part[name]
        part[path[-1]] = "something else"

    assert check(changed(file, change), SIGNER.public).verdict is Verdict.ALTERED


@pytest.mark.parametrize("name", ["number", "received_at", "digest", "late", "version"])
def test_a_change_in_what_the_receipt_repeats_is_seen(file: str, name: str) -> None:
    text = changed(file, lambda document: document["receipt"].update({name: "20200210-AAAA-BBBB-CCCC"}))
    assert check(text, SIGNER.public).verdict is Verdict.ALTERED


def test_a_receipt_made_by_somebody_else_is_not_valid(file: str) -> None:
    forger = Signer(new_key())
    forged = receipt_file({**ROW, "late": True}, forger)
    assert check(forged, SIGNER.public).verdict is Verdict.UNKNOWN_KEY
    # ... nor when it names the true key
    named = forged.replace(forger.key_id, SIGNER.key_id)
    assert check(named, SIGNER.public).verdict is Verdict.FORGED
    assert check(changed(file, lambda d: d["receipt"].update(signature="")), SIGNER.public).verdict is Verdict.UNSIGNED
    for signature in ("1", "::::", f"1:{SIGNER.key_id}:AAAA:0/1:", f"2:{SIGNER.key_id}:AAAA:0/1:", "x" * 5000):
        text = changed(file, lambda d, s=signature: d["receipt"].update(signature=s))  # type: ignore[misc]
        assert check(text, SIGNER.public).verdict in (Verdict.FORGED, Verdict.UNKNOWN_KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"record": {}, "receipt": {}}',
        '{"record": {"day": 1}, "receipt": {"number": "", "received_at": "", "digest": ""}}',
        '{"record": {"day": "1", "x": NaN}, "receipt": {"number": "", "received_at": "", "digest": ""}}',
        '{"record": {"day": "1", "x": "\\ud800"}, "receipt": {"number": "", "received_at": "", "digest": ""}}',
        "[" * 100_000,
    ],
)
def test_what_is_no_receipt_is_called_so(text: str) -> None:
    assert check(text, SIGNER.public).verdict is Verdict.NOT_A_RECEIPT


def test_a_name_that_stands_twice_cannot_show_one_value_and_prove_another(file: str) -> None:
    twice = file.replace('"late": false,', '"late": true, "late": false,', 1)
    assert twice != file
    assert check(twice, SIGNER.public).verdict is Verdict.NOT_A_RECEIPT


def test_the_command_line_says_what_is_the_matter(file: str, tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"

    def said(text: str, *arguments: str) -> tuple[int, str]:
        path.write_text(text, encoding="utf-8")
        done = CliRunner().invoke(app, ["verify-receipt", str(path), *arguments])
        return done.exit_code, done.output

    key = ("--key", f"{SIGNER.public}  {SIGNER.key_id}")
    code, told = said(file, *key)
    assert code == 0 and "valid: 20200210-" in told and "file itself" not in told
    code, told = said(file)
    assert code == 0 and "compare its id" in told
    for text, expected in (
        (file.replace('"school": 7', '"school": 8'), "no longer fits its digest"),
        (file.replace(SIGNER.key_id, "00000000"), "is not the key given"),
        ("x", "not a receipt"),
        ("x" * 300_000, "too large"),
    ):
        code, told = said(text, *key)
        assert code == 1 and expected in told, told


def test_checking_needs_neither_database_nor_django(file: str, tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    path.write_text(file, encoding="utf-8")
    script = (
        "import sys; from pathlib import Path; from anxiao.config.receipts import verify;"
        "print(verify(Path(sys.argv[1]), sys.argv[2])[0], 'django' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(path), SIGNER.public], capture_output=True, text=True, check=True, env={}
    )
    assert run.stdout.split() == ["True", "False"]


def test_the_key_of_a_deployment_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANXIAO_RECEIPT_KEY", raising=False)
    monkeypatch.setenv("ANXIAO_DATA", str(tmp_path))
    private = new_key()
    (tmp_path / "receipt_key").write_text(private + "\n")
    done = CliRunner().invoke(app, ["receipt-key", "--data", str(tmp_path)])
    assert done.output.split() == [Signer(private).public, Signer(private).key_id]
    assert private not in done.output


@pytest.mark.usefixtures("database")
def test_a_phone_takes_home_its_own_receipt_and_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    private = new_key()
    monkeypatch.setenv("ANXIAO_RECEIPT_KEY", private)
    monkeypatch.setattr(views_receipt, "now", lambda: MORNING)
    cast = assemble()
    own, neighbour = Client(), Client()
    with school_context("*"):
        round_ = round_of(clock.day_of(MORNING))
        for client, person in ((own, cast.wangwu), (neighbour, cast.zhaoliu)):
            user = add_account(f"phone-{person.pk}", person=person)
            client.force_login(user, backend="anxiao.accounts.backends.AccountBackend")
    with school_context("*"):
        report(cast.wangwu)
    answer = own.get(f"/h5/receipt/{round_.pk}/file/")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="anxiao-20')
    assert answer.headers["Cache-Control"] == "no-store"
    checked = check(answer.content.decode(), Signer(private).public)
    assert checked.verdict is Verdict.VALID
    assert json.loads(answer.content)["record"]["person"] == cast.wangwu.pk
    assert own.get(f"/h5/receipt/{round_.pk}/file/?version=2").status_code == 404
    assert own.get("/h5/receipt/0/file/").status_code == 404
    assert neighbour.get(f"/h5/receipt/{round_.pk}/file/").status_code == 404
    assert Client().get(f"/h5/receipt/{round_.pk}/file/").status_code == 302
