"""Whoever supervises the bot asks it over HTTP whether it is ready, and what is not."""

from collections.abc import Callable
from pathlib import Path

import httpx

from sandbox.bot_process import BotProcess
from sandbox.postgres.cluster import _free_port
from sandbox.server import serving
from sandbox.slack import Workspace
from sandbox.slack.people import Slack
from tests.scenarios.fleet import until
from tests.scenarios.house import config, settings


def test_ready_while_slack_is_there_and_alive_while_it_is_not(tmp_path: Path) -> None:
    with serving(Workspace(config()).app) as server:
        slack, port = Slack(server.url, wait_s=90), _free_port()
        more = {"MAINT_METRICS": "on", "MAINT_PORT": str(port)}
        with BotProcess({**settings(server.url, tmp_path), **more}, tmp_path / "bot.log"):
            slack.wait_for_app()
            asks = _asker(f"http://127.0.0.1:{port}")
            until(lambda: asks("/readyz") == (200, {"ok": True}), "it is ready")
            numbers = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
            assert numbers.headers["Content-Type"].startswith("text/plain; version=")
            assert "maint_log_lag_seconds 0.0" in numbers.text
            slack.break_api("status", times=10**9, status=503, body="down")
            slack.disconnect_sockets()
            until(lambda: asks("/readyz")[0] == 503, "it has noticed")
            assert asks("/readyz")[1] == {"ok": False, "wrong": {"slack": "the socket is not connected"}}
            assert asks("/healthz") == (200, {"ok": True})


def _asker(url: str) -> Callable[[str], tuple[int, object]]:
    def asks(path: str) -> tuple[int, object]:
        answer = httpx.get(url + path, trust_env=False)
        return answer.status_code, answer.json()

    return asks
