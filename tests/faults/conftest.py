"""Deployments for tests that hurt them: copies of one template, each in a directory of its own."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.deployment import Deployment, Stage, copy_of, make_stage

Deploy = Callable[..., Deployment]


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """The template: made once a test process, in some seconds."""
    made = make_stage()
    yield made
    shutil.rmtree(made.template, ignore_errors=True)


@contextlib.contextmanager
def _deploying(stage: Stage, blocker: Any) -> Iterator[Deploy]:
    with contextlib.ExitStack() as leaving, blocker.unblock():

        def deploy(on: Callable[[Path], object] = bool, **environment: str) -> Deployment:
            data = Path(tempfile.mkdtemp(prefix="anxiao-fault-"))
            leaving.callback(shutil.rmtree, data, ignore_errors=True)
            on(data)
            copy_of(stage, data)
            made = Deployment(stage, data, environment)
            leaving.callback(made.stop)
            return made

        yield deploy


@pytest.fixture
def deploy(stage: Stage, django_db_blocker: Any) -> Iterator[Deploy]:
    """Makes deployments that are not started yet; they end with the test. ``on`` may prepare their directory."""
    with _deploying(stage, django_db_blocker) as made:
        yield made


@pytest.fixture(scope="module")
def deploy_module(stage: Stage, django_db_blocker: Any) -> Iterator[Deploy]:
    """The same for all tests of a module."""
    with _deploying(stage, django_db_blocker) as made:
        yield made


@pytest.fixture(scope="module")
def standing(deploy_module: Deploy) -> Deployment:
    """A deployment that serves all tests of a module, which leave it as well as they found it."""
    return deploy_module().start()
