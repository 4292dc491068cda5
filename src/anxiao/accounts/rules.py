"""Pure decisions about accounts: names, codes, who may give which role.  No tables, no request, no clock."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Iterable
from datetime import timedelta

from anxiao.base.permissions import ROLE_PERMISSIONS, Permission, Role
from anxiao.base.scope import Scope

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 signs that nobody mixes up on paper: no 0, O, 1, I."""

SCHOOL_SIGNS, SECRET_SIGNS = 3, 9
"""A code begins with its school (32,768 of them), so that nobody has to choose one; nine signs are 45 random bits."""

CODE_LIFETIME = timedelta(days=7)
CODE_ATTEMPTS = 5
PASSWORD_SIGNS = 12

ROLE_NODES: dict[Role, frozenset[str]] = {
    Role.COLLEGE_OFFICER: frozenset({"college", "department"}),
    Role.COUNSELLOR: frozenset({"class"}),
    Role.CLASS_HEAD: frozenset({"class"}),
    Role.DORM_MANAGER: frozenset({"school"}),
    Role.SCHOOL_DOCTOR: frozenset({"school"}),
    Role.SECURITY: frozenset({"school"}),
    Role.LOGISTICS: frozenset({"school"}),
}
"""Roles that a school gives by itself, and the nodes on which each makes sense.  Those above come from the province."""

PLACE_ROLES = frozenset({Role.DORM_MANAGER})
"""Roles that need a place besides the school, and see no further than it."""

ROLE_PLACES: dict[Role, frozenset[str]] = {
    Role.DORM_MANAGER: frozenset({"building"}),
    Role.SCHOOL_DOCTOR: frozenset({"clinic"}),
    Role.SECURITY: frozenset({"gate"}),
    Role.LOGISTICS: frozenset({"campus", "building"}),
}
"""Cells of the grid that a role may answer for.  Where no role needs it, the cell says who is to be asked there and
takes nothing away from what the role sees."""


def fold_username(text: str) -> str:
    """One spelling for what people type: full-width letters, spaces around it and capitals make no difference.

    Capitals first, because the database compares in capitals: what is one account there (the dotless i is an I) must be
    one name here, or every such letter would double the guesses.
    """
    return unicodedata.normalize("NFKC", text).strip().upper().casefold()


def person_username(school_code: str, number: str) -> str:
    """The user name of somebody from the directory: school and number."""
    return f"{school_code}:{number}"


def plain(text: str) -> str:
    """Names and numbers as compared with what a person typed: without spaces, width and capitals."""
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


def new_code(school_id: int) -> str:
    """A one-time code of twelve signs; the first three say which school."""
    if not 0 < school_id < len(ALPHABET) ** SCHOOL_SIGNS:
        raise ValueError("this school's id does not fit into a code")
    head = ""
    rest = school_id
    for _place in range(SCHOOL_SIGNS):
        rest, digit = divmod(rest, len(ALPHABET))
        head = ALPHABET[digit] + head
    return head + "".join(secrets.choice(ALPHABET) for _place in range(SECRET_SIGNS))


def read_code(text: str) -> tuple[int, str] | None:
    """School and code of what was typed or scanned; None when it cannot be a code."""
    code = "".join(c for c in unicodedata.normalize("NFKC", text).upper() if c.isalnum())
    if len(code) != SCHOOL_SIGNS + SECRET_SIGNS or any(c not in ALPHABET for c in code):
        return None
    school_id = 0
    for sign in code[:SCHOOL_SIGNS]:
        school_id = school_id * len(ALPHABET) + ALPHABET.index(sign)
    return school_id, code


def grouped(code: str) -> str:
    """A code or password as printed: four signs, a dash, four signs ..."""
    return "-".join(code[i : i + 4] for i in range(0, len(code), 4))


def number_hint(number: str) -> str:
    """The end of a number, enough to tell two people of one name apart.  The slip does not carry the whole number,
    because whoever finds it would then hold everything that activation asks for."""
    return number if len(number) <= 4 else "…" + number[-3:]


def code_hash(secret: str, code: str) -> str:
    """What is kept of a code: a keyed digest, useless to whoever reads only the database."""
    key = hashlib.sha256(b"anxiao.activation.1:" + secret.encode()).digest()
    return hmac.new(key, code.encode(), hashlib.sha256).hexdigest()


def alarm_of(*, is_others_number: bool, is_owners_name: bool, misses: int) -> str | None:
    """What a miss says about a code (``names.AlarmKind``): it was tried with the number of somebody else of the school
    (and not only by a slip of the finger beside the right name), it was tried too often, or nothing."""
    if is_others_number and not is_owners_name:
        return "somebody_else"
    return "too_often" if misses >= CODE_ATTEMPTS else None


def name_fingerprint(secret: str, name: str) -> str:
    """Stands in the ledger for a user name that nobody has: it may be a password typed into the wrong field."""
    key = hashlib.sha256(b"anxiao.unknown-name.1:" + secret.encode()).digest()
    return hmac.new(key, fold_username(name).encode(), hashlib.sha256).hexdigest()[:16]


def new_password() -> str:
    """A first password to be typed from paper; it must be changed at the first sign-in."""
    return grouped("".join(secrets.choice(ALPHABET) for _place in range(PASSWORD_SIGNS)))


FOUNDING_ROLES = frozenset({Role.SCHOOL_ADMIN, Role.EPIDEMIC_OFFICER})
"""The two roles with which a school begins.  The province gives them, and helps their holders back in."""


def may_help(by: Scope, held: Iterable[tuple[Role, str]]) -> bool:
    """Whether the caller may open a new way into an account with these (role, path): only where every role is the
    caller's to give.  Otherwise a new code or a reset second factor would be a way to a role one could not give."""
    return all(
        may_give(by, role, path) or (role in FOUNDING_ROLES and by.may(Permission.ONBOARDING_APPROVE, path))
        for role, path in held
    )


def may_give(by: Scope, role: Role, path: str) -> bool:
    """Whether the caller may hand out ``role`` on the node at ``path``: a role below the school, and nothing
    that the caller does not hold there."""
    if role not in ROLE_NODES:
        return False
    return all(by.may(permission, path) for permission in ROLE_PERMISSIONS[role])
