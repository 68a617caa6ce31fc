"""A stand-in GitHub with the story's theme in it, and steps that run on it with real contexts."""

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.attempt import perform
from bot.context import StepContext
from bot.step import Context, Outcome, Step
from integrations.github import BannerOn
from sandbox.github import GitHub
from sandbox.server import serving

REPO = "acme/theme"
PATH = "_data/banner_notification.yml"
FILE = """# Read by every site of the theme
enabled: false          # the marketing team asks us
text: Scheduled Maintenance today at 5:00pm NZDT
url: https://example.com/operations/2018/11/13/scheduled-maintenance/
"""
TOKEN = "github_pat_11AAAA0000secret"
TEXT = "Scheduled maintenance on Wednesday at 5:00pm NZDT (UTC+13:00)"
URL = "https://example.com/operations/2026/11/25/scheduled-maintenance/"


def banner_on(**changes: Any) -> BannerOn:
    return BannerOn(**{"repository": REPO, "text": TEXT, "url": URL, "wait_s": 20, **changes})


def push(github: GitHub, branch: str, tree: str, *parents: str) -> str:
    """A commit by a person with exactly this tree and these parents, at the tip of `branch`."""
    git = github.repo(REPO).git
    sha = git.write_commit(tree, parents, "By hand", author="ada", email="ada@example.com", at=github.now())
    git.update_ref(f"refs/heads/{branch}", sha)
    return sha


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    github = GitHub(tmp_path / "github")
    github.add_token(TOKEN)
    github.create_repository(REPO, {PATH: FILE, "README.md": "# Theme\n"})
    return github


@pytest.fixture
def url(github: GitHub) -> Iterator[str]:
    with serving(github.app) as server:
        yield server.url


@pytest.fixture
def context(context_of: Callable[..., StepContext], url: str) -> Callable[..., StepContext]:
    """`context(step)`: a context of `step` with the stand-in's settings; `id_=`, `attempt=` as in `context_of`."""

    def make(step: Step, **options: Any) -> StepContext:
        settings = {"MAINT_GITHUB_URL": url, "MAINT_GITHUB_TOKEN": TOKEN, **options.pop("settings", {})}
        return context_of(type(step), settings=settings, **options)

    return make


@pytest.fixture
def run(context: Callable[..., StepContext]) -> Callable[..., Outcome]:
    """`run(step)`: one attempt as the engine makes it (check, apply, verify)."""
    return lambda step, **options: perform(step, context(step, **options))


@pytest.fixture
def undo() -> Callable[[Step, Context, Outcome], Outcome]:
    """Undo as the engine does, with the outcome's facts on top of the recorded ones."""

    def back(step: Step, ctx: Context, outcome: Outcome) -> Outcome:
        return step.undo(ctx, Outcome("", facts={**ctx.facts, **outcome.facts}))

    return back


class Ruby:
    """One Ruby that reads YAML documents as Psych does, as many as are asked."""

    SCRIPT = """
    require "yaml"; require "json"; require "date"
    $stdout.sync = true
    $stdin.each_line do |line|
      text = line.unpack1("m").force_encoding("UTF-8")
      begin
        seen = YAML.safe_load(text, permitted_classes: [Date, Time, Symbol], aliases: true)
        told = seen.is_a?(Hash) ? seen.to_h { |k, v| [k.to_s, [v.class.name, v.to_s]] } : {}
        puts JSON.generate({ "read" => told })
      rescue => error
        puts JSON.generate({ "error" => error.message })
      end
    end
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["ruby", "-W0", "-e", self.SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )

    def read(self, content: bytes) -> dict[str, tuple[str, str]]:
        """Each key of the top mapping with the Ruby class and the text of its value."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(base64.b64encode(content).decode() + "\n")
        stdin.flush()
        answer = json.loads(stdout.readline())
        assert "error" not in answer, f"Ruby refuses it: {answer['error']}\n{content!r}"
        return {key: (kind, value) for key, (kind, value) in answer["read"].items()}

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture(scope="session")
def ruby() -> Iterator[Ruby]:
    if shutil.which("ruby") is None:
        pytest.skip("no ruby on this machine: apt-get install -y --no-install-recommends ruby")
    ruby = Ruby()
    yield ruby
    ruby.close()
