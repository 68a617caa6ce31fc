"""Any sequence of commands, clicks, timers, crashes and answers, on the real journals of both kinds.

The machine plays a maintenance as engine and people would: it decides, starts attempts, has effects outside, records
how attempts end, presses buttons (twice, at once, too late), sets the clock, and forgets at any moment all that was
only in memory. The outside is counted by the machine itself. After each of these the rules must hold, as far as the
core can show them, and SQLite and PostgreSQL must agree to the last hash.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from bot.database import Database
from bot.entry import Entry, Kind
from bot.errors import BadInput, Conflict
from bot.evolve import fold
from bot.journal import Draft, Duplicate, Journal
from bot.maintenances import Maintenances
from bot.state import State
from tests.bot.databases import opened, postgres_address, postgres_server
from tests.bot.simulated import Simulated, runbooks
from tests.bot.test_state import go_on, moved_on, the_rules_hold

__all__ = ["postgres_address", "postgres_server"]

CHOICE = st.integers(0, 10**6)
_numbers = itertools.count(1)


class Journaled(Simulated):
    """A simulated maintenance whose entries are in real journals, the same in each. `id` is its own."""

    def __init__(self, steps: list[dict[str, Any]], databases: tuple[Database, ...]) -> None:
        self.id = f"2026-11-25-model-{next(_numbers)}"
        self.databases = databases
        self.outside: Counter[str] = Counter()
        self.restart()
        super().__init__(steps)

    def restart(self) -> None:
        """Forget all that was only in memory."""
        self.houses = [Maintenances(Journal(database, lambda: self.now)) for database in self.databases]

    def have_effect(self, step: str) -> None:
        """Have the effect of a running attempt; what `check` finds outside is not done again."""
        if not self.outside[step]:
            self.outside[step] += 1
            asked, policy = self.state.steps[step].approval, self.state.specs[step].approval
            assert policy is None or (asked is not None and asked.closed == "granted"), "not approved"

    def end_attempt(self, step: str, how: str) -> None:
        if how == "good":
            self.have_effect(step)
        super().end_attempt(step, how)

    def end_undo(self, step: str, good: bool) -> None:
        if good:
            self.outside[step] = 0
        super().end_undo(step, good)

    def own(self, *drafts: Draft) -> list[Draft]:
        """The drafts with keys of this maintenance alone: all examples share the databases."""
        return [Draft(one.kind, one.actor, f"{self.id}:{one.key}", one.step, one.payload) for one in drafts]

    def record(self, *drafts: Draft) -> None:
        written = self.append(list(drafts), after=len(self.entries))
        self.entries += written
        self.maybe = fold(written, self.maybe)

    def append(self, drafts: list[Draft], *, after: int) -> list[Entry]:
        """Append to every journal; they say the same, or refuse alike."""
        said = [self._appended(house, drafts, after) for house in self.houses]
        assert all(one == said[0] for one in said), said
        if isinstance(said[0], type):
            raise said[0]("refused") if said[0] is Conflict else _Known
        return said[0]

    def _appended(self, house: Maintenances, drafts: list[Draft], after: int) -> list[Entry] | type[Exception]:
        try:
            return house.journal.append(self.id, self.own(*drafts), after=after)
        except Duplicate:
            return Duplicate
        except Conflict:
            return Conflict


class _Known(Exception):
    """All journals have it already."""


class Model(RuleBasedStateMachine):
    databases: ClassVar[tuple[Database, ...]]

    @initialize(steps=runbooks())
    def planned(self, steps: list[dict[str, Any]]) -> None:
        self.case = Journaled(steps, self.databases)
        self.before = self.case.state
        self.old: list[tuple[int, list[Draft]]] = []

    # The engine ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.case.actions())
    @rule(which=CHOICE, standing=st.integers(0, 2))
    def the_engine_acts(self, which: int, standing: int) -> None:
        actions = self.case.actions()
        self._remembered(lambda: self.case.carry_out(
            actions[which % len(actions)], standing=self.case.may_stand()[:standing]
        ))  # fmt: skip

    @precondition(lambda self: self.old)
    @rule(which=CHOICE)
    def another_process_acts_on_what_it_read_before(self, which: int) -> None:
        """It is slower than the one that has acted meanwhile: nothing that it decided is recorded."""
        after, drafts = self.old[which % len(self.old)]
        with pytest.raises((Conflict, _Known)):
            self.case.append(drafts, after=after)

    def _remembered(self, act: Callable[[], None]) -> None:
        length = len(self.case.entries)
        act()
        drafts = [
            Draft(entry.kind, entry.actor, entry.key.removeprefix(f"{self.case.id}:"), entry.step, entry.payload)
            for entry in self.case.entries[length:]
        ]
        if drafts:
            self.old.append((length, drafts))

    @precondition(lambda self: self.case.attempts_running())
    @rule(which=CHOICE)
    def an_effect_is_had_and_its_end_not_recorded(self, which: int) -> None:
        """Killed, or cut off, right behind the effect: the attempt will look first when it is taken up again."""
        running = self.case.attempts_running()
        self.case.have_effect(running[which % len(running)])

    @precondition(lambda self: self.case.attempts_running())
    @rule(which=CHOICE, how=st.sampled_from(["good", "good", "good", "temporary", "final", "unknown"]))
    def an_attempt_ends(self, which: int, how: str) -> None:
        running = self.case.attempts_running()
        self.case.end_attempt(running[which % len(running)], how)

    @precondition(lambda self: self.case.undos_running())
    @rule(which=CHOICE, good=st.booleans())
    def an_undo_ends(self, which: int, good: bool) -> None:
        undoing = self.case.undos_running()
        self.case.end_undo(undoing[which % len(undoing)], good)

    @rule()
    def the_bot_is_killed(self) -> None:
        known = self.case.state
        self.case.restart()
        for house in self.case.houses:
            assert house.state(self.case.id) == known, "what was only in memory mattered"

    # People ----------------------------------------------------------------------------------------------------------

    @rule(which=CHOICE, again=st.booleans())
    def somebody_acts(self, which: int, again: bool) -> None:
        may = self.case.people_may()
        try:
            drafts = may[which % len(may)]()
        except BadInput:
            return
        length = len(self.case.entries)
        self._remembered(lambda: self.case.record(*drafts))
        if again and drafts:  # Slack delivers it twice
            with pytest.raises(_Known):
                self.case.append(drafts, after=len(self.case.entries))
            assert len(self.case.entries) == length + len(drafts)

    @precondition(lambda self: self._asked())
    @rule(which=CHOICE)
    def two_press_at_once(self, which: int) -> None:
        """Both judge the same state: one is recorded, and the other judged anew on what is so by then."""
        tokens = self._asked()
        token = tokens[which % len(tokens)]
        ours = [may for may in self.case.people_may() if self._decides(may, token)]
        if len(ours) < 2:
            return
        first, second = ours[0](), ours[1]()
        after = len(self.case.entries)
        self.case.record(*first)
        with pytest.raises((Conflict, _Known)):
            self.case.append(second, after=after)

    def _asked(self) -> list[str]:
        approvals = [now.approval for now in self.case.state.steps.values()]
        return [one.token for one in approvals if one is not None and one.closed is None]

    def _decides(self, may: Callable[[], list[Draft]], token: str) -> bool:
        try:
            return any(draft.payload.get("token") == token for draft in may())
        except BadInput:
            return False

    @rule(times=st.integers(1, 12))
    def it_goes_on(self, times: int) -> None:
        """People answer what they are asked, and what runs succeeds: without this few examples would get far."""
        for _ in range(times):
            if not self.case.state.over and not go_on(self.case):
                self.case.now += timedelta(minutes=40)
            self.the_rules()

    # Time ------------------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 15, 90, 3600]))
    def time_passes(self, seconds: int) -> None:
        self.case.now += timedelta(seconds=seconds)

    @rule(seconds=st.sampled_from([1, 90, 3600]))
    def the_clock_is_set_back(self, seconds: int) -> None:
        self.case.now -= timedelta(seconds=seconds)

    # What always holds -----------------------------------------------------------------------------------------------

    @invariant()
    def the_rules(self) -> None:
        if not hasattr(self, "case"):
            return
        state = self.case.state
        the_rules_hold(state, self.case.actions(), self.case.now)
        moved_on(self.before, state)
        self.before = state
        assert max(self.case.outside.values(), default=0) <= 1, "had twice"
        behind_the_gates(state, self.case.outside)

    @invariant()
    def the_journals_agree(self) -> None:
        if hasattr(self, "case"):
            for house in self.case.houses:
                assert house.state(self.case.id) == self.case.state

    def teardown(self) -> None:
        if not hasattr(self, "case"):
            return
        for house in self.case.houses:
            entries = house.journal.read(self.case.id)
            assert entries == self.case.entries
            assert fold(entries) == self.case.state
            assert house.journal.broken_at(self.case.id) is None
            assert [one.at for one in entries] == sorted(one.at for one in entries)
            to_come = house.journal.database.query(
                "SELECT seq FROM deliveries WHERE maintenance = ? AND state = 'waiting' ORDER BY seq", (self.case.id,)
            )
            assert [row["seq"] for row in to_come] == [one.seq for one in entries], "each once, and in order"
        each_approval_counts_once(self.case.entries)


def behind_the_gates(state: State, outside: Counter[str]) -> None:
    """Nothing that needs a gate has had its effect while the gate was not green, unless two people opened it."""
    for step, spec in state.specs.items():
        for need in spec.needs:
            if outside[step] and state.specs[need].gate and not state.taking_down:
                gate = state.steps[need]
                assert gate.status == "succeeded" or len(gate.overridden_by) == 2, (step, need)


def each_approval_counts_once(entries: list[Entry]) -> None:
    asked = {entry.payload["token"]: entry for entry in entries if entry.kind == Kind.APPROVAL_REQUESTED}
    given = Counter((entry.payload["token"], entry.actor) for entry in entries if entry.kind == Kind.APPROVED)
    assert set(given.values()) <= {1}
    for token, count in Counter(token for token, _ in given.elements()).items():
        assert count <= asked[token].payload["count"]


@pytest.fixture
def both(tmp_path: Path, postgres_address: str) -> Iterator[tuple[Database, ...]]:
    databases = opened(f"sqlite:///{tmp_path / 'maint.sqlite3'}"), opened(postgres_address)
    yield databases
    for database in databases:
        database.close()


def test_whatever_happens_the_rules_hold_and_the_journals_agree(both: tuple[Database, ...]) -> None:
    Model.databases = both
    few = settings(
        max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )  # fmt: skip
    run(Model, settings=few)
