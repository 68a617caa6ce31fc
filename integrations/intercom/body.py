"""Turns the plain text of a message into the HTML that Intercom shows. Pure."""

import html
import re

_ADDRESS = re.compile(r"https?://[^\s<>\"]+")
_AFTER_ADDRESS = ".,;:!?)'"


def html_of(text: str) -> str:
    """Return `text` as HTML: a paragraph for each block between empty lines, web addresses as links, all else escaped.

    Raises `ValueError` if there is no text: Intercom refuses an empty body ("Create a message", 400).
    """
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text.strip())]
    if not blocks[0]:
        raise ValueError("the message has no text")
    return "".join(f"<p>{'<br>'.join(_line(line.strip()) for line in block.splitlines())}</p>" for block in blocks)


def _line(line: str) -> str:
    parts, end = [], 0
    for match in _ADDRESS.finditer(line):
        address = match.group().rstrip(_AFTER_ADDRESS)
        parts.append(html.escape(line[end : match.start()]))
        parts.append(f'<a href="{html.escape(address)}">{html.escape(address)}</a>')
        end = match.start() + len(address)
    return "".join([*parts, html.escape(line[end:])])
