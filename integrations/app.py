"""Takes the app off and on: by an HTTP call or a command, and believed only when reading back shows it."""

import json
import shlex
import time
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bot.errors import AnswerLost, CannotTell, Final, Temporary
from bot.http import Http
from bot.step import Context, OnFailure, Outcome, Plan, Setting, Standing, Step, canonical, step
from integrations import jobs
from integrations.answers import Url, field_of, host, origin

TOKEN = Setting(
    "MAINT_APP_TOKEN",
    help="The token that the app's maintenance switch asks for, sent as `Authorization: Bearer`. Empty: none is sent.",
    secret=True,
    default="",
)

Position = Literal["off", "on"]
_DOING: Mapping[Position, str] = {"off": "Take the app off", "on": "Bring the app back on"}
_DONE: Mapping[Position, str] = {"off": "taken off", "on": "brought back on"}
Argv = Annotated[tuple[str, ...], Field(min_length=1)]
_ANY_STATUS = range(100, 600)
_ASK_LIMIT_S = 20.0


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Switch(_Part):
    """One way of putting the app into one position. It sets; it must not toggle, since a retry does it again."""

    url: Url | None = None
    """The address to call; either this or `command`."""
    method: Literal["PUT", "POST", "PATCH", "DELETE", "GET"] = "POST"
    """The HTTP method of the call."""
    body: Any = None
    """What to send as JSON, if anything."""
    command: Argv | None = None
    """The program and its arguments, run without a shell; exit status 0 means that it worked."""
    limit_s: float = 60.0
    """How long the call or the program may take, in seconds."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.url is None) == (self.command is None):
            raise ValueError("give either `url` or `command`")
        return self

    def text(self) -> str:
        """Return the switch as one line for people."""
        if self.command is not None:
            return shlex.join(self.command)
        return f"{self.method} {self.url}" + ("" if self.body is None else f" {json.dumps(self.body)}")


class Reading(_Part):
    """How to see which position the app is in, without changing anything.

    With `field`: its value in the JSON answer. Without: the status of the answer. With `command`: exit status 0 is
    on, 1 is off, any other cannot tell.
    """

    url: Url | None = None
    """The address to read; either this or `command`."""
    field: str | None = None
    """Where the position is in the JSON answer: keys joined by dots, such as `maintenance.enabled`."""
    off_when: bool | int | str = True
    """The value of `field` when the app is off."""
    on_when: bool | int | str | None = None
    """The value of `field` when the app is on; needed unless `off_when` is true or false."""
    off_status: int = 503
    """The status of the answer when the app is off, where there is no `field`."""
    on_status: int = 200
    """The status of the answer when the app is on, where there is no `field`."""
    command: Argv | None = None
    """A program that looks, and its arguments."""

    @model_validator(mode="after")
    def _decidable(self) -> Self:
        if (self.url is None) == (self.command is None):
            raise ValueError("give either `url` or `command`")
        if self.field is not None and self.on_when is None and not isinstance(self.off_when, bool):
            raise ValueError("give `on_when` too: what `field` is when the app is on")
        if self.off_status == self.on_status:
            raise ValueError("`off_status` and `on_status` must differ")
        return self

    def position(self, headers: dict[str, str], token: str) -> Position:
        """Return the position that the app is in. Raises `CannotTell` if what it shows is neither, or nothing."""
        if self.command is not None:
            return _by_command(self.command)
        url = str(self.url)
        try:
            with Http("", system=host(url), headers=headers, secrets=[token]) as http:
                answer = http.request("GET", url, accept=_ANY_STATUS)
        except (Temporary, Final) as error:
            raise CannotTell(str(error)) from None
        if self.field is None:
            return self._judge(answer.status, self.off_status, self.on_status, "status")
        try:
            value = field_of(answer.json, self.field)
        except LookupError as error:
            raise CannotTell(f"{url} answered {answer.status}, and {error}.") from None
        on_when = not self.off_when if self.on_when is None else self.on_when
        return self._judge(value, self.off_when, on_when, self.field)

    def _judge(self, seen: Any, off: Any, on: Any, what: str) -> Position:
        # Compared as JSON, where true is not 1.
        if canonical(seen) == canonical(off):
            return "off"
        if canonical(seen) == canonical(on):
            return "on"
        raise CannotTell(
            f"{self.url} shows {what} {json.dumps(seen)[:100]}; off would be {json.dumps(off)}, on {json.dumps(on)}."
        )


class _Switching(Step):
    """What `app.off` and `app.on` have in common; they take the same fields, so that a runbook can share them."""

    target: ClassVar[Position]
    settings: ClassVar[tuple[Setting, ...]] = (TOKEN,)
    targets: ClassVar[tuple[str, ...]] = ("turn_off.url", "turn_off.command")
    estimate_s: ClassVar[float] = 30.0
    timeout_s: ClassVar[float] = 300.0

    turn_off: Switch
    """How the app is taken off."""
    turn_on: Switch
    """How the app is brought back on."""
    read: Reading
    """How to see which of the two it is."""

    def plan(self, ctx: Context) -> Plan:
        switch = self._switch(self.target)
        try:
            now = f"The app is {self._position(ctx)} now."
        except CannotTell as error:
            now = f"Which position it is in now cannot be told: {error}"
        return Plan(
            summary=f"{_DOING[self.target]}: {switch.text()}",
            details=(now, f"Believed when {self.read.url or shlex.join(self.read.command or ())} shows it."),
            subject={
                "uses": self.uses,
                "switch": switch.model_dump(mode="json"),
                "read": self.read.model_dump(mode="json"),
            },
        )

    def check(self, ctx: Context) -> Outcome | None:
        if self._position(ctx) != self.target:
            return None
        return self._outcome(ctx, self.target, f"The app is {self.target}.")

    def apply(self, ctx: Context) -> Outcome:
        self._turn(ctx, self.target, self.target)
        return self._outcome(ctx, self.target, f"The app was {_DONE[self.target]}.")

    def verify(self, ctx: Context, outcome: Outcome) -> None:  # noqa: ARG002 - the signature of the contract
        self._must_be(ctx, self.target)

    def _must_be(self, ctx: Context, target: Position) -> None:
        try:
            position = self._position(ctx)
        except CannotTell as error:
            raise Temporary(f"The app does not show that it is {target}: {error}") from None
        if position != target:
            raise Temporary(f"The app was {_DONE[target]}, and reading back still shows it {position}.")

    def _switch(self, target: Position) -> Switch:
        return self.turn_off if target == "off" else self.turn_on

    def _position(self, ctx: Context) -> Position:
        token = ctx.setting(TOKEN)
        switches = {origin(switch.url) for switch in (self.turn_off, self.turn_on) if switch.url}
        # What is read may be a public page on another host, which must not see the token.
        trusted = self.read.url is not None and origin(self.read.url) in switches
        return self.read.position(_headers(token) if trusted else {}, token)

    def _turn(self, ctx: Context, target: Position, job: str) -> None:
        switch = self._switch(target)
        if switch.command is not None:
            self._by_command(ctx, switch.command, target, switch.limit_s, job)
            return
        token, url = ctx.setting(TOKEN), str(switch.url)
        with Http("", system=host(url), headers=_headers(token), secrets=[token]) as http:
            http.request(switch.method, url, json=switch.body, timeout_s=switch.limit_s)

    def _by_command(self, ctx: Context, argv: Argv, target: Position, limit_s: float, job: str) -> None:
        name = f"{job}-{ctx.attempt}"
        ended = jobs.run(ctx, name, argv, limit_s=limit_s)
        if ended.status != 0:
            raise Final(
                f"{argv[0]} ended with {ended.status} instead of taking the app {target}: "
                f"{jobs.last_line(ended.output) or '(no output)'}",
                files={f"{name}.log": ended.output},
            )

    def _back(self, ctx: Context, target: Position) -> Outcome:
        """Undo: put the app into the other position, unless it is in it."""
        try:
            is_there = self._position(ctx) == target
        except CannotTell:
            is_there = False
        if not is_there:
            try:
                self._turn(ctx, target, "undo")
            except AnswerLost as lost:
                ctx.record(f"{lost} Reading back decides.")
            self._await(ctx, target)
        return self._outcome(ctx, target, f"The app is {target} again.")

    def _await(self, ctx: Context, target: Position) -> None:
        """Wait for the app to show itself in this position."""
        deadline = time.monotonic() + self._switch(target).limit_s
        while True:
            try:
                return self._must_be(ctx, target)
            except Temporary:
                if time.monotonic() > deadline:
                    raise
            ctx.sleep(0.2)

    def _outcome(self, ctx: Context, position: Position, summary: str) -> Outcome:
        return Outcome(summary, facts={"position": position, "at": ctx.now().isoformat()})


@step("app.off")
class Off(_Switching):
    """Take the app off: show its maintenance page, or stop it. Undoing it brings the app back on.

    It is believed only when `read` shows it. When the maintenance is aborted, people are asked whether the app should
    come back: the schema may be half applied. Where work has begun and the gate behind it has not come out green, also
    with `on_failure: lift`: then a second person who may approve has to say so.
    """

    target: ClassVar[Position] = "off"
    opens: ClassVar[bool] = True
    reversible: ClassVar[bool] = True
    approval: ClassVar[bool] = True
    on_failure: ClassVar[OnFailure] = "ask"

    def standing(self, ctx: Context, outcome: Outcome) -> Standing | None:  # noqa: ARG002 - the contract's signature
        return Standing("the app is off") if self._position(ctx) == "off" else None

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:  # noqa: ARG002 - the signature of the contract
        return self._back(ctx, "on")


@step("app.on")
class On(_Switching):
    """Bring the app back on. It is believed only when `read` shows it. Undone, on a way back, it is off again."""

    target: ClassVar[Position] = "on"
    reversible: ClassVar[bool] = True
    approval: ClassVar[bool] = True

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:  # noqa: ARG002 - the signature of the contract
        return self._back(ctx, "off")


def _by_command(argv: Argv) -> Position:
    ended = jobs.ask(argv, limit_s=_ASK_LIMIT_S)
    if ended.status not in {0, 1}:
        raise CannotTell(f"{argv[0]} ended with {ended.status}: {jobs.last_line(ended.output)}")
    return "on" if ended.status == 0 else "off"


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
