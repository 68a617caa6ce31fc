"""Three marketing sites on one theme: their repositories, the CloudCannon that publishes them, and the bot's step."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from bot.attempt import Waits, perform
from bot.context import StepContext
from bot.step import Outcome
from integrations.github.site_step import SitesUpdate
from sandbox.cloudcannon import CloudCannon, PlainBuilder
from sandbox.cloudcannon.builders import Builder
from sandbox.cloudcannon.model import Site as CloudSite
from sandbox.github import GitHub
from sandbox.github.git import Git
from sandbox.github.model import Repository
from sandbox.jekyll.sources import BANNER_PATH, THEME, plain_lock, site_files, theme_files
from sandbox.server import serving

TOKEN = "github_pat_11AAAA0000secret"
REPO = "acme/theme"
REMOTE = "https://github.com/acme/theme.git"
TEXT = 'Scheduled maintenance at 5:00pm NZDT (UTC+13) & <b>back</b> by 7:00pm: "soon"'
NAMES = ("www", "docs", "partners")


def banner_file(text: str = TEXT, *, enabled: bool = True) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'enabled: {"true" if enabled else "false"}\ntext: "{quoted}"\nurl: https://acme.example/maintenance\n'


class Houses:
    """GitHub, CloudCannon and the live pages. `www` and `docs` publish from `master` to `production`; `partners` has no
    publish branch: the push is the publish."""

    def __init__(
        self, folder: Path, repositories: Path, builder: Builder | None = None, *, built: bool = False
    ) -> None:
        shutil.copytree(repositories, folder / "github")
        self.github = GitHub(folder / "github", unknown_mergeable=0)
        self.github.add_token(TOKEN)
        for name in ("theme", *NAMES):
            git, now = Git(folder / "github" / "acme" / f"{name}.git"), self.github.now()
            self.github.repositories[f"acme/{name}"] = Repository(1, "acme", name, "master", True, git, now)
        self.first = str(self.github.head(REPO))
        self.cloud = CloudCannon(self.github, folder / "cloud", builder or PlainBuilder(self.github))
        self.staging: dict[str, CloudSite] = {}
        self.production: dict[str, CloudSite] = {}
        for name in NAMES:
            if name == "partners":
                self.staging[name] = self.cloud.add_site(name, f"acme/{name}", built=built)
                continue
            staging = self.cloud.add_site(f"{name}-staging", f"acme/{name}", publish_branch="production", built=built)
            self.staging[name] = staging
            self.production[name] = self.cloud.add_site(name, f"acme/{name}", "production", built=built)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One address for all three, which saves two servers for each test."""
        fronts = {"/api/v0/": self.cloud.app, "/site/": self.cloud.live}
        front = next((front for path, front in fronts.items() if scope["path"].startswith(path)), self.github.app)
        await front(scope, receive, send)

    def show_banner(self, text: str = TEXT, **files: str | None) -> str:
        """Merge the banner into the theme, as `banner.on` does; returns the theme's new revision."""
        return self.github.commit(REPO, {BANNER_PATH: banner_file(text), **files}, "Turn the banner on")

    def hide_banner(self, text: str = TEXT) -> str:
        return self.github.commit(REPO, {BANNER_PATH: banner_file(text, enabled=False)}, "Turn the banner off")

    def lock(self, name: str, ref: str = "master") -> str:
        return self.github.read(f"acme/{name}", "Gemfile.lock", ref)

    def sites(self, live: str) -> list[dict[str, Any]]:
        """What a runbook says of the sites."""
        return [
            {
                "repository": f"acme/{name}",
                "live": f"{live}/site/{name}/",
                "cloudcannon": self.staging[name].uuid,
                **(
                    {"production": self.production[name].uuid, "publish": "merge"}
                    if name in self.production
                    else {"publish": "push"}
                ),
            }
            for name in NAMES
        ]


class Town:
    """The houses at one address, and the step that runs on them."""

    def __init__(self, houses: Houses, url: str) -> None:
        self.houses, self.url = houses, url
        self.settings = {
            "MAINT_GITHUB_URL": url,
            "MAINT_GITHUB_TOKEN": TOKEN,
            "MAINT_CLOUDCANNON_URL": url,
            "MAINT_CLOUDCANNON_KEY": houses.cloud.key,
        }

    def step(
        self, changes: dict[str, dict[str, Any]] | None = None, *, only: tuple[str, ...] = NAMES, **fields: Any
    ) -> SitesUpdate:
        """The step; `changes` says what is different about a site (None as value: the key is left out)."""
        sites = []
        for site in (each for each in self.houses.sites(self.url) if each["repository"][5:] in only):
            merged = {**site, **(changes or {}).get(site["repository"].split("/")[1], {})}
            sites.append({key: value for key, value in merged.items() if value is not None})
        wanted = {"shows": TEXT} if "hides" not in fields else {}
        return SitesUpdate(**{"theme": REPO, "gem": THEME, "sites": sites, "wait_s": 20, **wanted, **fields})


def build_repositories(github: GitHub, remote: str, lock_of: Callable[[str, dict[str, str]], str]) -> None:
    """Make the theme and the sites; `lock_of` gives a site's lock from the theme's revision and the site's files."""
    github.create_repository(REPO, theme_files())
    for number, name in enumerate(NAMES):
        files = site_files(name, remote, number=number)
        lock = lock_of(str(github.head(REPO)), files)
        git = github.create_repository(f"acme/{name}", {**files, "Gemfile.lock": lock}).git
        git.update_ref("refs/heads/production", str(git.branch("master")))


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repositories as every test finds them, made once."""
    folder = tmp_path_factory.mktemp("repositories")
    build_repositories(GitHub(folder), REMOTE, lambda revision, _: plain_lock(REMOTE, revision))
    return folder


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.github.site_wait._FIRST_S", 0.05)


@pytest.fixture
def houses(tmp_path: Path, repositories: Path) -> Iterator[Houses]:
    houses = Houses(tmp_path / "houses", repositories)
    yield houses
    houses.cloud.stop()


@pytest.fixture
def town(houses: Houses) -> Iterator[Town]:
    with serving(houses) as server:
        yield Town(houses, server.url)


@pytest.fixture
def context(context_of: Callable[..., StepContext], town: Town) -> Callable[..., StepContext]:
    """`context()`: a context of the step; `attempt=` as in `context_of`."""

    def make(**options: Any) -> StepContext:
        settings = {**town.settings, **options.pop("settings", {})}
        return context_of(SitesUpdate, "sites", settings=settings, **options)

    return make


@pytest.fixture
def run(context: Callable[..., StepContext]) -> Callable[..., Outcome]:
    """`run(step)`: one attempt as the engine makes it (check, apply, verify)."""
    waits = Waits(settle_s=(0.1,), verify_s=(0.1, 0.2))
    return lambda step, **options: perform(step, context(**options), waits)
