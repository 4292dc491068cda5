from __future__ import annotations

import pytest

from tests.cast import Cast, assemble
from tests.conftest import Database


@pytest.fixture
def cast(database: Database) -> Cast:
    return assemble()
