"""Who somebody is to Slack: how old what is known of them may be, and what is assumed while Slack is not asked."""

import dataclasses
from collections.abc import Iterator

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.errors import NotAllowed
from bot.people import People
from sandbox.server import Server, serving
from sandbox.slack import Config, Workspace

BEN, GROUP = "U0BEN0001", "S0APPROVE"


@pytest.fixture(scope="module")
def workspace() -> Iterator[tuple[Workspace, Server]]:
    made = Workspace(Config())
    with serving(made.app) as server:
        yield made, server


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def case(workspace: tuple[Workspace, Server]) -> Iterator[tuple[People, Workspace, Clock]]:
    made, server = workspace
    usual = made.state.config
    clock = Clock()
    client = WebClient(token=usual.app.bot_token, base_url=f"{server.url}/api/", retry_handlers=[])
    yield People(client, clock), made, clock
    made.state.config = usual
    made.faults.clear()


def without_ben(workspace: Workspace) -> None:
    config = workspace.state.config
    groups = tuple(
        dataclasses.replace(group, members=tuple(one for one in group.members if one != BEN)) for group in config.groups
    )
    workspace.state.config = dataclasses.replace(config, groups=groups)


def test_who_was_taken_out_of_the_group_a_moment_ago_approves_nothing_any_more(
    case: tuple[People, Workspace, Clock],
) -> None:
    people, workspace, clock = case
    assert people.among(BEN, [GROUP])
    without_ben(workspace)
    clock.now_s = 6.0
    assert people.among(BEN, [GROUP]), "what is not about an approval may be a minute old"
    assert not people.among(BEN, [GROUP], fresh=True)
    assert not people.among(BEN, [GROUP])


def test_a_crowd_that_presses_at_once_is_judged_by_one_look(case: tuple[People, Workspace, Clock]) -> None:
    people, workspace, _ = case
    workspace.faults.requests.clear()
    assert [people.among(BEN, [GROUP], fresh=True) for _ in range(8)] == [True] * 8
    assert len(workspace.faults.requests) == 1


def test_where_slack_will_not_be_asked_again_yet_the_last_look_counts_for_a_minute(
    case: tuple[People, Workspace, Clock],
) -> None:
    people, workspace, clock = case
    assert people.among(BEN, [GROUP], fresh=True)
    slower = {"status": 429, "headers": {"Retry-After": "30"}, "body": {"ok": False, "error": "ratelimited"}}
    workspace.faults.arm("status", times=9, **slower)
    clock.now_s = 59.0
    assert people.among(BEN, [GROUP], fresh=True)
    clock.now_s = 61.0
    with pytest.raises(NotAllowed, match="ratelimited"):
        people.among(BEN, [GROUP], fresh=True)


def test_while_slack_is_down_no_right_is_assumed(case: tuple[People, Workspace, Clock]) -> None:
    people, workspace, clock = case
    assert people.among(BEN, [GROUP], fresh=True)
    workspace.faults.arm("status", times=9, status=503, body="down")
    clock.now_s = 6.0
    with pytest.raises(NotAllowed):
        people.among(BEN, [GROUP], fresh=True)
    with pytest.raises(NotAllowed):
        people.person(BEN, fresh=True)


def test_a_channel_that_slack_does_not_tell_of_is_not_taken_for_one_without_us(
    case: tuple[People, Workspace, Clock],
) -> None:
    people, workspace, _ = case
    assert people.we_are_in("C0MAINT01")
    assert not people.we_are_in("C0NOWHERE")
    workspace.faults.arm("status", path=r"conversations\.info", status=500)
    with pytest.raises(NotAllowed, match="whether I am in this channel, so nothing was planned"):
        people.we_are_in("C0GENERAL")


def test_a_direct_message_is_no_place_for_a_log_and_needs_no_scope_to_say_so(
    case: tuple[People, Workspace, Clock], workspace: tuple[Workspace, Server]
) -> None:
    made, server = workspace
    usual = made.state.config
    client = WebClient(token=usual.app.bot_token, base_url=f"{server.url}/api/", retry_handlers=[])
    direct = str(client.conversations_open(users=BEN)["channel"]["id"])
    app = dataclasses.replace(usual.app, scopes=frozenset({"channels:read", "groups:read", "im:write"}))
    made.state.config = dataclasses.replace(usual, apps=(app, *usual.apps[1:]))
    with pytest.raises(SlackApiError, match="missing_scope"):
        client.conversations_info(channel=direct)
    assert not case[0].we_are_in(direct)


def test_mentions_become_names_and_whom_slack_does_not_name_keeps_the_id(case: tuple[People, Workspace, Clock]) -> None:
    people, workspace, _ = case
    assert people.named(f"<@{BEN}> or <!subteam^{GROUP}>") == "@Ben Okafor or @maint-approvers"
    assert people.named("<@U0NOBODY1|nob> and <!subteam^S0GONE001|@old>, <!here>") == "@nob and @old, <!here>"
    assert people.named("<@U0NOBODY1> and <!subteam^S0GONE001>") == "@U0NOBODY1 and @S0GONE001"
    workspace.faults.arm("status", path="^/api/", times=9, status=503, body="down")
    assert people.named(f"<@U0DEV0001> and <!subteam^{GROUP}>") == "@U0DEV0001 and @maint-approvers"
