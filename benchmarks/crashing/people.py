"""The people of a round: they ask, approve (some press twice, some both at once), look, and say what they saw.

Of some runs they come to want something else (`benchmarks.crashing.turns`); what an abort asks about they lift.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import httpx

from benchmarks.crashing.drawn import LATER, Drawn
from benchmarks.crashing.place import Place, Site
from benchmarks.crashing.turns import Turns
from bot.state import State, StepState, must_undo
from sandbox.jekyll.sources import BANNER_PATH
from sandbox.slack.people import CannotDoError, Person

PRESS_AGAIN_S = 3.0
ASK_AGAIN_S = 120.0
_APPROVERS = ("ben", "chloe")


class People:
    """Ana asks for the maintenances, Ben and Chloe approve; all of them press again where nothing came of it."""

    def __init__(self, place: Place, drawn: Mapping[int, Drawn], said: Callable[[str], None]) -> None:
        self._place, self._drawn, self._said = place, drawn, said
        self._pool = ThreadPoolExecutor(24, thread_name_prefix="people")
        self._pressed: dict[tuple[int, str, str], float] = {}
        self._turns = Turns()
        self._asked: dict[int, tuple[float, int]] = {}
        self.presses = 0
        self.settled = 0
        self.retried: list[str] = []

    def look(self, states: Mapping[int, list[State]]) -> None:
        """Do what there is to do."""
        for run, found in states.items():
            if not found:
                self._ask(run)
            for state in found:
                if state.over:
                    continue
                self._turn(run, state)
                for step, now in state.steps.items():
                    self._answer(run, state, step, now)

    def _turn(self, run: int, state: State) -> None:
        """Say what they have come to want, and again where nothing has come of it."""
        words = self._turns.wanted(self._drawn[run].turn, state)
        if words and self._is_time(run, "ana", words):
            self._said(f"run {run}: {words}")
            self._says(self._place.sites[run], words)

    def _ask(self, run: int) -> None:
        """Ask for the maintenance. Again if the bot was killed meanwhile, or nothing at all has come of it for long."""
        asked_at, kills = self._asked.get(run, (-ASK_AGAIN_S, -1))
        silent_s = time.monotonic() - asked_at
        killed = kills != self._place.kills and silent_s > PRESS_AGAIN_S
        if not (killed or silent_s >= ASK_AGAIN_S) or not self._connected():
            return
        self._asked[run] = (time.monotonic(), self._place.kills)
        site = self._place.sites[run]
        turn = self._drawn[run].turn
        when = "at in 2h" if turn is not None and turn.what in LATER else "at now"
        self._says(site, f"start work-{run} {when} for 1h")

    def _says(self, site: Site, words: str) -> None:
        self._pool.submit(self._tries, lambda: self._person("ana", site).says(f"/maint {words}"))

    def _connected(self) -> bool:
        return self._place.slack.connections() > 0

    def _answer(self, run: int, state: State, step: str, now: StepState) -> None:
        site = self._place.sites[run]
        ours = not state.taking_down or state.specs[step].change is not None
        if ours and now.status == "waiting" and now.approval is not None and now.approval.closed is None:
            if self._turns.refuses(self._drawn[run].turn, step, now):
                self._reject(run, site, step)
            else:
                self._approve(run, step, now)
        elif now.status == "unknown" and self._is_time(run, "ben", f"settle:{step}"):
            verb = "happened" if self._happened(site, step) else "not_happened"
            self.settled += 1
            self._press(site, "ben", f"{verb}:{step}")
        elif state.taking_down and self._is_asked_about(state, step) and self._is_time(run, "ben", f"lift:{step}"):
            self._press(site, "ben", f"lift:{step}")
        elif ours and now.status == "failed" and now.retry_at is None and self._is_time(run, "ben", f"retry:{step}"):
            self.retried.append(f"{state.id} {step}: {now.error}")
            self._press(site, "ben", f"retry:{step}")
        elif step in state.still_up and not state.over and now.undo is None and self._is_time(run, "ben", step):
            self._said(f"run {run}: {step} is said to be still up: {state.still_up[step]}")

    def _is_asked_about(self, state: State, step: str) -> bool:
        """Whether it is asked what is to become of what a step put up: after an abort, or where taking down failed."""
        now = state.steps[step]
        asks = state.status == "aborted" and state.specs[step].on_failure == "ask" and now.undo is None
        return must_undo(state, step) and now.status != "running" and (asks or now.undo == "failed")

    def _reject(self, run: int, site: Site, step: str) -> None:
        if not self._is_time(run, "ben", f"reject:{step}"):
            return
        ben = self._person("ben", site)

        def reject() -> None:
            ben.clicks(f"reject:{step}", stale=True, wait=False)
            ben.submits(reason="Not yet.")

        self.presses += 1
        self._pool.submit(self._tries, reject)

    def _approve(self, run: int, step: str, now: StepState) -> None:
        approval = now.approval
        assert approval is not None
        both = approval.count > 1 or self._drawn[run].pressing == "both"
        for person in _APPROVERS if both else _APPROVERS[:1]:
            account = {"ben": "U0BEN0001", "chloe": "U0CHLOE01"}[person]
            if account in approval.approved_by or not self._is_time(run, person, approval.token):
                continue
            for _ in range(2 if self._drawn[run].pressing == "twice" else 1):
                self._press(self._place.sites[run], person, f"approve:{step}")

    def _is_time(self, run: int, person: str, what: str) -> bool:
        key = (run, person, what)
        if time.monotonic() - self._pressed.get(key, -PRESS_AGAIN_S) < PRESS_AGAIN_S:
            return False
        self._pressed[key] = time.monotonic()
        return True

    def _press(self, site: Site, person: str, button: str) -> None:
        self.presses += 1
        self._pool.submit(
            self._tries, lambda: self._person(person, site).clicks(button, confirm=True, stale=True, wait=False)
        )

    def _person(self, name: str, site: Site) -> Person:
        return self._place.slack.person(name, site.room)

    def _tries(self, act: Callable[[], object]) -> None:
        try:
            act()
        except (CannotDoError, AssertionError, LookupError, httpx.HTTPError):
            pass  # the button is not there (yet, or any more), or Slack is away: they look again
        except RuntimeError:
            pass  # the round is over, and everybody goes home

    def _happened(self, site: Site, step: str) -> bool:
        """What somebody finds who looks whether `step` has happened."""
        if step in {"off", "back"}:
            return site.product.maintenance is (step == "off")
        if step in {"banner", "down"}:
            wanted = b"enabled: true" if step == "banner" else b"enabled: false"
            return wanted in self._place.forge.read(site.theme, BANNER_PATH).encode()
        if step == "work":
            return site.effect.exists() and "done" in site.effect.read_text()
        return False

    def go_home(self) -> None:
        """End."""
        self._pool.shutdown(wait=False, cancel_futures=True)
