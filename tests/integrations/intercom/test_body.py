"""The message's text as HTML."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.intercom.body import html_of


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Hello", "<p>Hello</p>"),
        ("One\nTwo\n\n\nThree\n", "<p>One<br>Two</p><p>Three</p>"),
        ("a < b & \"c\" 'd'", "<p>a &lt; b &amp; &quot;c&quot; &#x27;d&#x27;</p>"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        (
            "See https://example.com/a?b=1&c=2.",
            '<p>See <a href="https://example.com/a?b=1&amp;c=2">https://example.com/a?b=1&amp;c=2</a>.</p>',
        ),
        ("javascript:alert(1)", "<p>javascript:alert(1)</p>"),
    ],
)
def test_text_becomes_html(text: str, html: str) -> None:
    assert html_of(text) == html


@pytest.mark.parametrize("text", ["", "  \n\n "])
def test_an_empty_message_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no text"):
        html_of(text)


@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_nothing_but_our_own_markup_comes_out(text: str) -> None:
    html = html_of(text)
    for ours in ("<p>", "</p>", "<br>", "</a>"):
        html = html.replace(ours, "")
    assert html.count("<") == html.count('<a href="http')
