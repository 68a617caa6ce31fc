"""The environment of programs that may need what is in ours, such as git and ssh."""

import os

_SECRETS = ("MAINT_", "AWS_")


def without_secrets() -> dict[str, str]:
    """Return our own environment without the bot's settings and credentials.

    What lets such a program in (an agent's address, a proxy) may be there; our secrets are no business of it and its
    helpers.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith(_SECRETS)}
