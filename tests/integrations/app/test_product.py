"""Taking the sandbox's app off and on, while a probe watches what its visitors see."""

import threading
import time
from collections.abc import Callable
from typing import Any

from bot.attempt import perform
from bot.context import StepContext
from bot.entry import Kind
from bot.journal import Draft
from integrations.app import Off, On
from integrations.probe import Probe
from sandbox.product import TOKEN, Product
from sandbox.server import serving
from tests.maintenance_fixtures import raw_step


def test_off_and_on_while_a_probe_watches(context_of: Callable[..., StepContext], maintenances: Any) -> None:
    product = Product()
    steps = [raw_step("watch", "probe"), raw_step("app-off", "app.off"), raw_step("app-on", "app.on")]
    with serving(product.app) as server:
        switch = {"url": f"{server.url}/admin/maintenance", "method": "PUT"}
        fields: dict[str, Any] = {
            "turn_off": {**switch, "body": {"enabled": True}},
            "turn_on": {**switch, "body": {"enabled": False}},
            "read": {"url": f"{server.url}/admin/maintenance", "field": "maintenance"},
        }
        settings = {"MAINT_APP_TOKEN": TOKEN}
        watch = context_of(id_="watch", steps=steps, settings=settings)
        seen: list[Any] = []
        probe = Probe(urls=(f"{server.url}/",), until="app-on", every_s=0.1)
        watching = threading.Thread(target=lambda: seen.append(perform(probe, watch)))
        watching.start()
        probed(watch, 1)
        perform(Off(**fields), context_of(id_="app-off"))
        assert product.maintenance
        probed(watch, len(lines(watch)) + 3)
        perform(On(**fields), context_of(id_="app-on"))
        settle(maintenances, watch, "app-on")
        watching.join(60)
    told = seen[0].facts["urls"][f"{server.url}/"]
    assert len(told["down"]) == 1
    assert told["failures"] >= 2
    assert told["up_at_the_end"]
    assert [change.maintenance for change in product.transitions] == [True, False]


def lines(ctx: StepContext) -> list[str]:
    path = ctx.workdir / "probe.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def probed(ctx: StepContext, number: int) -> None:
    deadline = time.monotonic() + 60
    while len(lines(ctx)) < number:
        assert time.monotonic() < deadline, "the probe has stopped"
        time.sleep(0.02)


def settle(maintenances: Any, ctx: StepContext, step: str) -> None:
    drafts = [
        Draft(Kind.STEP_STARTED, "maint", f"{step}:1", step, {"attempt": 1}),
        Draft(Kind.STEP_SUCCEEDED, "maint", f"{step}:2", step, {"summary": "", "facts": {}, "files": {}}),
    ]
    maintenances.record(ctx.maintenance, lambda _: drafts)
