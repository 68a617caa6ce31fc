"""The banner goes up and comes down through a pull request, and nothing else in the file changes."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from bot.attempt import perform
from bot.context import StepContext, Surroundings
from bot.entry import Kind
from bot.errors import Final
from bot.field_docs import description
from bot.journal import Draft
from bot.step import Outcome, Step
from integrations.github import BannerOff, BannerOn
from sandbox.github import GitHub
from tests.integrations.github.conftest import FILE, PATH, REPO, TEXT, TOKEN, URL, Ruby, banner_on, push
from tests.maintenance_fixtures import raw_step

ON = f"""# Read by every site of the theme
enabled: true          # the marketing team asks us
text: "{TEXT}"
url: "{URL}"
"""
Contexts = Callable[..., StepContext]
Run = Callable[..., Outcome]


def banner_off() -> BannerOff:
    return BannerOff(repository=REPO, wait_s=20)


def test_on_and_off_each_by_one_pull_request(github: GitHub, run: Run, ruby: Ruby) -> None:
    up = run(banner_on(), id_="banner-on", maintenance="m-up")
    assert github.read(REPO, PATH) == ON
    seen = ruby.read(ON.encode())
    assert {key: value for key, (_, value) in seen.items()} == {"enabled": "true", "text": TEXT, "url": URL}
    pull = github.pull(REPO, 1)
    assert pull.merged_at is not None
    assert up.facts["pr"] == 1
    assert up.facts["pr_url"].endswith("/acme/theme/pull/1")
    assert up.facts["merge_sha"] == github.head(REPO) == pull.merge_sha
    assert up.facts["head_sha"] == pull.head_sha
    assert (up.facts["text"], up.facts["url"], up.facts["enabled"]) == (TEXT, URL, True)
    assert up.facts["before"]["text"] == "Scheduled Maintenance today at 5:00pm NZDT"

    down = run(banner_off(), id_="banner-off", maintenance="m-down")
    assert github.read(REPO, PATH) == ON.replace("true", "false")
    assert down.facts["pr"] == 2
    assert len(github.pulls(REPO)) == 2


def test_the_pull_request_says_who_wants_what_and_for_which_maintenance(github: GitHub, run: Run) -> None:
    run(banner_on(text="Down at 5, ask @ops"), id_="banner-on", maintenance="2026-11-25-postgres")
    pull = github.pull(REPO, 1)
    assert pull.head == "maint/2026-11-25-postgres/banner-on"
    assert pull.title == "Turn the banner on: Down at 5, ask @\u200bops"
    body = str(pull.body)
    for said in ("Postgres 14 to 18", "`2026-11-25-postgres`", "`banner-on`", "`U0ANA`", "Pacific/Auckland", "UTC"):
        assert said in body
    assert "@ops" not in body
    message = github.repo(REPO).git.commit(pull.head_sha).message
    assert message.endswith("Maint-Step: 2026-11-25-postgres:banner-on")


def test_the_plan_shows_the_diff_and_changes_nothing(github: GitHub, context: Contexts) -> None:
    plan = banner_on().plan(context(banner_on()))
    assert f'+text: "{TEXT}"' in plan.details
    assert "-enabled: false          # the marketing team asks us" in plan.details
    assert "acme/theme" in plan.summary
    assert {request["method"] for request in github.requests} == {"GET"}


def test_the_digest_holds_for_exactly_this_change(github: GitHub, context: Contexts) -> None:
    ctx = context(banner_on())
    digest = banner_on().plan(ctx).digest
    github.commit(REPO, {"README.md": "# Theme, better\n"})
    assert banner_on().plan(ctx).digest == digest, "other files are not part of the change"
    assert banner_on(text="Other").plan(ctx).digest != digest
    github.commit(REPO, {PATH: FILE + "# more\n"})
    assert banner_on().plan(ctx).digest != digest, "the file changed under the approval"


def test_what_is_so_already_needs_no_pull_request(github: GitHub, run: Run, context: Contexts) -> None:
    github.commit(REPO, {PATH: ON})
    plan = banner_on().plan(context(banner_on()))
    assert plan.summary.startswith("Nothing to do")
    outcome = run(banner_on())
    assert outcome.facts["changed"] is False
    assert not github.pulls(REPO)
    assert all(request["method"] == "GET" for request in github.requests)


def test_undo_turns_the_file_back_byte_for_byte(github: GitHub, context: Contexts, undo: Any) -> None:
    ctx = context(banner_on())
    outcome = perform(banner_on(), ctx)
    back = undo(banner_on(), ctx, outcome)
    assert github.read(REPO, PATH) == FILE
    assert "#2" in back.summary
    again = undo(banner_on(), ctx, outcome)
    assert "as it was before" in again.summary
    assert len(github.pulls(REPO)) == 2


def test_undo_keeps_what_others_changed_since(github: GitHub, context: Contexts, undo: Any) -> None:
    ctx = context(banner_on())
    outcome = perform(banner_on(), ctx)
    github.commit(REPO, {PATH: ON + "colour: red\n"})
    undo(banner_on(), ctx, outcome)
    after = github.read(REPO, PATH)
    assert after.endswith("colour: red\n")
    assert "enabled: false  " in after
    assert 'text: "Scheduled Maintenance today at 5:00pm NZDT"\n' in after


def test_undo_of_a_step_that_never_merged_withdraws_its_pull_request(
    github: GitHub, context: Contexts, undo: Any
) -> None:
    github.protect(REPO, reviews=1)
    ctx = context(banner_on())
    with pytest.raises(Final, match="still waits for 1 approving review"):
        perform(banner_on(wait_s=0.5), ctx)
    assert github.pull(REPO, 1).state == "open"
    undo(banner_on(), ctx, Outcome(""))
    assert github.pull(REPO, 1).state == "closed"
    assert github.head(REPO, github.pull(REPO, 1).head) is None
    assert github.read(REPO, PATH) == FILE


def test_a_banner_turned_back_can_be_put_up_again_by_the_same_step(
    github: GitHub, context: Contexts, undo: Any
) -> None:
    ctx = context(banner_on())
    undo(banner_on(), ctx, perform(banner_on(), ctx))
    outcome = perform(banner_on(), context(banner_on(), attempt=2))
    assert outcome.facts["pr"] == 3
    assert github.read(REPO, PATH) == ON


@pytest.mark.parametrize(("other", "again"), [({}, False), ({"path": "_data/other.yml"}, True)])
def test_a_banner_that_is_being_taken_down_is_not_put_up_again_by_a_late_extension(
    github: GitHub, context: Contexts, surroundings: Surroundings, other: dict[str, str], again: bool
) -> None:
    fields = {"repository": "{{ params.theme }}"}
    ids = {
        "on": ("banner.on", fields),
        "down": ("banner.off", {**fields, **other}),
        "on-again-1": ("banner.on", fields),
    }
    steps = [{**raw_step(name, uses), "with": with_} for name, (uses, with_) in ids.items()]
    ctx = context(banner_on(), id_="on-again-1", steps=steps)
    started = Draft(Kind.STEP_STARTED, "maint", "down", "down", {"attempt": 1})
    surroundings.maintenances.record(ctx.maintenance, lambda _: [started])
    assert banner_on().plan(ctx).summary.startswith("Nothing to do") is not again
    outcome = perform(banner_on(), ctx)
    assert ("is being taken down" in outcome.summary) is not again
    assert len(github.pulls(REPO)) == again
    assert (github.read(REPO, PATH) == ON) is again


def test_a_banner_that_does_not_take_is_told(github: GitHub, context: Contexts) -> None:
    ctx = context(banner_on())
    outcome = perform(banner_on(), ctx)
    github.commit(REPO, {PATH: FILE})
    with pytest.raises(Exception, match="does not read as it should"):
        banner_on().verify(ctx, outcome)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("text", " ", "no text"),
        ("text", "one\ntwo", "one line"),
        ("text", "one\u2028two", "one line"),
        ("text", "Down \u202e0:71 ta", "turn the order"),
        ("text", "x" * 301, "at most 300"),
        ("text", "Down at {{ start }}", "template mark"),
        ("text", "Down at ${START}", "template mark"),
        ("url", "example.com", "no link"),
        ("url", "javascript:alert(1)", "no link"),
        ("url", "//example.com/x", "no link"),
        ("url", "https://example.com/a b", "no link"),
        ("url", "https://example.com/{{ id }}", "no link"),
        ("path", "/etc/passwd", "no path inside a repository"),
        ("path", "../x", "no path inside a repository"),
    ],
)
def test_words_that_would_look_wrong_on_every_site_are_refused(field: str, value: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        banner_on(**{field: value})


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ({"README.md": "x"}, "does not exist"),
        ({PATH: "enabled: false\nenabled: true\n"}, "line 2: `enabled` stands here a second time"),
        ({PATH: "enabled: [\n"}, "line 2, column 1: this is not valid YAML"),
        ({f"{PATH}/x": "a folder"}, "is not a file"),
    ],
)
def test_a_file_that_cannot_be_edited_fails_the_plan_with_file_and_line(
    github: GitHub, context: Contexts, file: dict[str, str], said: str
) -> None:
    github.create_repository("acme/odd", file)
    step = banner_on(repository="acme/odd")
    with pytest.raises(Final, match=PATH) as refused:
        step.plan(context(step))
    assert said in str(refused.value)
    assert "acme/odd" in str(refused.value)


def test_a_link_is_not_replaced_by_a_file(github: GitHub, run: Run) -> None:
    git = github.repo(REPO).git
    base = github.head(REPO)
    assert base is not None
    push(github, "master", git.write_tree(base, [("120000", git.write_blob(FILE.encode()), PATH)]), base)
    with pytest.raises(Final, match=r"not a file|a link or a folder"):
        run(banner_on())


def test_an_executable_file_stays_executable(github: GitHub, run: Run) -> None:
    git = github.repo(REPO).git
    base = github.head(REPO)
    assert base is not None
    push(github, "master", git.write_tree(base, [("100755", git.write_blob(FILE.encode()), PATH)]), base)
    run(banner_on())
    entry = git.entry("refs/heads/master", PATH)
    assert entry is not None
    assert entry.mode == "100755"


def test_secrets_are_in_no_outcome_record_or_repr(github: GitHub, context: Contexts) -> None:
    ctx = context(banner_on())
    outcome = perform(banner_on(), ctx)
    for seen in (repr(outcome), repr(ctx.history), repr(banner_on()), str(github.pull(REPO, 1).body)):
        assert TOKEN not in seen


def test_every_key_of_the_steps_has_its_description() -> None:
    steps: list[type[Step]] = [BannerOn, BannerOff]
    for step in steps:
        assert step.__doc__
        assert all(description(step, name) for name in step.model_fields)
