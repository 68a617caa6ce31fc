"""Gives a command's text back as the person meant it, before Slack and the keyboard dressed it up."""

import re

_TYPED = str.maketrans(
    {
        "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "″": '"',
        "‘": "'", "’": "'", "‚": "'", "′": "'",  # noqa: RUF001 - exactly these are what keyboards put in
        "–": "-", "‐": "-", "‑": "-", "‒": "-", "−": "-",  # noqa: RUF001
        "—": "--", "―": "--",
        "…": "...",
        "\u00a0": " ", "\u2007": " ", "\u2009": " ", "\u202f": " ", "\u3000": " ",
        "\u200b": None, "\u200c": None, "\u200d": None, "\u2060": None, "\ufeff": None,
    }
)  # fmt: skip
_LINK = re.compile(r"<((?:https?|mailto|tel):[^|>\s]+)(?:\|[^>]*)?>")


def plain(text: str) -> str:
    """Return `text` with curly quotes, dashes, odd spaces, links and the three escapes of Slack undone.

    Slack escapes `&`, `<` and `>` only (https://docs.slack.dev/messaging/formatting-message-text), wraps links in
    `<…>`, and writes mentions as `<@U…|name>`, `<#C…|name>` or `<!subteam^S…>`: those stay as they are. What comes
    out is not escaped any more: escape it again before it goes into a message.
    """
    text = _LINK.sub(lambda found: found[1].removeprefix("mailto:").removeprefix("tel:"), text)
    text = text.translate(_TYPED)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()
