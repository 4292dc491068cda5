"""What a database must hold before anybody can work: its tables, the register of schools, the questionnaire."""

from __future__ import annotations

from anxiao.base import clock


def prepare(*, verbosity: int = 0) -> None:
    """Migrate as the owner, then see that the reference data stands. Safe to run at every start."""
    from django.core.management import call_command

    call_command("migrate", database="owner", verbosity=verbosity, interactive=False)

    from anxiao.directory.register import load_register
    from anxiao.questionnaires.commands import ensure_provincial_daily
    from anxiao.reporting.commands.partitions import ensure_partitions

    now = clock.now()
    load_register()
    ensure_provincial_daily(now=now)
    ensure_partitions(day=clock.day_of(now))


def open_rounds() -> None:
    """The rounds of today, so that the first to come in the morning need not make them."""
    from anxiao.base.tenancy import school_context
    from anxiao.reporting.commands.campaigns import ensure_rounds

    with school_context("*"):
        ensure_rounds(day=clock.day_of(clock.now()))
