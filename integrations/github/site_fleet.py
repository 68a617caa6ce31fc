"""All sites at once: each in a thread of its own, its state on record when it ends, whatever becomes of the others."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from bot.errors import Final, StepError, Temporary
from bot.step import Context
from integrations.github.branch import MergeMethod
from integrations.github.site import Aim, Site
from integrations.github.site_page import lacks
from integrations.github.site_run import Result, SiteRun
from integrations.github.site_theme import Theme
from integrations.github.site_wait import Board, as_seen_by_site

AT_ONCE = 8
"""How many sites are worked on side by side."""

_LOOK_EVERY_S = 0.25


@dataclass(frozen=True)
class Manner:
    """What is the same for all sites: `name` goes into branches and commits, `title` into what people read of them."""

    name: str
    title: str
    method: MergeMethod
    wait_s: float


class Fleet:
    """The sites, each with its own aim. Only the thread that calls `run` writes the journal."""

    def __init__(self, ctx: Context, theme: Theme, work: Sequence[tuple[Site, Aim]], manner: Manner) -> None:
        self._ctx, self._theme, self._work, self._manner = ctx, theme, work, manner
        self._key = f"sites:{manner.name}"
        self._board = Board([site.called for site, _ in work])
        self._halt = threading.Event()

    def run(self) -> dict[str, Any]:
        """Work on every site to its end, and return the state of each by name (see `Result.facts`).

        Raises `Stopped` if the step was to stop, and what a thread of ours broke with.
        """
        states: dict[str, Any] = dict(self._ctx.facts.get(self._key, {}))
        with ThreadPoolExecutor(min(AT_ONCE, len(self._work)), thread_name_prefix="sites") as pool:
            try:
                running = {
                    pool.submit(self._one, site, aim, states.get(site.called, {})): (site, aim)
                    for site, aim in self._work
                }
                for future in self._as_they_end(running):
                    site, aim = running[future]
                    result = future.result()
                    told = {**result.facts(), "aim": _identity(aim)}
                    if states.get(site.called) != told:
                        states[site.called] = told
                        self._ctx.record(_line(site, aim, result), **{self._key: dict(states)})
            finally:
                self._halt.set()
        return {site.called: states[site.called] for site, _ in self._work}

    def _as_they_end(self, running: Mapping[Future[Result], Any]) -> Iterator[Future[Result]]:
        """Yield each future as it ends, and show meanwhile what all are at."""
        left = set(running)
        while left:
            ended, left = wait(left, timeout=_LOOK_EVERY_S, return_when=FIRST_COMPLETED)
            self._ctx.progress(len(running) - len(left), len(running), "sites", self._board.text())
            yield from ended

    def _one(self, site: Site, aim: Aim, known: Mapping[str, Any]) -> Result:
        """Run in the pool: one site, to its end. One that was live already is only looked at."""

        def tell(text: str) -> None:
            self._board.set(site.called, text)

        was_live = known.get("state") == "live" and known.get("aim") == _identity(aim)
        if was_live and is_right(site, aim):
            tell("live")
            return Result("live", str(known["stage"]), took_s=float(known["took_s"]))
        run = SiteRun(
            as_seen_by_site(self._ctx, tell, self._halt),
            self._theme,
            site,
            aim,
            name=self._manner.name,
            title=self._manner.title,
            method=self._manner.method,
            wait_s=self._manner.wait_s,
            failed_build=str(known.get("failed_build", "")),
        )
        result = run.run()
        tell("live" if result.state == "live" else f"failed ({result.stage})")
        return result


def is_right(site: Site, aim: Aim) -> bool:
    """Whether the live page shows and hides what it should, as far as it can be read now."""
    try:
        return not lacks(site.live, aim.shows, aim.hides)
    except StepError:
        return False


def raise_failures(states: Mapping[str, Any]) -> None:
    """Raise `Final` (or `Temporary`, if all of it may pass) telling which sites failed; nothing if none did."""
    failed = {name: state for name, state in states.items() if state["state"] != "live"}
    if not failed:
        return
    good = [name for name in states if name not in failed]
    head = f"{len(failed)} of {counted(len(states))} failed" + (f"; done: {', '.join(good)}." if good else ".")
    lines = [f"• {name}: {state['error']}" for name, state in failed.items()]
    text = "\n".join([head, *lines, "Retry takes up only what failed."])
    raise (Temporary if all(state["temporary"] for state in failed.values()) else Final)(text)


def counted(number: int) -> str:
    """Return `1 site`, `3 sites`."""
    return "1 site" if number == 1 else f"{number} sites"


def _identity(aim: Aim) -> str:
    return f"{aim.revision}|{aim.version}|{aim.shows}|{aim.hides}"


def _line(site: Site, aim: Aim, result: Result) -> str:
    if result.state == "live":
        how = "shows the text" if aim.shows is not None else "does not show the text any more"
        return f"{site.called}: {site.live} {how}, with {aim.text} ({result.took_s:.0f} s)"
    return f"{site.called} failed ({result.stage}): {result.error}"
