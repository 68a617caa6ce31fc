"""A status page that lives in git: one Markdown file for a maintenance, as cState reads them from `content/issues`.

cState shows an issue at the top of the page while `resolved` is false, and does not count it as an outage where it is
`informational`. (Its theme's templates `index/announcements` and `issues/issue`.)
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from bot.errors import Final
from bot.step import Context, OnFailure, Outcome, Plan, Standing, Window, is_being_ended, step
from integrations.github.client import File, GitHub
from integrations.github.request import FilePath, FilledRequest
from integrations.github.yaml_lines import Value, quoted, read_values, set_values

CANCELLED = "This scheduled maintenance has been cancelled, or has ended early. We will announce any further work here."
COMPLETED = "The scheduled maintenance has been completed. Thank you for your patience."


def _worded(text: str) -> str:
    if not text.strip():
        raise ValueError("the text is empty")
    if "{{<" in text or "{{%" in text:
        raise ValueError("the text has a mark of Hugo's templates in it ({{< or {{%), which would not be shown as text")
    return text.strip()


def _instant(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC; write it such as 2026-11-25T17:00:00+13:00")
    return text


Text = Annotated[str, AfterValidator(_worded)]


class _Issue(FilledRequest):
    """What the two steps share: the file, and the texts that depend on the maintenance."""

    folder: FilePath = "content/issues"
    """Where the site keeps its issues, as a path inside the repository."""
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] | None = None
    """The file's name without `.md`; the id of the maintenance where it is not given."""

    estimate_s: ClassVar[float] = 120.0

    def filled(self, ctx: Context) -> Self:
        return self.model_copy(update={"name": self.name or ctx.maintenance})

    def file(self) -> str:
        return f"{self.folder}/{self.name}.md"

    @property
    def where(self) -> str:
        """The file in words."""
        return f"{self.file()} in {self.repository}"


@step("cstate.schedule")
class CstateSchedule(_Issue):
    """Announce the maintenance on a status page that lives in git (cState): one Markdown file, through a pull request.

    The site's configuration has to have `buildFuture: true`, as that of cState's example has, for an issue that begins
    in the future to be shown. If the maintenance is cancelled or aborted, the issue is resolved with a text.
    """

    title: Text | None = Field(default=None, max_length=255)
    """What it is called on the page; the title of the maintenance where it is not given."""
    text: Text | None = None
    """What the page says, in Markdown; left out, one sentence with start, end and zone."""
    affected: tuple[str, ...] = ()
    """The systems that are affected, by their names in the site's configuration."""
    cancel_text: Text = CANCELLED
    """What the page says, below the rest, if the maintenance is cancelled or aborted."""
    date: Annotated[str, AfterValidator(_instant)] | None = None
    """The date of the issue, as ISO 8601 with an offset; the start of the window where it is not given."""

    on_failure: ClassVar[OnFailure] = "ask"
    surface: ClassVar[bool] = True
    reversible: ClassVar[bool] = True
    approval: ClassVar[bool] = True
    tells: ClassVar[Mapping[str, tuple[str, ...]]] = {"text": ("start", "length", "zone", "impact")}

    def filled(self, ctx: Context) -> Self:
        zone = ZoneInfo(ctx.window.zone)
        values = {
            "title": self.title or ctx.title,
            "text": self.text or f"We will carry out scheduled maintenance on {_window(ctx.window)}.",
            "date": self.date or ctx.window.start.astimezone(zone).isoformat(timespec="seconds"),
        }
        return super().filled(ctx).model_copy(update=values)

    def plan(self, ctx: Context) -> Plan:
        if self._is_being_ended(ctx):
            return Plan(
                "Nothing to do: the status page is told that it is over.", subject={"uses": self.uses, "over": True}
            )
        return super().plan(ctx)

    def check(self, ctx: Context) -> Outcome | None:
        if self._is_being_ended(ctx):
            return Outcome("The status page is told that it is over: nothing to bring up to date.")
        return super().check(ctx)

    def verify(self, ctx: Context, outcome: Outcome) -> None:
        if outcome.facts:
            super().verify(ctx, outcome)

    def _is_being_ended(self, ctx: Context) -> bool:
        return is_being_ended(ctx, "cstate.resolve", "repository")

    def heading(self) -> str:
        return f"Announce on the status page: {self.title}"

    def wanted(self, now: bytes | None) -> bytes | None:
        if now is not None:
            return self._updated(_Parts.of(now, self.where))
        systems = "".join(f"\n  - {quoted(system)}" for system in self.affected) or " []"
        front = [
            f"title: {quoted(str(self.title))}",
            f"date: {quoted(str(self.date))}",
            "informational: true",
            "resolved: false",
            f"affected:{systems}",
            "section: issue",
        ]
        return "\n".join(["---", *front, "---", "", str(self.text), ""]).encode()

    def _updated(self, issue: "_Parts") -> bytes:
        """Return the issue with title, date and text as they are now, and what others have written left in it."""
        if issue.resolved:
            raise Final(
                f"{self.where} is resolved already, so it cannot be brought up to date. Nothing was changed. Set "
                "`resolved: false` there by hand and retry the step, or skip it."
            )
        text = str(self.text)
        changed = issue.having({"title": str(self.title), "date": str(self.date)})
        return changed.content if changed.says(text) else changed.adding(f"**Update:** {text}").content

    def facts_after(self) -> dict[str, Any]:
        return {"issue": self.file()}

    def standing(self, ctx: Context, outcome: Outcome) -> Standing | None:
        step = self.filled(ctx)
        with GitHub(ctx, step.repository) as github:
            file = github.file(step.file(), str(outcome.facts.get("base") or step._base(github)))
        issue = None if file is None else _Parts.of(file.content, step.where)
        if issue is None or issue.resolved:
            return None
        return Standing(issue.heading, f"{step.title}, {step.date}")

    def restored(self, github: GitHub, now: File | None, facts: Any) -> bytes | None:  # noqa: ARG002
        # Taking the file away would leave whoever has read it without a word.
        return None if now is None else _Parts.of(now.content, self.where).ended(self.cancel_text)


@step("cstate.resolve")
class CstateResolve(_Issue):
    """End the maintenance on a status page that lives in git (cState): mark its issue as resolved, and say so in it.

    Let it need the gate, so that the page says it is over when it is. Nothing else in the file changes.
    """

    text: Text = COMPLETED
    """What the page says, below the rest."""

    on_failure: ClassVar[OnFailure] = "keep"

    def heading(self) -> str:
        return f"End on the status page: {self.name}"

    def wanted(self, now: bytes | None) -> bytes | None:
        if now is None:
            raise Final(
                f"{self.where} does not exist: the maintenance was never announced on this page, or somebody has "
                "removed it. Nothing was changed. Skip the step, or retry the one that announces it."
            )
        return _Parts.of(now, self.where).ended(self.text)

    def plan(self, ctx: Context) -> Plan:
        step = self.filled(ctx)
        with GitHub(ctx, step.repository) as github:
            if github.file(step.file(), step._base(github)) is not None:
                return super().plan(ctx)
        details = ("It is not there yet: an earlier step announces it.", *self.text.splitlines())
        subject = {"uses": self.uses, "repository": self.repository, "path": step.file(), "text": self.text}
        return Plan(f"{step.heading()}: change {step.where} through a pull request", details, subject)


@dataclass(frozen=True)
class _Parts:
    """An issue: its front matter (YAML), and below it the body (Markdown). Lines end with `newline`."""

    front: str
    body: str
    newline: str
    where: str

    @classmethod
    def of(cls, content: bytes, where: str) -> Self:
        """Take an issue apart. Raises `Final` if it has no front matter."""
        whole = content.decode("utf-8", errors="surrogateescape")
        newline = "\r\n" if "\r\n" in whole else "\n"
        fence = f"---{newline}"
        front, found, body = whole.removeprefix(fence).partition(newline + fence)
        if not whole.startswith(fence) or not found:
            raise Final(f"{where} does not begin with front matter between two lines of ---. Nothing was changed.")
        return cls(front + newline, body, newline, where)

    @property
    def content(self) -> bytes:
        """The issue as a file."""
        return _raw(f"---{self.newline}{self.front}---{self.newline}{self.body}")

    @property
    def resolved(self) -> bool:
        """Whether it is over."""
        return read_values(_raw(self.front), ("resolved",), file=self.where)["resolved"] is True

    @property
    def heading(self) -> str:
        """Its title and date, as people see them first."""
        found = read_values(_raw(self.front), ("title", "date"), file=self.where)
        return f"{found['title']}, {found['date']}"

    def having(self, values: Mapping[str, Value]) -> Self:
        """Return it with these values in its front matter, all else untouched."""
        changed = set_values(_raw(self.front), values, file=self.where)
        return replace(self, front=changed.decode("utf-8", errors="surrogateescape"))

    def says(self, text: str) -> bool:
        """Whether `text` stands in it, however its lines are broken."""
        return " ".join(text.split()) in " ".join(self.body.split())

    def adding(self, text: str) -> Self:
        """Return it with a paragraph more at its end."""
        end = self.newline
        return replace(self, body=f"{self.body.rstrip()}{end}{end}{text.replace(chr(10), end)}{end}")

    def ended(self, text: str) -> bytes:
        """Return it as resolved, with `text` at its end; one that is resolved already stays as it is."""
        return self.content if self.resolved else self.having({"resolved": True}).adding(text).content


def _raw(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogateescape")


def _window(window: Window) -> str:
    """Return the window in its zone and in UTC, each with its date."""
    zone = ZoneInfo(window.zone)
    start, end = window.start.astimezone(zone), window.end.astimezone(zone)
    utc = f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC"
    here = f"{start:%A} {start.day} {start:%B %Y}, {start:%H:%M} to "
    if end.date() != start.date():
        here += f"{end:%A} {end.day} {end:%B %Y}, "
    return f"{here}{end:%H:%M} ({window.zone}), which is {utc}"
