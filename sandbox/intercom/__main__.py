"""`python -m sandbox.intercom --contacts 100000`: a workspace alone, in a process of its own, until interrupted."""

import argparse
import contextlib
import threading

from sandbox.intercom import EVERYONE, Intercom
from sandbox.server import serving

_FOR_EVER = 2**62


def main() -> None:
    """Serve a workspace; the first line printed is its address."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.intercom", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--contacts", type=int, default=1000, help="how many people there are")
    parser.add_argument("--everyone", action="store_true", help="all of them active users, none deleted or opted out")
    parser.add_argument("--limit", type=int, default=1667, help="requests granted in each window; 0 for no limit")
    parser.add_argument("--window-s", type=float, default=10.0, help="length of such a window, in seconds")
    parser.add_argument("--answer-ms", type=float, default=0.0, help="how long each request takes to be carried out")
    chosen = parser.parse_args()
    workspace = Intercom(
        contacts=chosen.contacts,
        mix=EVERYONE if chosen.everyone else None,
        limit=chosen.limit or None,
        window_s=chosen.window_s,
    )
    if chosen.answer_ms:
        workspace.app.arm("delay", path="^/(messages|contacts)", delay_s=chosen.answer_ms / 1000, times=_FOR_EVER)
    with serving(workspace.app, chosen.port) as server:
        print(server.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
