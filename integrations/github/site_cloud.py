"""One site's way through CloudCannon: fetched, published, built, put out. What is there already is not done again."""

from collections.abc import Callable, Mapping
from typing import Any

from bot.errors import AnswerLost, Final, Temporary
from bot.step import Context
from integrations.github.cloudcannon import CloudCannon
from integrations.github.site import Site
from integrations.github.site_wait import Wait

_ASK_AFTER_S = 20.0

HasTheme = Callable[[str], bool]
"""Whether a commit of the site's repository holds the lock file as it is to be."""


class SiteCloud:
    """CloudCannon's part for one site. `failed_build` is the build that an earlier attempt saw failing, if one did."""

    def __init__(
        self, ctx: Context, cloud: CloudCannon, site: Site, has_theme: HasTheme, *, wait_s: float, failed_build: str
    ) -> None:
        self._ctx, self._cloud, self._site, self._has_theme = ctx, cloud, site, has_theme
        self._wait_s = wait_s
        self.failed_build = failed_build

    def publish(self, uuid: str, title: str, tip: str) -> None:
        """Bring the site's branch, which is at `tip`, to its publish branch, if only the lock file differs.

        Safe to begin again: a second merge would have nothing to bring, so a lost answer is settled by comparing.
        """
        self._synced(uuid)
        wait = Wait(self._ctx, self._wait_s)
        while self._is_ahead(uuid):
            self._refuse_deletion(uuid)
            self._ctx.raise_if_stopped()
            try:
                if self._site.publish == "merge":
                    self._cloud.merge(uuid)
                else:
                    self._merge_by_pull(uuid, title, tip)
            except AnswerLost as lost:
                self._ctx.record(f"{lost} Comparing again.")
            else:
                return
            wait.pause("CloudCannon to publish")

    def built(self, uuid: str) -> None:
        """Wait until the site is fetched, built and put out with the theme that is aimed at."""
        sync = self._synced(uuid)
        build = self._build_after(uuid, sync)
        wait = Wait(self._ctx, self._wait_s, lambda: self._trouble(uuid))
        while True:
            outputs = self._cloud.outputs(uuid, str(build["created_at"]))
            if outputs and outputs[0].get("successful") is False:
                raise Final(
                    f"CloudCannon built the site and could not put it out. {self._trouble(uuid)} The live site is as "
                    "it was. Mend it in CloudCannon, then retry."
                )
            # Where nothing is listed, the build itself is what is served; the live page tells.
            if not outputs or outputs[0].get("completed_at"):
                return
            wait.pause("CloudCannon to put it out")

    def _is_ahead(self, uuid: str) -> bool:
        """Whether there is something to publish. Raises `Final` if it is more than the lock file."""
        try:
            found = self._cloud.comparison(uuid)
        except Final as error:
            raise Final(
                f"{error} If the site has no publish branch, write `publish: push` for it into the runbook.",
                status=error.status,
            ) from None
        if not found.get("ahead_by"):
            return False
        others = sorted({str(file["filename"]) for file in found.get("files", [])} - {self._site.lock})
        if others:
            some = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if others[5:] else "")
            raise Final(
                f"publishing would publish more than the banner: somebody's unpublished changes to {some}. Nothing was "
                "published. Publish or withdraw them in CloudCannon (publishing there by hand is enough), then retry."
            )
        return True

    def _merge_by_pull(self, uuid: str, title: str, tip: str) -> None:
        """Merge the pull request, opened now unless it is there, or merged already."""
        pulls = self._cloud.pulls(uuid)
        # A squashed merge leaves the branch ahead for ever, though all of it is published.
        if any(pull.get("merged_at") and pull["head"]["sha"] == tip for pull in pulls):
            return
        pull = next((pull for pull in pulls if pull["state"] == "open"), None)
        if pull is None:
            pull = self._cloud.open_pull(uuid, title, "Opened and merged by maint.")
        self._cloud.merge_pull(uuid, int(pull["number"]))

    def _refuse_deletion(self, uuid: str) -> None:
        about = self._cloud.site(uuid)
        if about.get("destroy_on_publish"):
            raise Final(
                f"CloudCannon would delete the site {about['site_name']} by publishing it (`destroy_on_publish`). "
                "Nothing was published. Turn that off in CloudCannon, or publish by hand, then retry."
            )

    def _synced(self, uuid: str) -> Mapping[str, Any]:
        """Wait until the newest sync has brought the lock as it is to be, and return it."""
        wait = Wait(self._ctx, self._wait_s, lambda: self._trouble(uuid))
        asked = False
        while True:
            sync = next((each for each in self._cloud.syncs(uuid) if each.get("completed_at")), {})
            if sync.get("successful") and self._has_theme(str(sync.get("after_identifier") or "")):
                return sync
            if not asked and wait.waited_s > _ASK_AFTER_S:
                self._cloud.start_sync(uuid)
                asked = True
            wait.pause("CloudCannon to fetch it")

    def _build_after(self, uuid: str, sync: Mapping[str, Any]) -> Mapping[str, Any]:
        """Wait for a successful build of what `sync` brought, and return it."""
        wait = Wait(self._ctx, self._wait_s, lambda: self._trouble(uuid))
        asked = False
        while True:
            builds = self._cloud.builds(uuid, str(sync["created_at"]))
            build = builds[0] if builds else None
            if build is not None and build.get("completed_at") and build.get("successful"):
                return build
            again = build is not None and build["uuid"] == self.failed_build
            if build is not None and build.get("completed_at") and not again:
                raise self._failed(uuid, build)
            late = build is None and (not sync.get("triggered_build") or wait.waited_s > _ASK_AFTER_S)
            if not asked and (again or late):
                self._cloud.start_build(uuid)
                asked = True
            wait.pause("its build to begin" if build is None or again else "its build")

    def _failed(self, uuid: str, build: Mapping[str, Any]) -> Final:
        self.failed_build = str(build["uuid"])
        name = self._cloud.site(uuid).get("site_name", uuid)
        return Final(
            f"the build of {name} failed in CloudCannon (build {build['uuid']}). The live site is as it was. Read the "
            "build's log there and mend it, then retry: it builds again."
        )

    def _trouble(self, uuid: str) -> str:
        """Return what CloudCannon itself says is wrong with the site."""
        try:
            about = self._cloud.site(uuid)
        except (Final, Temporary) as error:
            return str(error)
        said = [f"CloudCannon says: {about[key]}." for key in ("sync_error", "output_error") if about.get(key)]
        if about.get("has_open_editing_session"):
            said.append("Somebody is editing the site in CloudCannon, which holds up fetching: ask them to close it.")
        if about.get("building_locked"):
            said.append("Building is locked for this site in CloudCannon.")
        return " ".join(said)
