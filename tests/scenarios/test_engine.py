"""What happens to steps: crashes, failures, lost answers, a pause, an abort."""

import time
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults
from sandbox.server import serving
from tests.scenarios.house import Room

LONG = """\
  - id: copy
    title: Copy it all
    uses: command
    approval: false
    with: {argv: [sh, -c, "echo copied >> WORLD; until [ -e WORLD.go ]; do sleep 0.1; done"]}
"""
FAILS = """\
  - id: copy
    title: Copy it all
    uses: command
    approval: false
    with: {argv: [sh, -c, "echo tried >> WORLD; [ -e WORLD.go ]"]}
  - id: after
    title: Afterwards
    uses: command
    approval: false
    with: {argv: [sh, -c, "echo after >> WORLD"]}
"""
FAILS_ONCE = """\
  - id: copy
    title: Copy it all
    uses: command
    approval: false
    with:
      argv: [sh, -c, "echo tried >> WORLD; [ $(wc -l < WORLD) = 2 ] && until [ -e WORLD.go ]; do sleep 0.1; done"]
"""
SEND = """\
  - id: send
    title: Send the news
    uses: http
    approval: false
    with: {url: "URL/send", method: POST, body: hello}
"""
READ = """\
  - id: read
    title: Read the news
    uses: http
    approval: false
    retry: {attempts: 5, wait: 0.5s}
    with: {url: "URL/send"}
"""
UP = """\
  - id: banner
    title: Banner
    uses: command
    approval: false
    on_failure: lift
    with: {argv: [sh, -c, "echo banner up >> WORLD"], undo_with: [sh, -c, "echo banner down >> WORLD"]}
  - id: page
    title: Maintenance page
    uses: command
    approval: false
    on_failure: ask
    with: {argv: [sh, -c, "echo page up >> WORLD"], undo_with: [sh, -c, "echo page down >> WORLD"]}
  - id: schema
    title: Schema
    uses: command
    approval: false
    on_failure: keep
    with: {argv: [sh, -c, "echo schema up >> WORLD"], undo_with: [sh, -c, "echo schema down >> WORLD"]}
  - id: look
    title: Look at it
    uses: manual
    with: {text: Is it green?}
"""
QUICK = """\
  - id: quick
    uses: command
    approval: false
    with: {argv: ["true"]}
"""
GATE = """\
  - id: look
    uses: manual
    with: {text: Is it green?}
  - id: before
    uses: postgres.baseline
    with: {probes: {orders: SELECT 1}}
  - id: proof
    uses: postgres.gate
    with: {baseline: before}
"""
RETRY_S = 0.5
ALL_UP = ("banner up", "page up", "schema up")


class Outside:
    """A service on loopback: remembers what was posted to it, and breaks on demand."""

    def __init__(self) -> None:
        self.posted: list[str] = []
        self.faults = Faults(Starlette(routes=[Route("/send", self._send, methods=["GET", "POST"])]))
        self.url = ""

    async def _send(self, request: Request) -> Response:
        if request.method == "POST":
            self.posted.append((await request.body()).decode())
        return PlainTextResponse("thank you")


@pytest.fixture
def outside() -> Iterator[Outside]:
    made = Outside()
    with serving(made.faults) as server:
        made.url = server.url
        yield made


def test_a_program_goes_on_while_the_bot_is_killed_and_is_not_started_again(room: Room) -> None:
    room.plans(LONG)
    room.has_done("copied")
    room.house.restarts()
    room.house.restarts()
    room.lets_go()
    room.channel.shows("Copy it all (copy) succeeded")
    room.channel.shows("The maintenance is completed")
    assert room.done() == ["copied"]
    assert room.count("Copy it all (copy) started") == 1


def test_a_program_that_ended_while_the_bot_was_dead_is_found_to_have_ended(room: Room) -> None:
    room.plans(LONG)
    room.has_done("copied")
    room.house.bot.kill()
    room.lets_go()
    room.house.is_open()
    room.channel.shows("The maintenance is completed")
    assert room.done() == ["copied"]


def test_a_program_goes_on_through_a_redeploy(room: Room) -> None:
    room.plans(LONG)
    room.has_done("copied")
    assert room.house.bot.stop() == 0
    room.house.is_open()
    room.lets_go()
    room.channel.shows("The maintenance is completed")
    assert room.done() == ["copied"]


def test_an_abort_works_although_a_step_runs_that_was_found_after_a_crash(room: Room) -> None:
    room.plans(LONG)
    room.has_done("copied")
    room.house.restarts()
    room.ben.says("/maint abort the copy hangs")
    room.ben.sees("is aborted. Told to stop: copy.")
    room.channel.shows("The maintenance is aborted: the copy hangs")
    room.channel.shows("Copy it all (copy) failed")
    room.channel.shows("Aborted · asked for by @ana")


def test_a_pause_beats_the_retry_of_a_failed_step(room: Room, outside: Outside) -> None:
    outside.faults.arm("status", path="/send", status=503)
    read = room.plans(READ.replace("URL", outside.url))
    room.channel.shows("It is tried again")
    room.dev.says(f"/maint pause {read}")
    room.channel.shows("Paused:")
    asked = len(outside.faults.requests)
    time.sleep(RETRY_S)  # now the retry would be due
    room.plans(QUICK, name=f"{room.name}-quick")
    room.channel.shows("The maintenance is completed")  # so the engine has looked at everything since
    assert len(outside.faults.requests) == asked
    room.ana.says(f"/maint resume {read}")
    room.channel.shows("Read the news (read) succeeded")


def test_a_failed_step_is_tried_again_when_somebody_says_so(room: Room) -> None:
    room.plans(FAILS)
    room.channel.shows("Copy it all (copy) failed")
    room.dev.says("/maint retry copy")
    room.dev.sees("Only @ana, who asked for this maintenance, or @maint-approvers may retry it")
    assert room.done() == ["tried"]
    room.lets_go()
    room.ana.says("/maint retry copy")
    room.ana.sees("copy is tried again")
    room.channel.shows("The maintenance is completed")
    assert room.done() == ["tried", "tried", "after"]


def test_two_people_press_retry_and_it_is_tried_once(room: Room) -> None:
    room.plans(FAILS_ONCE)
    room.ana.clicks("Retry", on="Copy it all failed:")
    room.has_done("tried", "tried")
    room.ben.clicks("Retry", on="Work in", stale=True)
    room.ben.sees("copy is running and cannot be retried")
    room.lets_go()
    room.channel.shows("The maintenance is completed")
    assert room.done() == ["tried", "tried"]


def test_a_step_is_skipped_with_a_reason(room: Room) -> None:
    room.plans(FAILS)
    room.channel.shows("Copy it all (copy) failed")
    room.ana.says("/maint skip copy")
    room.ana.sees("A reason is needed")
    room.ana.clicks("Skip…", on="Work in")
    room.ana.sees_modal("Copy it all (copy) in Work in")
    room.ana.submits(reason="The copy is on tape")
    room.channel.shows("Skipped Copy it all (copy): The copy is on tape")
    room.channel.shows("The maintenance is completed")
    assert room.done() == ["tried", "after"]


def test_a_gate_is_never_skipped(room: Room) -> None:
    room.plans(GATE)
    room.channel.shows("Is it green?")
    room.ana.says("/maint skip proof we are in a hurry")
    room.ana.sees("proof is a gate and cannot be skipped")


@pytest.mark.parametrize(("button", "posted"), [("It happened", 1), ("It did not", 2)])
def test_a_lost_answer_is_settled_by_a_person(room: Room, outside: Outside, button: str, posted: int) -> None:
    outside.faults.arm("drop_after", path="/send")
    room.plans(SEND.replace("URL", outside.url))
    room.channel.shows("It is not known whether Send the news (send) has happened")
    room.dev.clicks(button, on="Work in", confirm=True)
    room.dev.sees("may settle a step")
    assert len(outside.posted) == 1
    room.ben.clicks(button, on="Work in", confirm=True)
    room.channel.shows("The maintenance is completed")
    assert len(outside.posted) == posted


def test_an_abort_lifts_keeps_and_asks_as_the_runbook_says(room: Room) -> None:
    room.plans(UP)
    room.channel.shows("Is it green?")
    room.ana.says("/maint abort it is red")
    room.ana.sees("Will be taken down: banner. Asked about in the channel: page.")
    room.channel.shows("Banner (banner) is taken down again")
    room.ben.clicks("Keep", on="Work in", confirm=True)
    room.channel.shows("Decided to keep Maintenance page (page)")
    assert room.done() == [*ALL_UP, "banner down"]


def test_after_an_abort_a_person_lifts_what_was_asked_about(room: Room) -> None:
    room.plans(UP)
    room.channel.shows("Is it green?")
    room.ana.clicks("Abort…", on="Work in", confirm=True)
    room.ana.sees_modal("Will be taken down: banner. Asked about in the channel: page.")
    room.ana.submits(reason="it is red")
    room.ana.sees_no_modal()
    room.has_done(*ALL_UP, "banner down")
    room.ben.clicks("Lift", on="Work in")
    room.channel.shows("Maintenance page (page) is taken down again")
    room.has_done(*ALL_UP, "banner down", "page down")
    assert room.channel.pinned()[0]["buttons"] == []
