"""What a runbook may say: the keys of the YAML file, as pydantic models. Docstrings of fields are its reference."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from bot.access import DECIDING
from bot.conflict_kinds import KINDS, Level
from bot.durations import parse_duration
from bot.errors import BadInput
from bot.recurrence import FIRST, checked_rule, clock_of
from bot.step import OnFailure

Scalar = str | int | float | bool
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_WHO = re.compile(r"[UWS][A-Z0-9]{2,}")
_DUE = re.compile(r"(start|end)(?:\s*([+-])\s*(.+))?")


def _length(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f"a length of time such as 15m, 2h or 1h30 (with its unit) is needed, not {value!r}")  # noqa: TRY004 - pydantic reports ValueError
    try:
        return parse_duration(value)
    except BadInput as error:
        raise ValueError(str(error)) from None


def _due(value: str) -> str:
    due_of(value)
    return value


def due_of(value: str) -> tuple[str, float]:
    """Return the anchor (`start` or `end`) and the offset in seconds of `start - 1d`. Raises `ValueError`."""
    found = _DUE.fullmatch(value.strip())
    if found is None:
        raise ValueError("a time of the window is needed: start, end, start - 1d, end - 15m")
    if found[3] is None:
        return found[1], 0.0
    length = _length(found[3])
    assert isinstance(length, timedelta)  # noqa: S101 - _length raised otherwise
    return found[1], length.total_seconds() * (-1 if found[2] == "-" else 1)


def _id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError(f"expected at most 63 small letters, digits and dashes, found the text {value!r}")
    return value


def _who(value: str) -> str:
    if not _WHO.fullmatch(value):
        raise ValueError(f"expected the Slack id of a person (U…, W…) or a user group (S…), found the text {value!r}")
    return value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _approval(value: object) -> object:
    return {} if value is True else None if value is False else value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _records(said: object) -> list[dict[str, Any]]:
    if not isinstance(said, list) or not all(isinstance(each, Mapping) for each in said):
        raise BadInput("expected a list of keys and values; it is written into the runbook, not typed.")
    return [dict(each) for each in said]


_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_READ: dict[str, Callable[[str], Scalar]] = {
    "text": str,
    "integer": int,
    "number": _finite,
    "boolean": lambda text: _BOOLEANS[text.lower()],
}
_EXPECTED = {"text": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}

Length = Annotated[timedelta, BeforeValidator(_length)]
Due = Annotated[str, AfterValidator(_due)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Id = Annotated[str, AfterValidator(_id)]
Who = Annotated[str, AfterValidator(_who)]
People = Annotated[tuple[Who, ...], BeforeValidator(_listed)]


def _kind(value: str) -> str:
    if value not in KINDS:
        raise ValueError(f"expected a kind of conflict ({', '.join(KINDS)}), found the text {value!r}")
    return value


ConflictKind = Annotated[str, AfterValidator(_kind)]
ConflictLevel = Annotated[Level, BeforeValidator(lambda value: "off" if value is False else value)]


def _role(value: str) -> str:
    if not _WHO.fullmatch(value) and not _ID.fullmatch(value):
        raise ValueError(f"expected a role (small letters) or a Slack id (U…, W…, S…), found the text {value!r}")
    return value


def _restrictable(value: str) -> str:
    if value not in RESTRICTABLE:
        raise ValueError(
            f"expected a verb whose use may be restricted ({', '.join(sorted(RESTRICTABLE))}), found {value!r}"
        )
    return value


RESTRICTABLE = DECIDING | {"start"}
"""Verbs that `rights:` may keep to some. Not pause, abort, note: anybody may pull the cord."""
Role = Annotated[str, AfterValidator(_role)]
Roles = Annotated[tuple[Role, ...], BeforeValidator(_listed)]
RestrictedVerb = Annotated[str, AfterValidator(_restrictable)]


def _read_by(read: Callable[[str], object]) -> AfterValidator:
    """Keep the text if `read` can read it."""

    def check(value: str) -> str:
        try:
            read(value)
        except BadInput as error:
            raise ValueError(str(error)) from None
        return value

    return AfterValidator(check)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Param(_Part):
    """One value that is asked for when a maintenance is started: `key=value` in the command, a field in the modal."""

    type: Literal["text", "integer", "number", "boolean", "list", "records"] = "text"
    """What it has to be. A `list` is written with commas. `records` are a list of keys and values, such as the sites
    with all that is to be known of each: they are written into the runbook as the `default`, and nobody is asked."""
    default: Scalar | list[Scalar] | list[dict[str, Any]] | None = None
    """What it is when nobody says; a parameter without one has to be given, unless `required: false`."""
    help: str = ""
    """One line for the person who fills it in."""
    required: bool | None = None
    """Whether it has to be given. By default it has to if there is no `default`."""
    choices: tuple[Scalar, ...] = ()
    """The values to choose from, if not every value will do."""

    @property
    def needed(self) -> bool:
        """Whether a maintenance cannot be started without it."""
        return self.default is None and self.required is not False

    @property
    def asked(self) -> bool:
        """Whether people are asked for it in the form; records are more than fits there."""
        return self.type != "records"

    def read(self, said: object) -> Scalar | list[str] | list[dict[str, Any]]:
        """Return `said` (a text that somebody typed, or a value from the file) as this parameter's type.

        Raises `BadInput` saying what was expected.
        """
        if self.type == "list":
            parts = said if isinstance(said, list | tuple) else str(said).split(",")
            return [str(part).strip() for part in parts if str(part).strip()]
        if self.type == "records":
            return _records(said)
        text = str(said).strip()
        try:
            value = _READ[self.type](text)
        except (ValueError, KeyError):
            raise BadInput(f"expected {_EXPECTED[self.type]}, found “{text}”.") from None
        if self.choices and text not in map(str, self.choices):
            raise BadInput(f"expected one of {', '.join(map(str, self.choices))}, found “{text}”.")
        return value


class WindowDefaults(_Part):
    """What the window is when the person who starts does not say."""

    duration: Length = timedelta(hours=2)
    """How long it is."""
    notice: Length | None = None
    """How long before the start people should know; a shorter notice is a conflict (see `policy: conflicts`)."""
    margin: Length | None = None
    """How much time the estimates of the steps should leave to spare. By default a tenth of the window."""


class Recur(_Part):
    """When a maintenance comes again by itself, planned by the bot; its steps are approved like any others."""

    rrule: Annotated[str, _read_by(checked_rule)]
    """On which days, as iCalendar says it (RFC 5545): `FREQ=WEEKLY;BYDAY=SU`, `FREQ=MONTHLY;BYDAY=1SU`."""
    at: Annotated[str, _read_by(clock_of)]
    """The start and its zone: `02:00 Europe/Berlin`. It stays that hour when the clocks change; an hour that they leave
    out begins as much later, and of one that comes twice it is the first."""
    ahead: Length = timedelta(days=7)
    """How long before it is planned: time to approve what has to be announced."""
    since: date = FIRST
    """The day that `INTERVAL` is counted from, and before which there is none. By default Monday, 1 January 2024."""
    params: Mapping[str, Any] = Field(default_factory=dict)
    """The parameters that have no default, or another value here."""


class Policy(_Part):
    """Who approves, for all steps of the runbook, and what conflicts do."""

    approvers: People = ()
    """Slack user ids (`U…`, `W…`) and user group ids (`S…`). By default those of `MAINT_APPROVERS`."""
    requester_may_approve: bool = False
    """Whether whoever starts a maintenance may approve its steps. It is said loudly where it is allowed."""
    count: int = Field(default=1, ge=1)
    """How many different people have to approve a step that does not say."""
    expires: Length = timedelta(hours=1)
    """How long a request waits before it is asked again."""
    escalate_to: People = ()
    """Who is asked as well when nobody has decided in time."""
    conflicts: Mapping[ConflictKind, ConflictLevel] = Field(default_factory=dict)
    """What each kind of conflict does: `block` until somebody overrides it, `warn`, or nothing (`off`). For the other
    kinds `MAINT_CONFLICTS` says."""


class StepApproval(_Part):
    """What a step's approval needs that differs from the policy."""

    count: int | None = Field(default=None, ge=1)
    """How many different people have to approve."""
    from_: People = Field(default=(), alias="from")
    """Who may approve this step, in place of the policy's approvers."""
    by: Roles = ()
    """The same, by role: a name from `roles:`, or `coordinator`, `approver`, `communications`; or ids."""
    expires: Length | None = None
    """How long the request waits before it is asked again."""
    escalate_to: People = ()
    """Who is asked as well when nobody has decided in time, in place of the policy's."""
    with_: Id | None = Field(default=None, alias="with")
    """The announcement with which this step, a notice ahead of the window, is approved. It then goes out by itself when
    it falls due, and not at all once the window has begun."""


class StepRetry(_Part):
    """How often a failure that may pass is tried again."""

    attempts: int | None = Field(default=None, ge=1)
    """How many attempts in all."""
    wait: Length | None = None
    """How long to wait before the second attempt; doubled each time."""
    longest_wait: Length | None = None
    """The longest wait between two attempts."""


class RunbookStep(_Part):
    """One step."""

    id: Id
    """Its name in commands, messages and `needs`: small letters, digits and dashes."""
    uses: str
    """The step type, such as `postgres.upgrade`."""
    title: str | None = None
    """What people read; by default the id."""
    with_: Mapping[str, Any] = Field(default_factory=dict, alias="with")
    """The step type's own keys. Texts may be templates."""
    if_: str = Field(default="", alias="if")
    """An expression over `params`, such as `params.sites`. Where that is false or empty when a maintenance is planned,
    the step is left out of it, and what needs the step needs what the step needs."""
    needs: Names | None = None
    """The steps that have to be over before it. By default the step before it; `[]` for none."""
    approval: Annotated[StepApproval | None, BeforeValidator(_approval)] = None
    """`true`, `false`, or how it differs from the policy. By default what the step type says."""
    estimate: Length | None = None
    """How long it will take; the forecast is made from it."""
    timeout: Length | None = None
    """After how long it is called overdue."""
    retry: StepRetry | None = None
    """How often a failure that may pass is tried again."""
    on_failure: OnFailure | None = None
    """What becomes of what it put up when the maintenance is aborted: `lift` it, `keep` it, or `ask`."""
    when: Due | None = None
    """When it is due: `start`, `end`, `start - 1d`, `end - 15m`. By default as soon as what it needs is over."""
    point_of_no_return: bool | None = None
    """Whether rolling back is impossible once this step has started: it is refused from then on, and
    the run card says so before. By default what the step type says."""
    opens: bool | None = None
    """Whether taking it back lets users in, as with a `command` that takes the app off and has `undo_with`: after an
    abort that needs a second person where the gate behind it is not green. By default what the step type says."""
    phase: Literal["scheduled", "in_progress", "verifying"] | None = None
    """The state that the maintenance is in from this step on. By default that of the step before it."""


class RehearsalKeys(_Part):
    """How the runbook is rehearsed (`/maint rehearse`): on a copy that a step makes, which its other steps work on."""

    uses: str
    """The step type that makes the copy, such as `postgres.clone`."""
    with_: Mapping[str, Any] = Field(default_factory=dict, alias="with")
    """That step type's own keys. Texts may be templates."""
    approval: Annotated[StepApproval | None, BeforeValidator(_approval)] = None
    """`true`, `false`, or how it differs from the policy: whether making the copy is asked about. By default what the
    step type says."""


class Runbook(_Part):
    """A runbook."""

    name: Id
    """What `/maint start NAME` says."""
    title: str
    """What people read; a template of `params`."""
    description: str = ""
    """What it does and when to use it, for the person who chooses one."""
    params: Mapping[str, Param] = Field(default_factory=dict)
    """The values that are asked for."""
    window: WindowDefaults = WindowDefaults()
    """The window when nobody says."""
    recur: Recur | None = None
    """When it comes again by itself."""
    url: str = ""
    """Where people read more: the default of the parameter `url`; a template of `params` and `window`."""
    impact: str = ""
    """What users will notice, in words for them: in the public feed, and in templates as `impact`. A template of
    `params`, not of `window`, which may change."""
    public: bool = True
    """Whether the public feed may tell of it once it is announced."""
    lint: Literal["warn", "strict"] = "warn"
    """What becomes of a text for customers that does not say when, how long, in which zone, what they will notice, or
    where to read more: `maint check` warns of it, or (`strict`) it is a mistake like any other."""
    policy: Policy = Policy()
    """Who approves."""
    environment: Id | Literal[""] = ""
    """Where it works, such as `production`. `MAINT_ENVIRONMENTS` says how many people at least approve there."""
    roles: Mapping[Id, People] = Field(default_factory=dict)
    """Who is what, by role: `coordinator`, `approver`, `communications`, in place of the settings, or a name of your
    own for `approval: by:` and `rights:`."""
    rights: Mapping[RestrictedVerb, Roles] = Field(default_factory=dict)
    """Who alone may use a verb in it, by role or id: `skip: [approver]`. Anybody may still pause, abort and note."""
    steps: tuple[RunbookStep, ...] = Field(min_length=1)
    """What is done, in order."""
    rehearsal: RehearsalKeys | None = None
    """How it is rehearsed. Its steps that can work on a copy are done there, in their order; no other step is."""
    on_change: tuple[RunbookStep, ...] = ()
    """Steps that tell people when an approved `move`, `extend` or `cancel` has changed the window, or a `rollback` has
    put everything back. Their templates may name `change.what` (moved, extended, cancelled, rolled back) and
    `change.reason`; no approval of their own is asked for."""
