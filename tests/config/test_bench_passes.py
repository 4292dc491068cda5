"""Ready requests for a load: the door takes every one of them, and they are made for synthetic people only."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from anxiao.accounts.models import User
from anxiao.base import clock
from anxiao.base.errors import Refused
from anxiao.base.passes import COOKIE
from anxiao.base.tenancy import school_context
from anxiao.config import cli
from anxiao.config.bench.passes import COLUMNS, Written, write_passes
from anxiao.directory.models import Person
from anxiao.intake.app import application
from anxiao.reporting.models import Campaign, Exemption, Report
from tests.builders import MORNING, TODAY, add_people, add_person, report
from tests.cast import Cast, assemble

with warnings.catch_warnings():
    # Starlette recommends a client that is not released yet.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

SECRET = "only-for-tests-" + "x" * 40
YESTERDAY = MORNING - timedelta(days=1)


@dataclass
class Stage:
    cast: Cast
    client: TestClient

    def send(self, line: dict[str, str]) -> Any:
        headers = {"Cookie": f"{COOKIE}={line['pass']}", "X-Anxiao": "1", "Content-Type": "application/json"}
        return self.client.post("/reports", content=line["body"], headers=headers)


@pytest.fixture
def stage(database: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    cast = assemble()
    with school_context("*"):
        crowd = [*add_people(cast.tongxin2, 60), *add_people(cast.jixie1, 20)]
        give_accounts(*crowd, cast.wangwu, cast.zhaoliu, cast.qianqi)
        report(cast.wangwu, at=YESTERDAY)
        report(cast.zhaoliu, at=YESTERDAY, contact_14d=True, contact_detail="同车")
    monkeypatch.setenv("ANXIAO_SECRET_KEY", SECRET)
    monkeypatch.setattr(clock, "now", lambda: MORNING)
    with TestClient(application) as client:
        yield Stage(cast, client)


def give_accounts(*people: Person) -> None:
    """Accounts that no password opens; hashing one for each of so many would take longer than everything else."""
    User.objects.bulk_create(
        User(
            username=f"phone-{person.pk}",
            display_name=person.name,
            person=person,
            home_school_id=person.school_id,
            password="!",
            date_joined=MORNING,
        )
        for person in people
    )


def written(**options: Any) -> tuple[Written, list[dict[str, str]]]:
    file = io.StringIO()
    told = write_passes(file, secret=SECRET, now=MORNING, **{"count": 1_000, **options})
    return told, [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in file.getvalue().splitlines()]


def test_the_door_takes_every_line_once(stage: Stage) -> None:
    told, lines = written(unchanged=1.0)
    assert told.lines == len(lines) == 83
    answers = [stage.send(line) for line in lines]
    assert [answer.status_code for answer in answers] == [201] * 83
    assert stage.send(lines[0]).status_code == 200
    with school_context("*"):
        assert {r.person_id for r in Report.objects.filter(day=TODAY)} == {int(line["person"]) for line in lines}
    assert written()[1] == []


def test_only_whose_last_report_leaves_nothing_to_be_said_says_no_change(stage: Stage) -> None:
    told, lines = written(unchanged=1.0)
    same = [line for line in lines if json.loads(line["body"])["unchanged"]]
    assert told.unchanged == 1
    assert [int(line["person"]) for line in same] == [stage.cast.wangwu.pk]
    assert set(json.loads(same[0]["body"])["answers"]) == {"symptoms", "temperature"}
    assert written(unchanged=0.0)[0].unchanged == 0


def test_people_are_shuffled_over_the_schools_and_slices_do_not_overlap(stage: Stage) -> None:
    _, lines = written()
    people = [line["person"] for line in lines]
    schools = [json.loads(line["body"])["ticket"].split(".")[1] for line in lines]
    assert people != sorted(people, key=int)
    assert len(set(schools[:20])) == 2
    _, first = written(count=30)
    _, second = written(count=30, offset=30)
    assert [line["person"] for line in (*first, *second)] == people[:60]
    assert len({json.loads(line["body"])["key"] for line in (*first, *second)}) == 60


def test_answers_vary(stage: Stage) -> None:
    bodies = [json.loads(line["body"])["answers"] for line in written()[1]]
    assert len({body["temperature"] for body in bodies}) > 5
    assert len({body["region"] for body in bodies}) > 1


def test_who_is_excused_or_signed_out_is_left_out(stage: Stage) -> None:
    everybody = {int(line["person"]) for line in written()[1]}
    with school_context("*"):
        Exemption.objects.create(
            school_id=stage.cast.qianqi.school_id,
            person=stage.cast.qianqi,
            reason="leave",
            valid_from=TODAY,
            valid_to=TODAY + timedelta(days=1),
            created_by=1,
            created_at=MORNING,
        )
        gone = add_person(stage.cast.tongxin1, "有人")
        give_accounts(gone)
        User.objects.filter(person=gone).update(is_active=False)
    assert {int(line["person"]) for line in written()[1]} == everybody - {stage.cast.qianqi.pk}


def test_a_ticket_issued_ahead_lasts_longer(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    told, lines = written(count=2, ahead=timedelta(minutes=10))
    assert told.until == MORNING + timedelta(minutes=25)
    monkeypatch.setattr(clock, "now", lambda: MORNING + timedelta(minutes=24))
    assert stage.send(lines[0]).status_code == 201
    monkeypatch.setattr(clock, "now", lambda: MORNING + timedelta(minutes=26))
    assert stage.send(lines[1]).json()["code"] == "ticket_expired"


def test_a_day_without_a_round_is_refused(stage: Stage) -> None:
    with school_context("*"):
        Campaign.objects.update(ends_on=TODAY - timedelta(days=1))
    with pytest.raises(Refused):
        written()


def test_a_real_installation_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "lines.tsv"
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", "passes", "--data", str(tmp_path), "--count", "5", "--out", str(out)])
    assert ended.value.code == 1
    assert "not a synthetic province" in capsys.readouterr().err
    assert not out.exists()


def test_the_command_writes_a_file_for_its_owner_alone(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "demo.json").write_text("{}")
    out = tmp_path / "lines.tsv"
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", "passes", "--data", str(tmp_path), "--count", "5", "--out", str(out)])
    assert ended.value.code == 0
    assert "5 lines" in capsys.readouterr().out
    assert out.stat().st_mode & 0o777 == 0o600
    first = dict(zip(COLUMNS, out.read_text().splitlines()[0].split("\t"), strict=True))
    assert stage.send(first).status_code == 201
