"""The long steps by a real worker: killed at any point, asked to stop, one after the other, and what a page is told."""

from __future__ import annotations

import io
from typing import Any

import psycopg
import pytest

from anxiao.base.tenancy import school_context
from anxiao.config import tasks
from anxiao.directory.importing.commands import (
    apply_at_once,
    apply_import,
    cancel_import,
    preview_import,
    upload_import,
)
from anxiao.directory.importing.stepping import run_step
from anxiao.directory.models import ClassCounsellor, DirectoryImport, Membership, Organisation, Person
from anxiao.directory.names import Audience, ImportState
from anxiao.ledger.models import Entry
from tests.conftest import Database
from tests.directory import import_sheets as make
from tests.directory.import_cast import MORNING, Cast, acting, make_cast
from tests.directory.worker import forget_heartbeats, standing_before, state_of, until, until_state, working

STUDENT = Audience.STUDENT


@pytest.fixture
def cast(database: Database) -> Cast:
    cast = make_cast()
    with acting(cast.admin) as who:
        staff = preview_import(
            by=who,
            school=cast.school,
            kind=Audience.STAFF,
            file=make.staff_sheet(),
            filename="教职工.xlsx",
            now=MORNING,
        )
        apply_at_once(by=who, import_=staff, now=MORNING)
    return cast


def bring(cast: Cast, data: bytes, kind: Audience = STUDENT) -> DirectoryImport:
    """A preview at once, in a request of its own."""
    with acting(cast.admin) as who:
        return preview_import(by=who, school=cast.school, kind=kind, file=data, filename="名单.xlsx", now=MORNING)


def students(count: int) -> bytes:
    return make.sheet_of(make.STUDENTS, [make.student_row(i) for i in range(count)])


def upload(cast: Cast, data: bytes) -> DirectoryImport:
    with acting(cast.admin) as who:
        return upload_import(
            by=who,
            school=cast.school,
            kind=STUDENT,
            file=io.BytesIO(data),
            filename="学生.xlsx",
            full_list=False,
            now=MORNING,
        )


def snapshot() -> list[Any]:
    """Every row of the directory and the number of ledger rows about people."""
    with school_context("*"):
        kept = [
            list(m.objects.order_by("pk").values_list()) for m in (Person, Membership, Organisation, ClassCounsellor)
        ]
        return [*kept, Entry.objects.filter(object_type="person").count()]


def test_a_file_goes_its_way_while_nobody_looks(cast: Cast) -> None:
    uploaded = upload(cast, students(60))
    assert uploaded.state == ImportState.READING
    with working():
        previewed = until_state(uploaded, ImportState.PREVIEWED, ImportState.FAILED)
        assert (previewed.state, previewed.error) == (ImportState.PREVIEWED, "")
        assert previewed.counts["joins"] == 60
        with acting(cast.admin) as who:
            assert apply_import(by=who, import_=previewed, now=MORNING).state == ImportState.APPLYING
        applied = until_state(uploaded, ImportState.APPLIED, ImportState.PREVIEWED)
    assert (applied.state, applied.error) == (ImportState.APPLIED, "")
    with acting(cast.admin):
        assert Person.objects.filter(audience=STUDENT).count() == 60
        entry = Entry.objects.filter(verb="import.applied").order_by("-id").first()
        # the job acts for whoever decided, not for itself
        assert (entry.actor_id, entry.actor) == (cast.admin.user_id, cast.admin.username)


def test_a_killed_worker_leaves_nothing_and_the_next_one_does_all_of_it(cast: Cast, database: Database) -> None:
    """At 30, 60 and 90% of the work: while people, memberships and the ledger are written."""
    staged = bring(cast, students(40))
    with acting(cast.admin) as who:
        apply_import(by=who, import_=staged, now=MORNING)
    before = snapshot()
    for table in ("person", "membership", "ledger_entry"):
        with standing_before(database.superuser_url, table) as waited_for, working() as worker:
            until(waited_for)
            worker.kill()
            forget_heartbeats(database.superuser_url)
        assert state_of(staged).state == ImportState.APPLYING
        assert snapshot() == before
    with working():
        applied = until_state(staged, ImportState.APPLIED)
    assert applied.counts["written"]["created"] == 40
    with acting(cast.admin):
        people = Person.objects.filter(audience=STUDENT)
        assert people.count() == Membership.objects.filter(person__in=people).count() == 40
        assert Entry.objects.filter(verb="person.created", object_id__in=[str(p.pk) for p in people]).count() == 40
        assert Entry.objects.filter(verb="import.applied", object_id=str(staged.pk)).count() == 1


def test_a_job_that_ends_every_worker_is_given_up(cast: Cast, database: Database) -> None:
    uploaded = upload(cast, students(2))
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing', attempts = %s", [tasks.ATTEMPTS - 1])
    with working():
        told = until_state(uploaded, ImportState.FAILED)
    assert len(told.error) > 20


def test_cancelling_stops_what_is_under_way(cast: Cast, database: Database) -> None:
    waiting = upload(cast, students(2))
    staged = bring(cast, students(20))
    with acting(cast.admin) as who:
        assert cancel_import(by=who, import_=waiting, now=MORNING).state == ImportState.CANCELLED
        apply_import(by=who, import_=staged, now=MORNING)
    before = snapshot()
    with standing_before(database.superuser_url, "membership") as waited_for, working():
        until(waited_for)
        told = until(lambda: state_of(staged).progress.get("phase") == "memberships" and state_of(staged))
        assert set(told.progress) == {"phase", "done", "total", "started_at"}
        with acting(cast.admin) as who:
            cancel_import(by=who, import_=staged, now=MORNING)
        stopped = until_state(staged, ImportState.PREVIEWED)
    assert not stopped.cancel_asked
    assert snapshot() == before
    assert state_of(waiting).state == ImportState.CANCELLED


def test_two_imports_of_one_school_queue_and_another_school_does_not_wait(cast: Cast, database: Database) -> None:
    first, second = (bring(cast, students(count)) for count in (5, 10))
    with acting(cast.admin) as who:
        for one in (first, second):
            apply_import(by=who, import_=one, now=MORNING)
    with acting(cast.outsider) as who:
        other = upload_import(
            by=who,
            school=cast.other,
            kind=Audience.STAFF,
            file=io.BytesIO(make.staff_sheet()),
            filename="教职工.xlsx",
            full_list=False,
            now=MORNING,
        )
    with working():
        with standing_before(database.superuser_url, "person") as waited_for:
            until(waited_for)
            until_state(other, ImportState.PREVIEWED, ImportState.FAILED)
            until(lambda: state_of(first).progress["phase"] == "people")
            assert state_of(second).progress == {}
        until_state(second, ImportState.APPLIED)
    with acting(cast.admin):
        assert Person.objects.filter(audience=STUDENT).count() == 10
    assert [state_of(one).counts["written"]["created"] for one in (first, second)] == [5, 5]


def test_a_job_sees_its_own_school_alone(cast: Cast) -> None:
    uploaded = upload(cast, students(3))
    assert run_step(school_id=cast.other.pk, import_id=uploaded.pk, step="read") == "None"
    assert state_of(uploaded).state == ImportState.READING
    assert run_step(school_id=cast.school.pk, import_id=uploaded.pk, step="apply") == ImportState.READING
    assert run_step(school_id=cast.school.pk, import_id=uploaded.pk, step="read") == ImportState.PREVIEWED
    # a step that is done is not done twice
    assert run_step(school_id=cast.school.pk, import_id=uploaded.pk, step="read") == ImportState.PREVIEWED
