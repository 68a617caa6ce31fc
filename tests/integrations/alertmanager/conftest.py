"""One Alertmanager for all tests; each test has a maintenance of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.context import StepContext
from integrations.alertmanager import Silence
from tests.integrations.alertmanager.server import Alertmanager, running
from tests.integrations.leases.alongside import UNTIL, Night


@pytest.fixture(scope="session")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    with running(tmp_path_factory.mktemp("alertmanager")) as server:
        yield server


@pytest.fixture
def server(_server: Alertmanager) -> Iterator[Alertmanager]:
    _server.road.asked.clear()
    yield _server
    _server.faults.clear()


@pytest.fixture
def night(server: Alertmanager, context_of: Callable[..., StepContext], surroundings: Any) -> Night:
    return Night(context_of, surroundings, {"MAINT_ALERTMANAGER_URL": server.base_url})


@pytest.fixture
def name(night: Night) -> str:
    """The name of an alert that only this test has."""
    return f"Down{night.maintenance[-8:]}"


@pytest.fixture
def step(name: str) -> Silence:
    return Silence(matchers=(f"alertname={name}",), until=UNTIL, lease_s=2)
