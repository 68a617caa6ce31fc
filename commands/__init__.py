"""One file per verb of `/maint`: parse, ask the engine, return a `Reply`. A verb never posts."""

import importlib
import pkgutil


def load() -> None:
    """Import every verb, which registers it in `commands.verb.VERBS`."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
