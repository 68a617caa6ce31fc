"""`github.post`: what was done, as a post on a Jekyll site, in a pull request that people edit and merge."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, PrivateAttr

from bot.errors import Final, Temporary
from bot.step import Context, OnFailure, Outcome, Plan, step
from integrations.github.branch import Change, hold
from integrations.github.client import GitHub
from integrations.github.pull import find_or_open
from integrations.github.request import FilePath, FilledRequest, branch_of
from integrations.github.story import body_of
from integrations.github.yaml_lines import quoted

_SLUG_CHARACTERS = 60
_NO_SLUG = re.compile(r"[^a-z0-9]+")
_LIQUID = re.compile(r"\{(?=[{%:])|(?<=\{)\{")  # and the attribute lists of kramdown, {: …}
_TAG = re.compile(r"<(?=[A-Za-z/!?])(?!https?://)")


def _one_line(title: str) -> str:
    line = " ".join(title.split())
    if not line:
        raise ValueError("the post has no title")
    return line


def _with_text(body: str) -> str:
    if not body.strip():
        raise ValueError("the post has no text")
    return body.strip()


def _instant(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC; write it such as 2026-11-25T17:00:00+13:00")
    return text


@step("github.post")
class Post(FilledRequest):
    """Write a blog post about the maintenance for a Jekyll site, as a pull request in its repository.

    The pull request is left open, for people to edit and to merge when it reads well; with `merge: true` the step
    merges it as it is. Let it need the report, whose facts its text may use. A post that is there already is never
    written over. Undoing closes the pull request unless people have merged it.
    """

    title: Annotated[str, AfterValidator(_one_line)]
    """The headline."""
    body: Annotated[str, AfterValidator(_with_text)]
    """The text in Markdown. Liquid and HTML in it are shown as text: part of it may have been typed by people."""
    categories: tuple[str, ...] = ()
    """The categories that Jekyll files it under."""
    layout: str | None = "post"
    """The layout of the site; null to leave it to the site's configuration."""
    slug: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")] | None = None
    """The end of its address; made from the title where it is not given."""
    date: Annotated[str, AfterValidator(_instant)] | None = None
    """Its date, as ISO 8601 with an offset; the start of the window where it is not given. Jekyll hides posts of the
    future."""
    folder: FilePath = "_posts"
    """Where the site keeps its posts, as a path inside the repository."""
    merge: bool = False
    """Whether to merge the pull request, too."""

    _mark: str = PrivateAttr(default="")
    _at: datetime = PrivateAttr(default=datetime.min.replace(tzinfo=UTC))

    on_failure: ClassVar[OnFailure] = "keep"
    reversible: ClassVar[bool] = True
    approval: ClassVar[bool] = True

    def filled(self, ctx: Context) -> Self:
        step = self.model_copy(update={"slug": self.slug or _slug(self.title) or _slug(ctx.maintenance)})
        step._mark = f"# maint {ctx.key}"
        start = ctx.window.start.astimezone(ZoneInfo(ctx.window.zone))
        step._at = datetime.fromisoformat(self.date) if self.date else start
        return step

    def file(self) -> str:
        return f"{self.folder}/{self._at:%Y-%m-%d}-{self.slug}.md"

    def heading(self) -> str:
        return f"Post: {self.title}"

    def wanted(self, now: bytes | None) -> bytes | None:
        if now is None:
            return self._text().encode()
        if self._mark.encode() in now:
            return now  # whoever has edited it since knows better
        raise Final(
            f"{self.file()} in {self.repository} is another post already. Nothing was changed. Give this one another "
            "`slug` in the runbook."
        )

    def facts_after(self) -> dict[str, Any]:
        return {"post": self.file()}

    def plan(self, ctx: Context) -> Plan:
        if self.merge:
            return super().plan(ctx)
        step = self.filled(ctx)
        with GitHub(ctx, self.repository) as github:
            base = step._base(github)
            _, after = step._look(github, base)
        text = (after or b"").decode()
        subject = {"uses": self.uses, "repository": self.repository, "base": base, "path": step.file(), "text": text}
        summary = f"{step.heading()}: open a pull request with {step.file()} in {self.repository}, for people to merge"
        return Plan(summary, tuple(text.splitlines()), {**subject, "merge": False})

    def check(self, ctx: Context) -> Outcome | None:
        if self.merge:
            return super().check(ctx)
        step = self.filled(ctx)
        with GitHub(ctx, self.repository) as github:
            pull = _pull(ctx, github, step._base(github))
        return None if pull is None else step._opened(pull)

    def apply(self, ctx: Context) -> Outcome:
        if self.merge:
            return super().apply(ctx)
        step = self.filled(ctx)
        with GitHub(ctx, self.repository) as github:
            base = step._base(github)
            pull = _pull(ctx, github, base)
            if pull is None:
                before, after = step._look(github, base)
                if before is not None:
                    return Outcome(f"{step.file()} is in {self.repository} already.", {"post": step.file()})
                change = step._left_open(ctx, base, after)
                hold(github, change)
                ctx.raise_if_stopped()
                pull = find_or_open(github, change)
                ctx.record(f"Opened pull request #{pull['number']}: {pull['html_url']}", pr=int(pull["number"]))
        return step._opened(pull)

    def verify(self, ctx: Context, outcome: Outcome) -> None:
        if self.merge:
            super().verify(ctx, outcome)
            return
        with GitHub(ctx, self.repository) as github:
            step = self.filled(ctx)
            base = step._base(github)
            if _pull(ctx, github, base) is None and github.file(step.file(), base) is None:
                raise Temporary(f"The pull request with {step.file()} was opened, and GitHub does not show it.")

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:
        if self.merge:
            return super().undo(ctx, outcome)
        with GitHub(ctx, self.repository) as github:
            pull = _pull(ctx, github, self._base(github))
            if pull is None or (pull["state"] != "open" and not pull.get("merged_at")):
                return Outcome("No pull request with the post is open.")
            if pull.get("merged_at"):
                return Outcome(f"The post was merged by people ({pull['html_url']}), and stays.")
            github.close_pull(int(pull["number"]))  # its branch stays: people may have written in it
        return Outcome(f"Closed pull request #{pull['number']} with the post ({pull['html_url']}).")

    def _left_open(self, ctx: Context, base: str, after: bytes | None) -> Change:
        body = body_of(ctx, self.heading(), left_open=True)
        return replace(self._change(ctx, base, None, after), body=body)

    def _opened(self, pull: Mapping[str, Any]) -> Outcome:
        state = "merged" if pull.get("merged_at") else str(pull["state"])
        then = ": edit it there, and merge it when it reads well" if state == "open" else f", which is {state} now"
        facts = {"repository": self.repository, "post": self.file(), "pr": int(pull["number"])}
        where = f"pull request #{pull['number']} of {self.repository} ({pull['html_url']})"
        return Outcome(f"The post “{self.title}” is in {where}{then}", {**facts, "pr_url": str(pull["html_url"])})

    def _text(self) -> str:
        front = [f"title: {quoted(self.title)}", f"date: {self._at:%Y-%m-%d %H:%M:%S %z}"]
        front += [f"layout: {quoted(self.layout)}"] if self.layout else []
        front += ["categories:", *(f"  - {quoted(each)}" for each in self.categories)] if self.categories else []
        return "\n".join(["---", self._mark, *front, "---", "", _harmless(self.body), ""])


def _pull(ctx: Context, github: GitHub, base: str) -> Mapping[str, Any] | None:
    """The step's pull request, whatever people have done with it; None if none was ever opened."""
    known = ctx.facts.get("pr")
    return github.pull(int(known)) if known else next(iter(github.pulls(branch_of(ctx), base, "all")), None)


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _NO_SLUG.sub("-", plain).strip("-")[:_SLUG_CHARACTERS].strip("-")


def _harmless(body: str) -> str:
    """Return Markdown in which nothing is Liquid or HTML: Jekyll would carry it out, or browsers would."""
    text = _LIQUID.sub("&#123;", body)
    return _TAG.sub("&lt;", text)
