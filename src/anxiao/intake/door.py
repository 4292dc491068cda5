"""What the handlers of the door share: the pool, who may still come in, the queue before the commit, the forms."""

from __future__ import annotations

from dataclasses import dataclass, field

from anxiao.base import deployment
from anxiao.intake import environment, meters
from anxiao.intake.batches import Batches
from anxiao.intake.database import Pool, make_pool
from anxiao.intake.earlier import Earlier
from anxiao.intake.forms import Forms
from anxiao.intake.limits import Limits
from anxiao.intake.standing import Standing

_PATIENCE = 3.0


@dataclass(slots=True)
class Door:
    """One a process. Everything in it may be lost at any moment: what counts is in the database."""

    limits: Limits = field(default_factory=Limits)
    secret: str = ""
    pool: Pool = field(init=False)
    standing: Standing = field(init=False)
    batches: Batches = field(init=False)
    earlier: Earlier = field(init=False)
    forms: Forms = field(init=False)

    async def open(self) -> None:
        meters.join()
        self.secret = deployment.secret()
        self.pool = make_pool()
        await self.pool.open(wait=False)
        self.limits = Limits()
        self.standing = Standing(environment.conninfo())
        self.standing.start()
        self.forms = Forms(self.pool, self.standing)
        self.batches = Batches(self.pool)
        self.batches.start()
        self.earlier = Earlier(self.pool)
        await self.standing.ready(_PATIENCE)

    async def close(self) -> None:
        """Finish what was taken in, then end."""
        await self.batches.stop()
        await self.earlier.stop()
        await self.standing.stop()
        await self.pool.close()
