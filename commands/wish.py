"""What somebody asks for with `/maint start`, taken apart before any of it is judged."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.errors import BadInput
from bot.overrides import split_override


@dataclass(frozen=True)
class Wish:
    """What somebody asked for, in their own words, before any of it is judged."""

    runbook: str = ""
    at: str = ""
    duration: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    long_is_meant: bool = False
    override: str = ""


def read(words: str) -> Wish:
    """Take the words after `start` apart. Raises `BadInput` for a quote that is not closed or a key given twice."""
    words, override = split_override(words)
    try:
        tokens = shlex.split(words)
    except ValueError:
        raise BadInput(f"A quotation mark is not closed in: {words}") from None
    parts: dict[str, list[str]] = {"runbook": [], "at": [], "for": []}
    params: dict[str, str] = {}
    section = "runbook"
    for token in tokens:
        pair = re.fullmatch(r"([a-zA-Z_][\w-]*)=(.*)", token, re.DOTALL)
        if pair:
            if pair[1] in params:
                raise BadInput(f"{pair[1]} is given twice.", field=f"param:{pair[1]}")
            params[pair[1]] = pair[2]
        elif token.lower() in {"at", "for"}:
            section = token.lower()
        else:
            parts[section].append(token)
    return Wish(" ".join(parts["runbook"]), " ".join(parts["at"]), " ".join(parts["for"]), params, override=override)
