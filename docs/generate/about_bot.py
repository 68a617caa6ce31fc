"""Generated parts about the bot itself: verbs, the command line, settings, errors."""

import importlib
import pkgutil

import click

import bot
import bot.errors
import commands
import integrations
from bot import access, crew
from bot.command_line import main
from bot.conflict_kinds import DEFAULTS, KINDS
from bot.errors import MaintError
from bot.settings import Row
from bot.settings import table as settings_table
from commands.verb import VERBS
from docs.generate import shipped
from docs.generate.tables import doc, table

_OURS = ("bot.", "commands.", "integrations.")


def verbs() -> str:
    """Each verb of `/maint`: how it is written, what it does, who may."""
    commands.load()
    rows = [
        (f"`/maint {verb.usage}`", verb.help[0].upper() + verb.help[1:], _who(verb.name))
        for verb in sorted(VERBS.values(), key=lambda verb: verb.name)
    ]
    return table(("command", "what it does", "who may"), rows)


def _who(verb: str) -> str:
    if verb in access.LOOKING:
        return "everybody, guests too"
    if verb in access.STARTING:
        return "every full member"
    if verb in crew.TELLING:
        return "requester, coordinators, approvers, communications"
    if verb in access.DECIDING:
        return "requester, coordinators, approvers"
    raise ValueError(f"bot.access says nothing about {verb}")


def programs() -> str:
    """The commands of the program `maint`."""
    rows = []
    for name, command in sorted(main.commands.items()):
        context = command.make_context(name, [], resilient_parsing=True)
        words = [_word(parameter, context) for parameter in command.params]
        rows.append((f"`maint {' '.join([name, *words])}`", command.help or ""))
    return table(("command", "what it does"), rows)


def _word(parameter: click.Parameter, context: click.Context) -> str:
    """One argument or option as it is written."""
    if isinstance(parameter, click.Option):
        return f"[{parameter.opts[0]} {parameter.make_metavar(context).strip('[]')}]"
    return parameter.make_metavar(context)


def conflicts() -> str:
    """The kinds of conflict, and what each does by default."""
    words = {"block": "blocks", "warn": "warns", "off": "is not looked at"}
    rows = [(f"`{kind}`", text, words[DEFAULTS[kind]]) for kind, text in KINDS.items()]
    return table(("kind", "what speaks against the window", "by default it"), rows)


def settings() -> str:
    """The settings of the bot, then those of each integration."""
    own = settings_table()
    theirs = [row for row in settings_table(shipped.settings()) if row.name not in {each.name for each in own}]
    parts = ["### The bot's own", _settings(own), "### Of the integrations"]
    parts.append("Needed only where a runbook has a step that reads them.")
    return "\n\n".join([*parts, _settings(theirs, users=True)])


def _settings(rows: list[Row], *, users: bool = False) -> str:
    head = ("variable", "what it is", "default", *(["read by"] if users else []))
    cells = []
    for row in rows:
        said = row.help + (" *Secret.*" if row.secret else "")
        default = "**needed**" if row.default is None else f"`{row.default}`" if row.default else ""
        readers = [f"`{uses}`" for uses, cls in shipped.steps().items() if row.name in {s.name for s in cls.settings}]
        cells.append((f"`{row.name}`", said, default, *([", ".join(readers)] if users else [])))
    return table(head, cells)


def error_tree() -> str:
    """The errors of the core, drawn."""
    return f"```text\n{doc(bot.errors).partition(chr(10) * 2)[2]}\n```"


def errors() -> str:
    """The tree of errors, and what each of them means."""
    commands.load()
    integrations.load()
    for module in pkgutil.iter_modules(bot.__path__, "bot."):
        importlib.import_module(module.name)
    rows = []
    for cls in sorted(
        _below(MaintError), key=lambda cls: (cls.__module__ != "bot.errors", cls.__module__, cls.__name__)
    ):
        parents = ", ".join(f"`{parent.__name__}`" for parent in cls.__bases__)
        rows.append((f"`{cls.__name__}`", parents, f"`{cls.__module__}`", doc(cls)))
    return table(("error", "a kind of", "defined in", "what it means"), rows)


def _below(cls: type[MaintError]) -> set[type[MaintError]]:
    """Our own subclasses at any depth."""
    found: set[type[MaintError]] = set()
    for each in cls.__subclasses__():
        found |= _below(each) | ({each} if each.__module__.startswith(_OURS) else set())
    return found
