"""Whatever keeps the bot busy with what people asked, the next request is acknowledged."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from slack_bolt import App, BoltRequest
from slack_sdk import WebClient

from bot.errors import BadInput
from commands.behind import Behind
from commands.listeners import register
from commands.verb import Bot
from sandbox.server import serving
from sandbox.slack import Config, Limits, Workspace

MANY = 200


class Occupied:
    """A bot that lets nobody in until it is told to, as one whose outside systems keep it waiting."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.begun = threading.Semaphore(0)

    def admit(self, *_: Any) -> None:
        self.begun.release()
        self.free.wait(60)
        raise BadInput("enough")


def test_commands_are_acknowledged_while_hundreds_before_them_wait() -> None:
    bot = Occupied()
    with serving(Workspace(Config(limits=Limits(scale=100))).app) as server:
        app = App(
            client=WebClient(token=Config().app.bot_token, base_url=f"{server.url}/api/"),
            token_verification_enabled=False,
            request_verification_enabled=False,
            listener_executor=ThreadPoolExecutor(1),
        )
        register(app, cast(Bot, bot))
        said = {
            "command": "/maint",
            "text": "",
            "user_id": "U0ANA0001",
            "team_id": "T0SANDBOX",
            "channel_id": "C0MAINT01",
            "trigger_id": "1.2",
        }
        try:
            answers = [app.dispatch(BoltRequest(body=urlencode(said), mode="http")).status for _ in range(MANY)]
            assert answers == [200] * MANY
            assert bot.begun.acquire(timeout=60)
        finally:
            bot.free.set()


def test_what_breaks_behind_is_logged_and_the_next_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    behind, done = Behind(threads=1), threading.Event()
    behind(lambda: cast(None, 1 / 0))
    behind(done.set)
    assert done.wait(60)
    assert "answer_broke" in capsys.readouterr().out
