"""Socket Mode: how Slack reaches a bot that has no public address.

Source: "Using Socket Mode", https://docs.slack.dev/apis/events-api/using-socket-mode.
"""

import threading

import structlog
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk.errors import SlackClientError

log = structlog.get_logger()

_PING_S = 2.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 30.0


class SocketMode:
    """The connection of `app`, opened with the app-level `token`."""

    def __init__(self, app: App, token: str) -> None:
        # A connection that broke without a word is noticed after five pings in vain; until then nobody is heard.
        self._handler = SocketModeHandler(app, token, trace_enabled=False, ping_interval=_PING_S)

    def connect(self, stopping: threading.Event) -> None:
        """Connect, and go on trying while Slack is down: what runs meanwhile does not need it."""
        wait_s = _FIRST_WAIT_S
        while not stopping.is_set():
            try:
                self._handler.connect()  # type: ignore[no-untyped-call]
            except (SlackClientError, OSError) as error:
                log.warning("slack_not_reached", error=type(error).__name__, retry_in_s=wait_s)
                stopping.wait(wait_s)
                wait_s = min(_LONGEST_WAIT_S, wait_s * 2)
            else:
                return

    def is_connected(self) -> bool:
        """Whether Slack can be heard just now."""
        return self._handler.client is not None and self._handler.client.is_connected()

    def close(self) -> None:
        """Hear nothing more."""
        self._handler.close()  # type: ignore[no-untyped-call]
