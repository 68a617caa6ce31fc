"""The marketing sites take over the theme's banner, each by itself, and the live pages are the proof."""

import difflib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import unescape

import httpx
import pytest
from pydantic import ValidationError

from bot.context import StepContext
from bot.errors import Final, Temporary
from bot.step import Outcome
from integrations.github.site_step import SitesUpdate
from sandbox.jekyll.sources import BANNER_PATH, theme_files
from tests.integrations.sites.conftest import NAMES, REPO, TEXT, TOKEN, Houses, Town, banner_file

Run = Callable[..., Outcome]
MakeContext = Callable[..., StepContext]


def banner(town: Town, name: str) -> str | None:
    page = httpx.get(f"{town.url}/site/{name}/").text
    found = re.search(r'<div class="banner"[^>]*><a [^>]*>(.*?)</a>', page)
    return unescape(found[1]) if found else None


def writes(town: Town) -> list[str]:
    return [f"{one['method']} {one['path']}" for one in town.houses.github.requests if one["method"] != "GET"]


def lines_changed(before: str, after: str) -> list[str]:
    diff = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0))[2:]
    return [line for line in diff if not line.startswith("@@")]


def test_planned_without_changing_anything(town: Town, context: MakeContext) -> None:
    revision = town.houses.show_banner(**{"_layouts/default.html": "<html></html>"})
    plan = town.step().plan(context())
    assert plan.summary == f"Move 3 sites to acme-theme {revision[:10]}, until the live pages show “{TEXT}”"
    text = "\n".join(plan.details)
    assert "www: pushed to master of acme/www, published by CloudCannon, built; then http" in text
    assert f"    -  revision: {town.houses.first}\n    +  revision: {revision}" in text
    assert "with it come other changes of the theme: _layouts/default.html" in text
    assert writes(town) == []
    assert plan.digest == town.step().plan(context()).digest
    town.houses.github.commit(REPO, {"README.md": "moved on"})
    assert plan.digest != town.step().plan(context()).digest


def test_on_every_site_then_off(town: Town, run: Run) -> None:
    houses = town.houses
    before = {name: houses.lock(name) for name in NAMES}
    on = houses.show_banner()
    outcome = run(town.step())
    assert outcome.summary == f"3 sites at acme-theme {on[:10]}: the live pages show “{TEXT}”"
    for name in NAMES:
        assert banner(town, name) == TEXT
        assert lines_changed(before[name], houses.lock(name)) == [
            f"-  revision: {houses.first}", f"+  revision: {on}",
        ]  # fmt: skip
        assert outcome.facts["sites"][name]["state"] == "live"
        (ours,) = [
            each for each in houses.github.repo(f"acme/{name}").git.log("master") if "Maint-Step" in each.message
        ]
        assert ours.message.endswith("Maint-Step: 2026-11-25-test:sites")
    off = houses.hide_banner()
    run(town.step(hides=TEXT), maintenance="2026-11-25-after")
    assert [banner(town, name) for name in NAMES] == [None, None, None]
    assert all(f"revision: {off}" in houses.lock(name, "master") for name in NAMES)


def test_what_is_done_is_not_done_again(town: Town, run: Run, context: MakeContext) -> None:
    town.houses.show_banner()
    run(town.step())
    town.houses.github.requests.clear()
    town.houses.cloud.app.requests.clear()
    assert town.step().check(context()) is not None
    town.step().apply(context(attempt=2))
    assert writes(town) == []
    assert [each for each in town.houses.cloud.app.requests if each["method"] != "GET"] == []
    assert [len(site.builds) for site in town.houses.production.values()] == [1, 1]


def test_one_that_fails_does_not_stop_the_rest_and_is_retried_alone(town: Town, run: Run, context: MakeContext) -> None:
    houses = town.houses
    whole = houses.lock("docs")
    houses.github.commit("acme/docs", {"Gemfile.lock": whole.replace("PLATFORMS", "<<<<<<< HEAD\nPLATFORMS")})
    houses.show_banner()
    with pytest.raises(Final) as caught:
        run(town.step())
    said = str(caught.value)
    assert "1 of 3 sites failed; done: www, partners." in said
    assert "docs: Gemfile.lock in acme/docs, line 16: a merge conflict was left here" in said
    assert [banner(town, name) for name in NAMES] == [TEXT, None, TEXT]
    told = [entry["payload"]["text"] for entry in context().history if entry["kind"] == "step_fact"]
    assert [text.split(":")[0].split(" ")[0] for text in told[1:]].count("docs") == 1
    assert any(text.startswith("www: http") and "shows the text" in text for text in told)

    houses.github.commit("acme/docs", {"Gemfile.lock": whole})
    houses.github.requests.clear()
    run(town.step(), attempt=2)
    assert banner(town, "docs") == TEXT
    assert {path.split("/repos/")[1].split("/")[1] for path in writes(town)} == {"docs"}


def test_through_pull_requests_on_both_sides(town: Town, run: Run) -> None:
    houses = town.houses
    houses.github.protect("acme/www", checks=["build"])
    houses.github.run_ci("acme/www", "build", after_s=0.5)
    houses.staging["docs"].publish_mode = "pull_request"
    houses.show_banner()
    run(town.step({"www": {"via": "pr"}, "docs": {"publish": "pull_request"}}, only=("www", "docs")))
    assert [banner(town, name) for name in ("www", "docs")] == [TEXT] * 2
    (pull,) = houses.github.pulls("acme/www")
    assert pull.merged_at
    assert pull.head == "maint/2026-11-25-test/sites"
    assert houses.github.head("acme/www", pull.head) is None
    (asked,) = houses.staging["docs"].pulls
    assert asked.merged_at


def test_a_protected_branch_says_what_to_do(town: Town, run: Run) -> None:
    town.houses.github.protect("acme/www")
    town.houses.show_banner()
    with pytest.raises(Final, match=r"www: master of acme/www takes changes through pull requests only .*`via: pr`"):
        run(town.step(only=("www", "docs")))
    assert banner(town, "docs") == TEXT


def test_without_cloudcannon_the_page_alone_is_waited_for(town: Town, run: Run) -> None:
    town.houses.show_banner()
    run(town.step({"partners": {"cloudcannon": None, "publish": None}}, only=("partners",)))
    assert banner(town, "partners") == TEXT


def test_undone_every_site_is_as_it_was(town: Town, run: Run, context: MakeContext) -> None:
    houses = town.houses
    before = {name: houses.lock(name) for name in NAMES}
    houses.show_banner()
    step = town.step()
    outcome = run(step)
    for _ in range(2):
        undone = step.undo(context(), Outcome("", {**context().facts, **outcome.facts}))
        assert undone.summary == "Took 3 sites back to the theme that they had before."
    assert {name: houses.lock(name) for name in NAMES} == before
    assert [banner(town, name) for name in NAMES] == [None] * 3
    for name in NAMES:
        ours = [each for each in houses.github.repo(f"acme/{name}").git.log("master") if "Maint-Step" in each.message]
        assert len(ours) == 2


def test_undone_after_others_moved_it_on(town: Town, run: Run, context: MakeContext) -> None:
    houses = town.houses
    houses.show_banner()
    step = town.step()
    outcome = run(step)
    later = houses.github.commit(REPO, {"README.md": "work of others"})
    now = houses.lock("www").replace(str(outcome.facts["revision"]), later)
    houses.github.commit("acme/www", {"Gemfile.lock": now})
    with pytest.raises(Final, match=r"www: Gemfile.lock in acme/www was moved on by others since"):
        step.undo(context(), Outcome("", {**context().facts, **outcome.facts}))
    assert houses.lock("www") == now
    assert banner(town, "docs") is None


def test_a_site_that_is_further_on_is_left_there(town: Town, run: Run) -> None:
    houses = town.houses
    on = houses.show_banner()
    later = houses.github.commit(REPO, {"README.md": "work of others"})
    houses.github.commit("acme/www", {"Gemfile.lock": houses.lock("www").replace(houses.first, later)})
    run(town.step(only=("www", "docs"), revision=on))
    assert f"revision: {later}" in houses.lock("www")
    assert f"revision: {on}" in houses.lock("docs")
    assert banner(town, "www") == TEXT


# Refused before anything is pushed


def test_a_new_dependency_of_the_theme(town: Town, run: Run, context: MakeContext) -> None:
    files = theme_files(dependencies={"jekyll": "~> 4.0", "rake": ">= 12"}, banner=banner_file())
    town.houses.github.commit(REPO, files)
    with pytest.raises(Final, match="No site can be updated") as planned:
        town.step().plan(context())
    assert "acme-theme 1.0.0 depends on rake, which Gemfile.lock in acme/www does not hold" in str(planned.value)
    with pytest.raises(Final, match="3 of 3 sites failed") as applied:
        run(town.step())
    assert str(applied.value).count("bundle lock --update acme-theme") == 3
    assert writes(town) == []


def test_a_changed_version_and_dependency_that_the_lock_holds(town: Town, run: Run) -> None:
    files = theme_files("1.1.0", {"jekyll": "~> 4.0", "liquid": ">= 5"}, banner_file())
    on = town.houses.github.commit(REPO, files)
    before = town.houses.lock("www")
    run(town.step(only=("www",)))
    assert lines_changed(before, town.houses.lock("www")) == [
        f"-  revision: {town.houses.first}", f"+  revision: {on}",
        "-    acme-theme (1.0.0)", "+    acme-theme (1.1.0)", "+      liquid (>= 5)",
    ]  # fmt: skip


def test_a_gemspec_that_is_worked_out(town: Town, context: MakeContext) -> None:
    gemspec = theme_files()["acme-theme.gemspec"].replace(
        "end\n", "  %w[rake].each { |n| spec.add_dependency n }\nend\n"
    )
    town.houses.github.commit(REPO, {"acme-theme.gemspec": gemspec, BANNER_PATH: banner_file()})
    with pytest.raises(Final, match="cannot tell what it depends on now: a dependency is not written out plainly"):
        town.step().plan(context())


def test_unpublished_changes_of_others(town: Town, run: Run) -> None:
    town.houses.github.commit("acme/www", {"pricing.md": "half a sentence"})
    on = town.houses.show_banner()
    with pytest.raises(Final, match=r"www: publishing would publish more than the banner: .* pricing.md"):
        run(town.step(only=("www", "docs")))
    assert f"revision: {on}" not in town.houses.lock("www", "production")
    assert banner(town, "docs") == TEXT
    # A person publishes by hand, and the retry goes on from there.
    httpx.post(
        f"{town.url}/api/v0/sites/{town.houses.staging['www'].uuid}/providers/branches/merge",
        headers={"X-API-KEY": town.houses.cloud.key},
    )
    run(town.step(only=("www", "docs")), attempt=2)
    assert banner(town, "www") == TEXT


def test_a_site_that_publishing_would_delete(town: Town, run: Run) -> None:
    town.houses.staging["www"].destroy_on_publish = True
    town.houses.show_banner()
    with pytest.raises(Final, match=r"would delete the site www-staging by publishing it \(`destroy_on_publish`\)"):
        run(town.step(only=("www",)))
    assert not town.houses.staging["www"].deleted


@pytest.mark.parametrize(
    ("own", "wrong"),
    [
        ("text: Our own words\n", "`text: Our own words`"),
        ("enabled: false\n", "`enabled: false`"),
        ("url: /elsewhere\n", "`url: /elsewhere`"),
    ],
)
def test_a_banner_file_of_the_sites_own(town: Town, context: MakeContext, own: str, wrong: str) -> None:
    town.houses.github.commit("acme/docs", {BANNER_PATH: own})
    town.houses.show_banner()
    plan = town.step(only=("docs", "partners")).plan(context())
    (told,) = [line for line in plan.details if line.startswith("✗")]
    assert f"docs: {BANNER_PATH} in acme/docs is the site's own banner file, and {wrong}" in told


def test_a_banner_file_of_the_sites_own_is_refused_before_the_push(town: Town, run: Run) -> None:
    town.houses.github.commit("acme/docs", {BANNER_PATH: "text: Our own words\n"})
    town.houses.show_banner()
    with pytest.raises(Final, match="1 of 2 sites failed; done: partners"):
        run(town.step(only=("docs", "partners")))
    assert town.houses.first in town.houses.lock("docs")


def test_a_harmless_banner_file_of_the_sites_own(town: Town, run: Run) -> None:
    sha = town.houses.github.commit("acme/docs", {BANNER_PATH: "colour: blue\nenabled: true\n"})
    town.houses.github.repo("acme/docs").git.update_ref("refs/heads/production", sha)
    town.houses.show_banner()
    run(town.step(only=("docs",)))
    assert banner(town, "docs") == TEXT
    town.houses.hide_banner()
    with pytest.raises(Final, match=r"docs: .*`enabled: true` in it would replace"):
        run(town.step(only=("docs",), hides=TEXT), maintenance="2026-11-25-after")


def test_a_banner_file_that_comes_later_explains_the_page(town: Town, run: Run) -> None:
    houses = town.houses
    houses.github.commit("acme/docs", {"_data/banner_notification.yml": "text: Other\n"}, branch="production")
    houses.show_banner()
    with pytest.raises(Final, match=r"docs: still waits for “Scheduled maintenance .* to appear on"):
        run(town.step(only=("docs",), wait_s=1.5))


def test_it_waits_for_the_theme(town: Town, run: Run, context: MakeContext) -> None:
    """As when the window moved: the banner is merged anew while this step runs anew."""
    step = town.step(only=("www",))
    plan = step.plan(context())
    assert plan.details[0].startswith(f"⚠ It waits first for {BANNER_PATH} in acme/theme to turn on “Scheduled")
    assert "now it turns on no banner; `banner.on` changes that" in plan.details[0]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, step)
        while "turn on" not in context()._all.progress.read("2026-11-25-test").get("sites", {}).get("text", ""):
            assert not running.done()
        assert writes(town) == []
        on = town.houses.show_banner()
        assert running.result().facts["revision"] == on
    assert banner(town, "www") == TEXT
    assert "to turn off" in town.step(hides=TEXT).plan(context()).details[0]


def test_a_commit_that_will_never_say_it(town: Town, run: Run, context: MakeContext) -> None:
    town.houses.show_banner()
    step = town.step(only=("www",), revision=town.houses.first)
    for go in (lambda: step.plan(context()), lambda: run(step)):
        with pytest.raises(Final, match="the theme is not such that the sites would be right"):
            go()
    assert writes(town) == []


def test_what_stands(town: Town, run: Run, context: MakeContext) -> None:
    step = town.step(only=("docs", "partners"))
    town.houses.show_banner()
    outcome = run(step)
    standing = step.standing(context(), outcome)
    assert standing is not None
    assert (standing.shown, standing.differs) == (TEXT, False)
    moved = town.step(only=("docs", "partners"), shows="Another time")
    assert moved.standing(context(), outcome).differs  # type: ignore[union-attr]
    town.houses.hide_banner()
    run(town.step(only=("partners",), hides=TEXT), maintenance="2026-11-25-after")
    partly = step.standing(context(), outcome)
    assert partly is not None
    assert partly.shown == f"{TEXT} (only on docs)"
    town.houses.cloud.live.arm("status", status=502, path="/site/docs/")
    with pytest.raises(Temporary, match="answers 502"):
        step.standing(context(), outcome)
    run(town.step(only=("docs",), hides=TEXT), maintenance="2026-11-25-later")
    assert step.standing(context(), outcome) is None
    assert SitesUpdate.can_undo({"shows": TEXT})
    assert not SitesUpdate.can_undo({"hides": TEXT})


def test_another_theme_and_another_branch(town: Town, context: MakeContext) -> None:
    houses = town.houses
    houses.show_banner()
    lock = houses.lock("www")
    houses.github.commit("acme/www", {"Gemfile.lock": lock.replace("acme/theme.git", "fork/theme.git")})
    houses.github.commit("acme/docs", {"Gemfile.lock": lock.replace("branch: master", "branch: next")})
    houses.github.commit("acme/partners", {"Gemfile.lock": None})
    with pytest.raises(Final) as caught:
        town.step().plan(context())
    said = str(caught.value)
    assert "takes acme-theme from https://github.com/fork/theme.git, and not from acme/theme" in said
    assert "follows the branch next of the theme, and the banner is on master" in said
    assert "Gemfile.lock in acme/partners does not exist on master" in said


# What goes wrong on the way


def test_a_build_that_fails_then_is_mended(town: Town, run: Run) -> None:
    houses, broken = town.houses, [True]
    builder = houses.cloud.builder

    def sometimes(source, destination, site):  # type: ignore[no-untyped-def]
        if broken and site == "www":
            raise RuntimeError("no space left")
        return builder(source, destination, site)

    houses.cloud.builder = sometimes
    houses.show_banner()
    with pytest.raises(Final, match=r"www: the build of www failed in CloudCannon \(build [0-9a-f-]+\)"):
        run(town.step(only=("www", "partners")))
    assert banner(town, "www") is None
    assert banner(town, "partners") == TEXT
    broken.clear()
    run(town.step(only=("www", "partners")), attempt=2)
    assert banner(town, "www") == TEXT


def test_a_webhook_that_never_came(town: Town, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.github.site_cloud._ASK_AFTER_S", 0.3)
    town.houses.cloud.webhooks = False
    town.houses.show_banner()
    run(town.step(only=("www",)))
    assert [banner(town, name) for name in ("www",)] == [TEXT] * 1


def test_somebody_is_editing(town: Town, run: Run) -> None:
    town.houses.staging["partners"].has_open_editing_session = True
    town.houses.show_banner()
    with pytest.raises(
        Final, match=r"partners: still waits for CloudCannon to fetch it .* Somebody is editing the site"
    ):
        run(town.step(only=("partners",), wait_s=1))


def test_builds_are_locked_so_one_is_asked_for(town: Town, run: Run) -> None:
    town.houses.staging["partners"].building_locked = True
    town.houses.show_banner()
    run(town.step(only=("partners",)))
    assert banner(town, "partners") == TEXT


def test_answers_that_are_lost(town: Town, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.github.site_run._AGAIN_S", 0.01)
    houses = town.houses
    houses.cloud.app.arm("drop_after", method="POST", path="branches/merge", times=2)
    houses.github.app.arm("drop_after", method="PATCH", path="/git/refs/heads/master", times=3)
    houses.github.app.arm("status", status=502, path="/git/blobs", times=2)
    houses.show_banner()
    run(town.step(only=("www", "partners")))
    assert [banner(town, name) for name in ("www", "partners")] == [TEXT] * 2
    for name in ("www", "partners"):
        ours = [each for each in houses.github.repo(f"acme/{name}").git.log("master") if "Maint-Step" in each.message]
        assert len(ours) == 1


def test_somebody_pushes_at_the_same_time(town: Town, run: Run) -> None:
    """The branch moves between the commit and the push: the lock is moved again on top, and their work stays."""
    houses = town.houses
    houses.show_banner()
    real, pushed = houses.github.app.app, []

    async def racing(scope, receive, send):  # type: ignore[no-untyped-def]
        if scope["method"] == "POST" and scope["path"] == "/repos/acme/partners/git/commits" and not pushed:
            pushed.append(houses.github.commit("acme/partners", {"index.md": "theirs"}))
        await real(scope, receive, send)

    houses.github.app.app = racing
    run(town.step(only=("partners",)))
    assert pushed
    assert houses.github.read("acme/partners", "index.md") == "theirs"
    assert banner(town, "partners") == TEXT


def test_a_site_that_is_down_and_one_that_redirects(town: Town, run: Run) -> None:
    town.houses.show_banner()
    with pytest.raises(Final) as caught:
        run(town.step({"docs": {"live": f"{town.url}/site/none/"}, "www": {"live": f"{town.url}/site/www"}}, wait_s=1))
    assert "redirects to /site/www/. Write the address that answers by itself" in str(caught.value)
    assert f"still waits for a page at {town.url}/site/none/ ({town.url}/site/none/ answers 404)" in str(caught.value)


def test_everything_is_away_for_a_while(town: Town, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.github.site_run._AGAIN_S", 0.01)
    town.houses.show_banner()
    town.houses.cloud.app.arm("status", status=503, times=1000)
    with pytest.raises(Temporary, match="2 of 2 sites failed"):
        run(town.step(only=("www", "partners")))
    town.houses.cloud.app.clear()
    run(town.step(only=("www", "partners")), attempt=2)
    assert [banner(town, name) for name in ("www", "partners")] == [TEXT] * 2


def test_without_a_key_and_with_a_wrong_one(town: Town, run: Run) -> None:
    town.houses.show_banner()
    with pytest.raises(Final, match="MAINT_CLOUDCANNON_KEY is not set"):
        run(town.step(only=("partners",)), settings={"MAINT_CLOUDCANNON_KEY": ""})
    with pytest.raises(Final, match="the key in MAINT_CLOUDCANNON_KEY may not do that") as caught:
        run(town.step(only=("partners",)), attempt=2, settings={"MAINT_CLOUDCANNON_KEY": "wrong-secret-key"})
    assert "wrong-secret-key" not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_stopped_and_taken_up_again(town: Town, run: Run, context: MakeContext) -> None:
    from bot.errors import Stopped

    town.houses.cloud.build_s = 1.0
    town.houses.show_banner()
    stopping = context()._all.stopping
    real = town.houses.cloud.app.app

    async def stop(scope, receive, send):  # type: ignore[no-untyped-def]
        if scope["path"].endswith("/builds"):
            stopping.set()
        await real(scope, receive, send)

    town.houses.cloud.app.app = stop
    with pytest.raises(Stopped):
        run(town.step(only=("www",)))
    town.houses.cloud.app.app = real
    stopping.clear()
    run(town.step(only=("www",)))
    assert [banner(town, name) for name in ("www",)] == [TEXT] * 1


def test_progress_tells_each_site(town: Town, run: Run, context: MakeContext) -> None:
    town.houses.cloud.build_s = 1.2
    town.houses.show_banner()
    run(town.step())
    shown = context()._all.progress.read("2026-11-25-test")["sites"]
    assert (shown["done"], shown["total"], shown["unit"]) == (3, 3, "sites")
    assert shown["text"] == "www: live · docs: live · partners: live"


# Fields


@pytest.mark.parametrize(
    ("changes", "fields", "expected"),
    [
        ({}, {"shows": None}, "give `shows`, `hides` or both"),
        ({}, {"hides": "maintenance", "shows": "Scheduled maintenance"}, "`hides` is a part of `shows`"),
        ({"docs": {"name": "www"}}, {}, "two sites are called www"),
        ({"docs": {"live": "ftp://x"}}, {}, "no address of a page"),
        ({"docs": {"cloudcannon": "www"}}, {}, "String should match pattern"),
        ({"docs": {"cloudcannon": None}}, {}, "`production` needs `cloudcannon`"),
        ({"docs": {"lock": "../Gemfile.lock"}}, {}, "no path inside a repository"),
        ({"docs": {"repository": "www"}}, {}, "no repository on GitHub"),
        ({}, {"revision": "master"}, "String should match pattern"),
    ],
)
def test_mistakes_are_found_when_the_runbook_is_read(houses: Houses, changes, fields, expected: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValidationError, match=re.escape(expected)):
        Town(houses, "https://www.example.com").step(changes, **fields)
