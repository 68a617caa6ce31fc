"""The pages, and the parts of them that are written by code.

Such a part stands in a Markdown page between `<!-- generated: NAME -->` and `<!-- end: NAME -->`, and is replaced
there. tests/test_docs.py fails when a page is not what this would write.
"""

import re
from collections.abc import Callable
from pathlib import Path

from docs.generate import about_api, about_bot, about_entries, about_steps, about_times

FOLDER = Path(__file__).resolve().parent.parent
PARTS: dict[str, Callable[[], str]] = {
    "verbs": about_bot.verbs,
    "programs": about_bot.programs,
    "times": about_times.understood,
    "times-refused": about_times.refused,
    "settings": about_bot.settings,
    "conflicts": about_bot.conflicts,
    "error-tree": about_bot.error_tree,
    "errors": about_bot.errors,
    "step-class": about_api.step_class,
    "step-values": about_api.step_values,
    "step-context": about_api.step_context,
    "step-clients": about_api.step_clients,
    "runbook-keys": about_steps.runbook_keys,
    "templates": about_steps.templates,
    "step-list": about_steps.step_list,
    "steps": about_steps.steps,
    "entry-fields": about_entries.entry_fields,
    "entry-hash": about_entries.entry_hash_example,
    "entry-kinds": about_entries.entry_kinds,
    "log-message": about_entries.log_message_example,
}
_REGION = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)


def pages() -> list[Path]:
    """Return all pages of the documentation, the README aside."""
    return sorted(FOLDER.rglob("*.md"))


def regions(text: str) -> list[str]:
    """Return the names of the generated parts of a page."""
    return [found[2] for found in _REGION.finditer(text)]


def written(text: str) -> str:
    """Return the page `text` with its generated parts as they should be. Raises `KeyError` for an unknown part."""
    return _REGION.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]().strip()}\n\n{found[3]}", text)
