"""The documentation says what the code does: tables are up to date, nothing is missing, links lead somewhere."""

import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import commands
import integrations
from bot import runbook, runbook_model
from bot.command_line import main
from bot.context import StepContext
from bot.entry import Entry, Kind
from bot.field_docs import description
from bot.journal import GENESIS
from bot.settings import table
from bot.step import REGISTRY
from bot.step_lines import MARKS
from commands.buttons import PRESSES
from commands.verb import VERBS
from docs.generate import pages, shipped
from docs.generate.tables import models_in

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = [CHECKOUT / "README.md", *pages.pages()]
REFERENCE = CHECKOUT / "docs" / "reference"
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^( *)```([\w-]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
commands.load()
integrations.load()


def relative(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def blocks(path: Path, language: str) -> list[str]:
    return [found[3] for found in BLOCK.finditer(path.read_text()) if found[2] == language]


def first_cells(page: str, *, under: str = "") -> set[str]:
    """What stands in code marks in the first column of the tables of a reference page, in the section `under`."""
    text = (CHECKOUT / "docs" / page).read_text()
    if under:
        text = re.split(r"^## ", text.partition(f"\n## {under}\n")[2], flags=re.MULTILINE)[0]
    return set(re.findall(r"^\| \[?`([^`]+)`", text, re.MULTILINE))


# Reference pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", pages.pages(), ids=relative)
def test_generated_parts_are_up_to_date(path: Path) -> None:
    text = path.read_text()
    assert text == pages.written(text), "run: .venv/bin/python -m docs.generate"


def test_every_generated_part_is_on_some_page_once() -> None:
    found = [name for path in pages.pages() for name in pages.regions(path.read_text())]
    assert sorted(found) == sorted(pages.PARTS)
    marks = sum(path.read_text().count("<!-- generated:") for path in pages.pages())
    assert marks == len(found), "a part that is not ended is not written"


def test_verbs() -> None:
    cells = first_cells("reference/commands.md", under="In Slack: `/maint`")
    assert {cell.split()[1] for cell in cells if cell.startswith("/maint ")} == set(VERBS)
    readme = re.findall(r"^\| (.*?) \|", (CHECKOUT / "README.md").read_text(), re.MULTILINE)
    assert set(re.findall(r"`/maint ([\w-]+)", " ".join(readme))) == set(VERBS)


def test_commands_of_the_command_line() -> None:
    shown = first_cells("reference/commands.md", under="On the command line: `maint`")
    assert {cell.split()[1] for cell in shown if cell.startswith("maint ")} == set(main.commands)


def test_buttons() -> None:
    text = (REFERENCE / "commands.md").read_text()
    shown = {word.lower() for word in re.findall(r"[A-Z][a-z ]+|\+\d+", text.partition("## Buttons")[2])}
    words = {
        "happened": "it happened",
        "not_happened": "it did not",
        "rollback": "roll back",
        "open-on-red": "open on red",
        "more-15": "+15",
        "more-30": "+30",
        "more-60": "+60",
        "go-on": "go on",
        "take": "cancel pid",
        "take-over": "take over",
        "not-now": "not now",
        "break-glass": "break it",
        "try_on": "send to me first",
    }
    for press in PRESSES.split("|"):
        assert any(words.get(press, press) in word for word in shown), press


def test_settings() -> None:
    assert first_cells("reference/settings.md") == {row.name for row in table(shipped.settings())}


def test_steps_and_their_fields() -> None:
    text = (REFERENCE / "steps.md").read_text()
    sections = dict(re.findall(r"^## `([^`]+)`\n(.*?)(?=^## |\Z|<!-- end)", text, re.MULTILINE | re.DOTALL))
    assert set(sections) == set(shipped.steps())
    for uses, cls in shipped.steps().items():
        keys = {field.alias or name for model in (cls, *models_in(cls)) for name, field in model.model_fields.items()}
        assert set(re.findall(r"^\| `([^`]+)`", sections[uses], re.MULTILINE)) == keys, uses
        for model in (cls, *models_in(cls)):
            assert model.__doc__, model
            assert all(description(model, name) for name in model.model_fields), f"a field of {model} is not told"


def test_runbook_keys() -> None:
    models = (
        runbook_model.Runbook,
        *models_in(runbook_model.Runbook),
    )
    keys = {field.alias or name for model in models for name, field in model.model_fields.items()}
    assert first_cells("reference/runbook.md", under="Keys") == keys


def test_kinds_and_fields_of_entries() -> None:
    assert first_cells("reference/journal.md", under="Kinds") == set(Kind)
    assert first_cells("reference/journal.md", under="An entry") == set(Entry.__dataclass_fields__)
    assert f"{len(GENESIS)} zeros" in (REFERENCE / "journal.md").read_text()


def test_dependencies() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    groups = {
        "Of the bot": project["project"]["dependencies"],
        "Of the sandbox": project["project"]["optional-dependencies"]["sandbox"],
        "For development": project["dependency-groups"]["dev"],
    }
    for title, wanted in groups.items():
        names = {re.split(r"[\[<>=]", each)[0] for each in wanted}
        assert first_cells("explanation/dependencies.md", under=title) == names, title


def test_glossary_has_every_state() -> None:
    text = (CHECKOUT / "docs" / "glossary.md").read_text()
    path = CHECKOUT / "docs" / "glossary.md"
    drawn = [set(re.findall(r"^    (\w+) -->|--> (\w+)", one, re.MULTILINE)) for one in blocks(path, "mermaid")]
    maintenance, step = ({word for pair in pairs for word in pair if word} for pairs in drawn)
    assert step == set(MARKS)
    marks = dict(re.findall(r"^\| (\S) \| `(\w+)`", text, re.MULTILINE))
    assert {status: mark for mark, status in marks.items()} == MARKS
    told = first_cells("glossary.md", under="States of a maintenance")
    assert maintenance <= told
    assert told == maintenance


# Names in the text ----------------------------------------------------------------------------------------------------


# Beginnings of names, and an example of one that somebody chose.
FREE_NAMES = {"MAINT_", "MAINT_POSTGRES_", "MAINT_SSH_", "MAINT_PROVIDER_TOKEN", "MAINT_CHANGES_TOKEN"}


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_no_page_names_what_does_not_exist(path: Path) -> None:
    text = path.read_text()
    known = {row.name for row in table(shipped.settings())}
    for name in re.findall(r"MAINT_[A-Z_]*", text):
        assert name in known or name in FREE_NAMES, f"there is no setting {name}"
    for verb in re.findall(r"(?<!\w)/maint ([a-z-]+)", text):
        assert verb in VERBS, f"there is no verb {verb}"
    for command in re.findall(r"`(?:\.venv/bin/)?maint ([a-z]+)", text):
        assert command in main.commands, f"there is no command maint {command}"
    for module in re.findall(r"`((?:bot|commands|integrations)\.[a-z_]+)`", text):
        parts = CHECKOUT.joinpath(*module.split("."))
        assert parts.is_dir() or parts.with_suffix(".py").exists(), f"there is no module {module}"


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_files_that_pages_name_exist(path: Path) -> None:
    folders = "bot|commands|integrations|sandbox|script|runbooks|docs|tests"
    for name in re.findall(rf"`((?:{folders})/[\w./-]+)`", path.read_text()):
        assert (CHECKOUT / name).exists(), f"there is no {name}"


def test_the_architecture_names_no_module_that_is_gone() -> None:
    text = (CHECKOUT / "docs" / "explanation" / "architecture.md").read_text()
    section = text.partition("In `bot/`:")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", section))
    assert named
    assert named <= {path.stem for path in (CHECKOUT / "bot").glob("*.py")}


def test_the_events_of_the_bots_own_log_exist() -> None:
    source = "".join(path.read_text() for path in (CHECKOUT / "bot").glob("*.py"))
    source += (CHECKOUT / "commands" / "listeners.py").read_text()
    text = (CHECKOUT / "docs" / "how-to" / "operate.md").read_text().partition("## Alerts worth having")[2]
    rows = re.findall(r"^\| (`.*?) \|", text.partition("\n## ")[0], re.MULTILINE)
    events = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert events
    assert [name for name in events if f'"{name}"' not in source] == []


# Links ----------------------------------------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """The fragments of a page's headings, as GitHub makes them: small, dashes for spaces, no punctuation."""
    text = BLOCK.sub("", path.read_text())
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower().strip()
        found.add("".join(one for one in plain.replace(" ", "-") if one.isalnum() or one in "-_"))
    return found


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    for target in LINK.findall(BLOCK.sub("", path.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        to = (path.parent / name).resolve() if name else path
        assert to.exists(), f"{target} leads nowhere"
        if fragment:
            assert fragment in anchors(to), f"{target}: no such heading in {relative(to)}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, left = set(), [CHECKOUT / "README.md"]
    while left:
        path = left.pop()
        if path in reached or path.suffix != ".md":
            continue
        reached.add(path)
        targets = [target.partition("#")[0] for target in LINK.findall(BLOCK.sub("", path.read_text()))]
        left += [(path.parent / name).resolve() for name in targets if name and ":" not in name]
    assert set(PAGES) - reached <= {CHECKOUT / "docs" / "README.md"}


# Examples -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_commands_in_code_blocks_exist(path: Path) -> None:
    for block in blocks(path, "sh"):
        for line in filter(None, block.splitlines()):
            program = shlex.split(line, comments=True)[0]
            if program.startswith("script/"):
                assert (CHECKOUT / program).stat().st_mode & 0o100, f"{program} cannot be run"
            else:
                assert program in {"python3", ".venv/bin/pip", ".venv/bin/python", ".venv/bin/maint", "set"}, line


def test_the_readme_leads_with_commands_of_one_line() -> None:
    shown = [block.strip() for block in blocks(CHECKOUT / "README.md", "sh")]
    assert shown == ["script/demo", "script/demo --auto", "script/test"]


RUNBOOKS = [
    pytest.param(block, id=f"{relative(path)}-{number}")
    for path in PAGES
    for number, block in enumerate(blocks(path, "yaml"), 1)
]


@pytest.mark.parametrize("block", RUNBOOKS)
def test_runbooks_in_the_pages_are_good(block: str, tmp_path: Path) -> None:
    yaml = YAML(typ="safe")
    given: dict[str, Any] = yaml.load(block)
    whole = {
        "name": "example",
        "title": "An example",
        "steps": [{"id": "wait", "uses": "manual", "with": {"text": "Wait."}}],
        **given,
    }
    for step in whole["steps"]:
        # What an example leaves out to be short.
        if step["uses"] == "command" and "with" not in step:
            step["with"] = {"argv": ["true"]}
    file = tmp_path / "example.yml"
    with file.open("w") as out:
        yaml.dump(whole, out)
    runbook.load(file)


def test_the_example_of_a_step_works(tmp_path: Path, context_of: Callable[..., StepContext]) -> None:
    (code,) = blocks(CHECKOUT / "docs" / "how-to" / "add-a-step.md", "python")
    names: dict[str, Any] = {"__name__": "docs_example"}
    try:
        exec(code, names)  # the page's own code
    finally:
        REGISTRY.pop("page.up", None)
    flag = tmp_path / "maintenance"
    page = names["PageUp"](path=flag)
    ctx = context_of(names["PageUp"])
    assert str(flag) in page.plan(ctx).summary
    assert not flag.exists()
    assert page.check(ctx) is None
    for _ in range(2):
        outcome = page.apply(ctx)
        page.verify(ctx, outcome)
    assert flag.exists()
    assert page.check(ctx) is not None
    for _ in range(2):
        page.undo(ctx, outcome)
    assert not flag.exists()
