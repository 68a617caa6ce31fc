"""The step: what a contributor writes, and the registry that finds it by its `uses` name.

With its values (`bot.step_values`) and its context (`bot.step_context`) it is all that an integration sees of the bot,
and all of it is imported from here.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from bot.errors import CannotTell, Final
from bot.picture import Picture
from bot.step_context import Context, Ledger
from bot.step_values import Json, Offer, Outcome, Plan, Retry, Setting, Standing, Window, canonical, read_as

__all__ = [
    "REGISTRY",
    "Context",
    "Json",
    "Ledger",
    "Offer",
    "OnFailure",
    "Outcome",
    "Picture",
    "Plan",
    "Retry",
    "Setting",
    "Standing",
    "Step",
    "Window",
    "canonical",
    "is_being_ended",
    "known_settings",
    "read_as",
    "step",
]

AGAIN = "-again-"
"""What is between the id of a step that is shown again after a change, and the number of the change."""
OnFailure = Literal["lift", "keep", "ask"]


class Step(BaseModel):
    """One effect in a maintenance. Subclass it, name it with `@step`, and its fields are the keys under `with:`.

    The docstring of a subclass is its help and its reference page, and each field needs a description there too
    (`Annotated[..., Field(description=...)]` or the field's docstring).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    uses: ClassVar[str] = ""
    estimate_s: ClassVar[float] = 60.0
    timeout_s: ClassVar[float] = 600.0
    retry: ClassVar[Retry] = Retry()
    on_failure: ClassVar[OnFailure] = "keep"
    reversible: ClassVar[bool] = False
    approval: ClassVar[bool] = False
    gate: ClassVar[bool] = False
    """A gate only looks; it cannot be skipped, and nothing that needs it starts before it is green."""
    ahead: ClassVar[bool] = False
    """A gate that looks ahead, before the work: while it is red, nothing else starts; it can be asked to look again."""
    point_of_no_return: ClassVar[bool] = False
    """Rolling back is impossible once it has started, unless it records a fact `way_back` that says otherwise."""
    sized: ClassVar[bool] = False
    """Its plan tells from the size of what is to be done how long it takes (`Plan.estimate_s`), also days ahead: it is
    asked before anything is announced."""
    by_hand: ClassVar[bool] = False
    """A step that a person does: `/maint done STEP` ends it."""
    pausable: ClassVar[bool] = False
    """A pausable step holds between its effects while the maintenance is paused (`Context.hold`)."""
    try_on_words: ClassVar[str] = ""
    """What the button of the approval says that shows the effect to one person first (`try_on`); "" where there is
    none."""
    opens: ClassVar[bool] = False
    """Undoing it lets users in again: after an abort not by one person alone, where the gate behind it is not green."""
    by_own_words: ClassVar[bool] = False
    """What it does is only in the runbook's words (any program): the runbook has to say whether undoing it `opens`."""
    surface: ClassVar[bool] = False
    """A surface shows the window to people: it is applied anew, under a new key, when the window has changed."""
    targets: ClassVar[tuple[str, ...]] = ()
    """The fields that name what it works on (`page`, `turn_off.url`): two maintenances must not at the same time."""
    tells: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """The fields that customers read, and what each has to say ahead of a window: `start`, `length`, `zone`, `impact`,
    `link`, as far as there is room for it. `maint check` warns of what is missing."""
    removed_by: ClassVar[str] = ""
    """For a step that makes a copy to rehearse on: the step type that removes it, whose key `of` names this step."""
    settings: ClassVar[tuple[Setting, ...]] = ()
    """The settings that it reads, so that `maint check` can miss them before the night does."""

    @classmethod
    def asks(cls, with_: Mapping[str, Any]) -> bool:  # noqa: ARG003 - subclasses look at the keys
        """Whether a step with these keys (templates not filled in) asks for approval where the runbook does not say."""
        return cls.approval

    @classmethod
    def can_undo(cls, with_: Mapping[str, Any]) -> bool:  # noqa: ARG003 - subclasses look at the keys
        """Whether a step with these keys (templates not filled in) can be undone; asked once, when it is planned."""
        return cls.reversible

    @classmethod
    def on_copy(cls, with_: Mapping[str, Any], copy: str, source: Mapping[str, Any]) -> Mapping[str, Any] | None:  # noqa: ARG003 - subclasses look at them
        """Return the keys that make it work on the copy that the step `copy` (with the keys `source`) makes.

        `with_` are its own keys; templates are not filled in. None: it takes no part in a rehearsal. Whoever returns
        keys promises that the step then neither changes nor tells anything but that copy.
        """
        return None

    def plan(self, ctx: Context) -> Plan:  # noqa: ARG002 - subclasses look outside through ctx
        """Say what would be done, changing nothing. Raises `StepError` if it cannot even be planned."""
        return Plan(summary=f"{self.uses}", subject={"uses": self.uses, "with": self.model_dump(mode="json")})

    def try_on(self, ctx: Context, who: str) -> str:  # noqa: ARG002 - the subclass's signature
        """Have the effect for the one person with the e-mail address `who`, and say so in a sentence without it.

        Called for a press on the approval's button, once, and before any attempt: it may count as nothing that
        `check`, `apply` or the ledger look at. Raises `StepError`.
        """
        raise Final(f"{ctx.step}: {self.uses} cannot be tried on")

    def check(self, ctx: Context) -> Outcome | None:
        """Ask the outside whether it is done already: its outcome, or None for certainly not.

        Called before every apply, after a crash, and for `unknown`. Raises `CannotTell` if the outside does not say.
        """
        raise CannotTell(f"{ctx.step}: {self.uses} has no way of asking whether it has been done")

    def apply(self, ctx: Context) -> Outcome:
        """Do it. Called again after a crash or a retry: one key, one effect. Raises `StepError`."""
        raise NotImplementedError

    def verify(self, ctx: Context, outcome: Outcome) -> None:
        """Read back that it took. Raises `Temporary` while it may still come, `Final` if it did not."""

    def standing(self, ctx: Context, outcome: Outcome) -> Standing | None:  # noqa: ARG002 - the subclass's signature
        """Look outside whether what apply put up is still up: what it shows, or None if it is down (or never was up).

        A maintenance is not completed while anything still stands. Raises `StepError` if it cannot be seen.
        """
        return None

    def plan_undo(self, ctx: Context, outcome: Outcome) -> Plan:  # noqa: ARG002 - the subclass's signature
        """Say what `undo` would do and what is lost by it, changing nothing: what a rollback is approved by.

        What changes by itself (rows written since) belongs into the details, not the subject. Raises `Final`, saying
        why, if it cannot be undone any more.
        """
        return Plan(f"Take down what {ctx.step} put up", (), {"undo": ctx.step, "uses": self.uses})

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:  # noqa: ARG002 - the subclass's signature
        """Take down what apply put up. Only called where `reversible` is set. Safe to call twice."""
        raise Final(f"{ctx.step}: {self.uses} cannot be undone")


S = TypeVar("S", bound=type[Step])
REGISTRY: dict[str, type[Step]] = {}


def step(uses: str) -> Callable[[S], S]:
    """Register a step class under the name that runbooks write after `uses:`. Raises `ValueError` on a second one."""

    def register(cls: S) -> S:
        if uses in REGISTRY:
            raise ValueError(f"two step classes are called {uses}")
        cls.uses = uses
        REGISTRY[uses] = cls
        return cls

    return register


def known_settings() -> list[Setting]:
    """Return the settings that the registered steps read, each once, by name."""
    named = {setting.name: setting for cls in REGISTRY.values() for setting in cls.settings}
    return [named[name] for name in sorted(named)]


def is_being_ended(ctx: Context, by: str, *same: str, without: str = "") -> bool:
    """Whether the step of `ctx` is to bring up to date what another step, of the type `by`, has begun to take down.

    A change of the window that is approved late has surfaces shown again (`ID-again-N`); doing so then could put up
    what was just taken down. The two belong together if the runbook has the same under the keys `same`, and the other
    has nothing under the key `without`, where one type does both.
    """
    own, again, _ = ctx.step.partition(AGAIN)
    history = ctx.history if again else []
    steps = {step["id"]: step for entry in history[:1] for step in entry["payload"]["steps"]}
    if own not in steps:
        return False
    started = {entry["step"] for entry in history if entry["kind"] == "step_started"}
    shown = steps[own]["with"]
    return any(
        step["uses"] == by
        and all(step["with"].get(key) == shown.get(key) for key in same)
        and step["with"].get(without) is None
        for name, step in steps.items()
        if name in started - {own}
    )
