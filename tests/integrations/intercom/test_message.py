"""The step `intercom.message`: everybody once, through refusals, lost answers, rate limits and stops."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from bot.attempt import perform
from bot.context import StepContext
from bot.errors import AnswerLost, Final, Stopped, Temporary
from integrations.intercom import Message, look
from integrations.intercom.audience import Audience, fix
from integrations.intercom.client import Intercom as Client
from sandbox.intercom import ADMIN_ID, Intercom
from sandbox.server import serving
from tests.maintenance_fixtures import raw_step

TOKEN = "intercom-token"
TEXT = "Scheduled maintenance at 5 pm"
ContextOf = Callable[..., StepContext]


class Office:
    """An Intercom workspace that is served, and contexts of the steps `start` and `done` that write to its people."""

    def __init__(self, context_of: ContextOf) -> None:
        self._context_of = context_of
        self.workspace = Intercom(limit=None)

    def context(self, step: str = "start", **changes: Any) -> StepContext:
        return self._context_of(
            Message,
            step,
            steps=[raw_step("start", "intercom.message"), raw_step("done", "intercom.message")],
            settings={
                "MAINT_INTERCOM_TOKEN": TOKEN,
                "MAINT_INTERCOM_URL": self.url,
                "MAINT_INTERCOM_ADMIN_ID": ADMIN_ID,
            },
            **changes,
        )

    def people(self, count: int, **fields: Any) -> list[str]:
        return [self.workspace.add_contact(**fields).id for _ in range(count)]

    def times(self, contact: str) -> int:
        return len(self.workspace.received(contact))


@pytest.fixture
def office(context_of: ContextOf) -> Iterator[Office]:
    office = Office(context_of)
    with serving(office.workspace.app) as server:
        office.url = server.url
        yield office


def message(**fields: Any) -> Message:
    return Message.model_validate({"body": TEXT, "read_back_after_s": 0, **fields})


def test_everybody_who_is_active_gets_it_once(office: Office) -> None:
    active = office.people(170)
    office.people(5, role="lead")
    office.people(5, seen_s_ago=40 * 86400)
    office.people(5, seen_s_ago=None)
    outcome = perform(message(), office.context())
    assert office.workspace.summary()["recipients"] == 170
    assert all(office.workspace.received(contact) == [f"<p>{TEXT}</p>"] for contact in active)
    assert outcome.summary == "170 messages sent"
    assert {key: outcome.facts[key] for key in ("sent", "skipped", "unknown", "total")} == {
        "sent": 170, "skipped": 0, "unknown": 0, "total": 170,
    }  # fmt: skip
    assert office.workspace.messages[0].sender == ADMIN_ID


def test_the_search_knows_days_and_we_know_seconds(office: Office) -> None:
    inside = office.people(3, seen_s_ago=30 * 86400 - 600)
    outside = office.people(3, seen_s_ago=30 * 86400 + 600)
    perform(message(), office.context())
    assert [office.times(contact) for contact in inside + outside] == [1, 1, 1, 0, 0, 0]


def test_planning_counts_shows_and_sends_nothing(office: Office) -> None:
    shown = [office.workspace.contacts[contact] for contact in sorted(office.people(12))[:3]]
    shown[1].name = "person2@example.com"
    ctx = office.context()
    plan = message(body="Off at 5 pm.\n\nSee https://example.com/").plan(ctx)
    assert plan.summary == (
        "Send an in-app message in Acme to every user seen within the last 30 days. About 12 people will get this"
    )
    assert plan.details == (
        "As they will read it:",
        "Off at 5 pm.",
        "",
        "See https://example.com/",
        f"From Ada Coordinator ({ADMIN_ID}).",
        f"For example: {shown[0].name} ({shown[0].id}), {shown[1].id}, {shown[2].name} ({shown[2].id}).",
    )
    assert office.workspace.messages == []
    assert TOKEN not in repr(plan)
    assert ctx.facts == {}


def test_it_can_be_sent_to_one_person_first_and_they_still_count_as_not_written_to(office: Office) -> None:
    everybody = office.people(3)
    lead = office.workspace.add_contact("lead")
    first = office.workspace.contacts[everybody[1]]
    lead.email = first.email
    ctx = office.context()
    told = message().try_on(ctx, first.email)
    assert told.startswith(f"Sent to {first.name} ({first.id}) alone")
    assert "@" not in told
    assert [office.times(contact) for contact in everybody] == [0, 1, 0]
    assert message().check(ctx) is None
    assert perform(message(), ctx).summary == "3 messages sent"
    assert [office.times(contact) for contact in everybody] == [1, 2, 1]
    message().try_on(ctx, office.workspace.add_contact("lead").email)  # who is not among those it is for may look too
    with pytest.raises(Final, match="knows no user and no lead with that address"):
        message().try_on(ctx, "nobody@example.com")


def test_what_is_not_known_about_the_one_first_message_is_told(office: Office) -> None:
    first = office.workspace.contacts[office.people(1)[0]]
    for kind in ("drop_after", "status"):
        office.workspace.app.arm(kind, path="/messages")
        with pytest.raises(AnswerLost):
            message().try_on(office.context(), first.email)
    office.workspace.refuse(first.id, 403, "forbidden", "This user is blocked")
    with pytest.raises(Final, match="blocked in Intercom"):
        message().try_on(office.context(), first.email)


def test_the_digest_is_about_the_message_and_not_about_the_running_count(office: Office) -> None:
    ctx = office.context()
    before = message().plan(ctx).digest
    office.people(3)
    assert message().plan(ctx).digest == before
    others = [message(body="Other"), message(active_within_days=7), message(role="lead"), message(ledger="first")]
    assert before not in {other.plan(ctx).digest for other in others}


def test_those_who_cannot_be_written_to_are_skipped_and_told_apart(office: Office) -> None:
    reached = office.people(3) + office.people(1, unsubscribed=True)  # from e-mails; in the app one is still reached
    deleted, merged, out, blocked = office.people(2), office.people(1), office.people(1), office.people(1)
    for contact in deleted:
        office.workspace.delete(contact, indexed=True)
    office.workspace.merge(merged[0], indexed=True)
    office.workspace.refuse(out[0], 403, "forbidden", "This user is unsubscribed from emails")
    office.workspace.refuse(blocked[0], 403, "forbidden", "This user is blocked")
    outcome = perform(message(), office.context())
    assert [office.times(contact) for contact in reached] == [1, 1, 1, 1]
    assert outcome.summary == (
        "4 messages sent, 5 skipped (2 deleted, 1 merged into another contact, 1 opted out, 1 blocked in Intercom)"
    )
    assert outcome.facts["skipped_because"] == {
        "deleted": 2,
        "merged into another contact": 1,
        "opted out": 1,
        "blocked in Intercom": 1,
    }
    assert outcome.files["skipped.csv"].splitlines()[1:3] == [f'{contact},"deleted"' for contact in deleted]


@pytest.mark.parametrize("how", ["not yet in that version", "out of reach"])
def test_where_intercom_does_not_tell_deleted_from_merged_neither_do_we(office: Office, how: str) -> None:
    reached, gone = office.people(3), office.people(1)
    office.workspace.merge(gone[0], indexed=True)
    status = 400 if how == "not yet in that version" else 503
    office.workspace.app.arm("status", path="^/contacts/[0-9a-f]+$", status=status, times=20)
    outcome = perform(message(), office.context())
    assert outcome.facts["sent"] == len(reached)
    assert outcome.facts["skipped_because"] == {"deleted or merged": 1}


def test_a_contact_that_intercom_refuses_does_not_hold_up_the_others(office: Office) -> None:
    first = office.people(1)
    odd = office.people(1)
    office.people(3)
    office.workspace.refuse(odd[0], 422, "parameter_invalid", "no such thing")
    outcome = perform(message(), office.context())
    assert office.times(first[0]) == 1
    assert outcome.facts["skipped_because"] == {"refused": 1}


def test_a_message_that_intercom_refuses_reaches_nobody_and_can_be_mended(office: Office) -> None:
    contacts = office.people(50)
    for contact in contacts:
        office.workspace.refuse(contact, 400, "parameter_invalid", "Body is bad")
    ctx = office.context()
    with pytest.raises(Final, match="does not accept the message"):
        perform(message(), ctx)
    assert ctx.ledger("start").counts() == {"pending": 50, "sending": 0, "sent": 0, "skipped": 0, "unknown": 0}
    posts = [request for request in office.workspace.app.requests if request["path"] == "/messages"]
    assert len(posts) == 1


@pytest.mark.parametrize("how", ["plan", "token"])
def test_what_hits_everybody_stops_the_step_and_leaves_the_rest_waiting(office: Office, how: str) -> None:
    office.people(60)
    ctx = office.context()
    if how == "plan":
        office.workspace.plan_allows_messages = False
    else:
        office.workspace.app.arm("status", status=401, path="/messages", times=100, skip=5, body="no")
    with pytest.raises(Final, match="MAINT_INTERCOM_TOKEN"):
        perform(message(), ctx)
    counts = ctx.ledger("start").counts()
    assert counts["sending"] == counts["unknown"] == 0
    assert counts["pending"] == 60 - len(office.workspace.messages)
    office.workspace.plan_allows_messages = True
    office.workspace.app.clear()
    assert perform(message(), office.context(attempt=2)).facts["sent"] == 60
    assert office.workspace.summary()["duplicates"] == 0


def test_a_wrong_token_is_told_while_planning(office: Office) -> None:
    office.workspace.tokens = {"another"}
    with pytest.raises(Final, match="Check MAINT_INTERCOM_TOKEN") as caught:
        message().plan(office.context())
    assert TOKEN not in str(caught.value).replace("MAINT_INTERCOM_TOKEN", "")


def test_an_unknown_sender_is_told_with_those_that_exist(office: Office) -> None:
    with pytest.raises(Final, match=f"no admin '7' .*Ada Coordinator \\({ADMIN_ID}\\)"):
        message(sender="7").plan(office.context())


def test_lost_answers_are_settled_by_reading_back(office: Office) -> None:
    office.people(40)
    office.workspace.app.arm("drop_after", path="/messages", times=3, skip=5)
    outcome = perform(message(), office.context())
    assert outcome.facts["sent"] == 40
    assert office.workspace.summary() | {"texts": None} == {
        "sent": 40, "recipients": 40, "duplicates": 0, "texts": None,
    }  # fmt: skip


def test_what_reading_back_does_not_show_stays_unknown_and_is_not_sent_again(office: Office) -> None:
    contacts = office.people(40)
    office.workspace.app.arm("drop", path="/messages", times=2, skip=5)
    ctx = office.context()
    outcome = perform(message(), ctx)
    assert (outcome.facts["sent"], outcome.facts["unknown"]) == (38, 2)
    assert "2 unknown: they may or may not have got it" in outcome.summary
    assert Counter(map(office.times, contacts)) == {1: 38, 0: 2}
    unknown = [line.split(",")[0] for line in outcome.files["unknown.csv"].splitlines()[1:]]
    assert sorted(unknown) == sorted(contact for contact in contacts if office.times(contact) == 0)
    assert perform(message(), office.context(attempt=2)).facts["unknown"] == 2
    assert len(office.workspace.messages) == 38


def test_another_send_to_the_same_people_is_no_proof_of_this_one(office: Office) -> None:
    """Two maintenances write at the same time, and one is cut off: that somebody was contacted may be the other's."""
    office.people(4)
    cut_off = office.context()
    with Client.of(cut_off) as client:
        fix(cut_off, client, Audience.of("active", "user", 30), "start")
    claimed = cut_off.ledger("start").claim(1)
    perform(message(body="Another one"), office.context(maintenance="2026-11-25-other"))
    outcome = perform(message(), office.context(attempt=2))
    assert (outcome.facts["sent"], outcome.facts["unknown"]) == (3, 1)
    assert [office.workspace.received(contact) for contact in claimed] == [["<p>Another one</p>"]]


def test_a_server_that_fails_is_not_fed_with_everybody(office: Office) -> None:
    office.people(300)
    office.workspace.app.arm("status", status=503, path="/messages", times=10**6, skip=20)
    ctx = office.context()
    with pytest.raises(Temporary, match="still to be told"):
        perform(message(), ctx)
    counts = ctx.ledger("start").counts()
    assert counts["sending"] == 0
    assert 0 < counts["unknown"] <= 90
    office.workspace.app.clear()
    outcome = perform(message(), office.context(attempt=2))
    assert outcome.facts["sent"] + outcome.facts["unknown"] == 300
    assert office.workspace.summary()["duplicates"] == 0


def test_without_a_connection_it_says_so_and_sends_nothing(office: Office) -> None:
    office.people(3)
    step = message()
    with serving(office.workspace.app) as second:
        office.url = second.url
        ctx = office.context()
        assert step.plan(ctx).summary.endswith("About 3 people will get this")
    with pytest.raises(Temporary, match="cannot be reached"):
        step.apply(ctx)
    assert office.workspace.messages == []


def test_the_rate_that_is_granted_is_never_exceeded(office: Office) -> None:
    office.people(120)
    office.workspace.window.limit, office.workspace.window.window_s = 30, 1.0
    outcome = perform(message(), office.context())
    assert outcome.facts["sent"] == 120
    assert sum(office.workspace.window.refused.values()) == 0
    assert max(office.workspace.window.granted.values()) <= 30


def test_a_429_is_waited_out_and_sent_later(office: Office) -> None:
    office.people(30)
    answer = {"type": "error.list", "errors": [{"code": "rate_limit_exceeded", "message": "Exceeded rate limit"}]}
    office.workspace.app.arm(
        "status", status=429, path="/messages", times=3, skip=4, headers={"Retry-After": "1"}, body=answer
    )
    office.workspace.app.arm("status", status=429, path="/search", times=1, headers={"Retry-After": "0"}, body=answer)
    assert perform(message(), office.context()).facts["sent"] == 30
    assert office.workspace.summary()["duplicates"] == 0


def test_a_search_that_fails_half_way_is_begun_again_before_anybody_is_written_to(office: Office) -> None:
    office.people(400)
    ctx = office.context()
    office.workspace.app.arm("status", status=500, path="/search", times=1, skip=1)
    with pytest.raises(Temporary, match="/contacts/search"):
        perform(message(), ctx)
    assert office.workspace.messages == []
    assert "audience" not in ctx.facts
    latecomer = office.people(1)
    outcome = perform(message(), office.context(attempt=2))
    assert outcome.facts["sent"] == 401
    assert office.times(latecomer[0]) == 1
    assert office.workspace.summary()["duplicates"] == 0


def test_a_search_that_repeats_a_page_for_ever_is_given_up(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.people(400)
    page = office.workspace.search.page
    monkeypatch.setattr(office.workspace.search, "page", lambda body: page({**body, "pagination": {"per_page": 150}}))
    with pytest.raises(Final, match="same page twice"):
        perform(message(), office.context())
    assert office.workspace.messages == []


def test_the_audience_stays_as_it_was_when_sending_began(office: Office) -> None:
    office.people(30)
    office.workspace.app.arm("status", status=401, path="/messages", times=1)
    with pytest.raises(Final):
        perform(message(), office.context())
    later = office.people(1)
    assert perform(message(), office.context(attempt=2)).facts["sent"] == 30
    assert office.times(later[0]) == 0


def stop_after(office: Office, number: int, stop: Callable[[], None]) -> None:
    """Call `stop` when so many messages have arrived, in the middle of the next delivery."""
    deliver = office.workspace.deliver

    def counted(*arguments: Any) -> Any:
        made = deliver(*arguments)
        if len(office.workspace.messages) == number:
            stop()
        return made

    office.workspace.deliver = counted  # type: ignore[method-assign]


def test_a_shutdown_in_mid_send_leaves_nobody_in_between(office: Office, surroundings: Any) -> None:
    office.people(300)
    office.workspace.window.limit, office.workspace.window.window_s = 150, 1.0
    ctx = office.context()
    stop_after(office, 60, surroundings.stopping.set)
    with pytest.raises(Stopped):
        perform(message(), ctx)
    counts = ctx.ledger("start").counts()
    assert counts["sending"] == counts["unknown"] == 0
    assert counts["sent"] == len(office.workspace.messages) < 300
    surroundings.stopping.clear()
    assert perform(message(), office.context()).facts["sent"] == 300
    assert office.workspace.summary()["duplicates"] == 0


def test_the_done_message_goes_to_those_who_got_the_first_and_those_active_since(office: Office) -> None:
    got_it = office.people(5)
    gone = office.people(1)
    stranger = office.people(1, seen_s_ago=50 * 86400)
    newcomer = office.people(1, seen_s_ago=50 * 86400)
    office.workspace.delete(gone[0], indexed=True)
    perform(message(), office.context())
    office.workspace.see(newcomer[0])
    done = message(body="We are back", to="ledger:start")
    ctx = office.context("done")
    assert done.plan(ctx).summary.endswith(
        "to everyone who got the message start, and every user seen since. 5 people and those seen since will get this"
    )
    assert perform(done, ctx).summary == "6 messages sent"
    assert [office.workspace.received(contact)[-1] for contact in got_it + newcomer] == ["<p>We are back</p>"] * 6
    assert [office.times(contact) for contact in stranger + gone] == [0, 0]


def test_nobody_is_told_that_it_is_over_who_was_not_told_that_it_began(office: Office) -> None:
    office.people(3)
    outcome = perform(message(to="ledger:start"), office.context("done"))
    assert outcome.summary == "No message sent: there was nobody to tell"
    assert office.workspace.messages == []


def test_a_slip_in_the_name_of_the_earlier_message_is_told(office: Office) -> None:
    with pytest.raises(Final, match="No step sends a message called strat; those that are sent: start, done"):
        message(to="ledger:strat").plan(office.context("done"))


def test_a_second_run_sends_nothing(office: Office) -> None:
    office.people(10)
    perform(message(), office.context())
    step = message()
    assert step.check(office.context()) is not None
    step.apply(office.context())
    assert len(office.workspace.messages) == 10


def test_an_address_without_encryption_is_refused(context_of: ContextOf) -> None:
    ctx = context_of(
        Message, settings={"MAINT_INTERCOM_TOKEN": TOKEN, "MAINT_INTERCOM_URL": "http://api.intercom.io",
                           "MAINT_INTERCOM_ADMIN_ID": "1"}
    )  # fmt: skip
    with pytest.raises(Final, match="https://"):
        message().plan(ctx)


def test_every_request_names_the_version(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.people(2)
    monkeypatch.setattr("sandbox.intercom.api.VERSIONS", {"2.14"})
    monkeypatch.setattr("sandbox.intercom.api.DEFAULT_VERSION", "1.0")
    assert perform(message(), office.context()).facts["sent"] == 2


@pytest.mark.parametrize(
    "fields", [{"body": " "}, {"to": "everybody"}, {"to": "ledger:"}, {"active_within_days": 0}, {"role": "visitor"}]
)
def test_bad_fields_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        message(**fields)


def test_a_crash_in_our_own_code_leaves_nobody_in_between(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.people(30)
    ctx = office.context()
    ledger = type(ctx.ledger("start"))
    settle, calls = ledger.settle, threading.local()

    def broken(self: Any, results: Any) -> None:
        calls.number = getattr(calls, "number", 0) + 1
        if calls.number == 2:
            raise OSError("disk full")
        settle(self, results)

    monkeypatch.setattr(ledger, "settle", broken)
    with pytest.raises(OSError, match="disk full"):
        message().apply(ctx)
    outcome = perform(message(), office.context())
    assert outcome.facts["sent"] + outcome.facts["unknown"] == 30
    assert office.workspace.summary()["duplicates"] == 0


def test_a_lost_answer_never_ends_the_step(office: Office) -> None:
    office.people(1)
    office.workspace.app.arm("drop", path="/messages", times=1)
    try:
        outcome = perform(message(), office.context())
    except AnswerLost:
        pytest.fail("lost answers are settled per recipient, not per step")
    assert outcome.facts["unknown"] == 1


def test_the_check_of_a_configuration(office: Office) -> None:
    values = {"MAINT_INTERCOM_URL": office.url, "MAINT_INTERCOM_TOKEN": TOKEN, "MAINT_INTERCOM_ADMIN_ID": ADMIN_ID}
    assert look(lambda setting: values.get(setting.name)) == "signed in to Acme; messages come from Ada Coordinator"
    with pytest.raises(Final, match="Check MAINT_INTERCOM_TOKEN"):
        look(lambda setting: {**values, "MAINT_INTERCOM_TOKEN": "wrong"}.get(setting.name))
    with pytest.raises(Final, match="no admin '7'"):
        look(lambda setting: {**values, "MAINT_INTERCOM_ADMIN_ID": "7"}.get(setting.name))


def test_nothing_is_sent_while_it_is_not_certain_that_the_step_is_still_ours(office: Office, surroundings: Any) -> None:
    """As after a freeze: another process may have been given the step, so the claimed ones are held back."""
    ours = threading.Event()
    ours.set()
    object.__setattr__(surroundings, "may_act", ours.wait)
    office.people(200)
    office.workspace.window.limit, office.workspace.window.window_s = 15, 1.0
    stop_after(office, 30, ours.clear)
    done: list[Any] = []
    step, ctx = message(), office.context()
    bot = threading.Thread(target=lambda: done.append(perform(step, ctx)))
    bot.start()
    until(lambda: not ours.is_set())
    doubted_at = time.monotonic()
    until(lambda: time.monotonic() > doubted_at + 4)
    sent = len(office.workspace.messages)
    assert sent < 30 + 80, "some that were claimed have to be left, or this test proves nothing"
    until(lambda: time.monotonic() > doubted_at + 6.5)
    assert len(office.workspace.messages) == sent
    office.workspace.window.limit = None
    ours.set()
    bot.join(60)
    assert done[0].facts["sent"] == 200
    assert office.workspace.summary()["duplicates"] == 0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
