"""What the verbs may use of the bot (`commands.verb.Bot`): states, runbooks, people's rights, plans, verification."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bot import access, radar
from bot.anchor import heads_at
from bot.attempt import Build
from bot.calendars import busy_of, calendar_conflicts
from bot.card import card_text
from bot.channel import Channel
from bot.context import Surroundings
from bot.crew import ROLES, deciders, roles_with, starters
from bot.errors import NotAllowed
from bot.estimates import Estimate
from bot.forecast import Forecast
from bot.freeze_sources import FreezeSources
from bot.lookups import Lookups
from bot.maintenances import Maintenances
from bot.on_call import OnCall
from bot.outlook import Outlook
from bot.people import People, Person
from bot.planning import Planner
from bot.radar import Conflict
from bot.runbook import Runbook, Shelf
from bot.settings import Settings
from bot.single_flight import SingleFlight
from bot.slack_api import SlackApi
from bot.state import State
from bot.step import Plan, Standing, Window
from bot.sweep import Sweeper
from bot.track_record import Summary, TrackRecord
from bot.unproved import unproved
from bot.vendor_pages import VendorPages, vendors_of
from bot.verify import Verification, verify


class Desk:
    """Answers the verbs. Holds no state of its own."""

    def __init__(
        self,
        *,
        settings: Settings,
        surroundings: Surroundings,
        people: People,
        slack: SlackApi,
        channel: Channel,
        outlook: Outlook,
        freezes: FreezeSources,
        lookups: Lookups,
        build: Build,
        wake: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._busy = busy_of(settings.busy_hours)
        self._shelf = Shelf(settings.runbooks)
        self._all = surroundings
        self._people = people
        self._slack = slack
        self._channel = channel
        self._outlook = outlook
        self._record = TrackRecord(surroundings.maintenances)
        self.freezes = freezes
        self._on_call = OnCall(settings.on_call, surroundings.value_of, lookups)
        self._vendors = VendorPages(vendors_of(settings), lookups)
        self._planner = Planner(surroundings, build)
        self._plans: SingleFlight[Plan] = SingleFlight()
        self._sweeper = Sweeper(surroundings, build)
        self.wake = wake

    @property
    def maintenances(self) -> Maintenances:
        return self._all.maintenances

    @property
    def runbooks(self) -> Mapping[str, Runbook]:
        return self._shelf.all()

    @property
    def runbook_mistakes(self) -> str:
        return self._shelf.mistakes()

    @property
    def defaults(self) -> Mapping[str, Any]:
        return {
            "channel": self._settings.channel,
            "approvers": self._settings.approvers,
            "conflicts": self._settings.conflicts,
            "roles": self._roles,
            "environments": self._settings.environments,
            "note_emoji": self._settings.note_emoji,
        }

    def plan(self, state: State, step: str) -> Plan:
        # It may ask outside systems, within limits that the work itself needs.
        return self._plans.do((state.id, state.seq, step), lambda: self._planner.plan(state, step))

    def conflicts(self, state: State, window: Window | None = None) -> list[Conflict]:
        before = self._conflicts(state)
        if window is None:
            return before
        return radar.of_change(self._conflicts(replace(state, window=window)), before, state)

    def _conflicts(self, state: State) -> list[Conflict]:
        return radar.conflicts(
            state,
            self.maintenances.now(),
            self.maintenances.active(),
            self._settings.zones,
            past=self._outlook.past(),
            more=[*self._around(state.window), *self._nobody(state)],
        )

    def _around(self, window: Window) -> list[Conflict]:
        """What freezes, vendors and calendars say; everybody outside is asked at the same time."""
        self.freezes.begin(window)
        vendors, on_call = self._vendors.begin(window, self.maintenances.now()), self._on_call.begin(window)
        around = calendar_conflicts(window, countries=self._settings.holidays, busy=self._busy)
        return [*self.freezes.conflicts(window), *vendors(), *on_call(), *around]

    def _nobody(self, state: State) -> list[Conflict]:
        """The user groups that have to approve and have nobody in them, or of whom Slack does not tell."""
        found = []
        for group in (each for each in self._approvers(state) if each.startswith("S")):
            try:
                if self._people.members(group):
                    continue
                found.append(Conflict("nobody", f"Nobody is in {group}, which has to approve.", False, group))
            except NotAllowed as error:
                found.append(Conflict("unseen", f"Who is in {group} cannot be looked at: {error}", False, group))
        return found

    def try_on(self, state: State, step: str, who: str) -> str:
        return self._planner.try_on(state, step, who)

    def standing(self, state: State) -> Mapping[str, Standing | str | None]:
        return self._sweeper.look(state)

    def verify(self, maintenance: str) -> Verification:
        url = self._settings.anchor_git
        journal = self.maintenances.journal
        return verify(self._slack, journal, maintenance, anchored=(lambda: heads_at(url)) if url else None)

    def card_text(self, state: State) -> str:
        now = self.maintenances.now()
        progress = self._all.progress.read(state.id)
        problems, line = self._channel.problems(state.id), self._outlook.line(state, now)
        return card_text(state, progress, now, problems, line, estimates=self._outlook.estimates(state))

    def estimates(self, state: State) -> Mapping[str, Estimate]:
        return self._outlook.estimates(state)

    def track_record(self) -> Summary:
        return self._record.summary()

    def forecast(self, state: State) -> Forecast:
        return self._outlook.forecast(state, self.maintenances.now())

    def admit(self, user: str, team: str, verb: str) -> Person:
        person = self._people.person(user, fresh=verb in access.APPROVING)
        own = self._settings.team_id or self._people.team()
        # The request's own team counts too: in a shared channel Slack may know somebody only as a stranger.
        refusal = access.may_use(verb, person if team in {"", own} else replace(person, team=team), own)
        if refusal is not None:
            raise NotAllowed(refusal)
        return person

    def admit_decision(self, user: str, state: State, verb: str) -> None:
        if verb not in access.DECIDING:
            return
        who = deciders(state.crew, verb, state.requester, self._approvers(state))
        refusal = access.may_decide(verb, state.requester, who, is_one=self._people.among(user, who))
        if refusal is not None:
            raise NotAllowed(refusal)

    def admit_start(self, user: str, runbook: Runbook) -> None:
        who = starters(runbook.rights, roles_with(self._roles, runbook.roles))
        refusal = access.may_start(who, is_one=self._people.among(user, who))
        if refusal is not None:
            raise NotAllowed(refusal)

    def admit_freeze(self, user: str) -> None:
        who = tuple(dict.fromkeys([*self._settings.coordinators, *self._settings.approvers]))
        refusal = access.may_freeze(who, is_one=self._people.among(user, who))
        if refusal is not None:
            raise NotAllowed(refusal)

    def admit_approval(self, person: Person, state: State, step: str, *, fresh: bool = True) -> None:
        policy = state.specs[step].approval
        if policy is None:
            raise NotAllowed(f"{step} needs no approval.")
        asked = state.steps[step].approval
        approvers = asked.approvers if asked is not None else policy.approvers
        glass = state.crew.glass(asked.token) if asked is not None else None
        if glass is not None and glass.asker == person.id:
            return
        spec = state.specs[step]
        # Whoever planned the maintenance may not be one of the two who open it on red either.
        askers = [spec.asked_by or state.requester, *([state.requester] if spec.uses == "maint.open-on-red" else [])]
        is_approver = self._people.among(person.id, approvers, fresh=fresh)
        for asker in askers:
            refusal = access.may_approve(
                person, asker, approvers, is_approver=is_approver, requester_may=policy.requester_may
            )
            if refusal is not None:
                raise NotAllowed(refusal)

    def admit_lift(self, person: Person, state: State, step: str) -> None:
        gate = unproved(state, step) if step in state.specs and state.status == "aborted" else None
        if gate is None:
            return
        approvers = self._approvers(state)
        refusal = access.may_approve(
            person,
            state.requester,
            approvers,
            is_approver=self._people.among(person.id, approvers, fresh=True),
        )
        if refusal is not None:
            raise NotAllowed(f"{gate} has not come out green, and to lift {step} lets users in all the same. {refusal}")

    def admit_glass(self, user: str, state: State) -> float:
        approvers, own = self._approvers(state), self._settings
        refusal = access.may_break_glass(
            self._people.person(user, fresh=True),
            approvers,
            is_approver=self._people.among(user, approvers, fresh=True),
            allowed=own.break_glass == "on",
        )
        if refusal is not None:
            raise NotAllowed(refusal)
        return float(own.break_glass_after_s)

    @property
    def _roles(self) -> Mapping[str, tuple[str, ...]]:
        """Who is in the roles that settings fill; without those that nobody is in."""
        own = self._settings
        named = zip(ROLES, (own.coordinators, own.approvers, own.communications), strict=True)
        return {role: who for role, who in named if who}

    def _approvers(self, state: State) -> tuple[str, ...]:
        named = [who for spec in state.specs.values() if spec.approval for who in spec.approval.approvers]
        return tuple(dict.fromkeys([*named, *self._settings.approvers]))

    def room(self, channel: str) -> str:
        return channel if self._people.we_are_in(channel) else self._settings.channel

    def named(self, words: str) -> str:
        return self._people.named(words)

    def refresh(self, maintenance: str) -> None:
        self._channel.refresh(maintenance)
