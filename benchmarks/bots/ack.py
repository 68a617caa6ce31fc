"""How soon a command is acknowledged while the bot is busy, by HTTP and by Socket Mode; and what that leaves in memory.

Beside the commands, one maintenance sends to all users of an app and another one runs a program that reports progress
ten times a second, as a vacuum does. A bare Bolt app gets the same commands in the same workspace afterwards.
"""

import sys
import time
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.bots.place import Bot, bot, free_port, intercom, median, percentile, rss_mb, served, slack
from sandbox.slack.people import Slack

A_SECOND = 50
_PATIENCE_MS = 3000.0
COMMANDS = ("/maint status {id}", "/maint list", "/maint help", "/maint plan {id}")
SEND = """
  - id: tell
    uses: intercom.message
    title: Tell the users
    approval: false
    with: {body: We will be down tonight.}
"""
WORK = """
  - id: vacuum
    uses: command
    title: Work that reports what it does
    approval: false
    with: {argv: ["PYTHON", "-c", "import time\\nfor n in range(2400): print(n, flush=True); time.sleep(0.1)"]}
"""


def ack(folder: Path, options: Namespace) -> dict[str, float]:
    """Return the worse p99 of both ways, and the resident memory after all of it."""
    worst_ms, most_mb = 0.0, 0.0
    for mode in ("http", "socket"):
        with slack() as where, intercom(options.contacts) as settings:
            with bot(folder / f"ack-{mode}", where, mode, **settings) as made:
                made.process.start()
                made.is_reached()
                busy = _busy(made)
                took = load(where, options.seconds, busy)
                most_mb = max(most_mb, rss_mb(made.process.pid))
                sent = made.rows("SELECT count(*) FROM ledger WHERE state = 'sent'")[0][0]
            port = free_port()
            with served("benchmarks.bots.bare", mode, where.url, str(port)):
                where.use_request_url("") if mode == "socket" else _reached(where, port)
                bare = load(where, options.seconds, busy)
        worst_ms = max(worst_ms, percentile(took, 0.99))
        print(
            f"acknowledged by {mode:<6} {_told(took)}; a bare Bolt app: {_told(bare)}; {sent} messages sent meanwhile"
        )
    print(f"resident memory afterwards {most_mb:.0f} MB")
    return {"ack-p99-ms": worst_ms, "rss-mb": most_mb}


def _busy(made: Bot) -> str:
    """Start the send and the work; returns the id of the send."""
    sending = made.plans("send", SEND)
    made.plans("work", WORK.replace("PYTHON", sys.executable))
    made.until("SELECT count(*) FROM ledger WHERE state = 'sent'")
    return sending


def _reached(where: Slack, port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            where.use_request_url(f"http://127.0.0.1:{port}/slack/events")
            if where.person("ana").says("/maint help")["error"] == "":
                return
        except AssertionError:
            pass
        time.sleep(0.05)
    raise AssertionError("the bare app is not reached")


def load(where: Slack, seconds: float, maintenance: str) -> list[float]:
    """Give 50 commands a second for `seconds`; returns the time to each acknowledgement in milliseconds.

    It is the time that the workspace took for the request to it, and with it the way to the app and back. Those that
    Slack could not deliver, or gave up waiting for, count as 3 seconds.
    """
    people = [where.person(name) for name in ("ana", "ben", "chloe", "dev")]
    begun = time.monotonic()

    def give(number: int) -> float:
        text = COMMANDS[number % len(COMMANDS)].format(id=maintenance)
        time.sleep(max(0.0, begun + number / A_SECOND - time.monotonic()))
        at = time.perf_counter()
        error = people[number // 4 % 4].says(text)["error"]
        took_ms = (time.perf_counter() - at) * 1000
        return took_ms if not error else max(took_ms, _PATIENCE_MS)

    with ThreadPoolExecutor(32) as pool:
        return list(pool.map(give, range(int(seconds * A_SECOND))))


def _told(took: list[float]) -> str:
    most, late = percentile(took, 0.99), sum(each >= _PATIENCE_MS for each in took)
    return (
        f"p50 {median(took):.0f} ms, p99 {most:.0f} ms ({most / _PATIENCE_MS:.0%} of 3 s), {late} of {len(took)} lost"
    )
