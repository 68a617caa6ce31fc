"""What every verb is made of: the call, the reply, what it may use, and the registry that `help` reads."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from bot.acts import Act
from bot.errors import BadInput
from bot.estimates import Estimate
from bot.forecast import Forecast
from bot.freeze_sources import FreezeSources
from bot.journal import Draft, Duplicate
from bot.maintenances import Maintenances
from bot.people import Person
from bot.radar import Conflict
from bot.runbook import Runbook
from bot.state import State
from bot.step import Plan, Standing, Window
from bot.track_record import Summary
from bot.verify import Verification


@dataclass(frozen=True)
class Call:
    """One `/maint VERB WORDS`. `zone` is the caller's IANA zone; `delivery` identifies the request."""

    verb: str
    user: str
    channel: str
    zone: str
    words: str
    delivery: str

    @property
    def act(self) -> Act:
        """Who acts, for `bot.acts`."""
        return Act(self.user, self.delivery)


@dataclass(frozen=True)
class Reply:
    """What the caller alone sees: a text (mrkdwn), a modal to open instead, files (name to text) to hand over.

    `then` is work that takes minutes; what it returns is shown after this.
    """

    text: str = ""
    modal: Mapping[str, Any] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    then: "Callable[[], Reply] | None" = None


class Bot(Protocol):
    """All that verbs may use of the bot."""

    @property
    def maintenances(self) -> Maintenances:
        """Read states, record what happens."""
        ...

    @property
    def runbooks(self) -> Mapping[str, Runbook]:
        """The runbooks there are, by name."""
        ...

    @property
    def runbook_mistakes(self) -> str:
        """What is wrong in the runbooks that cannot be used; "" if nothing is."""
        ...

    @property
    def defaults(self) -> Mapping[str, Any]:
        """What new maintenances get where their runbook is silent.

        `channel`, `approvers`, `conflicts` (levels), `roles` (ids by role), `environments` (how many approve, by name),
        `note_emoji` (a name).
        """
        ...

    def plan(self, state: State, step: str) -> Plan:
        """Plan a step, changing nothing. Raises `StepError`."""
        ...

    def conflicts(self, state: State, window: Window | None = None) -> list[Conflict]:
        """Return what speaks against the window of a maintenance, or against changing it to `window`."""
        ...

    def try_on(self, state: State, step: str, who: str) -> str:
        """Show a step's effect to the one person `who` (an e-mail address), and return what came of it, in words.

        Raises `StepError`.
        """
        ...

    def standing(self, state: State) -> Mapping[str, Standing | str | None]:
        """Look at what the maintenance put up: what is seen, None for down, or why it cannot be seen, by step."""
        ...

    def verify(self, maintenance: str) -> Verification:
        """Compare the channel's history with the journal."""
        ...

    def card_text(self, state: State) -> str:
        """Return where a maintenance stands, as the run card says it, in mrkdwn."""
        ...

    def estimates(self, state: State) -> Mapping[str, Estimate]:
        """Return how long each step is expected to take, and where that is known from, by its id."""
        ...

    def forecast(self, state: State) -> Forecast:
        """Return when a maintenance is expected to end, from its estimates and what earlier ones took."""
        ...

    @property
    def freezes(self) -> FreezeSources:
        """All the freezes there are, and the declaring and lifting of those of Slack."""
        ...

    def named(self, words: str) -> str:
        """Return words with every `<@U…>` and `<!subteam^S…>` as a name, for where they are shown as they are."""
        ...

    def admit_freeze(self, user: str) -> None:
        """Raise `NotAllowed`, saying who may, if declaring and lifting freezes is not for this user."""
        ...

    def track_record(self) -> Summary:
        """Return how the maintenances that are over have gone."""
        ...

    def admit(self, user: str, team: str, verb: str) -> Person:
        """Return the person if they may use `verb`. Raises `NotAllowed` saying who may."""
        ...

    def admit_decision(self, user: str, state: State, verb: str) -> None:
        """Raise `NotAllowed`, saying who may, if `verb` decides how a maintenance goes on and is not for this user."""
        ...

    def admit_start(self, user: str, runbook: Runbook) -> None:
        """Raise `NotAllowed`, saying who may, if starting a maintenance from `runbook` is not for this user."""
        ...

    def admit_glass(self, user: str, state: State) -> float:
        """Return after how many seconds of waiting this user may break the glass in it. Raises `NotAllowed`, saying who
        may, if it is not for them, or turned off.
        """
        ...

    def admit_approval(self, person: Person, state: State, step: str, *, fresh: bool = True) -> None:
        """Raise `NotAllowed`, saying who may, if the person may not approve or reject this step.

        `fresh`: who is in a group is asked anew; without, it may be a minute old.
        """
        ...

    def admit_lift(self, person: Person, state: State, step: str) -> None:
        """Raise `NotAllowed`, saying who may, if lifting this step lets users in on what no gate has proved, and the
        person may not approve that.
        """
        ...

    def refresh(self, maintenance: str) -> None:
        """Take decided buttons away at once, as far as Slack can be reached."""
        ...

    def room(self, channel: str) -> str:
        """Return the channel where a maintenance happens that somebody plans in `channel`: there, if the bot is in it,
        else in the bot's own.
        """
        ...

    def wake(self) -> None:
        """Let the engine and the channel look at once: something was recorded."""
        ...


Run = Callable[[Call, Bot], Reply]
_MOST_NAMED = 8
_LIKE_AN_ID = re.compile(r"\d{4}-\d{2}-\d{2}-\S+")


@dataclass(frozen=True)
class Verb:
    """A verb: how it is written, what it does (one line), and the function behind it."""

    name: str
    usage: str
    help: str
    run: Run


VERBS: dict[str, Verb] = {}


def verb(name: str, usage: str, help_: str) -> Callable[[Run], Run]:
    """Register the function behind a verb."""

    def register(run: Run) -> Run:
        VERBS[name] = Verb(name, usage, help_, run)
        return run

    return register


def pick(call: Call, bot: Bot, *, over_too: bool = False) -> tuple[State, str]:
    """Return the maintenance that a call is about, and the words left.

    It is the one named first; else the only one in this channel that is not over; else, with `over_too`, the latest of
    this channel; else the same anywhere. Raises `BadInput` naming the choices.
    """
    first, _, rest = call.words.partition(" ")
    ids = bot.maintenances.ids()
    if first in ids:
        return bot.maintenances.state(first), rest.strip()
    if _LIKE_AN_ID.fullmatch(first):
        # Taken for a mere word, a slip in the id would let the command hit another maintenance.
        raise BadInput(f"There is no maintenance called {first}. `/maint list` shows those there are.")
    active = bot.maintenances.active()
    here = [state for state in active if state.channel == call.channel]
    look_back = over_too and not here
    past_here = list(islice(bot.maintenances.past(call.channel), 1)) if look_back else []
    past = list(islice(bot.maintenances.past(), 1)) if look_back and not active else []
    for choice in (here, past_here, active, past):
        if len(choice) == 1:
            return choice[0], call.words
    if not active:
        raise BadInput("No maintenance is planned or running. `/maint start` begins one.")
    names = ", ".join(f"`{state.id}`" for state in active)
    raise BadInput(
        f"Which maintenance? Name it first, for example `/maint {call.verb} {active[0].id}`. There are {names}."
    )


def pick_alone(call: Call, bot: Bot, *, over_too: bool = False) -> State:
    """Return the maintenance that a call is about, where nothing but its id may be said. Raises like `pick`."""
    state, words = pick(call, bot, over_too=over_too)
    if words.strip():
        raise BadInput(
            f"`/maint {call.verb}` takes only the id of a maintenance: it is not clear what {words.strip()!r} means. "
            "`/maint list` shows the ids."
        )
    return state


def record(bot: Bot, state: State, act: Act, verb: str, decision: Callable[[State], list[Draft]]) -> None:
    """Record what a person did and let everybody look at it.

    Raises `NotAllowed`, what `decision` raises, and `Duplicate` for a request that Slack delivered again, also where
    `decision` refuses it because its own first delivery has changed the state.
    """
    bot.admit_decision(act.user, state, verb)
    try:
        bot.maintenances.record(state.id, decision)
    except BadInput:
        for entry in bot.maintenances.journal.read(state.id):
            if entry.key.endswith(f":{act.delivery}"):
                raise Duplicate(entry) from None
        raise
    bot.wake()


def held(state: State) -> str:
    """Return the sentence that belongs behind "it will be done" while a pause keeps it from being done, else ""."""
    return " It is paused, so that waits until somebody resumes: `/maint resume`." if state.paused else ""


def as_typed(words: str) -> str:
    """Return words that are shown as text: `<@U…|ben>` and `<#C…|ops>`, as Slack sends mentions, as `@ben` and `#ops`.

    Mentions without a name stay as they are: see `Bot.named`.

    Source: https://docs.slack.dev/messaging/formatting-message-text#mentioning-users
    """
    return re.sub(r"<([@#])[A-Z0-9]+\|([^>]+)>", r"\1\2", words)


def step_named(state: State, words: str, usage: str, fits: Callable[[str], bool]) -> tuple[str, str]:
    """Split the step that a call names from the rest. Raises `BadInput` if it names none, with those that fit now."""
    if words.strip():
        return first_word(words, "The step", usage)
    could_be = list(filter(fits, state.steps))
    more = f" and {len(could_be) - _MOST_NAMED} more" if len(could_be) > _MOST_NAMED else ""
    named = f"Now that could be {', '.join(could_be[:_MOST_NAMED])}{more}." if could_be else "There is none now."
    raise BadInput(f"Which step? `{usage}`. {named}", field="step")


def first_word(words: str, what: str, usage: str) -> tuple[str, str]:
    """Split a needed first word from the rest. Raises `BadInput` if there is none."""
    first, _, rest = words.strip().partition(" ")
    if not first:
        raise BadInput(f"{what} is missing: `{usage}`.")
    return first, rest.strip()
