import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import integrations
from bot.build import build_step
from bot.entry import Entry, Kind
from bot.errors import BadInput
from bot.evolve import evolve
from bot.forecast import forecast
from bot.runbook import (
    ParamErrors,
    Runbook,
    RunbookErrors,
    Shelf,
    check_params,
    load,
    load_all,
    maintenance_id,
    needed_settings,
    resolve,
)
from bot.runbook_check import ancestors
from bot.step import REGISTRY, Window, canonical
from bot.templates import render, variables, variables_of

integrations.load()
START = datetime(2026, 12, 1, 21, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(hours=2), "Europe/Berlin")
HEAD = 'name: book\ntitle: "Postgres {{ params.from }} to {{ params.to }}"\n'
PARAMS = 'params: {from: {default: "14"}, to: {type: integer, help: The new major.}}\n'

BOMB = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(text: str, name: str = "book.yml") -> Path:
        path = tmp_path / name
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return make


@pytest.fixture
def book(write: Write) -> Callable[[str], Runbook]:
    """A runbook with the steps given."""
    return lambda steps: load(write(HEAD + PARAMS + "steps:\n" + steps))


def made(runbook: Runbook, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "params": {"to": "18"},
        "window": WINDOW,
        "requester": "U0ANA",
        "channel": "C0OPS",
        "approvers": ("U0BEN", "S0DBA"),
    }
    return resolve(runbook, **{**given, **changes})


def problems_of(path: Path) -> list[str]:
    with pytest.raises(RunbookErrors) as wrong:
        load(path)
    return [str(problem).removeprefix(f"{path}:") for problem in wrong.value.problems]


def test_the_least_runbook(write: Write) -> None:
    runbook = load(write("name: a\ntitle: A\nsteps:\n- {id: one, uses: manual, with: {text: Look.}}\n"))
    assert runbook.window.duration == timedelta(hours=2)
    assert made(runbook, params={})["steps"] == [
        {
            "id": "one",
            "uses": "manual",
            "with": {"text": "Look."},
            "needs": [],
            "title": "one",
            "approval": None,
            "estimate_s": 300.0,
            "timeout_s": 86400.0,
            "retry": {"attempts": 5, "wait_s": 5.0, "longest_wait_s": 300.0},
            "on_failure": "keep",
            "phase": "scheduled",
            "due": None,
            "gate": False,
            "by_hand": True,
            "reversible": False,
            "pausable": False,
            "try_on": "",
            "surface": False,
            "opens": False,
            "ahead": False,
            "point_of_no_return": False,
        }
    ]


def test_every_key_of_a_step_reaches_the_maintenance(book: Callable[[str], Runbook]) -> None:
    runbook = book(
        """\
  - id: first
    uses: manual
    title: "Move to {{ params.to }}"
    with: {text: "{{ title }}"}
    approval: {count: 2, from: [U0BEN, U0CAT], expires: 30m}
    estimate: 1h30
    timeout: 2h
    retry: {attempts: 3, wait: 10s, longest_wait: 1m}
    on_failure: ask
    when: start - 1d
  - {id: second, uses: manual, with: {text: x}, when: end - 15m, needs: []}
  - {id: third, uses: manual, with: {text: x}, needs: [first, second]}
  - {id: fourth, uses: manual, with: {text: x}, phase: verifying, needs: first}
"""
    )
    payload = made(runbook)
    assert payload["title"] == "Postgres 14 to 18"
    assert payload["params"] == {"from": "14", "to": 18, "url": ""}
    first, *_ = payload["steps"]
    assert first["title"] == "Move to 18"
    assert first["with"] == {"text": "{{ title }}"}
    assert first["approval"] == {
        "count": 2,
        "approvers": ["U0BEN", "U0CAT"],
        "expires_s": 1800.0,
        "requester_may": False,
        "escalate_to": [],
    }
    assert (first["estimate_s"], first["timeout_s"], first["on_failure"]) == (5400.0, 7200.0, "ask")
    assert first["retry"] == {"attempts": 3, "wait_s": 10.0, "longest_wait_s": 60.0}
    assert [each["due"] for each in payload["steps"]] == [["start", -86400.0], ["end", -900.0], None, None]
    assert [each["needs"] for each in payload["steps"]] == [[], [], ["first", "second"], ["first"]]
    assert [each["phase"] for each in payload["steps"]] == ["scheduled", "in_progress", "in_progress", "verifying"]


def test_the_payload_is_what_the_state_reads(book: Callable[[str], Runbook]) -> None:
    payload = made(book("  - {id: one, uses: manual, with: {text: '{{ window.end | local }}'}, when: start}\n"))
    state = evolve(None, Entry("m", 1, START, "U0ANA", Kind.CREATED, None, payload, "k", "", "h"))
    assert canonical(payload)
    assert state.window == WINDOW
    assert state.specs["one"].due == ("start", 0.0)
    assert render(state.specs["one"].with_, variables_of(state)) == {"text": "Wed 2 Dec 2026 00:00 CET (UTC+1)"}


def test_what_a_step_type_declares_is_the_default(book: Callable[[str], Runbook]) -> None:
    app = "turn_off: {url: 'http://a.example/off'}, turn_on: {url: 'http://a.example/on'}, read: {url: 'http://a.example/'}"
    payload = made(book(f"  - {{id: off, uses: app.off, with: {{{app}}}}}\n"))
    (step,) = payload["steps"]
    assert step["approval"]["approvers"] == ["U0BEN", "S0DBA"]
    assert (step["reversible"], step["on_failure"]) == (True, "ask")
    payload = made(book(f"  - {{id: off, uses: app.off, approval: false, with: {{{app}}}}}\n"))
    assert payload["steps"][0]["approval"] is None


@pytest.mark.parametrize(("method", "asks"), [("GET", False), ("HEAD", False), ("POST", True), ("DELETE", True)])
def test_a_request_that_changes_something_asks_unless_the_runbook_says_otherwise(
    method: str, asks: bool, book: Callable[[str], Runbook]
) -> None:
    payload = made(book(f"  - {{id: call, uses: http, with: {{url: 'https://a.example', method: {method}}}}}\n"))
    assert (payload["steps"][0]["approval"] is not None) == asks


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ["1:1: expected a runbook: keys such as name, title and steps"]),
        ("- a\n", ["1:1: expected a runbook: keys such as name, title and steps"]),
        ("name: a\n\ttitle: b\n", ["2:1: this is not YAML: a tab; YAML is indented with spaces"]),
        ("name: [a\n", ["2:1: this is not YAML: expected ',' or ']', but got '<stream end>'"]),
        ("a: &x [*x]\n", ["1:1: this is not YAML: a[0][0] is nested too deep, or there is too much of it"]),
        (BOMB, ["1:1: this is not YAML: "]),
        ("[" * 3000, ["1:1: this is not YAML: "]),
        ("a: *x\n", ["1:4: this is not YAML: found undefined alias 'x'"]),
        ("a: \x07\n", ["1:1: this is not YAML: unacceptable character #x0007: special characters are not allowed in"]),
        ("name: a\n---\nname: b\n", ["2:1: this is not YAML: but found another document"]),
    ],
)
def test_what_is_no_runbook_at_all(write: Write, text: str, says: list[str]) -> None:
    found = problems_of(write(text))
    assert len(found) == len(says)
    assert all(one.startswith(said) for one, said in zip(found, says, strict=True)), found


MISTAKES = """\
name: My Book
title: "Postgres {{ params.form }}"
titel: x
title: again
params:
  from: {defualt: "14"}
  to: {type: integer, default: many}
  2nd: {default: x}
  when: {default: 2026-01-01}
window: {duration: 90}
policy: {approvers: [ana], requester_may_approve: 1h}
steps:
  - id: One
    uses: manual
    with: {text: x}
  - id: two
    uses: manuel
  - id: two
    uses: manual
    with: {txt: x, text: "{{ params.nothing }}"}
    needs: [tow]
    when: noon
    estimate: 5
    on_failure: leave
  - uses: manual
    on_failure: leave
    retry: {attempts: 0, wiat: 5s}
  - id: five
    uses: banner.on
    with: {repository: a/b, text: "{{ title", url: "{{ outcomes.nine.url }}", wait_s: soon}
    retry: often
  - id: six
    uses: banner.on
    needs: [five, tow, two]
    with: {repository: 1, text: "{{ title", url: "{{ outcomes.nine.url }}", wait_s: soon}
"""
REPORT = """\
1:1: name: expected at most 63 small letters, digits and dashes, found the text 'My Book'
2:1: title: the template “Postgres {{ params.form }}” cannot be filled in: there is nothing called form; did you mean from?
3:1: titel: there is no such key; did you mean title?
4:1: title: is written twice (first in line 2); only one of them can count
6:10: params.from.defualt: there is no such key; did you mean default?
7:23: params.to.default: expected a whole number, found “many”.
8:3: params.2nd: the name of a parameter is one word of letters, digits and _
10:10: window.duration: a length of time such as 15m, 2h or 1h30 (with its unit) is needed, not 90
11:22: policy.approvers[0]: expected the Slack id of a person (U…, W…) or a user group (S…), found the text 'ana'
11:28: policy.requester_may_approve: expected a valid boolean, unable to interpret input, found the text '1h'
13:5: steps[0].id: expected at most 63 small letters, digits and dashes, found the text 'One'
17:5: steps[1].uses: there is no step type 'manuel'; did you mean manual?
18:5: steps[2].id: two is also the id of steps[1]
20:12: steps[2].with.txt: there is no such key; did you mean text?
20:20: steps[2].with.text: the template “{{ params.nothing }}” cannot be filled in: there is nothing called nothing; there are: 2nd, from, to, url, when
21:5: steps[2].needs: there is no step 'tow'; did you mean two?
22:5: steps[2].when: a time of the window is needed: start, end, start - 1d, end - 15m
23:5: steps[2].estimate: a length of time such as 15m, 2h or 1h30 (with its unit) is needed, not 5
24:5: steps[2].on_failure: expected 'lift', 'keep' or 'ask', found the text 'leave'
25:5: steps[3].id: is missing
25:5: steps[3].with.text: is missing
26:5: steps[3].on_failure: expected 'lift', 'keep' or 'ask', found the text 'leave'
27:13: steps[3].retry.attempts: expected greater than or equal to 1, found 0
27:26: steps[3].retry.wiat: there is no such key; did you mean wait?
30:29: steps[4].with.text: the template “{{ title” is not well-formed: unexpected end of template, expected 'end of print statement'.
30:47: steps[4].with.url: the template “{{ outcomes.nine.url }}” cannot be filled in: there is nothing called nine; there are: One, five, six, two
30:79: steps[4].with.wait_s: expected a valid number, unable to parse string as a number, found the text 'soon'
31:5: steps[4].retry: expected keys and values, found the text 'often'
34:5: steps[5].needs: there is no step 'tow'; did you mean two?
35:12: steps[5].with.repository: expected a text, found 1: put it in quotes, "1"
35:27: steps[5].with.text: the template “{{ title” is not well-formed: unexpected end of template, expected 'end of print statement'.
35:45: steps[5].with.url: the template “{{ outcomes.nine.url }}” cannot be filled in: there is nothing called nine; there are: One, five, six, two
35:77: steps[5].with.wait_s: expected a valid number, unable to parse string as a number, found the text 'soon'
"""  # noqa: E501 - one line for each mistake


def test_every_mistake_is_reported_at_once_with_line_column_and_field(write: Write) -> None:
    assert problems_of(write(MISTAKES)) == REPORT.splitlines()


def test_steps_can_share_what_they_are_given(book: Callable[[str], Runbook]) -> None:
    payload = made(
        book("  - {id: a, uses: manual, with: &shared {text: Look.}}\n  - {id: b, uses: manual, with: *shared}\n")
    )
    assert [step["with"] for step in payload["steps"]] == [{"text": "Look."}] * 2


def test_errors_over_a_folder_are_collected(write: Write, tmp_path: Path) -> None:
    good = "name: a\ntitle: A\nsteps: [{id: one, uses: manual, with: {text: x}}]\n"
    write(good, "a.yml")
    write(good, "b.yaml")
    write("name: c\n", "c.yml")
    (tmp_path / "d.yml").write_bytes(b"name: \xff\n")
    (tmp_path / "README.md").write_text("no runbook")
    with pytest.raises(RunbookErrors) as wrong:
        load_all(tmp_path)
    said = [str(problem).removeprefix(f"{tmp_path}/") for problem in wrong.value.problems]
    assert said[0] == f"b.yaml:1:1: name: a is also the name of the runbook in {tmp_path}/a.yml"
    assert said[1:3] == ["c.yml:1:1: steps: is missing", "c.yml:1:1: title: is missing"]
    assert said[3].startswith("d.yml:1:1: cannot be read")
    assert str(wrong.value).startswith("4 mistakes")


def test_a_shelf_reads_what_has_changed_and_only_that(write: Write, tmp_path: Path) -> None:
    text = "name: a\ntitle: A\nsteps: [{id: one, uses: manual, with: {text: x}}]\n"
    write(text)
    shelf = Shelf(tmp_path)
    first = shelf.all()["a"]
    assert shelf.all()["a"] is first
    write(text.replace("title: A", "title: Other"))
    assert shelf.all()["a"].title == "Other"
    write("name: [")
    for _ in range(2):
        with pytest.raises(RunbookErrors):
            shelf.all()
    write(text)
    assert shelf.all()["a"] == first


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="MAINT_RUNBOOKS"):
        load_all(tmp_path / "none")
    with pytest.raises(BadInput, match="MAINT_RUNBOOKS"):
        Shelf(tmp_path / "none").all()


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ("  - {id: a, uses: manual, needs: [b]}\n  - {id: b, uses: manual}\n", "nothing could ever start: "),
        ("  - {id: a, uses: manual, needs: [a]}\n", "nothing could ever start: a needs a"),
        (
            "  - {id: a, uses: manual, when: start}\n  - {id: b, uses: manual, when: start - 1h}\n",
            "steps[1].when: it is due before a, which it needs",
        ),
        (
            "  - {id: a, uses: manual}\n  - {id: b, uses: manual, needs: [], with: {text: '{{ outcomes.a.by }}'}}\n",
            "steps[1].with: uses the outcome of a, so a has to be among what it needs",
        ),
        ("  - {id: a, uses: manual, with: {text: '{{ outcomes.z.by }}'}}\n", "steps[0].with.text: the template"),
        (
            "  - {id: a, uses: manual, with: {text: '{{ params.form }}'}}\n",
            "there is nothing called form; did you mean from?",
        ),
        (
            "  - {id: a-b, uses: manual, with: {text: x}}\n"
            "  - {id: c, uses: manual, with: {text: '{{ outcomes.a-b.by }}'}}\n",
            "a name with a dash is written in brackets: outcomes['a-b']",
        ),
        ("  - {id: a, uses: manual, with: {text: '{% for %}'}}\n", "is not well-formed"),
        ("  - {id: a, uses: manual, with: {text: '{{ 1 / 0 }}'}}\n", "cannot be filled in"),
        ("  - {id: a, uses: manual, with: {text: '{{ \"\".__class__.mro() }}'}}\n", "cannot be filled in"),
        ("  - {id: a, uses: http, with: {url: 'not an address'}}\n", "steps[0].with.url: "),
        ("  - {id: a, uses: http, with: {url: 'http://a.example', expect: {filed: x}}}\n", "did you mean field?"),
    ],
)
def test_steps_that_do_not_fit_together(write: Write, steps: str, says: str) -> None:
    steps = steps.replace("uses: manual}", "uses: manual, with: {text: x}}").replace(
        "uses: manual, needs: [b]}", "uses: manual, needs: [b], with: {text: x}}"
    )
    found = problems_of(write(HEAD + PARAMS + "steps:\n" + steps))
    assert any(says in one for one in found), found


def test_a_value_that_is_only_known_later_is_not_judged_now(book: Callable[[str], Runbook]) -> None:
    steps = (
        "  - {id: off-it, uses: manual, with: {text: x}}\n"
        "  - {id: b, uses: http, with: {url: '{{ outcomes[\"off-it\"].url }}', limit_s: '{{ params.to }}'}}\n"
    )
    runbook = book(steps)
    with pytest.raises(BadInput, match="b: limit_s: "):
        made(runbook, params={"to": "0"})
    assert made(runbook)["steps"][1]["with"]["limit_s"] == "{{ params.to }}"


def test_parameters_are_read_and_refused_each_at_its_name(write: Write) -> None:
    runbook = load(
        write(
            """\
            name: a
            title: A
            params:
              to: {type: integer, help: The new major.}
              from: {default: 14, choices: [14, 15]}
              speed: {type: number, default: 1}
              link: {type: boolean, default: true}
              databases: {type: list, default: [a, b]}
              reason: {required: false}
            steps: [{id: one, uses: manual, with: {text: x}}]
            """
        )
    )
    values, problems = check_params(runbook, {"to": "18", "link": "No", "databases": "x, y,", "from": "15"})
    assert not problems
    assert values == {"to": 18, "from": "15", "speed": 1.0, "link": False, "databases": ["x", "y"], "reason": ""}
    with pytest.raises(ParamErrors) as wrong:
        made(runbook, params={"form": "14", "from": "13", "link": "maybe", "speed": "nan"})
    assert wrong.value.problems == {
        "form": "is no parameter of this runbook; did you mean from?",
        "from": "expected one of 14, 15, found “13”.",
        "link": "expected true or false, found “maybe”.",
        "speed": "expected a number, found “nan”.",
        "to": "has to be given. The new major.",
    }
    assert wrong.value.field == "form"


def test_what_people_type_is_never_a_template(write: Write) -> None:
    runbook = load(
        write(
            """\
            name: a
            title: "For {{ params.who }}"
            params: {who: {}}
            steps: [{id: one, uses: manual, with: {text: "{{ title }}, {{ params.who }}"}}]
            """
        )
    )
    payload = made(runbook, params={"who": "{{ 7 * 7 }}"})
    assert payload["title"] == "For {{ 7 * 7 }}"
    state = evolve(None, Entry("m", 1, START, "U0ANA", Kind.CREATED, None, payload, "k", "", "h"))
    assert render(state.specs["one"].with_, variables_of(state)) == {"text": "For {{ 7 * 7 }}, {{ 7 * 7 }}"}
    assert made(runbook, params={"who": "x"}, title="{{ 1 + 1 }}")["title"] == "{{ 1 + 1 }}"


def test_the_link_comes_from_the_runbook_or_from_the_person(write: Write) -> None:
    text = (
        "name: a\ntitle: A\nurl: 'https://example.com/{{ window.start.strftime(\"%Y/%m/%d\") }}/{{ params.slug }}/'\n"
        "params: {slug: {default: x}}\nsteps: [{id: one, uses: manual, with: {text: '{{ url }}'}}]\n"
    )
    runbook = load(write(text))
    assert made(runbook, params={})["params"]["url"] == "https://example.com/2026/12/01/x/"
    assert made(runbook, params={"url": "https://example.org"})["params"]["url"] == "https://example.org"


def test_somebody_has_to_be_able_to_approve(book: Callable[[str], Runbook]) -> None:
    runbook = book("  - {id: one, uses: manual, with: {text: x}, approval: true}\n")
    with pytest.raises(BadInput, match="MAINT_APPROVERS"):
        made(runbook, approvers=())
    with pytest.raises(BadInput, match="only 0 may"):
        made(runbook, approvers=("U0ANA",))
    assert made(runbook, approvers=("S0DBA",))["steps"][0]["approval"]["count"] == 1


def test_the_policy_can_let_the_requester_approve(write: Write) -> None:
    runbook = load(
        write(
            "name: a\ntitle: A\npolicy: {approvers: U0ANA, requester_may_approve: true, expires: 5m}\n"
            "steps: [{id: one, uses: manual, with: {text: x}, approval: true}]\n"
        )
    )
    approval = made(runbook, params={})["steps"][0]["approval"]
    assert approval == {
        "count": 1,
        "approvers": ["U0ANA"],
        "expires_s": 300.0,
        "requester_may": True,
        "escalate_to": [],
    }


def test_ids_are_named_after_the_day_in_the_windows_own_zone() -> None:
    start = datetime(2026, 11, 25, 20, tzinfo=UTC)
    assert maintenance_id("pg", start, "Pacific/Auckland", ()) == "2026-11-26-pg"
    taken = ["2026-11-25-pg", "2026-11-25-pg-2"]
    assert maintenance_id("pg", start, "UTC", taken) == "2026-11-25-pg-3"


def test_what_conflicts_do_is_kept_with_the_maintenance(write: Write) -> None:
    policy = "policy: {conflicts: {notice: off, overlap: warn}, approvers: [U0BEN0001]}\n"
    runbook = load(
        write(
            f"name: a\ntitle: A\n{policy}window: {{notice: 24h}}\n"
            "steps: [{id: one, uses: manual, with: {text: x}}]\n"
        )
    )
    made = resolve(
        runbook,
        params={},
        window=WINDOW,
        requester="U1",
        channel="C1",
        approvers=[],
        levels={"overlap": "off", "margin": "off"},
    )
    assert made["radar"] == {
        "levels": {"notice": "off", "overlap": "warn", "margin": "off"},
        "notice_s": 86400.0,
    }


def test_an_unknown_kind_of_conflict_is_refused(write: Write) -> None:
    with pytest.raises(RunbookErrors, match=r"a kind of conflict \(notice, too_short"):
        load(
            write(
                "name: a\ntitle: A\npolicy: {conflicts: {moon: off}}\n"
                "steps: [{id: one, uses: manual, with: {text: x}}]\n"
            )
        )


NAMES = variables(
    maintenance="2026-12-01-pg",
    title="Upgrade",
    window=WINDOW,
    params={"n": 3, "list": ["a", "b"], "url": "https://example.com"},
    outcomes={"base-line": {"probes": {"q1": 1.5}}, "gate": {"ok": True}},
)


@pytest.mark.parametrize(
    ("template", "gives"),
    [
        ("{{ window.start | local }}", "Tue 1 Dec 2026 22:00 CET (UTC+1)"),
        ("{{ window.start | local('Pacific/Auckland') }}", "Wed 2 Dec 2026 10:00 NZDT (UTC+13)"),
        ("{{ window.end | utc }}", "Tue 1 Dec 2026 23:00 UTC"),
        ("{{ window.start | announced }}", "on Tuesday 1 December at 10:00pm CET (UTC+1)"),
        ("{{ window.end | day }}", "2026-12-02"),
        ("{{ window.start | day('%Y/%m/%d') }}", "2026/12/01"),
        ("for {{ window.duration | duration }} ({{ window.duration }})", "for 2 hours (2 hours)"),
        ("{{ window.start }}", "2026-12-01T21:00:00+00:00"),
        ("{{ maintenance }}: {{ title }}", "2026-12-01-pg: Upgrade"),
        ("{{ url }}", "https://example.com"),
        ("{{ params.n }}", "3"),
        ("{{ params.list }}", ["a", "b"]),
        ("{{ outcomes['base-line'].probes }}", {"q1": 1.5}),
        ("{{ outcomes.gate.ok }}", "True"),
        ({"a": ["{{ params.n }}", 4, None, True]}, {"a": ["3", 4, None, True]}),
        ("no template", "no template"),
    ],
)
def test_templates_are_filled_in(template: Any, gives: Any) -> None:
    assert render(template, NAMES) == gives


@pytest.mark.parametrize(
    "template",
    [
        "{{ nothing }}", "{{ outcomes.gate.nothing }}", "{{ outcomes.none.x }}", "{{ window.start + 1 }}", "{{ }",
        "{{ title.__class__.__mro__ }}", "{{ params.update(n=4) }}", "{{ range(9) }}", "{{ title | nothing }}",
        "{% include 'x' %}", "{{ self }}x{{ window.zone | local }}",
    ],
)  # fmt: skip
def test_templates_that_cannot_be_filled_in_say_so(template: str) -> None:
    with pytest.raises(BadInput, match="the template"):
        render(template, NAMES)


@given(st.text())
def test_values_are_filled_in_as_they_are(text: str) -> None:
    names = variables(maintenance="m", title=text, window=WINDOW, params={"p": text}, outcomes={})
    assert render("[{{ title }}|{{ params.p }}]", names) == f"[{text}|{text}]"


SHIPPED = Path(__file__).parents[2] / "runbooks"
REQUESTED: dict[str, Any] = {"requester": "U0ANA", "channel": "C0OPS", "approvers": ("S0DBA",), "window": WINDOW}


@pytest.mark.parametrize("path", sorted(SHIPPED.rglob("*.yml")), ids=lambda path: path.stem)
def test_a_shipped_runbook_makes_steps_and_fits_its_window(path: Path) -> None:
    runbook = load(path)
    assert runbook.name == path.stem
    payload = resolve(runbook, params={}, **REQUESTED)
    state = evolve(None, Entry("m", 1, START, "U0ANA", Kind.CREATED, None, payload, "k", "", "h"))
    for step in state.specs.values():
        build_step(state, step)
    assert forecast(state, START - timedelta(days=2)).spare > timedelta(minutes=10)


def test_the_storys_day_is_in_order() -> None:
    payload = resolve(load_all(SHIPPED)["postgres-upgrade"], params={}, **REQUESTED)
    steps = {step["id"]: step for step in payload["steps"]}
    needs = {name: tuple(step["needs"]) for name, step in steps.items()}
    day = ["banner-on", "announce", "preflight", "app-off", "baseline", "upgrade", "cross", "vacuum", "gate", "app-on"]
    for before, after in itertools.pairwise(day):
        assert before in ancestors(after, needs)
    assert (steps["watch"]["needs"], steps["app-off"]["needs"]) == (["announce"], ["preflight"])
    assert set(steps) - {"report"} == ancestors("report", needs)
    assert {name for name, step in steps.items() if step["approval"]} == {
        "banner-on",
        "page",
        "announce",
        "remind",
        "app-off",
        "upgrade",
        "cross",
        "app-on",
    }
    assert {"page-begin", "page-verify", "page-complete"} < steps.keys()
    assert [steps[name]["phase"] for name in ("announce", "app-off", "gate", "app-on")] == [
        "scheduled",
        "in_progress",
        "verifying",
        "verifying",
    ]
    assert steps["app-off"]["due"] == ["start", 0.0]


def test_the_settings_that_runbooks_need(book: Callable[[str], Runbook]) -> None:
    runbook = book(
        "  - {id: one, uses: banner.off, with: {repository: a/b}}\n  - {id: two, uses: manual, with: {text: x}}\n"
    )
    assert needed_settings([runbook, runbook]) == list(REGISTRY["banner.off"].settings)


def test_a_step_is_left_out_when_its_condition_does_not_hold(book: Callable[[str], Runbook]) -> None:
    runbook = book(
        """\
  - {id: first, uses: manual, with: {text: x}}
  - {id: gate, uses: manual, if: params.to > 18, when: start, with: {text: x}}
  - {id: also, uses: manual, if: params.to > 18, with: {text: "{{ outcomes.gate.x }}"}}
  - {id: last, uses: manual, with: {text: x}}
  - {id: report, uses: report, needs: [also, last]}
"""
    )
    assert {step["id"]: step["needs"] for step in made(runbook)["steps"]} == {
        "first": [],
        "last": ["first"],
        "report": ["first", "last"],
    }
    steps = made(runbook, params={"to": "19"})["steps"]
    assert [step["needs"] for step in steps] == [[], ["first"], ["gate"], ["also"], ["also", "last"]]
    # What comes after it does not begin in an earlier phase for its absence.
    assert [step["phase"] for step in made(runbook)["steps"]] == ["scheduled", "in_progress", "in_progress"]


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("params.too", "there is nothing called too; did you mean to?"),
        ("params.to >", "is not well-formed"),
        ("'{{ params.to }}'", "write it without the braces"),
        ("outcomes.one.x", "there is nothing called outcomes"),
    ],
)
def test_a_condition_that_cannot_be_judged_is_found_when_the_runbook_is_read(
    write: Write, condition: str, problem: str
) -> None:
    path = write(f"{HEAD}{PARAMS}steps:\n  - {{id: one, uses: manual, if: {condition}, with: {{text: x}}}}\n")
    [told] = problems_of(path)
    assert "steps[0].if" in told
    assert problem in told


def test_records_are_written_into_the_runbook_and_never_typed(write: Write) -> None:
    sites = "params: {sites: {type: records, default: [{live: a}, {live: b}]}}\n"
    text = "{{ params.sites | map(attribute='live') | join(' and ') }}"
    steps = f'steps:\n  - {{id: one, uses: manual, title: "{text}", with: {{text: x}}}}\n'
    runbook = load(write("name: a\ntitle: A\n" + sites + steps))
    assert made(runbook, params={})["steps"][0]["title"] == "a and b"
    assert not runbook.params["sites"].asked
    with pytest.raises(ParamErrors, match="written into the runbook, not typed"):
        made(runbook, params={"sites": "c"})
    problems = problems_of(write("name: a\ntitle: A\nparams: {sites: {type: records, default: [c]}}\n" + steps))
    assert any("expected a list of keys and values" in each for each in problems)


def test_the_storys_sites_and_silence_come_where_they_are_asked_for(tmp_path: Path) -> None:
    text = (SHIPPED / "postgres-upgrade.yml").read_text()
    before = "  sites:\n    type: records\n    default: []\n"
    assert before in text
    path = tmp_path / "postgres-upgrade.yml"
    path.write_text(
        text.replace(before, before.replace("[]", "[{repository: acme/www, live: 'https://acme.example/'}]"))
    )
    runbook = load(path)
    payload = resolve(runbook, params={"silence": 'service="shop"'}, **REQUESTED)
    state = evolve(None, Entry("m", 1, START, "U0ANA", Kind.CREATED, None, payload, "k", "", "h"))
    for step in state.specs.values():
        build_step(state, step)
    needs = {name: spec.needs for name, spec in state.specs.items()}
    order = ["banner-on", "sites-on", "sites-off", "report"]
    assert all(before in ancestors(after, needs) for before, after in itertools.pairwise(order))
    assert {"banner-off", "app-on"} <= ancestors("sites-off", needs)
    assert "quiet" in ancestors("report", needs)
    # One site that cannot be built must not keep anybody from being told, or the work from being done.
    assert "sites-on" not in ancestors("app-on", needs)
    usual = {setting.name for setting in needed_settings([load(SHIPPED / "postgres-upgrade.yml")])}
    assert not {name for name in usual if "ALERTMANAGER" in name or "CLOUDCANNON" in name}


def test_a_step_that_is_usually_left_out_needs_no_settings(book: Callable[[str], Runbook]) -> None:
    steps = (
        "  - {id: one, uses: manual, with: {text: x}}\n"
        "  - {id: two, uses: banner.off, if: %s, with: {repository: a/b}}\n"
    )
    assert needed_settings([book(steps % "params.from == '99'")]) == []
    assert needed_settings([book(steps % "params.to")]) == list(REGISTRY["banner.off"].settings)


def test_keys_are_taken_over_from_another_mapping(write: Write, book: Callable[[str], Runbook]) -> None:
    steps = "  - {id: one, uses: manual, with: &w {text: x}}\n  - {id: two, uses: manual, with: %s}\n"
    assert book(steps % "{<<: *w}").steps[1].with_ == {"text": "x"}
    assert book(steps % "{<<: *w, text: z}").steps[1].with_ == {"text": "z"}
    [problem] = problems_of(write(HEAD + PARAMS + "steps:\n" + steps % "{<<: [1], text: z}"))
    assert "steps[1].with.<<: takes over the keys of one mapping" in problem


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (
            "{id: n, uses: manual, approval: {with: nobody}, when: start - 1d, with: {text: x}}",
            "nobody has to be a step",
        ),
        (
            "{id: n, uses: manual, approval: {with: a}, needs: [], when: start - 1d, with: {text: x}}",
            "a has to be a step",
        ),
        ("{id: n, uses: manual, approval: {with: b}, when: start - 1d, with: {text: x}}", "b asks for no approval"),
        ("{id: n, uses: manual, approval: {with: a}, with: {text: x}}", "it has to say when: start - 1d"),
        ("{id: n, uses: manual, approval: {with: a}, when: start + 1d, with: {text: x}}", "it has to say when"),
    ],
)
def test_a_notice_is_approved_with_a_step_that_comes_before_it(write: Write, step: str, told: str) -> None:
    before = "{id: a, uses: manual, approval: true, with: {text: x}}, {id: b, uses: manual, with: {text: x}}"
    with pytest.raises(RunbookErrors, match=told):
        load(write(f"name: a\ntitle: A\nsteps: [{before}, {step}]\n"))
