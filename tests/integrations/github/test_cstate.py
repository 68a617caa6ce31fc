"""A status page that lives in git: one issue file for a maintenance, announced, moved and ended by pull requests."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from bot.attempt import perform
from bot.context import StepContext
from bot.errors import Final
from bot.step import Outcome, Window
from integrations.github.cstate import CANCELLED, CstateResolve, CstateSchedule
from sandbox.github import GitHub
from tests.integrations.github.conftest import REPO

Contexts = Callable[..., StepContext]
Run = Callable[..., Outcome]
FILE = "content/issues/2026-11-25-test.md"
WINDOW = {"start": "2026-11-25T04:00:00+00:00", "end": "2026-11-25T06:00:00+00:00", "zone": "Pacific/Auckland"}
LATER = Window(datetime(2026, 11, 26, 10, tzinfo=UTC), datetime(2026, 11, 26, 12, tzinfo=UTC), "Pacific/Auckland")
ISSUE = """---
title: "Postgres 14 to 18"
date: "2026-11-25T17:00:00+13:00"
informational: true
resolved: false
affected:
  - "API"
  - "The \\"shop\\""
section: issue
---

We will carry out scheduled maintenance on Wednesday 25 November 2026, 17:00 to 19:00 (Pacific/Auckland), which is \
2026-11-25 04:00 to 2026-11-25 06:00 UTC.
"""


def schedule(**fields: Any) -> CstateSchedule:
    return CstateSchedule(**{"repository": REPO, "affected": ["API", 'The "shop"'], "wait_s": 20, **fields})


def resolve(**fields: Any) -> CstateResolve:
    return CstateResolve(**{"repository": REPO, "wait_s": 20, **fields})


@pytest.fixture
def night(context: Contexts) -> Contexts:
    """`night(step)`: a context of `step` in a maintenance with the window above."""
    return lambda step, **options: context(step, window=WINDOW, **options)


def test_announced_and_ended_each_by_one_pull_request(github: GitHub, night: Contexts) -> None:
    ctx = night(schedule())
    assert schedule().plan(ctx).details[0] == "--- /dev/null"
    assert '+title: "Postgres 14 to 18"' in schedule().plan(ctx).details
    outcome = perform(schedule(), ctx)
    assert github.read(REPO, FILE) == ISSUE
    assert outcome.facts["issue"] == FILE
    assert outcome.facts["pr"] == 1

    github.commit(REPO, {FILE: ISSUE + "\n*17:40* All goes well, says somebody.\n"})
    ended = perform(resolve(), night(resolve()))
    assert ended.facts["changed"] is True
    told = (
        "\n*17:40* All goes well, says somebody.\n\nThe scheduled maintenance has been completed. Thank you for your "
    )
    assert github.read(REPO, FILE) == ISSUE.replace("resolved: false", "resolved: true") + told + "patience.\n"
    assert len(github.pulls(REPO)) == 2


def test_each_done_twice_has_one_effect(github: GitHub, night: Contexts) -> None:
    for step in (schedule(), resolve()):
        ctx = night(step)
        perform(step, ctx)
        before = github.read(REPO, FILE)
        perform(step, ctx)
        assert github.read(REPO, FILE) == before
    assert len(github.pulls(REPO)) == 2


def test_the_front_matter_is_read_as_it_is_meant(github: GitHub, night: Contexts) -> None:
    step = schedule(title='Database: "upgrade" #1', text="Down\n\nfor *two* hours.", date="2026-11-20T00:00:00Z")
    perform(step, night(step))
    _, front, body = github.read(REPO, FILE).split("---\n")
    assert YAML(typ="safe").load(front) == {
        "title": 'Database: "upgrade" #1',
        "date": "2026-11-20T00:00:00Z",
        "informational": True,
        "resolved": False,
        "affected": ["API", 'The "shop"'],
        "section": "issue",
    }
    assert body == "\nDown\n\nfor *two* hours.\n"


def test_a_moved_window_is_brought_to_the_page_and_nothing_of_others_is_lost(github: GitHub, night: Contexts) -> None:
    ctx = night(schedule())
    perform(schedule(), ctx)
    github.commit(REPO, {FILE: ISSUE.replace("section: issue", "section: issue # ours") + "\nBy hand.\n"})
    ctx.window = LATER
    perform(schedule(), ctx)
    after = github.read(REPO, FILE)
    assert 'date: "2026-11-26T23:00:00+13:00"' in after
    assert "section: issue # ours" in after
    assert after.endswith(
        "\nBy hand.\n\n**Update:** We will carry out scheduled maintenance on Thursday 26 November 2026, 23:00 to "
        "Friday 27 November 2026, 01:00 (Pacific/Auckland), which is 2026-11-26 10:00 to 2026-11-26 12:00 UTC.\n"
    )
    assert schedule().check(ctx) is not None


def test_undo_ends_the_issue_with_a_text(github: GitHub, night: Contexts, undo: Any) -> None:
    ctx = night(schedule())
    outcome = perform(schedule(), ctx)
    for _ in range(2):
        undo(schedule(), ctx, outcome)
    after = github.read(REPO, FILE)
    assert "resolved: true\n" in after
    assert after.endswith(f"\n\n{CANCELLED}\n")
    assert len(github.pulls(REPO)) == 2


def test_undo_of_what_is_ended_changes_nothing(github: GitHub, night: Contexts, undo: Any) -> None:
    ctx = night(schedule())
    outcome = perform(schedule(), ctx)
    perform(resolve(), night(resolve()))
    assert "turned back already" in undo(schedule(), ctx, outcome).summary
    assert len(github.pulls(REPO)) == 2


def test_what_stands_is_seen(github: GitHub, night: Contexts) -> None:
    ctx, step = night(schedule()), schedule()
    assert step.standing(ctx, Outcome("")) is None
    outcome = perform(step, ctx)
    seen = step.standing(ctx, outcome)
    assert seen is not None
    assert seen.shown == "Postgres 14 to 18, 2026-11-25T17:00:00+13:00"
    assert not seen.differs
    github.commit(REPO, {FILE: ISSUE.replace("T17", "T18")})
    changed = step.standing(ctx, outcome)
    assert changed is not None
    assert changed.differs
    perform(resolve(), night(resolve()))
    assert step.standing(ctx, outcome) is None


def test_line_ends_and_other_bytes_stay(github: GitHub, night: Contexts) -> None:
    content = "---\r\ntitle: x\r\nresolved: false # soon\r\n---\r\n\r\nCaf\xe9 ---\r\n"
    github.commit(REPO, {FILE: content})
    step = resolve(text="Over.\nReally.")
    perform(step, night(step))
    assert github.repo(REPO).git.run("cat-file", "blob", f"master:{FILE}").decode() == (
        "---\r\ntitle: x\r\nresolved: true # soon\r\n---\r\n\r\nCaf\xe9 ---\r\n\r\nOver.\r\nReally.\r\n"
    )


def test_what_is_not_there_yet_can_be_planned_but_not_ended(github: GitHub, night: Contexts) -> None:
    plan = resolve().plan(night(resolve()))
    assert "not there yet" in plan.details[0]
    assert FILE in plan.summary
    with pytest.raises(Final, match="does not exist: the maintenance was never announced"):
        perform(resolve(), night(resolve()))
    assert not github.pulls(REPO)


def test_what_cannot_be_changed_is_refused(github: GitHub, night: Contexts) -> None:
    github.commit(REPO, {FILE: "no front matter\n"})
    with pytest.raises(Final, match="does not begin with front matter"):
        resolve().plan(night(resolve()))
    github.commit(REPO, {FILE: ISSUE.replace("resolved: false", "resolved: true")})
    with pytest.raises(Final, match="is resolved already"):
        perform(schedule(), night(schedule()))


@pytest.mark.parametrize(
    "fields",
    [
        {"text": " "},
        {"text": "{{< track >}}"},
        {"date": "2026-11-20T00:00:00"},
        {"date": "soon"},
        {"name": "../x"},
        {"folder": "/x"},
    ],
)
def test_what_would_not_show_is_refused_when_the_runbook_is_read(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        schedule(**fields)


HUGO_SITE = {
    "config.yml": "baseURL: https://status.example.com/\ntitle: Status\nbuildFuture: true\n"
    "disableKinds: [taxonomy, term, sitemap, RSS]\n",
    "layouts/_default/single.html": "{{ .Title }}|{{ .Date.UTC }}|{{ .Params.resolved }}|{{ .Params.informational }}|"
    "{{ delimit .Params.affected `, ` }}|{{ .Content }}",
    "layouts/_default/list.html": "Status: {{ range where site.RegularPages `Params.section` `issue` }}"
    "{{ if eq .Params.resolved false }}OPEN {{ .Title }}{{ end }}{{ end }}",
}


@pytest.mark.skipif(shutil.which("hugo") is None, reason="no hugo on this machine")
def test_hugo_builds_the_page_from_it(github: GitHub, night: Contexts, tmp_path: Path) -> None:
    site = tmp_path / "site"
    for name, text in HUGO_SITE.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def build() -> tuple[str, str]:
        (site / FILE).parent.mkdir(parents=True, exist_ok=True)
        (site / FILE).write_text(github.read(REPO, FILE))
        subprocess.run([str(shutil.which("hugo")), "--quiet", "-s", str(site)], check=True)
        pages = (site / "public" / "index.html", site / "public" / "issues" / "2026-11-25-test" / "index.html")
        return unescape(pages[0].read_text()), unescape(pages[1].read_text())

    perform(schedule(), night(schedule()))
    home, issue = build()
    assert home.strip() == "Status: OPEN Postgres 14 to 18"
    assert issue.startswith('Postgres 14 to 18|2026-11-25 04:00:00 +0000 UTC|false|true|API, The "shop"|')
    perform(resolve(), night(resolve()))
    home, issue = build()
    assert home.strip() == "Status:"
    assert "has been completed" in issue
