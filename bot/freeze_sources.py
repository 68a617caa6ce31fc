"""All the freezes there are, wherever they are kept: declared in Slack, in a file, in calendars.

What cannot be read is itself a conflict, never silence.
"""

from collections.abc import Iterator
from pathlib import Path

from bot.entry import instant
from bot.freeze_calendars import Found, FreezeCalendars
from bot.freezes import Freeze, Freezes
from bot.radar import Conflict, unseen
from bot.runbook_file import read_source
from bot.step import Window
from bot.window import local

_KEYS = frozenset({"from", "until", "reason"})


class FreezeSources:
    """Asks everything that knows of freezes. `path` is the file of `MAINT_FREEZES`, read anew at each question."""

    def __init__(self, declared: Freezes, path: Path | None = None, calendars: FreezeCalendars | None = None) -> None:
        self.declared = declared
        self._path = path
        self._calendars = calendars

    def during(self, window: Window) -> Found:
        """Return the freezes that fall into `window`, the earliest first, and a conflict for all that is not known."""
        ask = self._calendars.begin(window) if self._calendars is not None else None
        found, not_seen = ask() if ask is not None else ([], [])
        found += self.declared.from_now(window.start)
        for each in in_file(self._path) if self._path is not None else ():
            if isinstance(each, Freeze):
                found.append(each)
            else:
                not_seen.append(each)
        return sorted((each for each in found if each.meets(window)), key=lambda each: each.begin), not_seen

    def conflicts(self, window: Window) -> list[Conflict]:
        """Return what freezes say against `window`."""
        found, not_seen = self.during(window)
        return [*(_conflict(each, window) for each in found), *not_seen]

    def begin(self, window: Window) -> None:
        """Begin to ask for what `conflicts` needs of the outside, so that it need not wait as long."""
        if self._calendars is not None:
            self._calendars.begin(window)


def _conflict(freeze: Freeze, window: Window) -> Conflict:
    which = freeze.id or freeze.source
    text = f"There is a freeze until {local(freeze.until, window.zone)} ({which}): {freeze.reason}"
    return Conflict("freeze", text, blocks=False, about=freeze.about)


def in_file(path: Path) -> Iterator[Freeze | Conflict]:
    """Yield the freezes of a YAML file; in place of what cannot be read, the conflict that says so."""
    source = read_source(path)
    if source.problems or not isinstance(source.data, list):
        why = source.problems[0] if source.problems else f"{path}: expected a list of freezes"
        yield unseen("The freezes", str(why), str(path))
        return
    for number, each in enumerate(source.data, 1):
        try:
            if not isinstance(each, dict) or each.keys() != _KEYS:
                raise ValueError("expected the keys from, until and reason")  # noqa: TRY301 - told below
            yield Freeze(instant(str(each["from"])), instant(str(each["until"])), str(each["reason"]), source=path.name)
        except ValueError as error:
            yield unseen(f"Freeze {number}", f"{path}: {error}", f"{path}:{number}")
