"""Stands for the steps that call something of the team's own, or write to people."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.step import Step
from integrations.app import Off, On
from integrations.command import Command
from integrations.http_call import HttpCall
from integrations.intercom import Message, NewsDraft, PublishNews
from sandbox.intercom import ADMIN_ID, Intercom
from sandbox.server import serving
from tests.integrations.http_call.service import running
from tests.stands.stand import Stand, stand

TOKEN = "a-token-that-nobody-may-read"


@stand("app.off", "app.on")
@contextmanager
def switch(_: Path, uses: str) -> Iterator[Stand]:
    """An app with a switch for its maintenance page."""
    with running() as service:
        url = f"{service.url}/switch"
        fields: dict[str, Any] = {
            "turn_off": {"url": url, "method": "PUT", "body": {"off": True}},
            "turn_on": {"url": url, "method": "PUT", "body": {"off": False}},
            "read": {"url": url, "field": "maintenance.enabled"},
        }
        steps: dict[str, Step] = {"off": Off(**fields)} | ({"on": On(**fields)} if uses == "app.on" else {})
        yield Stand(
            steps, {"MAINT_APP_TOKEN": TOKEN}, lambda: service.off, lambda: service.off, (TOKEN,), service.faults
        )


@stand("http")
@contextmanager
def http_call(_: Path) -> Iterator[Stand]:
    """A service that counts what is posted, and says which it has."""
    with running() as service:
        step = HttpCall.model_validate(
            {"url": f"{service.url}/orders", "method": "POST", "body": {"item": "tea"}, "bearer": "MAINT_SHOP_TOKEN"}
        )
        settings = {"MAINT_SHOP_TOKEN": TOKEN}
        yield Stand({"order": step}, settings, lambda: list(service.orders), lambda: None, (TOKEN,), service.faults)


@stand("command")
@contextmanager
def command(folder: Path) -> Iterator[Stand]:
    """A program that leaves a line each time it runs."""
    lines = folder / "lines"
    folder.mkdir()
    argv = ("sh", "-c", f'echo "$SHOP_TOKEN" | wc -c >> {lines}; touch {lines}.up')
    step = Command.model_validate(
        {"argv": argv, "undo_with": ("rm", "-f", f"{lines}.up"), "secret_env": {"SHOP_TOKEN": "MAINT_SHOP_TOKEN"}}
    )
    yield Stand(
        {"run": step},
        {"MAINT_SHOP_TOKEN": TOKEN},
        lambda: lines.read_text() if lines.exists() else "",
        lambda: lines.with_suffix(".up").exists(),
        (TOKEN,),
    )


@stand("intercom.message")
@contextmanager
def mass_message(_: Path) -> Iterator[Stand]:
    """A workspace with some people who are active."""
    workspace = Intercom(limit=None)
    people = [workspace.add_contact().id for _ in range(5)]
    with serving(workspace.app) as server:
        settings = {
            "MAINT_INTERCOM_TOKEN": "intercom-token",
            "MAINT_INTERCOM_URL": server.url,
            "MAINT_INTERCOM_ADMIN_ID": ADMIN_ID,
        }
        step = Message.model_validate({"body": "Down at 5 pm", "read_back_after_s": 0})

        def seen() -> object:
            return [workspace.received(one) for one in people]

        yield Stand({"tell": step}, settings, seen, lambda: None, ("intercom-token",), workspace.app, looks="/search$")


@stand("intercom.news", "intercom.publish_news")
@contextmanager
def news(_: Path, uses: str) -> Iterator[Stand]:
    """A workspace with one newsfeed."""
    workspace = Intercom(limit=None)
    with serving(workspace.app) as server:
        settings = {
            "MAINT_INTERCOM_TOKEN": "intercom-token",
            "MAINT_INTERCOM_URL": server.url,
            "MAINT_INTERCOM_ADMIN_ID": ADMIN_ID,
        }
        steps: dict[str, Step] = {"news": NewsDraft(title="PostgreSQL 18", body="It is faster.")}
        if uses == "intercom.publish_news":
            steps["publish"] = PublishNews(draft="news")

        def seen() -> object:
            return [(item["title"], item["state"], item["body"]) for item in workspace.news.values()]

        yield Stand(steps, settings, seen, seen, ("intercom-token",), workspace.app)
