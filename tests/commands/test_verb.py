"""What all verbs share."""

import pytest

from bot import access
from bot.errors import BadInput
from commands import load
from commands.listeners import _harmless
from commands.verb import VERBS, as_typed, first_word

load()


def test_every_verb_says_who_may_use_it() -> None:
    known = access.LOOKING | access.STARTING | access.DECIDING
    assert [verb for verb in VERBS if verb not in known] == []


def test_every_verb_begins_its_usage_with_its_name() -> None:
    assert [verb.name for verb in VERBS.values() if verb.usage.split()[0] != verb.name] == []
    assert [verb.name for verb in VERBS.values() if not verb.help] == []


@pytest.mark.parametrize(
    ("sent", "typed"),
    [
        ("<@U0BEN0001|ben> looks", "@ben looks"),
        ("see <#C0MAINT01|maintenance>", "see #maintenance"),
        ("<@U0BEN0001>", "<@U0BEN0001>"),
        ("a < b | c > d", "a < b | c > d"),
        ("<!channel>", "<!channel>"),
    ],
)
def test_mentions_read_as_they_were_typed(sent: str, typed: str) -> None:
    assert as_typed(sent) == typed


def test_a_refusal_mentions_people_and_calls_nobody() -> None:
    told = _harmless("Only <@U0ANA0001> or <!subteam^S0APPROVE> may; not '<!channel>' & <http://x|y>")
    assert told == "Only <@U0ANA0001> or <!subteam^S0APPROVE> may; not '&lt;!channel&gt;' &amp; &lt;http://x|y&gt;"


def test_a_first_word_that_is_missing_is_told_with_the_usage() -> None:
    with pytest.raises(BadInput, match=r"The step is missing: `/maint done STEP`"):
        first_word("  ", "The step", "/maint done STEP")
    assert first_word(" copy  it is on tape ", "", "") == ("copy", "it is on tape")
