"""A site's lock file on GitHub: which theme it names, what it is to become, and how it gets onto the branch."""

import re
from collections.abc import Callable
from urllib.parse import quote

from bot.errors import Final, Temporary
from bot.step import Context
from integrations.github.branch import Change, MergeMethod, hold
from integrations.github.client import File, GitHub
from integrations.github.lockfile_move import Pin, pin_of, to_revision, to_version
from integrations.github.lockfile_theme import spec_of_version, specs_at
from integrations.github.pull import Landing, find_or_open
from integrations.github.refusals import message_of, refusal
from integrations.github.site import Aim, Site
from integrations.github.site_theme import Theme
from integrations.github.story import body_of, one_line

_UNPROCESSABLE, _CONFLICT, _NOT_FOUND, _OK_BELOW = 422, 409, 404, 300
_PUSHES = 5
_REMOTE = re.compile(r".*[/:]([^/:]+/[^/:]+?)(?:\.git)?/?")


class SiteRepository(GitHub):
    """A site's repository, whose branch is moved without a pull request."""

    def names_in(self, folder: str, ref: str) -> set[str]:
        """Return the names in a folder at a branch or commit; none if there is no such folder."""
        path = f"/contents/{quote(folder)}"
        answer = self._call("GET", path, f"look into {folder}", params={"ref": ref}, accept={_NOT_FOUND})
        return {str(entry["name"]) for entry in answer.json} if isinstance(answer.json, list) else set()

    def advance(self, branch: str, sha: str) -> bool:
        """Move a branch on to `sha`; False if others have moved it meanwhile. Raises `Final` if that is not allowed."""
        doing = f"push to {branch}"
        path, body = f"/git/refs/heads/{quote(branch)}", {"sha": sha, "force": False}
        answer = self._call("PATCH", path, doing, json=body, accept={_UNPROCESSABLE, _CONFLICT})
        if answer.status < _OK_BELOW:
            return True
        said = message_of(answer)
        if "fast forward" in said.lower():
            return False
        if "pull request" in said.lower():
            raise Final(
                f"{branch} of {self.repository} takes changes through pull requests only ({said}). Nothing was "
                "changed. Write `via: pr` for this site into the runbook, or let maint's account bypass the rule.",
                status=answer.status,
            )
        raise refusal(answer, doing, self.repository)


class SiteLock:
    """The lock file of one site, and the aim that it is to be brought to."""

    def __init__(self, site: Site, aim: Aim, repository: SiteRepository, theme: Theme) -> None:
        self._site, self._aim, self._theme = site, aim, theme
        self.repository = repository
        self._later: dict[str, bool] = {}

    @property
    def _name(self) -> str:
        return f"{self._site.lock} in {self._site.repository}"

    def read(self, ref: str) -> File:
        """Return the lock file at a branch or commit. Raises `Final` if there is none."""
        file = self.repository.file(self._site.lock, ref)
        if file is None:
            raise Final(f"{self._name} does not exist on {ref}. Check `lock` and `branch` in the runbook.")
        return file

    def pin(self, content: bytes) -> Pin:
        """Return which theme the lock names. Raises `Final` if that is not ours to move."""
        pin = pin_of(content, self._aim.gem, file=self._name)
        if pin.kind == "gem":
            if not self._aim.version:
                raise Final(
                    f"{self._name} takes {self._aim.gem} {pin.version} from a gem server, so a revision does not reach "
                    "it. Release the theme, and give `version` in the runbook."
                )
            return pin
        named = _REMOTE.fullmatch(" ".join(pin.remotes))
        if named is None or named[1].lower() != self._aim.theme.lower():
            raise Final(
                f"{self._name} takes {self._aim.gem} from {', '.join(pin.remotes)}, and not from {self._aim.theme}. "
                "Check `theme` in the runbook."
            )
        if pin.branch and not self._aim.source and pin.branch != self._aim.branch:
            raise Final(
                f"{self._name} follows the branch {pin.branch} of the theme, and the banner is on {self._aim.branch}. "
                "Change the Gemfile of the site, or `theme_branch` in the runbook."
            )
        return pin

    def is_there(self, pin: Pin) -> bool:
        """Whether the lock names what is aimed at, or something later."""
        if pin.kind == "gem":
            return pin.version == self._aim.version
        return pin.revision == self._aim.revision or (not self._aim.source and self._is_later(pin.revision))

    def is_there_at(self, sha: str) -> bool:
        """Whether a commit of the site holds the lock as it is to be."""
        file = self.repository.file(self._site.lock, sha)
        if file is None:
            return False
        try:
            return self.is_there(self.pin(file.content))
        except Final:
            return False

    def wanted(self, content: bytes) -> bytes:
        """Return what the lock file is to become. Raises `Final` if it cannot be moved by its theme's lines alone."""
        pin, aim = self.pin(content), self._aim
        if self.is_there(pin):
            return content
        if aim.source and (pin.version if pin.kind == "gem" else pin.revision) != aim.source:
            raise Final(
                f"{self._name} was moved on by others since, so taking it back would undo their work too. Nothing was "
                "changed. Take it back by hand."
            )
        if pin.kind == "gem":
            spec, sha256 = spec_of_version(pin.remotes, aim.gem, aim.version)
            return to_version(content, aim.gem, spec, sha256, file=self._name)
        specs = specs_at(self._theme, pin, aim.revision)
        return to_revision(content, aim.gem, aim.revision, specs, file=self._name)

    def _is_later(self, revision: str) -> bool:
        """Whether `revision` of the theme contains the one that is aimed at."""
        if revision not in self._later:
            try:
                self._later[revision] = not self._theme.compare(self._aim.revision, revision)["behind_by"]
            except Final as error:
                if error.status != _NOT_FOUND:
                    raise
                self._later[revision] = False  # a commit that the theme does not have (any more)
        return self._later[revision]


def push(lock: SiteLock, path: str, branch: str, message: str, before_push: Callable[[], None]) -> None:
    """Commit the lock as it is to be onto the tip of `branch`, unless it is there. Safe to begin again."""
    for _ in range(_PUSHES):
        tip = lock.repository.branch(branch)
        if tip is None:
            raise Final(f"{lock.repository.repository} has no branch {branch}. Check `branch` in the runbook.")
        now = lock.read(tip)
        after = lock.wanted(now.content)
        if after == now.content:
            return
        before_push()
        if lock.repository.advance(branch, lock.repository.commit(tip, path, after, message)):
            return
    raise Temporary(f"{branch} of {lock.repository.repository} was moved by others {_PUSHES} times in a row.")


def request(
    ctx: Context, lock: SiteLock, site: Site, branch: str, title: str, *, name: str, method: MergeMethod, wait_s: float
) -> None:
    """Bring the lock onto `branch` through a pull request, unless it is there. Safe to begin again."""
    before = lock.read(branch)
    after = lock.wanted(before.content)
    if after == before.content:
        return
    change = Change(
        path=site.lock,
        base=branch,
        before=before,
        after=after,
        branch=f"maint/{ctx.maintenance}/{name}",
        key=f"{ctx.maintenance}:{name}",
        title=one_line(title),
        body=body_of(ctx, title),
        merge_method=method,
        wait_s=wait_s,
        delete_branch=True,
    )
    head = hold(lock.repository, change)
    ctx.raise_if_stopped()
    pull = find_or_open(lock.repository, change)
    merged = Landing(ctx, lock.repository, change, int(pull["number"]), head).land()
    if lock.repository.branch(change.branch) == merged.head:
        lock.repository.delete_branch(change.branch)
