"""Writing a university into the tables of the directory, by COPY."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from anxiao.base.clock import moment_at
from anxiao.config.demo import words
from anxiao.config.demo.history import Excuse
from anxiao.config.demo.load import Ids, copy_rows
from anxiao.config.demo.population import Stage, University
from anxiao.config.demo.shape import APPLICANTS
from anxiao.directory.models import Category, School
from anxiao.directory.names import OnboardingState, SchoolState


def fill(cursor: Any, university: University, *, now: datetime, housed_since: date) -> None:
    """Tree, places, people, memberships, counsellors and beds of a university."""
    school = university.school_id
    known = datetime(2021, 9, 1, tzinfo=now.tzinfo)
    categories = {
        (audience, name): category_id
        for category_id, audience, name in Category.objects.using("bulk")
        .filter(school_id=school)
        .values_list("id", "audience", "name")
    }
    copy_rows(
        cursor,
        "organisation",
        ("id", "school_id", "kind", "parent_id", "path", "name", "code", "grade", "created_at"),
        ((n.id, school, n.kind.value, n.parent_id, n.path, n.name, "", n.grade, now) for n in university.nodes),
    )
    copy_rows(
        cursor,
        "place",
        ("id", "school_id", "kind", "parent_id", "path", "name"),
        ((s.id, school, s.kind.value, s.parent_id, s.path, s.name) for s in university.spots),
    )
    copy_rows(
        cursor,
        "person",
        ("id", "school_id", "number", "name", "sex", "phone", "audience", "category_id", "created_at", "changed_at"),
        (
            (
                *(h.id, school, h.number, h.name, h.sex, h.phone, int(h.audience)),
                *(categories[(h.audience, h.category)], now, now),
            )
            for h in university.people
        ),
    )
    take = Ids(cursor, "membership")
    ids = [take() for _ in university.people]
    copy_rows(
        cursor,
        "membership",
        ("id", "school_id", "person_id", "organisation_id", "valid_from", "known_from"),
        ((i, school, h.id, h.node.id, h.since, known) for i, h in zip(ids, university.people, strict=True)),
    )
    take = Ids(cursor, "class_counsellor")
    ids = [take() for _ in university.counsellor_of]
    copy_rows(
        cursor,
        "class_counsellor",
        ("id", "school_id", "organisation_id", "person_id", "valid_from"),
        (
            (i, school, class_id, human.id, housed_since)
            for i, (class_id, human) in zip(ids, university.counsellor_of.items(), strict=True)
        ),
    )
    take = Ids(cursor, "residence")
    housed = [(take(), h) for h in university.students if h.room]
    copy_rows(
        cursor,
        "residence",
        ("id", "school_id", "person_id", "place_id", "bed", "valid_from"),
        ((i, school, h.id, h.room.id if h.room else None, h.bed, max(h.since, housed_since)) for i, h in housed),
    )


def fill_excuses(cursor: Any, school_id: int, excuses: Sequence[Excuse], *, by: int, now: datetime) -> None:
    """The exemptions, granted by the school's officer in the morning of their first day."""
    take = Ids(cursor, "exemption")
    ids = [take() for _ in excuses]
    copy_rows(
        cursor,
        "exemption",
        ("id", "school_id", "person_id", "reason", "note", "valid_from", "valid_to", "created_by", "created_at"),
        (
            (
                *(i, school_id, e.person_id, e.reason.value, e.note, e.since, e.until, by),
                min(now, moment_at(e.since, time(7, 30))),
            )
            for i, e in zip(ids, excuses, strict=True)
        ),
    )


def fill_proposals(
    cursor: Any, university: University, stage: Stage, *, by_person: Mapping[int, int], now: datetime
) -> None:
    """Two students of the demo's class ask their counsellor to put something right."""
    student = stage.roles["student"]
    mate = next(h for h in university.students if h.node is stage.class_ and h is not student)
    other = university.classes[1]
    wanted_name = f"{student.name[0]}子{student.name[-1]}"
    before, after = (f"{node.grade} {node.name}" for node in (stage.class_, other))
    wishes = (
        (student, "name", student.name, wanted_name, None, "登记时写错了字，以身份证为准。", 26),
        (mate, "class", before, after, other.id, "上学期已转到该班。", 3),
    )
    take = Ids(cursor, "profile_proposal")
    ids = [take() for _ in wishes]
    copy_rows(
        cursor,
        "profile_proposal",
        (
            *("id", "school_id", "person_id", "field", "before", "wanted", "wanted_id", "reason", "state"),
            *("asked_by", "asked_at", "decided_by_name", "answer"),
        ),
        (
            (
                *(i, university.school_id, h.id, field, before, wanted, wanted_id, reason, "open"),
                *(by_person.get(h.id, 0), now - timedelta(hours=hours), "", ""),
            )
            for i, (h, field, before, wanted, wanted_id, reason, hours) in zip(ids, wishes, strict=True)
        ),
    )


def fill_applications(cursor: Any, *, now: datetime, seed: int) -> None:
    """Two universities have sent the form of the notice and wait for the province."""
    chance = words.stream(seed, "applications")
    schools = list(School.objects.using("bulk").filter(code__in=APPLICANTS).order_by("code"))
    School.objects.using("bulk").filter(code__in=APPLICANTS).update(state=SchoolState.APPLIED)
    take = Ids(cursor, "onboarding")
    roles = (("admin", "信息化办公室主任", "行政楼 305"), ("officer", "学生工作处副处长", "行政楼 212"))
    columns = [f"{role}_{field}" for role, *_ in roles for field in ("name", "position", "phone", "office")]
    rows = []
    for i, school in enumerate(schools):
        people = [
            value
            for n, (_role, position, office) in enumerate(roles)
            for value in (words.name(chance, "MF"[n]), position, words.phone(8_000_000 + 10 * i + n), office)
        ]
        applied = now - timedelta(days=2 - i, hours=3)
        rows.append((take(), school.pk, *people, OnboardingState.WAITING.value, applied, ""))
    copy_rows(cursor, "onboarding", ("id", "school_id", *columns, "state", "applied_at", "decision_note"), rows)
