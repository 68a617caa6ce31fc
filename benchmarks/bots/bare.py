"""The peer: a Bolt app that acknowledges `/maint` and does nothing else.

`python -m benchmarks.bots.bare MODE URL PORT` prints `up` when it is reached.
"""

import sys
import threading

from slack_bolt import Ack, App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

from benchmarks.bots.place import SECRET
from sandbox.slack import Config


def main() -> None:
    """Listen by HTTP with Bolt's own server, or by Socket Mode, until ended."""
    mode, url, port = sys.argv[1:]
    own = Config().app
    client = WebClient(token=own.bot_token, base_url=f"{url}/api/")
    app = App(client=client, signing_secret=SECRET, token_verification_enabled=False)

    @app.command("/maint")
    def listen(ack: Ack) -> None:
        ack()

    if mode == "socket":
        SocketModeHandler(app, own.app_token).connect()  # type: ignore[no-untyped-call]
        print("up http://127.0.0.1:0", flush=True)
        threading.Event().wait()
    print(f"up http://127.0.0.1:{port}", flush=True)
    app.start(port=int(port), http_server_logger_enabled=False)


if __name__ == "__main__":
    main()
