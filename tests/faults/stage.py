"""Puts two schools full of people into a fresh data directory: ``python -m tests.faults.stage DIR PEOPLE_PER_SCHOOL``.

What the tests need to know of them stands in ``DIR/stage.json``. The round of the day stays open for two days, so that
a run around midnight finds it open.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from datetime import timedelta
from pathlib import Path


def main() -> None:
    os.environ["ANXIAO_COLLECTED"] = "1"
    from anxiao.config.environment import surroundings

    data = Path(sys.argv[1])
    with surroundings(data, exclusive=True):
        import django

        django.setup()
        from django.core.management import call_command

        from anxiao.config import static

        call_command("migrate", database="owner", verbosity=0)
        # Nobody looks at a page here, and compressing all scripts would take longer than everything else.
        root = data / "static"
        root.mkdir()
        (root / static.STAMP).write_text(static._digest_of_sources(), encoding="ascii")
        (data / "stage.json").write_text(json.dumps(_play(int(sys.argv[2]))), encoding="utf-8")
        from django.db import connections

        connections.close_all()


def _play(count: int) -> dict[str, object]:
    from django.db import connections

    from anxiao.accounts.models import User
    from anxiao.base.clock import day_of, now
    from anxiao.base.tenancy import school_context
    from anxiao.directory.models import Category, Membership, Organisation, Person
    from anxiao.directory.names import Audience
    from anxiao.reporting.commands.campaigns import ensure_rounds
    from anxiao.reporting.commands.partitions import ensure_partitions
    from tests.builders import MORNING, TODAY, counted
    from tests.cast import assemble

    numbers = itertools.count(1)

    def fill(node: Organisation) -> list[dict[str, int]]:
        category = Category.objects.filter(school_id=node.school_id, audience=Audience.STUDENT).first()
        people = Person.objects.bulk_create(
            Person(
                school_id=node.school_id,
                number=f"F{next(numbers):06d}",
                name=f"学生{number}",
                sex="F",
                phone=f"137{number:08d}",
                audience=Audience.STUDENT,
                category=category,
                created_at=MORNING,
                changed_at=MORNING,
            )
            for number in range(count)
        )
        Membership.objects.bulk_create(
            Membership(
                school_id=node.school_id,
                person=person,
                organisation=node,
                valid_from=TODAY - timedelta(days=30),
                known_from=MORNING,
            )
            for person in people
        )
        User.objects.bulk_create(
            User(
                username=f"f{node.school_id}-{person.pk}",
                display_name=person.name,
                person=person,
                home_school_id=person.school_id,
                password="!",  # nobody signs in with it
                date_joined=MORNING,
            )
            for person in people
        )
        users = User.objects.filter(person__in=people, person__school_id=node.school_id).order_by("pk")
        return [
            {"user": user.pk, "person": user.person_id, "school": node.school_id, "serial": user.pass_serial}
            for user in users
        ]

    cast = assemble()
    ensure_partitions(day=day_of(now()))
    with school_context("*"):
        people = [fill(cast.tongxin1), fill(cast.jixie1)]
        for school in (cast.anda, cast.gongda):
            counted(school.pk)
        (round_,) = ensure_rounds(day=day_of(now()))
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "UPDATE round SET closes_at = closes_at + interval '1 day', deadline_at = closes_at,"
            " sheets_due_at = closes_at WHERE id = %s",
            [round_.pk],
        )
    return {
        "round": round_.pk,
        "campaign": round_.campaign_id,
        "version": round_.version_id,
        "day": round_.day.isoformat(),
        "schools": [cast.anda.pk, cast.gongda.pk],
        "nodes": [cast.anda_node.pk, cast.gongda_node.pk],
        "people": people,
    }


if __name__ == "__main__":
    main()
