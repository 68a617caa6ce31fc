"""`script/demo`: the story on this machine. `--auto` plays requester and approver by itself."""

import argparse
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from sandbox.bot_process import BotProcess
from sandbox.demo.judge import promises
from sandbox.demo.play import Story
from sandbox.demo.world import World
from sandbox.jekyll import Jekyll, JekyllMissing
from sandbox.slack import Limits

_STARTED = time.monotonic()
_AUTO_SCALE = 4.0


def say(line: str) -> None:
    """Print a line with the time since the start."""
    seconds = int(time.monotonic() - _STARTED)
    print(f"{seconds // 60:02d}:{seconds % 60:02d}  {line}", flush=True)


def main() -> int:
    """Run the demo; returns the exit status."""
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    parser.add_argument("--auto", action="store_true", help="play requester and approver, and judge the outcome")
    parser.add_argument(
        "--port", type=int, default=0, help="port of the channel's page on 127.0.0.1 (0 takes a free one)"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="size of the database; 1.0 has 3,000,000 orders")
    parser.add_argument("--contacts", type=int, default=2000, help="people in Intercom")
    parser.add_argument("--jekyll", action="store_true", help="build the sites with real Ruby, Bundler and Jekyll")
    chosen = parser.parse_args()
    if chosen.jekyll and (missing := _missing_for_jekyll()):
        parser.error(missing)
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.default_int_handler)
    # Slack takes one message a second. People read no faster; with nobody there, most of the time would go into that.
    limits = Limits(scale=_AUTO_SCALE if chosen.auto else 1.0)
    world = World(
        say, scale=chosen.scale, contacts=chosen.contacts, port=chosen.port, limits=limits, jekyll=chosen.jekyll
    )
    try:
        with BotProcess(world.environment(), world.folder / "bot.log") as bot:
            say(f"All pages to look at: {world.start.url}/")
            say(f"The channel: {world.slack.url}/")
            if chosen.auto:
                return auto(world, bot)
            say("Type /maint start in #maintenance; switch between people at the top. Ctrl-C ends it.")
            threading.Event().wait()
    except KeyboardInterrupt:
        say("Ended.")
    finally:
        world.stop()
    return 0


def _missing_for_jekyll() -> str:
    """Return what real builds of the sites lack on this machine; empty if nothing."""
    with tempfile.TemporaryDirectory() as home:
        try:
            Jekyll(Path(home))
        except JekyllMissing as missing:
            return str(missing)
    return ""


def auto(world: World, bot: BotProcess) -> int:
    """Play the story and judge it: 0 only if everything that was promised holds."""
    story = Story(world.slack.url, say)
    story.begin()
    state = story.play()
    verified = story.verify()
    say(verified)
    checks = {
        "the maintenance completed": state == "completed",
        "the channel's log is intact": "is intact" in verified,
        **promises(world),
        "the bot is still running": bot.running(),
    }
    for promise, kept in checks.items():
        say(f"{'✓' if kept else '✗'} {promise}")
    if not all(checks.values()):
        sys.stderr.write((world.folder / "bot.log").read_text()[-5000:])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
