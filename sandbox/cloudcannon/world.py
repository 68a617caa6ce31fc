"""The state of the stand-in: sites that follow branches, and the work that follows a new commit.

Whatever time has made due is done when somebody looks, at the API or at a page. Only builds run by themselves.
"""

import itertools
import shutil
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sandbox.cloudcannon.builders import Builder
from sandbox.cloudcannon.model import Build, Output, Site, Sync, new_uuid
from sandbox.github.git import Git
from sandbox.github.world import World as GitHubWorld

_BUILDERS = 2


class World:
    """Sites over the repositories of `github`, built by `builder`, with what they build kept in `folder`.

    `sync_s`, `build_s`, `output_s`: how long each takes at least. With `webhooks` off a new commit is noticed only
    when a sync is asked for.
    """

    def __init__(
        self,
        github: GitHubWorld,
        folder: Path,
        builder: Builder,
        *,
        key: str = "cloudcannon-key",
        sync_s: float = 0.0,
        build_s: float = 0.0,
        output_s: float = 0.0,
        webhooks: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.github, self.folder, self.builder, self.key = github, folder, builder, key
        self.sync_s, self.build_s, self.output_s = sync_s, build_s, output_s
        self.webhooks = webhooks
        self.clock = clock
        self.organisation = new_uuid()
        self.lock = threading.RLock()
        self.sites: dict[str, Site] = {}
        self._ids = itertools.count(1)
        self._pool = ThreadPoolExecutor(_BUILDERS, thread_name_prefix="cloudcannon-build")

    def next_id(self) -> int:
        """A number never given before."""
        return next(self._ids)

    def now(self) -> datetime:
        """The present, aware UTC."""
        return self.clock()

    def add_site(
        self,
        name: str,
        repository: str,
        branch: str = "master",
        *,
        publish_branch: str | None = None,
        publish_mode: str | None = None,
        built: bool = True,
    ) -> Site:
        """Connect a site to a branch, which is synced at once, and built unless `built` is False.

        `name` is also its path on the hosting.
        """
        with self.lock:
            site = Site(self.next_id(), name, repository, branch, self.now(), publish_branch, publish_mode)
            self.sites[site.uuid] = site
            self.sync(site)
            if not built:
                site.synced, site.syncs[-1].completed_at = site.syncs[-1].sha, self.now()
            return site

    def git(self, site: Site) -> Git:
        """The repository of a site."""
        return self.github.repo(site.repository).git

    def sync(self, site: Site) -> None:
        """Fetch the site's branch, unless that is under way or there is nothing new."""
        head = self.git(site).branch(site.branch)
        known = site.syncs[-1].sha if site.syncs else None
        if head is not None and head != known:
            ends = self.now() + timedelta(seconds=self.sync_s)
            site.syncs.append(Sync(self.next_id(), head, known, self.now(), ends))

    def build(self, site: Site) -> Build:
        """Start a build of what was synced last."""
        number, sha = self.next_id(), str(site.synced)
        folder = self.folder / site.uuid / str(number)
        ends = self.now() + timedelta(seconds=self.build_s)
        work = self._pool.submit(self._work, self.git(site), site.name, sha, folder)
        build = Build(number, sha, folder / "site", work, self.now(), ends)
        site.builds.append(build)
        return build

    def _work(self, git: Git, name: str, sha: str, folder: Path) -> str:
        source = folder / "source"
        source.mkdir(parents=True)
        archive = git.run("archive", "--format=tar", sha)
        subprocess.run(["tar", "-x", "-C", str(source)], input=archive, check=True)  # noqa: S607 - the machine's own
        try:
            return self.builder(source, folder / "site", name)
        finally:
            shutil.rmtree(source)

    def refresh(self, site: Site) -> None:
        """Do whatever has become due for a site."""
        with self.lock:
            if self.webhooks and not site.has_open_editing_session and not site.deleted:
                self.sync(site)
            now = self.now()
            for sync in site.syncs:
                if sync.completed_at is None and sync.ends_at <= now:
                    self._synced(site, sync, now)
            for build in (one for one in site.builds if one.completed_at is None):
                if build.ends_at > now or not build.work.done():
                    break  # a site's builds end in order: an older one never replaces a newer one
                self._built(site, build, now)
            for output in site.outputs:
                if output.completed_at is None and output.ends_at <= now:
                    output.completed_at, site.live = now, output.build.folder

    def _synced(self, site: Site, sync: Sync, now: datetime) -> None:
        sync.completed_at, site.synced = now, sync.sha
        sync.triggered_build = not site.building_locked
        if sync.triggered_build:
            self.build(site)

    def _built(self, site: Site, build: Build, now: datetime) -> None:
        error = build.work.exception()
        build.completed_at = now
        build.successful = error is None and not build.cancelled
        build.log = str(error) if error else build.work.result()
        if build.successful:
            site.outputs.append(Output(self.next_id(), build, now, now + timedelta(seconds=self.output_s)))

    def stop(self) -> None:
        """Wait for builds to end, and begin no further ones."""
        self._pool.shutdown(cancel_futures=True)
