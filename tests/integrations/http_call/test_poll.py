"""Waiting for work that goes on after the answer: a provider that upgrades a database, by HTTP and by a program."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.attempt import perform
from bot.context import StepContext
from bot.errors import Final, Stopped
from integrations.command import Command
from integrations.http_call import HttpCall
from sandbox.faults import Faults
from sandbox.server import serving

ContextOf = Callable[..., StepContext]


class Provider:
    """A hosted database: an upgrade takes as many looks as `looks`, and may end in failure."""

    def __init__(self) -> None:
        self.orders = 0
        self.looks = 2
        self.fails = False
        self.url = ""
        routes = [Route("/db", self._show), Route("/db/upgrade", self._upgrade, methods=["POST"])]
        self.faults = Faults(Starlette(routes=routes))

    async def _upgrade(self, request: Request) -> Response:
        await request.body()
        self.orders += 1
        return JSONResponse({"accepted": True}, 202)

    async def _show(self, request: Request) -> Response:
        del request
        self.looks -= self.orders > 0
        if not self.orders or self.looks >= 0:
            return JSONResponse({"version": "14", "state": "upgrading" if self.orders else "available"})
        return JSONResponse({"version": "14" if self.fails else "17", "state": "failed" if self.fails else "available"})


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    with serving(provider.faults) as server:
        provider.url = server.url
        yield provider


def upgrade(provider: Provider, **poll: Any) -> HttpCall:
    until = {"field": "version", "equals": "17"}
    fails_when = [{"field": "state", "equals": "failed"}]
    whole = {"url": f"{provider.url}/db", "until": until, "fails_when": fails_when, "every_s": 0.01, **poll}
    return HttpCall.model_validate({"url": f"{provider.url}/db/upgrade", "method": "POST", "poll": whole})


def test_an_order_is_given_once_and_waited_for_through_faults(provider: Provider, context_of: ContextOf) -> None:
    provider.faults.arm("status", path="^/db$", status=503, skip=1, times=2)
    outcome = perform(upgrade(provider), context_of(HttpCall))
    assert outcome.summary == f'{provider.url}/db shows that it is finished: version is "17".'
    assert provider.orders == 1


def test_a_restarted_bot_goes_on_waiting_and_orders_nothing(
    provider: Provider, context_of: ContextOf, surroundings: Any
) -> None:
    provider.looks = 10**6
    surroundings.stopping.set()
    with pytest.raises(Stopped):
        upgrade(provider).apply(context_of(HttpCall))
    surroundings.stopping.clear()
    provider.looks = 1
    assert "is finished" in perform(upgrade(provider), context_of(HttpCall)).summary
    assert provider.orders == 1


def test_a_failure_there_is_told_with_what_it_says(provider: Provider, context_of: ContextOf) -> None:
    provider.fails = True
    with pytest.raises(Final, match='shows that it has failed: state is "failed"') as failed:
        perform(upgrade(provider), context_of(HttpCall))
    assert json.loads(failed.value.files["answer.json"])["version"] == "14"


def test_what_never_comes_ends_at_the_limit(provider: Provider, context_of: ContextOf) -> None:
    provider.looks = 10**6
    with pytest.raises(Final, match=r'did not show version as "17" within .* last: version is "14"'):
        perform(upgrade(provider, limit_s=0.05), context_of(HttpCall))


def test_a_program_is_run_once_and_another_asked(context_of: ContextOf, tmp_path: Path) -> None:
    """The second look is no JSON, the third shows the new version."""
    looks, runs = tmp_path / "looks", tmp_path / "runs"
    show = (
        f'echo x >> {looks}; case $(wc -l < {looks}) in 1) echo \'{{"db": {{"version": 14}}}}\' ;; '
        '2) echo busy ;; *) echo \'{"db": {"version": 17}}\' ;; esac'
    )
    poll = {"argv": ["sh", "-c", show], "until": {"field": "db.version", "equals": 17}, "every_s": 0.01}
    step = Command.model_validate({"argv": ["sh", "-c", f"echo x >> {runs}"], "poll": poll})
    context = context_of(Command)
    assert "sh shows: db.version is 17" in perform(step, context).summary
    assert len(looks.read_text().split()) == 3
    perform(step, context_of(Command, attempt=2))
    assert runs.read_text().split() == ["x"]
