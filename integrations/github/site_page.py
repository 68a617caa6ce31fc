"""What a visitor reads on a page, without its markup: the banner's text as it was meant, entities resolved."""

from html.parser import HTMLParser

from bot.errors import Final, Temporary
from bot.http import Http

_UNSEEN = {"script", "style", "template", "noscript", "textarea", "title"}
_INLINE = {
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "em", "i", "mark", "q", "s", "small", "span", "strong", "time", "u",
}  # fmt: skip
# Elements that have no end tag, or may leave it out (HTML Living Standard, "Optional tags").
_UNENDED = {
    "area", "br", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option", "p", "source", "wbr",
}  # fmt: skip
_BREAK = "\x00"
_ANY_STATUS = range(100, 600)
_OK = 200
_REDIRECTS = range(300, 400)


class _Reader(HTMLParser):
    """Collects text; between two blocks stands a mark that no text contains."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._mark(tag)
        hidden = tag in _UNSEEN or (tag not in _UNENDED and any(name == "hidden" for name, _ in attrs))
        # Inside something unseen only the tag that began it counts, so that its own end is found.
        if tag == self._unseen[0] if self._unseen else hidden:
            self._unseen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._mark(tag)
        if self._unseen and tag == self._unseen[0]:
            self._unseen.pop()

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)

    def _mark(self, tag: str) -> None:
        if tag not in _INLINE:
            self.parts.append(_BREAK)


def visible_text(html: str) -> str:
    """Return what the page says, with single spaces, and a mark between blocks."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return _BREAK.join(" ".join(block.split()) for block in "".join(reader.parts).split(_BREAK))


def says(html: str, text: str) -> bool:
    """Whether the page says exactly `text` (plain text, not HTML) in one place."""
    return " ".join(text.split()) in visible_text(html)


def read_page(url: str) -> str:
    """Return the HTML of a live page. Raises `Temporary` if it does not answer with one, `Final` if it redirects."""
    with Http("", system="The live site", connections=1) as http:
        answer = http.request("GET", url, headers={"Cache-Control": "no-cache"}, accept=_ANY_STATUS)
    if answer.status in _REDIRECTS:
        to = answer.headers.get("location", "elsewhere")
        raise Final(f"{url} redirects to {to}. Write the address that answers by itself as `live` into the runbook.")
    if answer.status != _OK:
        raise Temporary(f"{url} answers {answer.status}")
    return answer.text


def lacks(url: str, shows: str | None, hides: str | None) -> str:
    """Return in words what is not yet right with the live page; empty if it shows and hides what it should.

    Raises `Final` where waiting does not help.
    """
    try:
        page = read_page(url)
    except Temporary as error:
        return f"a page at {url} ({error})"
    if shows is not None and not says(page, shows):
        return f"“{shows}” to appear on {url}"
    if hides is not None and says(page, hides):
        return f"“{hides}” to be gone from {url}"
    return ""
