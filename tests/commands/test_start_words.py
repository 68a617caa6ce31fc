"""The words after `/maint start`, before any of them is judged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import BadInput
from commands.wish import Wish, read


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        ("", Wish()),
        ("vacuum", Wish("vacuum")),
        ("vacuum at tomorrow 5pm", Wish("vacuum", "tomorrow 5pm")),
        ('vacuum at "tomorrow 5pm" for 2h', Wish("vacuum", "tomorrow 5pm", "2h")),
        ("vacuum for two hours at 22:00 NZDT", Wish("vacuum", "22:00 NZDT", "two hours")),
        ("vacuum to=18 at in 2h", Wish("vacuum", "in 2h", "", {"to": "18"})),
        ("vacuum AT in 2h FOR 1h", Wish("vacuum", "in 2h", "1h")),
        ('vacuum title="Disks at night" at now', Wish("vacuum", "now", "", {"title": "Disks at night"})),
        ("vacuum url=https://x.example/?a=b at now", Wish("vacuum", "now", "", {"url": "https://x.example/?a=b"})),
        ("vacuum note= at now", Wish("vacuum", "now", "", {"note": ""})),
    ],
)
def test_the_parts_of_a_wish(words: str, wish: Wish) -> None:
    assert read(words) == wish


@pytest.mark.parametrize("words", ['vacuum at "tomorrow', "vacuum it's"])
def test_an_open_quotation_mark_is_refused(words: str) -> None:
    with pytest.raises(BadInput, match="quotation mark is not closed"):
        read(words)


def test_a_key_twice_is_refused_at_its_field() -> None:
    with pytest.raises(BadInput, match="given twice") as caught:
        read("vacuum to=17 to=18")
    assert caught.value.field == "param:to"


@given(st.text())
def test_whatever_is_typed_is_read_or_refused_and_nothing_is_lost(words: str) -> None:
    try:
        wish = read(words)
    except BadInput:
        return
    kept = "".join((wish.runbook, wish.at, wish.duration, *wish.params, *wish.params.values()))
    assert {one for one in words if one.isalnum()} - set("atforATFOR") <= set(kept)
