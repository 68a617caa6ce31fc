"""Work on a copy in place of the live cluster: how a step's keys are changed for it, and the proof that it is so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.errors import Final
from bot.step import Context
from integrations.postgres.connection import COPY, DSN_NAME


def pointed(with_: Mapping[str, Any], copy: str, source: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the keys `with_` of a step with the server of the step `copy` in place of the live one.

    `source` are the keys of that `postgres.clone` step; None if `with_` is about another server than it copies.
    """
    if with_.get("database", DSN_NAME) != source.get("database", DSN_NAME):
        return None
    return {**with_, "database": f"{COPY}{copy}"}


def pointed_with_folders(with_: Mapping[str, Any], copy: str, source: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the same with the folders of the copy too; a copy is always on the bot's own machine."""
    changed = pointed(with_, copy, source)
    if changed is None or "old_data" not in with_:
        return changed
    facts = f"outcomes['{copy}']"
    kept = {name: value for name, value in changed.items() if name not in {"host", "run_as"}}
    return {**kept, "old_data": f"{{{{ {facts}.data }}}}", "new_data": f"{{{{ {facts}.new_data }}}}"}


def must_be_the_copy(ctx: Context, database: str, *folders: Path) -> None:
    """Raise `Final` if a step is pointed to a copy, and one of its folders is not that copy's.

    A copy has the live cluster's identity, so nothing else would notice that the live server is about to be stopped.
    """
    if not database.startswith(COPY):
        return
    own = ctx.outcomes.get(database.removeprefix(COPY), {}).get("folder")
    if not own or not all(folder.is_relative_to(own) for folder in folders):
        raise Final(
            f"{ctx.step} works on a copy, and {' or '.join(map(str, folders))} is not a folder of it. Nothing was done."
        )
