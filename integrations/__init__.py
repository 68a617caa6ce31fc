"""One file or package per outside system: its API client and the step types built on it."""

import importlib
import pkgutil


def load() -> None:
    """Import every integration, which registers its steps in `bot.step.REGISTRY`."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        importlib.import_module(module.name)
