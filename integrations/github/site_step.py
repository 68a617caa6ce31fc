"""`sites.update`: the marketing sites take over the theme's new revision, and their live pages prove it."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import Field, model_validator

from bot.errors import Final, Temporary
from bot.step import Context, Json, OnFailure, Outcome, Plan, Setting, Standing, Step, is_being_ended, step
from integrations.github.auth import SETTINGS as GITHUB_SETTINGS
from integrations.github.banner import BannerText
from integrations.github.branch import MergeMethod
from integrations.github.cloudcannon import SETTINGS as CLOUDCANNON_SETTINGS
from integrations.github.request import FilePath
from integrations.github.site import Aim, Repository, Site
from integrations.github.site_banner import banner_of, unready
from integrations.github.site_fleet import AT_ONCE, Fleet, Manner, counted, is_right, raise_failures
from integrations.github.site_page import lacks, read_page, says
from integrations.github.site_plan import planned, stand
from integrations.github.site_run import Result
from integrations.github.site_theme import Theme
from integrations.github.site_wait import Wait
from integrations.github.story import one_line

T = TypeVar("T")


@step("sites.update")
class SitesUpdate(Step):
    """Bring the theme's new revision to every marketing site, and see its banner come or go on the live pages.

    In each site's `Gemfile.lock` the lines of the theme are moved, and no others; the change is pushed or goes through
    a pull request; CloudCannon publishes and builds the site; and the live page is read until it shows exactly the
    text, or no longer does. The sites run side by side: one that fails stops none of the others, and a retry takes up
    those that failed. A site is refused before anything is pushed if its build would fail, if somebody's unpublished
    changes would be published too, or if a banner file of its own would replace the theme's.

    It waits until the theme itself has the banner on (or off), so it may stand beside the step that does that. Undoing
    takes every site back to the revision that it had.
    """

    theme: Repository
    """The theme's repository on GitHub, as `owner/name`."""
    gem: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    """The name of the theme's gem, as lock files have it."""
    sites: Annotated[tuple[Site, ...], Field(min_length=1, max_length=100)]
    """The sites."""
    shows: BannerText | None = None
    """The text that every site has to show in the end, exactly as visitors read it. Either this or `hides`, or both."""
    hides: BannerText | None = None
    """The text that no site must show any more."""
    revision: str = Field(default="", pattern=r"^([0-9a-f]{40})?$")
    """The commit of the theme that the sites are to take; empty for the newest on its branch, which is what a window
    that may still move needs."""
    version: str = Field(default="", pattern=r"^([0-9]+(\\.[0-9A-Za-z]+)*)?$")
    """The version of the theme, for sites that take it from a gem server and not from git."""
    theme_branch: str | None = None
    """The theme's branch; left out, its repository's default branch."""
    path: FilePath = "_data/banner_notification.yml"
    """The banner's data file, as a path inside the theme and, where a site has one of its own, inside the site."""
    merge_method: MergeMethod = "merge"
    """How pull requests of sites are merged: `merge`, `squash` or `rebase`."""
    wait_s: float = Field(default=1800.0, gt=0)
    """How long to wait for each thing that takes time (checks, a build, the live page), in seconds."""

    settings: ClassVar[tuple[Setting, ...]] = (*GITHUB_SETTINGS, *CLOUDCANNON_SETTINGS)
    targets: ClassVar[tuple[str, ...]] = ("theme",)
    estimate_s: ClassVar[float] = 300.0
    timeout_s: ClassVar[float] = 7200.0
    on_failure: ClassVar[OnFailure] = "ask"
    reversible: ClassVar[bool] = True
    surface: ClassVar[bool] = True
    approval: ClassVar[bool] = True

    @classmethod
    def can_undo(cls, with_: Mapping[str, Any]) -> bool:
        """What only takes the banner off the sites puts nothing up that could be taken down."""
        return with_.get("shows") is not None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.shows is None and self.hides is None:
            raise ValueError("give `shows`, `hides` or both: what the live pages are judged by")
        if self.shows is not None and self.hides is not None and self.hides in self.shows:
            raise ValueError("`hides` is a part of `shows`, so no page can be right")
        names = [site.called for site in self.sites]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"two sites are called {twice}; give one of them another `name`")
        return self

    def plan(self, ctx: Context) -> Plan:
        if self._is_being_ended(ctx):
            return Plan(
                "Nothing to do: the banner is being taken off the sites.", subject={"uses": self.uses, "off": 1}
            )
        with Theme(ctx, self.theme) as theme:
            aim = self._aim(ctx, theme)
            self._refuse_fixed(aim)
            told = self._map(lambda site: planned(ctx, theme, site, aim))
        early = (f"⚠ It waits first for {unready(aim)}.",) if unready(aim) else ()
        if all(one.refused for one in told):
            raise Final("No site can be updated.\n" + "\n".join(line for one in told for line in one.lines))
        return Plan(
            summary=f"Move {counted(len(self.sites))} to {aim.text}, until {self._proof()}",
            details=(*early, *(line for one in told for line in one.lines)),
            subject={
                "uses": self.uses,
                "theme": self.theme,
                "gem": self.gem,
                "revision": aim.revision,
                "version": aim.version,
                "shows": self.shows,
                "hides": self.hides,
                "sites": [site.model_dump(mode="json") for site in self.sites],
            },
        )

    def check(self, ctx: Context) -> Outcome | None:
        if self._is_being_ended(ctx):
            return Outcome("The banner is being taken off the sites: nothing to bring up to date.")
        with Theme(ctx, self.theme) as theme:
            aim = self._aim(ctx, theme)
            if unready(aim) or not all(self._map(lambda site: is_right(site, aim))):
                return None
            if not all(self._map(lambda site: stand(ctx, theme, site, aim).is_there)):
                return None
        return self._outcome(ctx, aim, {site.called: Result("live", "page").facts() for site in self.sites})

    def apply(self, ctx: Context) -> Outcome:
        with Theme(ctx, self.theme) as theme:
            aim = self._ready_aim(ctx, theme)
            self._note_before(ctx, theme, aim)
            manner = Manner(ctx.step, one_line(f"Move to {aim.text}"), self.merge_method, self.wait_s)
            states = Fleet(ctx, theme, [(site, aim) for site in self.sites], manner).run()
        raise_failures(states)
        return self._outcome(ctx, aim, states)

    def verify(self, ctx: Context, outcome: Outcome) -> None:  # noqa: ARG002 - what pages show needs nothing of it
        if not outcome.facts:
            return
        wrong = [text for text in self._map(lambda site: lacks(site.live, self.shows, self.hides)) if text]
        if wrong:
            raise Temporary(f"Still to come: {'; '.join(wrong)}.")

    def _is_being_ended(self, ctx: Context) -> bool:
        return self.shows is not None and is_being_ended(ctx, "sites.update", "theme", without="shows")

    def standing(self, ctx: Context, outcome: Outcome) -> Standing | None:  # noqa: ARG002 - the contract's signature
        text = outcome.facts.get("shows", self.shows)
        if text is None:
            return None
        seen = dict(zip(self.sites, self._map(lambda site: says(read_page(site.live), text)), strict=True))
        if not any(seen.values()):
            return None
        names = ", ".join(site.called for site, there in seen.items() if there)
        return Standing(text if all(seen.values()) else f"{text} (only on {names})", self.shows or "")

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:
        before: Mapping[str, Mapping[str, str]] = outcome.facts.get("before", {})
        text = outcome.facts.get("shows", self.shows)
        if text is None or not before:
            return Outcome("No site was given a banner, so there is nothing to take down.")
        work = [(site, self._back(before[site.called], text)) for site in self.sites if site.called in before]
        manner = Manner(f"{ctx.step}-undo", "Move back to the theme as it was", self.merge_method, self.wait_s)
        with Theme(ctx, self.theme) as theme:
            raise_failures(Fleet(ctx, theme, work, manner).run())
        return Outcome(f"Took {counted(len(work))} back to the theme that they had before.")

    def _back(self, was: Mapping[str, str], text: str) -> Aim:
        return Aim(
            theme=self.theme,
            gem=self.gem,
            branch="",
            path=self.path,
            revision=was.get("revision", ""),
            version=was.get("version", ""),
            shows=None,
            hides=text,
            source=was["to"],
        )

    def _ready_aim(self, ctx: Context, theme: Theme) -> Aim:
        """Wait until the theme is such that its sites will be right, and return what they are to be brought to.

        When the window has moved, the banner is merged anew at the same time as this step runs anew.
        """
        patience = Wait(ctx, self.wait_s)
        while waits_for := unready(aim := self._aim(ctx, theme)):
            self._refuse_fixed(aim)
            patience.pause(waits_for)
        return aim

    def _aim(self, ctx: Context, theme: Theme) -> Aim:
        """Return what the sites are to be brought to; the same in every run of one attempt, once that has begun."""
        branch = self.theme_branch or str(theme.about()["default_branch"])
        noted = ctx.facts.get("aim", {})
        again = noted.get("attempt") == ctx.attempt
        revision = self.revision or (str(noted["revision"]) if again else theme.branch(branch))
        if not revision:
            raise Final(f"{self.theme} has no branch {branch}. Check `theme_branch` in the runbook.")
        aim = Aim(
            theme=self.theme,
            gem=self.gem,
            branch=branch,
            path=self.path,
            revision=revision,
            version=self.version,
            shows=self.shows,
            hides=self.hides,
        )
        return replace(aim, banner=banner_of(theme, aim))

    def _refuse_fixed(self, aim: Aim) -> None:
        """Raise `Final` if the theme is not ready and never will be, since a commit does not change."""
        if self.revision and unready(aim):
            raise Final(
                f"At {aim.revision[:10]} the theme is not such that the sites would be right: expected {unready(aim)}. "
                "Nothing was changed. Give another `revision`, or leave it out for the newest."
            )

    def _note_before(self, ctx: Context, theme: Theme, aim: Aim) -> None:
        """Put on record what is aimed at, and where each site was before, so that it can be taken back there."""
        before = dict(ctx.facts.get("before", {}))
        for site, now in zip(self.sites, self._map(lambda site: stand(ctx, theme, site, aim)), strict=True):
            if now.at and not now.is_there:
                before[site.called] = {**now.at, "to": aim.version if "version" in now.at else aim.revision}
        noted: dict[str, Json] = {"attempt": ctx.attempt, "revision": aim.revision}
        if ctx.facts.get("before") != before or ctx.facts.get("aim") != noted:
            ctx.record(f"Moving {counted(len(self.sites))} to {aim.text}", before=before, aim=noted, shows=self.shows)

    def _outcome(self, ctx: Context, aim: Aim, states: Mapping[str, Any]) -> Outcome:
        before = ctx.facts.get("before", {})
        told = {"revision": aim.revision, "version": aim.version, "shows": self.shows, "hides": self.hides}
        facts = {**told, "sites": dict(states), "before": before}
        return Outcome(f"{counted(len(states))} at {aim.text}: {self._proof()}", facts)

    def _map(self, look: Callable[[Site], T]) -> list[T]:
        with ThreadPoolExecutor(min(AT_ONCE, len(self.sites))) as pool:
            return list(pool.map(look, self.sites))

    def _proof(self) -> str:
        parts = [f"the live pages show “{self.shows}”"] if self.shows is not None else []
        parts += [f"“{self.hides}” is gone from the live pages"] if self.hides is not None else []
        return " and ".join(parts)
