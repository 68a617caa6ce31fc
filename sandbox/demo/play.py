"""Plays the people of the demo: a requester who plans, and an approver who reads and presses. Slack's protocol only."""

import re
import time
from collections.abc import Callable
from typing import Any

from sandbox.slack.people import CannotDoError, Slack

Say = Callable[[str], None]
RUNBOOK = "postgres-upgrade"
_LIMIT_S = 1200.0
_GATE = "retry:gate"
_RETRIES = 3


class Story:
    """One maintenance from `/maint start` to its end. `say` gets every line of the log as the channel shows it."""

    def __init__(self, url: str, say: Say) -> None:
        self.slack = Slack(url, wait_s=60)
        self.ana = self.slack.person("ana")
        self.ben = self.slack.person("ben")
        self._say = say
        self._told: set[str] = set()
        self._retries = 0

    def begin(self) -> None:
        """Plan the maintenance in the form, as somebody would who does not know the command's words."""
        self.slack.wait_for_app()
        self._say("Ana types /maint start")
        self.ana.says("/maint start")
        self.ana.sees_modal("Runbook")
        self.ana.chooses(RUNBOOK, "Runbook", view="modal")
        self.ana.sees_modal("old_data")
        self.ana.submits_form({"Start": "now", "Length": "2h"})
        self.ana.sees("is planned")

    def play(self) -> str:
        """Approve whatever is asked, until the maintenance is over; returns how it ended, as its log says.

        A failed step ends the story early, since in it nothing should fail; but a gate that is red because this machine
        is busy with other things is tried again, as its message tells people to.
        """
        until = time.monotonic() + _LIMIT_S
        revision = -1
        while time.monotonic() < until:
            screen = self.slack.sees("ben", "maintenance", revision, 5.0)
            revision = screen["revision"]
            messages = screen["channel"]["messages"]
            self._tell(messages)
            self._approve(messages)
            state = _state(messages)
            if state == "failed" and self._retry_gate(messages):
                continue
            if state:
                return state
        raise AssertionError(f"the maintenance was not over within {_LIMIT_S:g} s")

    def _retry_gate(self, messages: list[dict[str, Any]]) -> bool:
        red = next((message["ts"] for message in messages if _GATE in _actions(message)), None)
        if red is None or self._retries == _RETRIES:
            return False
        self._retries += 1
        self._say("The gate is red: other work on this machine makes queries slow. Ben presses Retry.")
        self.ben.clicks(_GATE, on=red, confirm=True, wait=False)
        return True

    def verify(self) -> str:
        """Ask for `/maint verify`, and return what it answers."""
        self.ana.says("/maint verify")
        return str(self.ana.sees("The log of")["plain"])

    def _approve(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            if "Approve" in message["buttons"]:
                title = message["plain"].split("\n")[0]
                self._say(f"Ben presses Approve on: {title}")
                try:
                    self.ben.clicks("Approve", on=message["ts"], confirm=True, wait=False)
                except (CannotDoError, LookupError, AssertionError) as error:
                    self._say(f"  (the button had gone: {str(error).splitlines()[0]})")
                return

    def _tell(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            if re.match(r"#\d+ ", message["plain"]) and message["ts"] not in self._told:
                self._told.add(message["ts"])
                self._say(message["plain"])


def _state(messages: list[dict[str, Any]]) -> str:
    """How the maintenance ended: as the last entry of its log says, or `failed` if it waits for somebody's mending."""
    for message in messages:
        if "Retry" in message["buttons"] or "It happened" in message["buttons"]:
            return "failed"
        found = re.search(r"The maintenance is (completed|aborted|cancelled|rolled back)", message["plain"])
        if found and message["plain"].startswith("#"):
            return found[1]
    return ""


def _actions(message: dict[str, Any]) -> set[str]:
    blocks = message.get("blocks") or []
    return {element["action_id"] for block in blocks if block["type"] == "actions" for element in block["elements"]}
