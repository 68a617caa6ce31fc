"""The step types that we ship, whatever else (a test, say) has registered its own."""

import integrations
from bot.step import REGISTRY, Setting, Step


def steps() -> dict[str, type[Step]]:
    """Return them by what `uses:` says, in alphabetical order."""
    integrations.load()
    return {uses: cls for uses, cls in sorted(REGISTRY.items()) if cls.__module__.startswith("integrations.")}


def settings() -> list[Setting]:
    """Return the settings that they read, each once, by name."""
    named = {setting.name: setting for cls in steps().values() for setting in cls.settings}
    return [named[name] for name in sorted(named)]
