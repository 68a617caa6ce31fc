"""`github.change_log`: one entry more, everything else byte for byte."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.attempt import perform
from bot.context import StepContext
from bot.errors import Final
from bot.step import Outcome
from integrations.github import ChangeLog
from integrations.github.change_log_markdown import with_entry
from integrations.github.change_log_yaml import with_fields
from sandbox.github import GitHub
from tests.integrations.github.conftest import REPO

Contexts = Callable[..., StepContext]
Run = Callable[..., Outcome]
PATH = "CHANGELOG.md"
KEPT = """\
# Changelog

All notable changes. [Keep a Changelog](https://keepachangelog.com).

## [Unreleased]

### Added

* A thing
  over two lines

### Changed

* Another

## [1.0.0] - 2026-01-02

### Changed

* First

[Unreleased]: https://example.com/compare/v1.0.0...HEAD
[1.0.0]: https://example.com/releases/v1.0.0
"""


def entered(text: str, *, under: str = "Unreleased", section: str | None = None, entry: str = "New") -> str:
    return with_entry(text, entry, under=under, section=section)


def change(**fields: Any) -> ChangeLog:
    return ChangeLog(**{"repository": REPO, "entry": "PostgreSQL is 18 now", "wait_s": 20, **fields})


def test_it_goes_first_into_the_list_of_its_section_in_the_files_own_style() -> None:
    assert entered(KEPT) == KEPT.replace("### Changed\n\n* Another", "### Changed\n\n* New\n* Another")
    assert entered(KEPT, section="Added") == KEPT.replace("* A thing", "* New\n* A thing")
    assert entered(KEPT, under="1.0.0") == KEPT.replace("* First", "* New\n* First")


def test_a_section_that_is_not_there_is_added_at_the_end_of_its_part() -> None:
    assert entered(KEPT, section="Security") == KEPT.replace(
        "* Another\n\n## [1", "* Another\n\n### Security\n\n* New\n\n## [1"
    )
    assert entered(KEPT, under="1.0.0", section="Fixed") == KEPT.replace(
        "* First\n\n[Un", "* First\n\n### Fixed\n\n* New\n\n[Un"
    )


def test_a_part_that_is_not_there_is_added_before_the_newest() -> None:
    assert entered(KEPT, under="2026-11-25") == KEPT.replace(
        "## [Unreleased]", "## 2026-11-25\n\n* New\n\n## [Unreleased]", 1
    )
    assert entered("# Changes\n", section="Changed") == "# Changes\n\n## Unreleased\n\n### Changed\n\n- New\n"
    assert entered("") == "## Unreleased\n\n- New\n"


def test_an_empty_part_takes_its_first_entry() -> None:
    text = "# Log\n\n## Unreleased\n\n## 1.0\n\n- Old\n"
    assert entered(text) == "# Log\n\n## Unreleased\n\n- New\n\n## 1.0\n\n- Old\n"
    assert entered("## Unreleased\n\n### Changed") == "## Unreleased\n\n### Changed\n\n- New"


def test_further_lines_of_an_entry_are_indented_with_it() -> None:
    assert entered("## Unreleased\n\n-   Old\n", entry="One\n\nTwo") == "## Unreleased\n\n-   One\n\n    Two\n-   Old\n"


def test_headings_in_code_and_comments_are_no_headings() -> None:
    hidden = "# Log\n\n```md\n## Unreleased\n```\n\n<!--\n## Unreleased\n-->\n\n"
    assert entered(hidden + "## Unreleased\n- Old\n") == hidden + "## Unreleased\n- New\n- Old\n"


line = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=12)
heading = st.sampled_from(
    ["## Unreleased", "## [Unreleased]", "## 1.0", "### Changed", "### Added", "- item", "```", ""]
)


@settings(max_examples=40)
@given(st.lists(line | heading, max_size=12), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.none() | heading)
def test_taking_out_what_was_put_in_gives_the_file_as_it_was(
    lines: list[str], end: str, ended: bool, section: str | None
) -> None:
    text = end.join(lines) + (end if ended else "")
    name = section.strip("# -") or None if section else None
    after = entered(text, section=name, entry="The entry")
    # One block was put in, at one place: what is before it and what is after it make the text as it was.
    at = next((n for n, (old, new) in enumerate(zip(text, after, strict=False)) if old != new), len(text))
    block = len(after) - len(text)
    assert any(after[:start] + after[start + block :] == text for start in range(at + 1))
    assert after.count("The entry") == text.count("The entry") + 1
    if end == "\r\n" and end in text:
        assert after.count("\n") == after.count("\r\n")


def test_merged_once_marked_and_byte_for_byte(github: GitHub, run: Run) -> None:
    windows = ("\ufeff" + KEPT.replace("\n", "\r\n")).removesuffix("\r\n")
    github.commit(REPO, {PATH: windows})
    outcome = run(change(), id_="log", maintenance="m-1")
    now = github.repo(REPO).git.run("cat-file", "blob", f"master:{PATH}").decode()
    ours = "* PostgreSQL is 18 now <!-- maint m-1:log -->\r\n"
    assert now.replace(ours, "") == windows
    assert now.count(ours) == 1
    assert outcome.facts["changed"] is True
    github.commit(REPO, {PATH: now.replace("18 now", "18 now, and faster")})
    again = run(change(), id_="log", maintenance="m-1", attempt=2)
    assert (again.facts["pr"], len(github.pulls(REPO))) == (outcome.facts["pr"], 1)


def test_the_plan_shows_the_line_and_the_way_back_takes_it_out(github: GitHub, context: Contexts, undo: Any) -> None:
    github.commit(REPO, {PATH: KEPT})
    step = change(section="Security")
    ctx = context(step)
    assert "+* PostgreSQL is 18 now <!-- maint 2026-11-25-test:the-step -->" in step.plan(ctx).details
    outcome = perform(step, ctx)
    github.commit(REPO, {PATH: github.read(REPO, PATH).replace("* Another", "* Another\n* By somebody else")})
    undo(step, ctx, outcome)
    left = github.read(REPO, PATH)
    assert "PostgreSQL" not in left
    assert "* By somebody else" in left


def test_an_entry_that_people_reworded_is_theirs(github: GitHub, context: Contexts, undo: Any) -> None:
    github.commit(REPO, {PATH: KEPT})
    step = change()
    ctx = context(step)
    outcome = perform(step, ctx)
    github.commit(REPO, {PATH: github.read(REPO, PATH).replace("is 18 now", "was upgraded")})
    with pytest.raises(Final, match="was reworded since"):
        undo(step, ctx, outcome)
    github.commit(REPO, {PATH: KEPT})
    assert "is as it was before this step" in undo(step, ctx, outcome).summary


def test_a_change_log_that_is_not_there_is_said(context: Contexts) -> None:
    with pytest.raises(Final, match=re.escape("CHANGELOG.md in acme/theme does not exist")):
        change().plan(context(change()))


DATA = """\
# Newest first.

- date: 2026-01-02   # the first
  title: "One"
- {date: 2025-12-01, title: Zero}
"""


def test_a_yaml_list_takes_it_first(github: GitHub, run: Run) -> None:
    github.commit(REPO, {"_data/changelog.yml": DATA})
    fields = {"date": "2026-11-25", "title": 'Say "18": # yes', "text": "Two\nlines"}
    run(change(entry="", fields=fields, path="_data/changelog.yml"), id_="log", maintenance="m-1")
    now = github.read(REPO, "_data/changelog.yml")
    assert now.startswith("# Newest first.\n\n- date: 2026-11-25  # maint m-1:log\n  title:")
    first, *rest = yaml.safe_load(now)
    assert {key: str(value) for key, value in first.items()} == fields
    assert rest == yaml.safe_load(DATA)
    assert now.endswith(DATA.split("\n", 2)[2])


@pytest.mark.parametrize(
    "text", ["changes:\n- a: b\nother: c\n", "changes:\r\n    - a: b\r\nother: c", "x: 1\nchanges:\n  - a: b"]
)
def test_a_yaml_list_under_a_key(text: str) -> None:
    after = with_fields(text, {"a": "new"}, "# mark", under="changes", file="log.yml")
    assert yaml.safe_load(after)["changes"] == [{"a": "new"}, {"a": "b"}]
    begin, _, rest = after.partition(next(each for each in after.splitlines(keepends=True) if "mark" in each))
    assert begin + rest == text


@pytest.mark.parametrize("text", ["a: b\n", "[]\n", "- [1, 2\n", "changes: [a]\n", "--- - a: b"])
def test_what_is_no_list_of_lines_is_refused(text: str) -> None:
    with pytest.raises(Final, match=r"^log\.yml"):
        with_fields(text, {"a": "new"}, "# mark", under=None, file="log.yml")


def test_an_empty_yaml_file_begins_with_it() -> None:
    assert with_fields("# None yet", {"a": "new"}, "# mark", under=None, file="f") == '# None yet\n- a: "new"  # mark\n'


@pytest.mark.parametrize(
    "fields",
    [{"entry": " "}, {"fields": {"a": "b"}}, {"entry": "x", "path": "log.yml"}, {"entry": "x", "format": "yaml"}],
)
def test_what_does_not_fit_the_file_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give `entry`"):
        change(**{"entry": "", **fields} if "fields" not in fields else {**fields})
