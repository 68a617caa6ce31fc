"""Stands for what goes through pull requests: a stand-in GitHub over real repositories."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.step import Step
from integrations.github import BannerOff, BannerOn, ChangeLog, GithubChange, Post
from integrations.github.cstate import CstateResolve, CstateSchedule
from sandbox.github import GitHub
from sandbox.server import serving
from tests.integrations.github.conftest import FILE, PATH, REPO, TEXT, TOKEN, URL
from tests.stands.stand import Stand, stand

COMMON: dict[str, Any] = {"repository": REPO, "wait_s": 20}
ON = BannerOn(**COMMON, text=TEXT, url=URL)
STEPS: dict[str, dict[str, Step]] = {
    "banner.on": {"on": ON},
    "banner.off": {"on": ON, "off": BannerOff(**COMMON)},
    "github.change": {"change": GithubChange(**COMMON, path="CHANGES.md", title="Note it", content="# Changes\n")},
    "github.change_log": {"log": ChangeLog(**COMMON, entry="PostgreSQL is 18 now")},
    "github.post": {"post": Post(**COMMON, title="New", body="It is faster.")},
    "cstate.schedule": {"schedule": CstateSchedule(**COMMON, affected=["API"])},
    "cstate.resolve": {"schedule": CstateSchedule(**COMMON), "resolve": CstateResolve(**COMMON)},
}


@stand(*STEPS)
@contextmanager
def through_pull_requests(folder: Path, uses: str) -> Iterator[Stand]:
    """A theme with its banner's file."""
    github = GitHub(folder / "github", unknown_mergeable=0)
    github.add_token(TOKEN)
    git = github.create_repository(REPO, {PATH: FILE, "CHANGELOG.md": "# Log\n\n## Unreleased\n"}).git

    def files() -> dict[str, str]:
        names = git.run("ls-tree", "-r", "--name-only", "master").decode().split()
        return {name: github.read(REPO, name) for name in names}

    def shown() -> object:
        """The files, without the status page's issues that are over: they stay, as the page's history."""
        return {name: text for name, text in files().items() if "resolved: true" not in text}

    def seen() -> object:
        pulls = [(pull.title, pull.state, pull.merged_at is not None) for pull in github.pulls(REPO)]
        return files(), pulls, len(git.log("master"))

    with serving(github.app) as server:
        settings = {"MAINT_GITHUB_URL": server.url, "MAINT_GITHUB_TOKEN": TOKEN}
        # The change log goes exactly the way of `github.change`, of which every answer is lost once.
        most_faults = 1 if uses == "github.change_log" else 8
        yield Stand(STEPS[uses], settings, seen, shown, (TOKEN,), github.app, most_faults)
