"""Only the intended lines change, byte for byte, and Ruby reads the same."""

import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.errors import Final
from integrations.github.yaml_lines import quoted, read_values, set_values
from tests.integrations.github.conftest import Ruby

WANTED = {"enabled": True, "text": "Down at 5", "url": "https://example.com/m"}


def edit(before: str, /, **wanted: bool | str) -> str:
    return set_values(before.encode(), wanted or WANTED, file="banner.yml").decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "# top\nenabled: false  # why\ntext:   'old'  # what\n\nurl: old\n# end\n",
            '# top\nenabled: true  # why\ntext:   "Down at 5"  # what\n\nurl: "https://example.com/m"\n# end\n',
            id="comments, gaps and order stay",
        ),
        pytest.param(
            "enabled: false\r\ntext: old\r\nurl: old\r\n",
            'enabled: true\r\ntext: "Down at 5"\r\nurl: "https://example.com/m"\r\n',
            id="CRLF",
        ),
        pytest.param(
            "url: old\nother: [1,  2]\nenabled: false\ntext: old",
            'url: "https://example.com/m"\nother: [1,  2]\nenabled: true\ntext: "Down at 5"',
            id="no final newline, other order",
        ),
        pytest.param(
            "\ufeffenabled: false\ntext: old\nurl: old\n",
            '\ufeffenabled: true\ntext: "Down at 5"\nurl: "https://example.com/m"\n',
            id="byte order mark",
        ),
        pytest.param(
            "enabled: &on false\ntext: &t old # c\nurl:\n",
            'enabled: &on true\ntext: &t "Down at 5" # c\nurl: "https://example.com/m"\n',
            id="anchors stay, an empty value is filled",
        ),
        pytest.param(
            "a: &a x\nenabled: *a\ntext:    # none yet\nurl: ~\n",
            'a: &a x\nenabled: true\ntext: "Down at 5"    # none yet\nurl: "https://example.com/m"\n',
            id="an alias is replaced, not what it points at",
        ),
        pytest.param(
            "enabled: false\ntext: old\n  goes on\nurl: 'old\n\n  too'\n",
            'enabled: true\ntext: "Down at 5"\nurl: "https://example.com/m"\n',
            id="values over several lines become one",
        ),
        pytest.param(
            "  enabled: false\n  more:\n    - enabled: false\n",
            '  enabled: true\n  more:\n    - enabled: false\n  text: "Down at 5"\n  url: "https://example.com/m"\n',
            id="missing keys are added at the end, in the mapping's column",
        ),
        pytest.param(
            "---\nenabled: false\n...\n# after\n",
            '---\nenabled: true\ntext: "Down at 5"\nurl: "https://example.com/m"\n...\n# after\n',
            id="added before an explicit end",
        ),
        pytest.param("enabled: false\r\nx: 1", 'enabled: true\r\nx: 1\r\ntext: "Down at 5"\r\nurl: "https://example.com/m"',
                     id="added without a final newline"),
        pytest.param("", 'enabled: true\ntext: "Down at 5"\nurl: "https://example.com/m"\n', id="an empty file"),
        pytest.param(
            "# nothing yet\n---\n",
            '# nothing yet\n---\nenabled: true\ntext: "Down at 5"\nurl: "https://example.com/m"\n',
            id="only comments",
        ),
        pytest.param(
            "{enabled: false, text: 'a', url: b}\n",
            '{enabled: true, text: "Down at 5", url: "https://example.com/m"}\n',
            id="a mapping in braces",
        ),
        pytest.param(
            "\"enabled\": false\n'text' : old\nurl: old\n",
            "\"enabled\": true\n'text' : \"Down at 5\"\nurl: \"https://example.com/m\"\n",
            id="quoted keys",
        ),
        pytest.param(
            "enabled: true\ntext: Down at 5\nurl: https://example.com/m\n",
            "enabled: true\ntext: Down at 5\nurl: https://example.com/m\n",
            id="what is so already keeps its line",
        ),
        pytest.param(
            "enabled: yes\ntext: \"Down at 5\"\nurl: 'https://example.com/m'\n",
            "enabled: true\ntext: \"Down at 5\"\nurl: 'https://example.com/m'\n",
            id="yes is a boolean for some readers only, so it is written as true",
        ),
    ],
)  # fmt: skip
def test_only_the_intended_lines_change(before: str, after: str) -> None:
    assert edit(before) == after
    assert edit(after) == after


def test_a_text_that_ruby_takes_for_a_time_is_quoted_even_where_the_characters_are_the_same(ruby: Ruby) -> None:
    assert ruby.read(b"text: 12:30:00\n")["text"][0] == "Integer"
    assert edit("text: 12:30:00\n", text="12:30:00") == 'text: "12:30:00"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("enabled: false\nenabled: true\n", "line 2: `enabled` stands here a second time (first in line 1)"),
        ("a: 1\ntext: |\n  old\n", "line 2: `text` is written as a block of lines (`|`)"),
        ("text: >-\n  old\n", "line 1: `text` is written as a block of lines (`>`)"),
        ("text: [a]\n", "line 1: `text` holds a list or further keys. Expected one value"),
        ("text:\n  de: x\n", "line 1: `text` holds a list or further keys"),
        ("text: !!str x\n", "line 1: `text` has the tag"),
        ("text: &a x\nb: *a\n", "line 1: `text` is used elsewhere in the file (`*a`)"),
        ("- enabled\n", "line 1: expected keys and values"),
        ("just words\n", "line 1: expected keys and values"),
        ("a: [1\n", "line 2, column 1: this is not valid YAML"),
        ("a:\n\t- b\n", "this is not valid YAML"),
        ("a: 1\n---\nb: 1\n", "line 2: a second document begins here"),
        ("{enabled: false}\n", "`text`, `url` is missing"),
        ("? enabled\n: false\n", "changing it line by line would have changed more than was meant"),
        ("a: |\n  x", "changing it line by line would have changed more than was meant"),
    ],
)
def test_what_cannot_be_changed_alone_is_refused_with_file_and_line(text: str, said: str) -> None:
    with pytest.raises(Final) as refused:
        edit(text)
    assert str(refused.value).startswith("banner.yml")
    assert said in str(refused.value)


def test_what_is_not_utf8_is_refused() -> None:
    with pytest.raises(Final, match=r"banner\.yml, line 2: this is not UTF-8 text"):
        set_values("a: 1\ntext: é\n".encode("latin-1"), WANTED, file="banner.yml")


def test_a_block_does_not_stand_in_the_way_of_other_keys() -> None:
    before = "enabled: true # up\ntext: >\n  old\n  words\nurl: x\n"
    assert edit(before, enabled=False) == before.replace("true", "false")


def test_reading_tells_booleans_from_texts_and_from_nothing() -> None:
    content = b"enabled: True\ntext: 5:00pm\nquoted: 'true'\nlist: [1]\n"
    seen = read_values(content, ["enabled", "text", "quoted", "list", "none"], file="banner.yml")
    assert seen == {"enabled": True, "text": "5:00pm", "quoted": "true", "list": None, "none": None}


ODD = [
    "5:00pm", "12:30", "12:30:45", "1_000", "1,000", "0o7", "0x1F", "017", "1e3", ".5", ".inf", ".nan", "-1", "+1",
    "yes", "no", "on", "off", "y", "n", "true", "False", "null", "~", "2026-11-25", "2026-11-25 17:00:00 +13:00",
    "<<", "=", "@x", "%x", "`x`", "!x", "&x", "*x", ":x", "x:", "a: b", "a #b", "# x", "- x", "? x", "[x]", "{x}", "|",
    ">", " x", "x ", "  ", '"', "'", '"x"', "it's", "\\", "\\n", "\\u0041", "#{x}", "{{", "---", "...", "é", "日本",
    "🛠️", "👩\u200d🔧", "\u00a0x", "\u200b", "\ufeff", "\u0085", "\u2028", "\t", "\x7f", "\U0001f600",
]  # fmt: skip


def test_ruby_reads_the_text_that_was_meant(ruby: Ruby) -> None:
    for text in ODD:
        for before in ("enabled: false\ntext: old # c\nurl: x\n", "enabled: false\r\n", ""):
            content = set_values(before.encode(), {"enabled": True, "text": text}, file="banner.yml")
            seen = ruby.read(content)
            assert seen["text"] == ("String", text), content
            assert seen["enabled"] == ("TrueClass", "true")
            assert read_values(content, ["text", "enabled"], file="") == {"text": text, "enabled": True}


any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(any_text)
def test_any_text_is_read_the_same_by_ruby_and_by_us(ruby: Ruby, text: str) -> None:
    content = f"text: {quoted(text)}\n".encode()
    assert ruby.read(content)["text"] == ("String", text)
    assert read_values(content, ["text"], file="")["text"] == text


words = st.text(string.ascii_letters + string.digits + " .-é🛠", min_size=1, max_size=12).map(
    lambda text: "w" + text.rstrip()
)
scalars = st.one_of(
    words,
    words.map(lambda text: f"'{text}'"),
    words.map(lambda text: f'"{text}"'),
    st.sampled_from(
        ["true", "false", "yes", "12:30", "~", "", "[1,  2]", "{a: b}", "&anchor x", "!!str 5", "2026-11-25"]
    ),
)
gaps = st.sampled_from(["", " ", "   "])
comments = st.one_of(st.just(""), words.map(lambda text: f"  # {text}: 'x'"))
fillers = st.lists(st.sampled_from(["", "# comment", "   # indented", "#"]), max_size=2)
nested = st.sampled_from([
    ["nest:", "  enabled: false", "  text: inner"],
    ["items:", "  - url: x", "  -   y # c"],
    ["block: |", "  enabled: false", "  text: no key"],
    ["folded: >-", "  url: x"],
])  # fmt: skip


@st.composite
def files(draw: st.DrawFn) -> tuple[list[str], dict[str, int], str, bool]:
    """Lines of a YAML file, the line of each of our keys in it, its line ends, and whether the last line has one."""
    keys = draw(st.permutations(["enabled", "text", "url", "k1", "k2"]))[: draw(st.integers(0, 5))]
    lines, places = list(draw(fillers)), {}
    if draw(st.booleans()):
        lines.append("---")
    anchored = False
    for key in keys:
        value = draw(scalars.filter(lambda v: not (v.startswith("&") and anchored)))  # noqa: B023 - used at once
        if key in WANTED:
            value = "x" if value.startswith(("[", "{", "!!")) else value
            places[key] = len(lines)
        anchored = anchored or value.startswith("&")
        name = draw(st.sampled_from([key, f'"{key}"', f"'{key}'"]))
        lines.append(f"{name}{draw(gaps)}: {draw(gaps)}{value}{draw(comments)}")
        lines += draw(fillers)
    if draw(st.booleans()):
        lines += draw(nested)
    return lines, places, draw(st.sampled_from(["\n", "\r\n"])), draw(st.booleans())


def rows(text: str, eol: str) -> list[str]:
    """The lines of a text, whether or not the last one is ended."""
    return text.removesuffix(eol).split(eol) if text else []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files(), st.dictionaries(st.sampled_from(["enabled", "text", "url"]), any_text, min_size=1), st.booleans())
def test_in_any_file_only_the_wanted_lines_differ(
    ruby: Ruby, file: tuple[list[str], dict[str, int], str, bool], texts: dict[str, str], on: bool
) -> None:
    lines, places, eol, ends = file
    before = eol.join(lines) + (eol if ends and lines else "")
    eol = eol if eol in before else "\n"
    wanted: dict[str, bool | str] = {**texts, **({"enabled": on} if "enabled" in texts else {})}
    try:
        after = set_values(before.encode(), wanted, file="banner.yml").decode()
    except Final:
        # The one thing refused here: a line put behind a block that ends the file without a line end changes the block.
        assert not ends
        assert lines[-1].startswith("  ")
        return
    old, changed = rows(before, eol), rows(after, eol)
    for number, line in enumerate(old):
        key = next((key for key, place in places.items() if place == number), None)
        if key not in wanted:
            assert changed[number] == line
        else:
            head, tail = line.split(":", 1)[0], line.partition("  # ")[1:]
            assert changed[number].startswith(head)
            assert changed[number].endswith("".join(tail))
    assert len(changed) == len(old) + len([key for key in wanted if key not in places])
    was, seen = ruby.read(before.encode()), ruby.read(after.encode())
    for key, value in wanted.items():
        expected = ("String", value) if isinstance(value, str) else (f"{value}Class", str(value).lower())
        assert seen.pop(key) == expected
        was.pop(key, None)
    assert seen == was
