"""Texts for customers say when, how long, in which zone, what they will notice, and where to read more."""

from pathlib import Path

import pytest

import integrations
from bot.runbook import RunbookErrors, lint_all, load
from tests.bot.test_runbook import SHIPPED

integrations.load()

WHOLE = "Down {{ window.start | announced }} for {{ window.duration | duration }}: {{ impact }} {{ params.url or url }}"


def runbook(folder: Path, body: str, head: str = "", more: str = "") -> Path:
    path = folder / "a.yml"
    steps = f"steps:\n  - id: tell\n    uses: intercom.message\n    with:\n      body: {body!r}\n{more}"
    path.write_text(f"name: a\ntitle: A\nimpact: The app is away.\n{head}{steps}")
    return path


def found(folder: Path, body: str, more: str = "") -> list[str]:
    runbook(folder, body, more=more)
    return [str(problem).removeprefix(f"{folder}/") for problem in lint_all(folder)]


def test_the_shipped_runbooks_say_everything() -> None:
    assert lint_all(SHIPPED) == []
    assert lint_all(SHIPPED / "managed") == []


def test_a_text_that_says_everything_in_its_own_words_is_not_warned_about(tmp_path: Path) -> None:
    assert found(tmp_path, WHOLE) == []
    own = "{{ window.start | local }} to {{ window.end | utc }}. {{ impact }} See https://example.com/x"
    assert found(tmp_path, own) == []


@pytest.mark.parametrize(
    ("body", "lacks"),
    [
        (WHOLE.replace("{{ window.start | announced }}", "tonight"), ["when it begins", "the zone of its times"]),
        (WHOLE.replace("{{ window.duration | duration }}", "a while"), ["how long it takes"]),
        (WHOLE.replace("{{ impact }}", ""), ["what people will notice"]),
        (WHOLE.replace("{{ params.url or url }}", ""), ["where to read more"]),
        ("Down at {{ window.start | day('%H:%M') }}", ["how long", "what people will notice", "where to read more"]),
    ],
)
def test_what_is_missing_is_named_with_its_place(tmp_path: Path, body: str, lacks: list[str]) -> None:
    [problem] = found(tmp_path, body)
    assert problem.startswith("a.yml:8:7: steps[0].with.body: customers read this, and it does not say ")
    for each in lacks:
        assert each in problem


def test_a_banner_has_its_link_in_a_key_of_its_own(tmp_path: Path) -> None:
    banner = (
        "  - id: banner\n    uses: banner.on\n    with: {repository: a/b, url: /x/, "
        "text: 'Down {{ window.start | announced }} for {{ window.duration | duration }}'}\n"
    )
    [problem] = found(tmp_path, WHOLE, banner)
    assert problem.endswith("does not say where to read more: {{ url }}")
    assert found(tmp_path, WHOLE, banner.replace("/x/", "'{{ url }}'")) == []


def test_what_is_sent_in_the_window_or_after_is_no_announcement(tmp_path: Path) -> None:
    done = "  - {id: work, uses: manual, when: start, with: {text: x}}\n"
    done += "  - {id: done, uses: intercom.message, with: {body: It is over.}}\n"
    assert found(tmp_path, WHOLE, done) == []


def test_a_notice_of_a_change_needs_no_impact(tmp_path: Path) -> None:
    notice = "on_change:\n  - {id: n, uses: intercom.message, with: {body: '{{ change.what }} BODY'}}\n"
    assert found(tmp_path, WHOLE, notice.replace("BODY", WHOLE.replace("{{ impact }}", ""))) == []
    [problem] = found(tmp_path, WHOLE, notice)
    assert "on_change[0].with.body" in problem


def test_strict_makes_it_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(RunbookErrors, match="it does not say when it begins"):
        load(runbook(tmp_path, "Soon.", "lint: strict\n"))
    load(runbook(tmp_path, WHOLE, "lint: strict\n"))


def test_what_stands_behind_a_gate_and_does_not_wait_for_it_is_named(tmp_path: Path) -> None:
    gate = "  - {id: work, uses: manual, when: start, with: {text: x}}\n"
    gate += "  - {id: gate, uses: postgres.gate, with: {baseline: b}}\n"
    gate += "  - {id: standbys, uses: postgres.gate, needs: work, with: {baseline: b}}\n"
    opens = "  - {id: app-on, uses: manual, needs: NEEDS, with: {text: x}}\n"
    assert found(tmp_path, WHOLE, gate + opens.replace("NEEDS", "[gate, standbys]")) == []
    [problem] = found(tmp_path, WHOLE, gate + opens.replace("NEEDS", "[standbys, work]"))
    assert problem.startswith("a.yml:12:5: steps[4]")
    assert "app-on stands behind gate, which proves that the work is good, and does not wait for it" in problem


def test_a_program_that_can_be_taken_back_before_the_gate_says_whether_that_opens(tmp_path: Path) -> None:
    off = "  - {id: app-off, uses: command, when: start, MORE with: {argv: [app-off], undo_with: [app-on]}}\n"
    gate = "  - {id: gate, uses: postgres.gate, with: {baseline: b}}\n"
    [problem] = found(tmp_path, WHOLE, off.replace("MORE", "") + gate)
    assert "app-off can be taken back before the gate is green: say `opens: true` if that lets users in" in problem
    for said in ("opens: true,", "opens: false,"):
        assert found(tmp_path, WHOLE, off.replace("MORE", said) + gate) == []
    assert found(tmp_path, WHOLE, off.replace("MORE", "")) == [], "there is no gate to go round"
    [problem] = found(tmp_path, WHOLE, off.replace("MORE", "opens: true,").replace(", undo_with: [app-on]", "") + gate)
    assert "app-off cannot be taken back, so nothing is guarded" in problem
