"""What must hold of a run in the end: every effect once, and the record of it whole.

A run that was completed has had every effect; one that was aborted, cancelled or rolled back has had each at most once,
and nothing that it put up is left.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import httpx
from slack_sdk import WebClient

from benchmarks.crashing.drawn import Turn
from benchmarks.crashing.place import GITHUB_TOKEN, Place, Site
from bot.entry import Entry, Kind
from bot.slack_api import SlackApi, payload_of
from bot.state import State
from bot.verify import verify
from sandbox.jekyll.sources import BANNER_PATH
from sandbox.slack import Config

_ENDS = (Kind.STEP_STARTED, Kind.STEP_SUCCEEDED, Kind.STEP_FAILED, Kind.STEP_UNKNOWN, Kind.UNDO_STARTED)
_BEGINS = frozenset({Kind.STEP_STARTED, Kind.UNDO_STARTED, Kind.APPROVAL_REQUESTED})
_WAY = ["scheduled", "in_progress", "verifying", "completed"]
_ENDED = {"abort": "aborted", "rollback": "rolled_back", "cancel": "cancelled"}


class Checks:
    """Looks at a `Place` after its round. `of` gives what is wrong with one run, in words; nothing if all is well."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._slack = SlackApi(WebClient(token=Config().app.bot_token, base_url=f"{place.urls['slack']}/api/"))

    def of(self, run: int, states: list[State], turn: Turn | None = None) -> list[str]:
        """Return what is wrong with the run, of which people have come to want `turn`."""
        if len(states) != 1:
            return [f"{len(states)} maintenances were made of one request"]
        [state] = states
        if not state.over:
            steps = {step: now.status for step, now in state.steps.items() if now.status != "succeeded"}
            return [f"it has not come to its end: it is {state.status}, with {steps}"]
        site, entries = self._place.sites[run], self._place.maintenances.journal.read(state.id)
        wrong: list[str] = []
        for name, look in (
            ("ended", lambda: _ended(state, turn)),
            ("journal", lambda: self._journal(state, entries)),
            ("moves", lambda: _moves(state, entries)),
            ("approvals", lambda: _approvals(state, entries)),
            ("pauses", lambda: _pauses(entries)),
            ("order", lambda: _order(state, entries)),
            ("channel", lambda: self._channel(site, state, entries)),
            ("GitHub", lambda: self._github(site, state)),
            ("Intercom", lambda: self._intercom(site, state)),
            ("status page", lambda: self._status_page(run, state)),
            ("app", lambda: _app(site, state)),
            ("command", lambda: _command(site, state, entries)),
        ):
            wrong += [f"{name}: {text}" for text in _seen(look)]
        return wrong

    def _journal(self, state: State, entries: list[Entry]) -> Iterator[str]:
        broken = self._place.maintenances.journal.broken_at(state.id)
        if broken is not None:
            yield f"the chain is broken at #{broken}"
        counted = (entry for entry in entries if entry.kind in _ENDS)
        told = Counter((entry.kind, entry.step, entry.payload["attempt"]) for entry in counted)
        yield from (f"{what} {count} times" for what, count in told.items() if count > 1)
        done = Counter(entry.step for entry in entries if entry.kind == Kind.STEP_SUCCEEDED)
        done += Counter(
            entry.step for entry in entries if entry.kind == Kind.STEP_SETTLED and entry.payload["happened"]
        )
        yield from (f"{step} ended well {count} times" for step, count in done.items() if count > 1)
        undone = Counter(entry.step for entry in entries if entry.kind == Kind.UNDONE)
        yield from (f"{step} was undone {count} times" for step, count in undone.items() if count > 1)
        if state.status == "completed":
            yield from (
                f"{step} is {now.status}, and ended well {done[step]} times"
                for step, now in state.steps.items()
                if (done[step], now.status) not in {(1, "succeeded"), (0, "skipped")}
            )

    def _channel(self, site: Site, state: State, entries: list[Entry]) -> Iterator[str]:
        found = verify(self._slack, self._place.maintenances.journal, state.id)
        yield from (f"verify: {finding}" for finding in found.findings)
        history = sorted(self._slack.history(site.channel), key=lambda one: [int(n) for n in one["ts"].split(".")])
        by_kind: dict[str, list[Any]] = {}
        for message in history:
            by_kind.setdefault((message.get("metadata") or {}).get("event_type", ""), []).append(payload_of(message))
        numbers = [payload["seq"] for payload in by_kind.get("maint_entry", [])]
        if numbers != [entry.seq for entry in entries]:
            yield f"it has the entries {numbers}, and the journal has {len(entries)}"
        if len(by_kind.get("maint_card", [])) != 1:
            yield f"it has {len(by_kind.get('maint_card', []))} run cards"
        prompts = Counter(payload["name"] for payload in by_kind.get("maint_prompt", []))
        yield from (f"it has the prompt {name} {count} times" for name, count in prompts.items() if count > 1)
        files = Counter(file["name"] for message in history for file in message.get("files") or [])
        yield from (f"it has the file {name} {count} times" for name, count in files.items() if count > 1)

    def _github(self, site: Site, state: State) -> Iterator[str]:
        headers = {"Authorization": f"Bearer {GITHUB_TOKEN}"}
        url = f"{self._place.urls['github']}/repos/{site.theme}/pulls"
        pulls = httpx.get(url, params={"state": "all"}, headers=headers, trust_env=False).json()
        heads = sorted(pull["head"]["ref"].rpartition("/")[2] for pull in pulls)
        yield from (f"it has the pull request {head} {n} times" for head, n in Counter(heads).items() if n > 1)
        yield from (f"#{pull['number']} is open" for pull in pulls if pull["state"] == "open")
        if state.status == "completed":
            if heads != ["banner", "down"]:
                yield f"it has the pull requests {heads}"
            yield from (f"#{pull['number']} is not merged" for pull in pulls if not pull["merged_at"])
        if b"enabled: true" in self._place.forge.read(site.theme, BANNER_PATH).encode():
            yield "the banner is up"

    def _intercom(self, site: Site, state: State) -> Iterator[str]:
        audience = self._place.audience
        rows = self._place.database.query("SELECT recipient, state FROM ledger WHERE name LIKE ?", (f"{state.id}:%",))
        texts = [text for text in audience.texts if f"Work {site.run}:" in text]
        if not texts and state.steps["tell"].status != "succeeded" and state.status != "completed":
            return  # taken back before it was sent
        if not texts and state.steps["tell"].status == "skipped":
            return
        if len(texts) != 1 or not rows:
            yield f"{len(texts)} texts were sent, to a ledger of {len(rows)}"
            return
        got = Counter({one: (audience.received(one)).count(texts[0]) for one in audience.contacts})
        yield from (f"{one} got it {count} times" for one, count in got.items() if count > 1)
        has = {one for one, count in got.items() if count}
        sent = {row["recipient"] for row in rows if row["state"] == "sent"}
        unknown = {row["recipient"] for row in rows if row["state"] == "unknown"}
        if not sent <= has <= sent | unknown:
            yield f"sent to {len(sent)}, unknown {len(unknown)}, and {len(has)} have it"
        open_ = {row["state"] for row in rows} - {"sent", "unknown", "skipped"}
        if open_ and state.status == "completed":
            yield f"the ledger still has {open_}"

    def _status_page(self, run: int, state: State) -> Iterator[str]:
        found = [one for one in self._place.status.incidents.values() if one.name == f"Work {run}"]
        told = [[status for status, _ in groupby(update.status for update in reversed(one.updates))] for one in found]
        if state.status == "completed" and told != [_WAY]:
            yield f"it has told {told}"
        # What is taken back may have been so before it was published, and goes from where it is to its end.
        if (
            state.status != "completed"
            and told
            and (len(told) > 1 or told[0] not in [[*_WAY[:n], "completed"] for n in (1, 2, 3)])
        ):
            yield f"it has told {told} of what is {state.status}"
        up = [one.status for one in self._place.status.components.values() if one.name == f"App {run}"]
        if up != ["operational"]:
            yield f"the component is {up}"


def _seen(look: Callable[[], Iterator[str]]) -> list[str]:
    try:
        return list(look())
    except Exception as error:  # noqa: BLE001 - what cannot be looked at has not been proved
        return [f"could not be looked at: {type(error).__name__}: {error}"]


def _ended(state: State, turn: Turn | None) -> Iterator[str]:
    wanted = {"completed"} if turn is None or turn.what != "cancel" else set()
    wanted |= {_ENDED[turn.what]} if turn is not None and turn.what in _ENDED else set()
    if state.status not in wanted:
        steps = {step: now.status for step, now in state.steps.items() if now.status not in {"succeeded", "pending"}}
        yield f"it is {state.status}, with {steps}"
    for step, spec in state.specs.items():
        if spec.uses == "maint.window" and state.steps[step].status not in {"succeeded", "skipped"}:
            yield f"{step} is {state.steps[step].status}"


def _moves(state: State, entries: list[Entry]) -> Iterator[str]:
    moves = [entry.payload["to"] for entry in entries if entry.kind == Kind.STATE_CHANGED]
    if state.status in {"cancelled", "rolled_back"} and moves and moves[-1] == state.status:
        moves.pop()
    if moves != (_WAY if state.status == "completed" else _WAY[: len(moves)]):
        yield f"it moved {moves} and is {state.status}"


def _pauses(entries: list[Entry]) -> Iterator[str]:
    """While it is paused nothing begins, and nothing is asked."""
    paused = False
    for entry in entries:
        paused = entry.kind == Kind.PAUSED or (paused and entry.kind not in {Kind.RESUMED, Kind.ABORTED})
        if paused and entry.kind in _BEGINS:
            yield f"#{entry.seq} {entry.kind} {entry.step} while it was paused"


def _approvals(state: State, entries: list[Entry]) -> Iterator[str]:
    """Each request is decided by as many different people as it asks for, and used by the start that it was for."""
    asked = {entry.payload["token"]: entry for entry in entries if entry.kind == Kind.APPROVAL_REQUESTED}
    given: dict[str, list[str]] = {token: [] for token in asked}
    for entry in entries:
        if entry.kind != Kind.APPROVED:
            continue
        request = asked.get(entry.payload["token"])
        if request is None or request.payload["digest"] != entry.payload["digest"] or request.step != entry.step:
            yield f"#{entry.seq} approves what was not asked"
            continue
        given[entry.payload["token"]].append(entry.actor)
    for token, people in given.items():
        if len(set(people)) != len(people) or len(people) > asked[token].payload["count"]:
            yield f"#{asked[token].seq} asked for {asked[token].payload['count']} and was approved by {people}"
    granted = Counter(asked[t].step for t, people in given.items() if len(people) == asked[t].payload["count"])
    void = Counter(entry.step for entry in entries if entry.kind == Kind.APPROVAL_VOID)
    retried = Counter(entry.step for entry in entries if entry.kind == Kind.STEP_RETRIED)
    for step in {entry.step for entry in asked.values()}:
        least = int(state.steps[str(step)].status == "succeeded")
        if not least <= granted[step] <= 1 + void[step] + retried[step]:
            yield f"{step} was approved {granted[step]} times"
        first = next((e.seq for e in entries if e.kind == Kind.STEP_STARTED and e.step == step), 0)
        approved = [e.seq for e in entries if e.kind == Kind.APPROVED and e.step == step]
        if first and (not approved or approved[0] > first):
            yield f"{step} started at #{first}, before its approval"


def _order(state: State, entries: list[Entry]) -> Iterator[str]:
    """The app is not opened before the gate is green."""
    green = next((entry.seq for entry in entries if entry.kind == Kind.STEP_SUCCEEDED and entry.step == "gate"), None)
    opened = next((entry.seq for entry in entries if entry.kind == Kind.STEP_STARTED and entry.step == "back"), None)
    if opened is None and state.status != "completed":
        return
    if green is None or opened is None or opened < green:
        yield f"the app was opened at #{opened}, and the gate was green at #{green}"


def _app(site: Site, state: State) -> Iterator[str]:
    """Off and on; the way back may take it off again, to bring it on."""
    moves = [one.maintenance for one in site.product.transitions]
    fine = [[True, False]] if state.status == "completed" else [[], [True, False], [True, False] * 2]
    if moves not in fine:
        yield f"its maintenance page went {moves}"


def _command(site: Site, state: State, entries: list[Entry]) -> Iterator[str]:
    """It runs once, and once more for each time that a person said that it had not happened, or retried it."""
    lines = site.effect.read_text().splitlines() if site.effect.exists() else []
    again = sum(entry.kind in {Kind.STEP_RETRIED, Kind.STEP_SETTLED} and entry.step == "work" for entry in entries)
    if not again and lines != ["begun", "done"] and state.status == "completed":
        yield f"it did {lines}"
    if lines.count("done") > 1 or lines.count("begun") > 1 + again:
        yield f"it did {lines}"
