"""The log: every kind says something, nobody's words become markup, and the whole entry is in the metadata."""

import json

import pytest

from bot.blocks import METADATA_BYTES, texts
from bot.entry import Entry, Kind, instant
from bot.journal import entry_hash
from bot.maintenances import Maintenances
from bot.messages import ENTRY_EVENT, bare_message, log_line, log_message
from bot.questions import questions
from sandbox.slack.blocks import check_message_blocks
from sandbox.slack.methods_chat import metadata
from tests.bot.entries import ANA, BEN, ID, a_night, add, begin, told
from tests.maintenance_fixtures import raw_step


def shown(maintenances: Maintenances, seq: int) -> str:
    entry, state = list(told(maintenances))[seq - 1]
    return "\n".join(texts(log_message(entry, state).blocks))


def test_every_kind_has_a_sentence_that_slack_takes(maintenances: Maintenances) -> None:
    a_night(maintenances)
    kinds = set()
    for entry, state in told(maintenances):
        message = log_message(entry, state)
        kinds.add(entry.kind)
        assert check_message_blocks(list(message.blocks))
        assert metadata(dict(message.metadata))
        assert f"{entry.kind}." not in texts(message.blocks), "an unknown kind would only say its own name"
        assert len(log_line(entry, state).splitlines()) == 1
    assert kinds == set(Kind)


def test_the_line_has_number_utc_the_readers_own_time_and_the_actor(maintenances: Maintenances) -> None:
    begin(maintenances)
    entry, state = next(told(maintenances))
    top = next(texts(log_message(entry, state).blocks))
    assert top.startswith(f"#1 · {entry.at:%Y-%m-%d %H:%M:%S} UTC · <!date^{int(entry.at.timestamp())}^")
    assert top.endswith(f"<@{ANA}>")


def test_what_the_people_at_night_read(maintenances: Maintenances) -> None:
    a_night(maintenances)
    assert "it should take about 1 min" in shown(maintenances, 4)
    assert "<https://example.com/pull/3>" in shown(maintenances, 5)
    assert "attempt 2 of at most 5" in shown(maintenances, 6)
    assert "It is not stopped" in shown(maintenances, 8)
    assert "<!subteam^S0APPROVE>" in shown(maintenances, 10)
    assert ": it goes ahead" in shown(maintenances, 13)
    assert "not tonight" in shown(maintenances, 16)
    assert "It happened" in shown(maintenances, 19)
    assert "Asked for: Extend" in shown(maintenances, 22)
    assert "not everything is down" in shown(maintenances, 26)
    assert "customers call" in shown(maintenances, 27)


@pytest.mark.parametrize(
    ("summary", "says"),
    [
        ("By hand: Call them", "done by hand: Call them"),
        (f"By hand (<@{BEN}>): Call <!here>", f"done by hand, by <@{BEN}>: Call &lt;!here&gt;"),
        ("By hand (Ursula <!here>): Call", "done by hand, by Ursula &lt;!here&gt;: Call"),
    ],
)
def test_what_a_person_is_to_do_names_them_and_says_once_that_it_is_by_hand(
    maintenances: Maintenances, summary: str, says: str
) -> None:
    begin(maintenances, [raw_step("call", by_hand=True)])
    add(maintenances, (Kind.STEP_STARTED, "call", {"attempt": 1, "summary": summary}))
    assert says in shown(maintenances, 2)
    state = maintenances.state(ID)
    assert says in "\n".join(texts(questions(state)))


@pytest.mark.parametrize(
    "words", ["<!channel> look", f"<@{BEN}> did it", "a & b < c", "*bold* _slanted_ ~gone~ `code`", "line\n<!here>"]
)
def test_nobodys_words_become_a_mention_or_markup(maintenances: Maintenances, words: str) -> None:
    begin(maintenances, title=words)
    add(maintenances, (Kind.NOTED, None, {"text": words}, ANA), (Kind.ABORTED, None, {"reason": words}, ANA))
    for entry, state in told(maintenances):
        message = log_message(entry, state)
        for block in message.blocks:
            markup = [
                text["text"]
                for text in (block.get("text"), *block.get("elements", []))
                if text and text["type"] == "mrkdwn"
            ]
            for text in [*markup, message.text]:
                bare = text.replace(f"<@{ANA}>", "").replace("<!date^", "")
                assert "<!" not in bare
                assert "<@" not in bare
                assert "*bold*" not in bare
                assert "_slanted_" not in bare
                assert "`code`" not in bare


def test_a_long_error_is_cut_and_follows_whole_as_a_file(maintenances: Maintenances) -> None:
    begin(maintenances)
    error = "Die Säule & <b> " * 250
    files = {"server log.txt": "FATAL", "empty.txt": ""}
    add(
        maintenances,
        (Kind.STEP_STARTED, "upgrade", {"attempt": 1}),
        (Kind.STEP_FAILED, "upgrade", {"attempt": 1, "error": error, "files": files, "retry_at": None}),
    )
    entry, state = list(told(maintenances))[-1]
    message = log_message(entry, state)
    assert check_message_blocks(list(message.blocks))
    assert "".join(texts(message.blocks)).count("Die Säule") < 200
    names = {file.name: file.text for file in message.files}
    assert names[f"{ID}-3-error.txt"] == error
    assert names[f"{ID}-3-server-log.txt"] == "FATAL"
    assert not any("empty" in name for name in names)
    assert bare_message(entry, state).files


def rebuilt(text: str) -> Entry:
    raw = json.loads(text)
    return Entry(**{**raw, "at": instant(raw["at"])})


def test_the_metadata_holds_the_whole_entry(maintenances: Maintenances) -> None:
    a_night(maintenances)
    for entry, state in told(maintenances):
        held = log_message(entry, state).metadata
        payload = held["event_payload"]
        assert held["event_type"] == ENTRY_EVENT
        assert (payload["seq"], payload["hash"], payload["prev_hash"]) == (entry.seq, entry.hash, entry.prev_hash)
        assert rebuilt(payload["entry"]) == entry
        assert entry_hash(rebuilt(payload["entry"])) == entry.hash


def test_an_entry_too_long_for_metadata_is_a_file(maintenances: Maintenances) -> None:
    begin(maintenances, [raw_step(f"step-{number}") for number in range(60)])
    entry, state = next(told(maintenances))
    message = log_message(entry, state)
    assert len(json.dumps(message.metadata)) <= METADATA_BYTES
    assert check_message_blocks(list(message.blocks))
    name = message.metadata["event_payload"]["entry_file"]
    assert name == f"{ID}-entry-1.json"
    assert rebuilt({file.name: file.text for file in message.files}[name]) == entry
