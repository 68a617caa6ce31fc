"""Any program on the bot's machine, for work that has no integration of its own."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from bot.errors import AnswerLost, CannotTell, Final, Temporary
from bot.step import Context, Outcome, Plan, Setting, Step, step
from integrations import jobs
from integrations.polling import CommandPoll, is_ordered, note_order
from integrations.rounds import rounds_before

Argv = Annotated[tuple[str, ...], Field(min_length=1)]
SettingName = Annotated[str, Field(pattern=r"^MAINT_[A-Z0-9_]+$")]
_ASK_LIMIT_S = 60.0


@step("command")
class Command(Step):
    """Run a program, without a shell, to its end; exit status 0 is success.

    It runs detached: when the bot is restarted it goes on, and the bot finds it again. It is started once; after a
    failure only a person's retry starts it again.
    """

    estimate_s: ClassVar[float] = 60.0
    timeout_s: ClassVar[float] = 3600.0
    reversible: ClassVar[bool] = True
    approval: ClassVar[bool] = True
    by_own_words: ClassVar[bool] = True

    argv: Argv
    """The program and its arguments, as a list; nothing in it is expanded."""
    cwd: Path = Path("/")
    """The folder that it runs in."""
    env: dict[str, str] = Field(default_factory=dict)
    """Environment variables beside PATH, HOME and the locale. The bot's own variables are not passed on."""
    secret_env: dict[str, SettingName] = Field(default_factory=dict)
    """Environment variables whose values are secrets: the name there, and the bot's setting (`MAINT_…`) to take."""
    limit_s: Annotated[float, Field(gt=0)] = 3600.0
    """How long it may run, in seconds; then it is ended, and the step has failed."""
    done_when: Argv | None = None
    """A program that only looks whether the work is done: exit status 0 is yes, 1 is no, any other cannot tell."""
    poll: CommandPoll | None = None
    """For work that goes on after the program: what to ask until it is finished. Give the step a `timeout` to match."""
    undo_with: Argv | None = None
    """The program that takes the effect back, safe to run twice."""

    @classmethod
    def can_undo(cls, with_: Mapping[str, Any]) -> bool:
        return bool(with_.get("undo_with"))

    def plan(self, ctx: Context) -> Plan:
        self._secrets(ctx)
        details = [f"in {self.cwd}, for at most {self.limit_s:g} seconds"]
        details += [f"{name}={value}" for name, value in self.env.items()]
        details += [f"{name}=(the value of {setting})" for name, setting in self.secret_env.items()]
        if self.done_when:
            details.append(f"done when {shlex.join(self.done_when)} ends with 0")
        if self.poll:
            value = json.dumps(self.poll.until.equals)
            details.append(f"then waits until {shlex.join(self.poll.argv)} shows {self.poll.until.field} as {value}")
        if self.undo_with:
            details.append(f"undone with {shlex.join(self.undo_with)}")
        with_ = self.model_dump(mode="json")
        return Plan(f"Run {shlex.join(self.argv)}", tuple(details), {"uses": self.uses, "with": with_})

    def check(self, ctx: Context) -> Outcome | None:
        if self.done_when is not None:
            return Outcome(f"{self.done_when[0]} says that it is done.") if self._is_done(ctx) else None
        try:
            job = jobs.find(ctx, self._name(ctx))
        except AnswerLost as lost:
            raise CannotTell(str(lost)) from None
        if job is None or job.state() in {"new", "running"}:
            return None
        if job.exit_status() is None:
            raise CannotTell(f"{self.argv[0]} was started and is gone: nobody knows how it ended.")
        if job.exit_status() != 0 or self.poll is not None:
            return None  # `apply` goes on waiting; what has ended well is not started again
        return self._outcome(ctx, jobs.Ended(0, job.log_tail()))

    def apply(self, ctx: Context) -> Outcome:
        name = self._name(ctx)
        ended = jobs.run(ctx, name, self.argv, limit_s=self.limit_s, env=self._env(ctx), cwd=self.cwd)
        self._must_be_zero(ctx, self.argv, ended)
        outcome = self._outcome(ctx, ended)
        if self.poll is None:
            return outcome
        if not is_ordered(ctx):
            note_order(ctx, f"{outcome.summary} Waiting until {self.poll.argv[0]} shows that it is finished.")
        shown = self.poll.until_finished(ctx, partial(self._asked, ctx, self.poll), self.poll.argv[0])
        return replace(outcome, summary=f"{self.argv[0]} ended well, and {self.poll.argv[0]} shows: {shown}.")

    def _asked(self, ctx: Context, poll: CommandPoll) -> Any:
        """Return the document that the program writes. Raises `CannotTell`; it is asked again."""
        ended = jobs.ask(poll.argv, env=self._env(ctx), cwd=self.cwd, limit_s=_ASK_LIMIT_S)
        said = self._clean(ctx, ended.output)
        if ended.status != 0:
            raise CannotTell(f"{poll.argv[0]} ended with {ended.status}: {jobs.last_line(said)}")
        try:
            return json.loads(said)
        except ValueError:
            raise CannotTell(f"{poll.argv[0]} did not write a JSON document: {jobs.last_line(said)}") from None

    def verify(self, ctx: Context, outcome: Outcome) -> None:  # noqa: ARG002 - the signature of the contract
        if self.done_when is None:
            return
        try:
            done = self._is_done(ctx)
        except CannotTell as error:
            raise Temporary(str(error)) from None
        if not done:
            raise Temporary(f"{self.argv[0]} has ended well, but {shlex.join(self.done_when)} says it is not done.")

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:  # noqa: ARG002 - the signature of the contract
        if self.undo_with is None:
            raise Final(f"{ctx.step} has no `undo_with`: take back by hand what {self.argv[0]} did, if it has to be.")
        name = f"undo-{ctx.attempt}"
        ended = jobs.run(ctx, name, self.undo_with, limit_s=self.limit_s, env=self._env(ctx), cwd=self.cwd)
        self._must_be_zero(ctx, self.undo_with, ended)
        return Outcome(f"{shlex.join(self.undo_with)} ended well.", files=self._files(ctx, ended))

    def _name(self, ctx: Context) -> str:
        return f"run-{rounds_before(ctx)}"

    def _is_done(self, ctx: Context) -> bool:
        argv = self.done_when or ()
        ended = jobs.ask(argv, env=self._env(ctx), cwd=self.cwd, limit_s=_ASK_LIMIT_S)
        if ended.status not in {0, 1}:
            said = self._clean(ctx, jobs.last_line(ended.output))
            raise CannotTell(f"{argv[0]} ended with {ended.status}, so it cannot be told whether it is done: {said}")
        return ended.status == 0

    def _must_be_zero(self, ctx: Context, argv: Argv, ended: jobs.Ended) -> None:
        if ended.status != 0:
            how = f"was killed by signal {-ended.status}" if ended.status < 0 else f"ended with {ended.status}"
            said = self._clean(ctx, jobs.last_line(ended.output)) or "(no output)"
            raise Final(f"{shlex.join(argv)} {how}: {said}", files=self._files(ctx, ended))

    def _outcome(self, ctx: Context, ended: jobs.Ended) -> Outcome:
        said = self._clean(ctx, jobs.last_line(ended.output))
        summary = f"{self.argv[0]} ended well" + (f": {said}" if said else ".")
        return Outcome(summary, {"exit_status": ended.status, "last_line": said}, self._files(ctx, ended))

    def _files(self, ctx: Context, ended: jobs.Ended) -> dict[str, str]:
        return {"output.txt": self._clean(ctx, ended.output)} if ended.output else {}

    def _secrets(self, ctx: Context) -> dict[str, str]:
        return {
            name: ctx.setting(Setting(setting, help=f"What {ctx.step} passes on as {name}.", secret=True))
            for name, setting in self.secret_env.items()
        }

    def _env(self, ctx: Context) -> dict[str, str]:
        return {**self.env, **self._secrets(ctx)}

    def _clean(self, ctx: Context, text: str) -> str:
        for secret in filter(None, self._secrets(ctx).values()):
            text = text.replace(secret, "•••")
        return text
