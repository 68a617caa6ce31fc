"""`github.change`: any file, by its whole content or by replacing texts."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from bot.attempt import perform
from bot.context import StepContext
from bot.errors import Final
from bot.field_docs import description
from bot.step import Outcome
from integrations.github import GithubChange
from sandbox.github import GitHub
from tests.integrations.github.conftest import REPO

Contexts = Callable[..., StepContext]
Run = Callable[..., Outcome]
LOG = "docs/changes.md"


def change(**fields: Any) -> GithubChange:
    return GithubChange(**{"repository": REPO, "path": LOG, "title": "Note the upgrade", "wait_s": 20, **fields})


def test_a_new_file_and_its_undo(github: GitHub, context: Contexts, undo: Any) -> None:
    step = change(content="# Changes\r\n\r\n* Postgres 18 ✅")
    ctx = context(step)
    assert step.plan(ctx).details[0] == "--- /dev/null"
    outcome = perform(step, ctx)
    assert (
        github.repo(REPO).git.run("cat-file", "blob", f"master:{LOG}") == b"# Changes\r\n\r\n* Postgres 18 \xe2\x9c\x85"
    )
    undo(step, ctx, outcome)
    with pytest.raises(FileNotFoundError):
        github.read(REPO, LOG)
    undo(step, ctx, outcome)
    assert len(github.pulls(REPO)) == 2


def test_texts_are_replaced_once_and_a_second_run_does_nothing(github: GitHub, run: Run) -> None:
    github.commit(REPO, {LOG: "version: 1.2\nname: x\n"})
    step = change(replace=[{"find": "1.2", "put": "1.2.3"}, {"find": "x\n", "put": ""}])
    run(step, id_="a", maintenance="m-a")
    assert github.read(REPO, LOG) == "version: 1.2.3\nname: "
    assert run(step, id_="b", maintenance="m-b").facts["changed"] is False


@pytest.mark.parametrize(("text", "times"), [("none\n", 0), ("old old\n", 2)])
def test_what_is_to_be_replaced_has_to_be_there_once(github: GitHub, context: Contexts, text: str, times: int) -> None:
    github.commit(REPO, {LOG: text})
    step = change(replace=[{"find": "old", "put": "new"}])
    with pytest.raises(Final, match=f"{LOG}: 'old' stands there {times} times. Expected exactly once"):
        step.plan(context(step))


def test_nothing_can_be_replaced_in_a_file_that_is_not_there(context: Contexts) -> None:
    step = change(replace=[{"find": "old", "put": "new"}])
    with pytest.raises(Final, match="is not in acme/theme"):
        step.plan(context(step))


def test_undo_does_not_undo_the_work_of_others(github: GitHub, context: Contexts, undo: Any) -> None:
    step = change(content="ours\n")
    ctx = context(step)
    outcome = perform(step, ctx)
    github.commit(REPO, {LOG: "ours\nand theirs\n"})
    with pytest.raises(Final, match="was changed by others since"):
        undo(step, ctx, outcome)
    assert github.read(REPO, LOG) == "ours\nand theirs\n"


def test_a_long_diff_is_cut_in_the_plan(github: GitHub, context: Contexts) -> None:
    step = change(content="line\n" * 500)
    plan = step.plan(context(step))
    assert len(plan.details) == 81
    assert plan.details[-1] == "… and 423 more lines"


@pytest.mark.parametrize("fields", [{}, {"content": "x", "replace": [{"find": "a", "put": "b"}]}])
def test_one_way_of_saying_the_change_is_needed(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give either `content` or `replace`"):
        change(**fields)


def test_every_key_has_its_description() -> None:
    assert GithubChange.__doc__
    assert all(description(GithubChange, name) for name in GithubChange.model_fields)
