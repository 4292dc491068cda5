"""What the bench asks of the product from inside: sessions of readers, their addresses, and the check of the boards.

Run as a program of its own, because it needs Django set up for one data directory:

    inside.py DATA readers            one line JSON: addresses to read, each with a cookie
    inside.py DATA boards SECONDS     every two seconds: the province's board against the reports, in one snapshot
    inside.py DATA trend TIMES        milliseconds of the trend's query, without the page around it
    inside.py DATA truth              counters of every school against the truth; how many differ
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

from anxiao.config.bench.cli import ready

OFFICER = "bench-province"
EVERY = 2.0

_TRUTH = """
SELECT o.id, count(r.person_id) FILTER (WHERE r.version = 1 AND e.id IS NULL AND NOT r.late),
       count(r.person_id) FILTER (WHERE r.version = 1 AND e.id IS NULL AND r.late),
       count(r.person_id) FILTER (WHERE r.version = 1 AND e.id IS NOT NULL),
       count(r.person_id) FILTER (WHERE r.is_current AND r.unwell),
       count(r.person_id) FILTER (WHERE r.is_current AND r.fever)
FROM organisation o
LEFT JOIN report r ON r.school_id = o.school_id AND r.day = %(day)s AND r.round_id = %(round)s
LEFT JOIN exemption e ON e.school_id = r.school_id AND e.person_id = r.person_id AND e.cancelled_at IS NULL
    AND e.valid_from <= r.day AND e.valid_to > r.day
WHERE o.kind = 'school'
GROUP BY o.id
"""


def tell(what: Any) -> None:
    sys.stdout.write("JSON " + json.dumps(what) + "\n")
    sys.stdout.flush()


def today() -> Any:
    from anxiao.base.clock import day_of, now
    from anxiao.base.tenancy import school_context
    from anxiao.reporting.commands.campaigns import ensure_rounds

    with school_context("*"):
        return ensure_rounds(day=day_of(now()))[0]


def officer() -> tuple[Any, Any]:
    """The scope of the province's officer, and their node."""
    from anxiao.accounts.models import User
    from anxiao.accounts.queries import scope_of
    from anxiao.base.clock import day_of, now
    from anxiao.base.tenancy import school_context
    from anxiao.directory.models import Organisation

    user = User.objects.using("bulk").get(username=OFFICER)
    scope = scope_of(user, day_of(now()))
    with school_context("*"):
        return scope, Organisation.objects.get(pk=scope.grants[0].node_id)


# --- readers -----------------------------------------------------------------------------------


def readers() -> None:
    """Officers of every level with a session, and what each of them reads."""
    from django.conf import settings
    from django.db import connections
    from django.urls import reverse

    chance = Random(7)  # noqa: S311 - the same province is read at the same places
    cursor = connections["bulk"].cursor()

    def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
        cursor.execute(sql, params)
        return list(cursor.fetchall())

    def some(role: str, many: int) -> list[tuple[int, int, int]]:
        """Account, node, school."""
        found = rows(
            "SELECT DISTINCT ON (g.organisation_id) g.user_id, g.organisation_id, o.school_id FROM account_grant g"
            " JOIN organisation o ON o.id = g.organisation_id WHERE g.role = %s ORDER BY g.organisation_id",
            role,
        )
        return chance.sample(found, min(many, len(found)))

    ((province, top),) = rows(
        "SELECT u.id, g.organisation_id FROM account u JOIN account_grant g ON g.user_id = u.id WHERE u.username = %s",
        OFFICER,
    )
    ((largest, people),) = rows(
        "SELECT school_id, count(*) FROM person GROUP BY school_id ORDER BY count(*) DESC, school_id LIMIT 1"
    )
    ((head, school_node),) = rows(
        "SELECT g.user_id, g.organisation_id FROM account_grant g JOIN organisation o ON o.id = g.organisation_id"
        " WHERE g.role = 'epidemic_officer' AND o.school_id = %s",
        largest,
    )
    page = min(1000, max(people // 50 - 2, 1))
    ((deep,),) = rows(
        "SELECT id FROM person WHERE school_id = %s ORDER BY number, id OFFSET %s LIMIT 1", largest, page * 50 - 1
    )
    known = rows(
        "SELECT name, number FROM person WHERE school_id = %s ORDER BY hashint8extended(id, 5) LIMIT 12", largest
    )

    def board(node: int) -> str:
        return reverse("portal:console_node", args=[node])

    missing = reverse("portal:console_node_list", args=[school_node, "missing"])
    people_page = reverse("directory:people")
    wanted: list[tuple[str, int, str]] = [
        ("board of the province", province, board(top)),
        ("its numbers alone", province, board(top) + "?part=numbers"),
        ("wall of the province", province, reverse("portal:wall-data")),
    ]
    wanted += [("board of a school", user, board(node)) for user, node, _ in some("epidemic_officer", 12)]
    wanted += [("board of a college", user, board(node)) for user, node, _ in some("college_officer", 12)]
    wanted += [("board of a class", user, board(node)) for user, node, _ in some("counsellor", 12)]
    wanted += [
        ("names of the missing, page 1", head, missing),
        (f"names of the missing, page {page}", head, f"{missing}?after={deep}"),
    ]
    wanted += [("person by number, in a school", head, f"{people_page}?q={quote(number)}") for _, number in known]
    wanted += [("person by name, in a school", head, f"{people_page}?q={quote(name)}") for name, _ in known]
    wanted += [
        ("person by number, in the province", province, f"{people_page}?q={quote(number)}") for _, number in known
    ]
    wanted += [("person by name, in the province", province, f"{people_page}?q={quote(name)}") for name, _ in known]
    cookies = {user: _session(user) for user in {user for _, user, _ in wanted}}
    tell(
        {
            "cookie": settings.SESSION_COOKIE_NAME,
            "trivial": reverse("healthz"),
            "reads": [{"what": what, "session": cookies[user], "path": path} for what, user, path in wanted],
            "wall": {"session": cookies[province], "path": reverse("portal:wall-data")},
        }
    )


def _session(user_id: int) -> str:
    """A signed-in session, as the sign-in would have made it; only ever in a synthetic province."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from anxiao.accounts.models import User
    from anxiao.accounts.names import SECOND_FACTOR_SESSION_KEY

    user = User.objects.get(pk=user_id)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "anxiao.accounts.backends.AccountBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session[SECOND_FACTOR_SESSION_KEY] = user.pk
    session.save()
    return str(session.session_key)


# --- boards ------------------------------------------------------------------------------------


def boards(seconds: float) -> None:
    """Compare the board of the province, and that of each school, with the reports themselves."""
    from django.db import connection, connections
    from psycopg import IsolationLevel

    from anxiao.base.tenancy import school_context
    from anxiao.reporting.queries.boards import today_board

    connections["default"].settings_dict["OPTIONS"]["isolation_level"] = IsolationLevel.REPEATABLE_READ
    connections["default"].close()
    round_ = today()
    scope, node = officer()
    end = time.time() + seconds
    checks: list[dict[str, Any]] = []
    while time.time() < end:
        began = time.time()
        with school_context("*"):
            board = today_board(scope, node, round_)
            shown_at = time.time()
            with connection.cursor() as cursor:
                cursor.execute(_TRUTH, {"day": round_.day, "round": round_.pk})
                truth = {row[0]: row[1:] for row in cursor.fetchall()}
        wrong = [
            [child.node.pk, list(found), list(truth[child.node.pk])]
            for child in board.children
            if (found := _counts(child.figures)) != truth[child.node.pk]
        ]
        whole = tuple(sum(column) for column in zip(*truth.values(), strict=True))
        if _counts(board.total) != whole:
            wrong.append([node.pk, list(_counts(board.total)), list(whole)])
        checks.append(
            {
                "at": began,
                "reported": whole[0] + whole[1],
                "wrong": wrong,
                "board_ms": round((shown_at - began) * 1000, 1),
                "truth_ms": round((time.time() - shown_at) * 1000, 1),
            }
        )
        time.sleep(max(began + EVERY - time.time(), 0.0))
    tell(checks)


def _counts(found: Any) -> tuple[int, ...]:
    return found.on_time, found.late, found.exempt_reported, found.unwell, found.fever


def trend(times: int) -> None:
    from anxiao.base.tenancy import school_context
    from anxiao.reporting.queries import boards as queries

    round_ = today()
    scope, node = officer()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        with school_context("*"):
            queries.trend(scope, node, round_.campaign, round_.day, days=10)
        found.append(round((time.perf_counter() - began) * 1000, 2))
        time.sleep(0.05)
    tell(found)


def truth() -> None:
    from django.db import connections

    from anxiao.base.tenancy import school_context
    from anxiao.reporting.commands.counting import differences

    round_ = today()
    cursor = connections["bulk"].cursor()
    cursor.execute("SELECT DISTINCT school_id FROM organisation WHERE kind = 'school' ORDER BY 1")
    wrong = 0
    for (school,) in cursor.fetchall():
        with school_context("*"):
            wrong += len(differences(school_id=school, since=round_.day))
    tell(wrong)


if __name__ == "__main__":
    _data, _what, *_more = sys.argv[1:]
    with ready(Path(_data)):
        if _what == "readers":
            readers()
        elif _what == "boards":
            boards(float(_more[0]))
        elif _what == "trend":
            trend(int(_more[0]))
        elif _what == "truth":
            truth()
        else:
            sys.exit(__doc__)
