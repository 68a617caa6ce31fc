"""`python -m sandbox.slack --port 4390`: the workspace alone, until interrupted."""

import argparse
import contextlib
import dataclasses
import threading
from pathlib import Path

from sandbox.server import serving
from sandbox.slack import Config, Limits, Workspace
from sandbox.slack.manifest import installed


def main() -> None:
    """Serve a workspace and print what an app needs to connect to it."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.slack", description=__doc__)
    parser.add_argument("--port", type=int, default=4390, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--request-url", default="", help="deliver by signed HTTP to this URL, not by Socket Mode")
    parser.add_argument("--signing-secret", help="of the app, for delivery by HTTP")
    parser.add_argument("--manifest", type=Path, help="install the app as this manifest says")
    parser.add_argument("--no-limits", action="store_true", help="without rate limits")
    chosen = parser.parse_args()
    config = Config(request_url=chosen.request_url, limits=Limits(enabled=not chosen.no_limits))
    if chosen.manifest:
        config = installed(config, chosen.manifest.read_text())
    if chosen.signing_secret:
        app = dataclasses.replace(config.app, signing_secret=chosen.signing_secret)
        config = dataclasses.replace(config, apps=(app, *config.apps[1:]))
    with serving(Workspace(config).app, chosen.port) as server:
        for field in ("bot_token", "app_token", "signing_secret"):
            print(f"{field:15} {dataclasses.asdict(config.app)[field]}")
        print(f"{'API':15} {server.url}/api/\n{'page':15} {server.url}/", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
