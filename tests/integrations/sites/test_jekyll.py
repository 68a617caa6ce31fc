"""The same with real Ruby: real Bundler with frozen locks, and real Jekyll building the pages that are looked at."""

import difflib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.attempt import perform
from bot.context import StepContext
from bot.errors import Final
from integrations.github import Post
from integrations.github.lockfile_move import GemSpec, to_revision
from integrations.github.site_step import SitesUpdate
from sandbox.cloudcannon import JekyllBuilder
from sandbox.github import GitHub
from sandbox.jekyll import BuildFailed, Jekyll, JekyllMissing, site_files, theme_files
from sandbox.jekyll.sources import BANNER_PATH, THEME
from sandbox.server import serving
from tests.integrations.sites.conftest import REPO, TEXT, Houses, Town, banner_file, build_repositories


@pytest.fixture(scope="session")
def jekyll(tmp_path_factory: pytest.TempPathFactory) -> Jekyll:
    try:
        return Jekyll(tmp_path_factory.mktemp("jekyll"))
    except JekyllMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def theme(tmp_path: Path) -> GitHub:
    github = GitHub(tmp_path / "github")
    github.create_repository(REPO, theme_files())
    return github


@pytest.fixture
def site(theme: GitHub) -> dict[str, str]:
    """The files of a site, whose Gemfile takes the theme straight from the repository's folder."""
    return site_files("www", theme.repo(REPO).git.path.as_uri())


def checkout(folder: Path, files: dict[str, str], lock: str) -> Path:
    folder.mkdir()
    for name, text in {**files, "Gemfile.lock": lock}.items():
        (folder / name).write_bytes(text.encode())
    return folder


def moved(lock: str, revision: str, specs: dict[str, GemSpec] | None = None) -> str:
    return to_revision(lock.encode(), THEME, revision, specs or {}, file="Gemfile.lock").decode()


@pytest.fixture
def served(tmp_path: Path, jekyll: Jekyll) -> Iterator[tuple[Houses, str]]:
    """The town with real builds; Bundler fetches the theme from the stand-in GitHub by git's own protocol."""
    github = GitHub(tmp_path / "repositories")
    fronts: list[ASGIApp] = [github.app]
    locks: list[str] = []

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        await fronts[-1](scope, receive, send)

    def lock_of(_: str, files: dict[str, str]) -> str:
        if not locks:  # the same for all, since it knows nothing of the site
            locks.append(jekyll.lock(files))
        return locks[0]

    with serving(front) as server:
        build_repositories(github, f"{server.url}/acme/theme.git", lock_of)
        houses = Houses(tmp_path / "houses", github.root, JekyllBuilder(tmp_path / "builds"))
        fronts.append(houses)
        yield houses, server.url
        houses.cloud.stop()


def test_the_banner_on_real_sites(
    served: tuple[Houses, str], context_of: Callable[..., StepContext], jekyll: Jekyll
) -> None:
    houses, url = served
    town = Town(houses, url)
    houses.staging["www"].building_locked = True  # nobody looks at it here, and a build takes its time
    houses.show_banner()
    before = houses.lock("www")
    step = town.step(only=("www", "partners"), wait_s=60)
    perform(step, context_of(SitesUpdate, "sites", settings=town.settings))
    for name in ("www", "partners"):
        page = httpx.get(f"{url}/site/{name}/").text
        assert "&amp; &lt;b&gt;back&lt;/b&gt; by 7:00pm: &quot;soon&quot;" in page
        assert f"<b>Acme {name}</b>" in page
    diff = list(difflib.unified_diff(before.splitlines(), houses.lock("www").splitlines(), lineterm="", n=0))[3:]
    assert [line[:13] for line in diff] == ["-  revision: ", "+  revision: "]
    # What Bundler itself would have made of it, byte for byte.
    files = {"Gemfile": houses.github.read("acme/www", "Gemfile")}
    assert jekyll.lock(files, before, update=THEME) == houses.lock("www")


def test_byte_for_byte_what_bundler_writes(jekyll: Jekyll, theme: GitHub, site: dict[str, str], tmp_path: Path) -> None:
    before = jekyll.lock(site)
    needs = {"jekyll": "~> 4.0", "kramdown": "~> 2.3', '>= 2.3.1".replace("'", '"'), "rexml": "> 3"}
    on = theme.commit(REPO, theme_files("1.1.0", needs, banner_file()))
    specs = {THEME: GemSpec("1.1.0", {"jekyll": "~> 4.0", "kramdown": "~> 2.3, >= 2.3.1", "rexml": "> 3"})}
    after = moved(before, on, specs)
    assert after == jekyll.lock(site, before, update=THEME)
    jekyll.install_frozen(checkout(tmp_path / "site", site, after))
    windows = checkout(tmp_path / "windows", site, moved(before.replace("\n", "\r\n"), on, specs).removesuffix("\r\n"))
    jekyll.install_frozen(windows)
    assert (windows / "Gemfile.lock").read_bytes().decode() == after.replace("\n", "\r\n").removesuffix("\r\n")


def test_a_new_dependency_passes_a_frozen_install_and_breaks_the_build(
    jekyll: Jekyll, theme: GitHub, site: dict[str, str], tmp_path: Path
) -> None:
    """Why the theme's dependencies are compared: moving the revision alone looks fine until the site is built."""
    before = jekyll.lock(site)
    on = theme.commit(REPO, theme_files(dependencies={"jekyll": "~> 4.0", "minitest": ">= 5"}, banner=banner_file()))
    blind = checkout(tmp_path / "blind", site, moved(before, on))
    jekyll.install_frozen(blind)
    with pytest.raises(BuildFailed, match="minitest"):
        jekyll.build(blind, tmp_path / "out")
    with pytest.raises(Final, match=f"depends on minitest, .* Run `bundle lock --update {THEME}`"):
        moved(before, on, {THEME: GemSpec("1.0.0", {"jekyll": "~> 4.0", "minitest": ">= 5"})})
    # What the message tells people to do is what mends it.
    mended = checkout(tmp_path / "mended", site, jekyll.lock(site, before, update=THEME))
    jekyll.build(mended, tmp_path / "good")
    assert TEXT.split("&", maxsplit=1)[0] in (tmp_path / "good" / "index.html").read_text()


def test_a_file_of_the_sites_own_replaces_the_themes_key_by_key(
    jekyll: Jekyll, theme: GitHub, site: dict[str, str], tmp_path: Path
) -> None:
    """Why sites are looked at for one: their visitors would read something else."""
    theme.commit(REPO, {BANNER_PATH: banner_file()})
    lock = jekyll.lock(site)
    folder = checkout(tmp_path / "site", site, lock)
    (folder / "_data").mkdir()
    (folder / BANNER_PATH).write_text("text: Our own words\n")
    jekyll.build(folder, tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Our own words" in page
    assert 'href="https://acme.example/maintenance"' in page


def test_a_post_about_the_maintenance_builds(
    jekyll: Jekyll, theme: GitHub, site: dict[str, str], tmp_path: Path, context_of: Callable[..., StepContext]
) -> None:
    theme.add_token("token")
    repository = "acme/www"
    theme.create_repository(repository, {**site, "Gemfile.lock": jekyll.lock(site)})
    post = Post(
        repository=repository,
        title='The database: "new" & fast',
        body="It took *longer*: {{ site.title }} <b>is</b> back.",
        categories=("operations",),
        layout="default",
        date="2025-11-25T17:00:00+13:00",
        merge=True,
        wait_s=20,
    )
    with serving(theme.app) as server:
        settings = {"MAINT_GITHUB_URL": server.url, "MAINT_GITHUB_TOKEN": "token"}
        written = perform(post, context_of(Post, "post", settings=settings)).facts["post"]
    assert written == "_posts/2025-11-25-the-database-new-fast.md"
    folder = checkout(tmp_path / "site", site, theme.read(repository, "Gemfile.lock"))
    (folder / "_posts").mkdir()
    (folder / written).write_text(theme.read(repository, written))
    jekyll.build(folder, tmp_path / "built")
    page = (tmp_path / "built" / "operations/2025/11/25/the-database-new-fast.html").read_text()
    assert "<h1>The database: &quot;new&quot; &amp; fast</h1>" in page
    assert "It took <em>longer</em>: {{ site.title }} &lt;b&gt;is&lt;/b&gt; back." in page
