"""One site from its lock file to its live page. Each stage looks first, so it may be begun again at any point."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from bot.errors import Final, StepError, Stopped, Temporary
from bot.step import Context
from integrations.github.branch import MergeMethod
from integrations.github.cloudcannon import CloudCannon
from integrations.github.site import Aim, Site
from integrations.github.site_banner import quarrel
from integrations.github.site_cloud import SiteCloud
from integrations.github.site_lock import SiteLock, SiteRepository, push, request
from integrations.github.site_page import lacks
from integrations.github.site_theme import Theme
from integrations.github.site_wait import Wait

_AGAIN_S = 2.0
_TRIES = 6


@dataclass(frozen=True)
class Result:
    """How a site came out: `state` is `live` or `failed`, in `stage`. `temporary` says that a retry may do."""

    state: str
    stage: str
    error: str = ""
    temporary: bool = False
    failed_build: str = ""
    took_s: float = 0.0

    def facts(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**asdict(self), "took_s": round(self.took_s, 1)}


class SiteRun:
    """The work on one site. `ctx` is that of `as_seen_by_site`; `name` goes into branches and commits of this step."""

    def __init__(
        self,
        ctx: Context,
        theme: Theme,
        site: Site,
        aim: Aim,
        *,
        name: str,
        title: str,
        method: MergeMethod,
        wait_s: float,
        failed_build: str = "",
    ) -> None:
        self._ctx, self._theme, self._site, self._aim = ctx, theme, site, aim
        self._name, self._title, self._method, self._wait_s = name, title, method, wait_s
        self._failed_build = failed_build
        self._there: dict[str, bool] = {}
        self._stage = "lock"

    def run(self) -> Result:
        """Bring the site there, whatever is lacking. Raises `Stopped`, and nothing else that is a step's error."""
        began = time.monotonic()
        tries = 0
        while True:
            try:
                self._go()
            except Stopped:
                raise
            except Temporary as error:
                tries += 1
                if tries == _TRIES or (error.retry_after_s or 0.0) > self._wait_s:
                    return self._failed(error, began, temporary=True)
                self._ctx.progress(0, None, "", f"tries again ({error})")
                self._ctx.sleep(max(error.retry_after_s or 0.0, _AGAIN_S * tries))
            except StepError as error:
                return self._failed(error, began)
            else:
                return Result("live", self._stage, took_s=time.monotonic() - began)

    def _failed(self, error: StepError, began: float, *, temporary: bool = False) -> Result:
        took_s = time.monotonic() - began
        return Result("failed", self._stage, str(error), temporary, self._failed_build, took_s)

    def _go(self) -> None:
        ctx, site = self._ctx, self._site
        with SiteRepository(ctx, site.repository) as repository:
            self._at("lock", "moving its lock file")
            branch = site.branch or str(repository.about()["default_branch"])
            lock = SiteLock(site, self._aim, repository, self._theme)
            found = "" if self._aim.source else quarrel(repository, branch, self._aim)
            if found:
                raise Final(found)
            if site.via == "push":
                message = f"{self._title}\n\nMaint-Step: {ctx.maintenance}:{self._name}"
                push(lock, site.lock, branch, message, ctx.raise_if_stopped)
            else:
                method, wait_s = self._method, self._wait_s
                request(ctx, lock, site, branch, self._title, name=self._name, method=method, wait_s=wait_s)
            if site.cloudcannon:
                self._through_cloudcannon(lock, site.cloudcannon, str(repository.branch(branch)))
            self._at("page", "looking at its live page")
            self._await_page(repository, branch)

    def _through_cloudcannon(self, lock: SiteLock, uuid: str, tip: str) -> None:
        def has_theme(sha: str) -> bool:
            if sha and sha not in self._there:
                self._there[sha] = lock.is_there_at(sha)
            return self._there.get(sha, False)

        with CloudCannon(self._ctx.setting) as cloud:
            way = SiteCloud(
                self._ctx, cloud, self._site, has_theme, wait_s=self._wait_s, failed_build=self._failed_build
            )
            try:
                built = uuid if self._site.publish == "push" else self._site.production
                if self._site.publish != "push":
                    self._at("publish", "publishing")
                    way.publish(uuid, self._title, tip)
                if built:
                    self._at("build", "waiting for its build")
                    way.built(built)
            finally:
                self._failed_build = way.failed_build

    def _await_page(self, repository: SiteRepository, branch: str) -> None:
        # Somebody may have given the site a banner file of its own since it was looked at.
        wait = Wait(self._ctx, self._wait_s, lambda: quarrel(repository, branch, self._aim))
        while waits_for := lacks(self._site.live, self._aim.shows, self._aim.hides):
            wait.pause(waits_for)

    def _at(self, stage: str, text: str) -> None:
        self._stage = stage
        self._ctx.raise_if_stopped()
        self._ctx.progress(0, None, "", text)
