"""The step `alertmanager.silence` against a real Alertmanager: quiet while it has to be, and not a moment longer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.connections import CONNECTIONS
from bot.entry import Kind
from bot.errors import Final, Stopped, Temporary
from integrations.alertmanager import Silence
from tests.integrations.alertmanager.server import Alertmanager
from tests.integrations.leases.alongside import UNTIL, Night, until


def up(server: Alertmanager, night: Night) -> list[str]:
    """The ids of the maintenance's silences that are up."""
    return [one["id"] for one in server.silences(night.maintenance, "active", "pending")]


def all_of(server: Alertmanager, night: Night) -> set[str]:
    return {one["id"] for one in server.silences(night.maintenance, "active", "pending", "expired")}


def posts(server: Alertmanager) -> list[Any]:
    return [body for method, _, _, body in server.road.asked if method == "POST"]


def test_alerts_are_silent_for_as_long_as_it_takes_and_heard_again_afterwards(
    server: Alertmanager, night: Night, step: Silence, name: str
) -> None:
    run = night.run(step)
    (id_,) = until(lambda: up(server, night))
    first_end = datetime.fromisoformat(server.silence(id_)["endsAt"])
    server.fire(name)
    until(lambda: server.state(name) == ("suppressed", [id_]))
    until(lambda: datetime.now(UTC) > first_end + timedelta(seconds=0.5))
    assert server.state(name) == ("suppressed", [id_])
    assert up(server, night) == [id_]
    assert name not in server.paged
    night.settle()
    outcome = run.end()
    silence = server.silence(id_)
    assert silence["status"]["state"] == "expired"
    assert outcome.facts["silence"] == id_
    assert datetime.fromisoformat(outcome.facts["expired_at"]) == datetime.fromisoformat(silence["endsAt"])
    assert f"[{night.maintenance}:quiet]" in silence["comment"]
    assert silence["createdBy"] == "maint"
    assert all_of(server, night) == {id_}
    until(lambda: server.state(name) == ("active", []))
    until(lambda: name in server.paged)
    assert [line for line in night.told() if id_ in line] == night.told()
    assert len(night.told()) == 1


def test_the_end_does_not_wait_for_the_lease(server: Alertmanager, night: Night, name: str) -> None:
    run = night.run(Silence(matchers=(f"alertname={name}",), until=UNTIL, lease_s=600))
    (id_,) = until(lambda: up(server, night))
    planned_end = datetime.fromisoformat(server.silence(id_)["endsAt"])
    night.settle(Kind.STEP_SKIPPED)
    outcome = run.end()
    assert datetime.fromisoformat(outcome.facts["expired_at"]) < planned_end - timedelta(minutes=5)
    assert night.run(step_again := Silence(matchers=("a=b",), until=UNTIL)).end().facts == outcome.facts
    assert step_again.check(night.ctx()) is not None


def test_a_restart_leaves_it_and_takes_it_up_again(server: Alertmanager, night: Night, step: Silence) -> None:
    run = night.run(step)
    until(night.told)
    (id_,) = up(server, night)
    with pytest.raises(Stopped):
        night.restart(run)
    assert up(server, night) == [id_]
    assert night.standing(step) == f"the silence {id_}"
    assert step.check(night.ctx()) is None
    again = night.run(step)
    before = server.silence(id_)["endsAt"]
    until(lambda: server.silence(id_)["endsAt"] > before)
    night.settle()
    assert again.end().facts["silence"] == id_
    assert all_of(server, night) == {id_}
    assert night.standing(step) is None


def test_a_lost_answer_makes_no_second_silence(server: Alertmanager, night: Night, step: Silence) -> None:
    server.faults.arm("drop_after", method="POST")
    run = night.run(step)
    (id_,) = until(lambda: up(server, night))
    night.settle()
    assert run.end().facts["silence"] == id_
    assert all_of(server, night) == {id_}


def test_what_a_run_made_without_getting_to_know_it_is_found_by_the_next(
    server: Alertmanager, night: Night, step: Silence
) -> None:
    server.faults.arm("drop_after", method="POST")
    server.faults.arm("status", method="GET", status=503, skip=2)
    with pytest.raises(Temporary, match="503"):
        night.run(step).end()
    assert night.told() == []
    (id_,) = up(server, night)
    run = night.run(step, attempt=2)
    until(night.told)
    night.settle()
    assert run.end().facts["silence"] == id_
    assert all_of(server, night) == {id_}
    assert "of an earlier try" in night.told()[0]


def test_two_of_the_same_become_one_and_then_none(server: Alertmanager, night: Night, step: Silence) -> None:
    server.faults.arm("duplicate", method="POST")
    run = night.run(step)
    until(lambda: len(up(server, night)) == 2)
    with pytest.raises(Stopped):
        night.restart(run)
    again = night.run(step)
    until(lambda: len(up(server, night)) == 1)
    night.settle()
    again.end()
    assert up(server, night) == []


def test_an_abort_ends_it(server: Alertmanager, night: Night, step: Silence) -> None:
    assert Silence.on_failure == "lift"
    assert Silence.reversible
    run = night.run(step)
    until(night.told)
    (id_,) = up(server, night)
    night.abort()
    with pytest.raises(Stopped):
        run.end()
    server.faults.arm("status", method="DELETE", status=503)
    assert id_ in night.undo(step).summary
    assert up(server, night) == []
    ended_at = server.silence(id_)["endsAt"]
    assert id_ in night.undo(step).summary
    assert server.silence(id_)["endsAt"] == ended_at


def test_undoing_what_never_was(server: Alertmanager, night: Night, step: Silence) -> None:
    night.ctx()
    assert night.undo(step).summary == "There is no silence to end."
    night.settle()
    assert night.run(step).end().summary == "There is no silence to end."
    assert posts(server) == []


def test_one_that_somebody_ended_by_hand_is_told_and_not_put_up_again(
    server: Alertmanager, night: Night, step: Silence
) -> None:
    run = night.run(step)
    until(night.told)
    (id_,) = up(server, night)
    server.end(id_)
    with pytest.raises(Final, match=r"by hand.* Retry quiet"):
        run.end()
    assert up(server, night) == []
    again = night.run(step, attempt=2)
    (new,) = until(lambda: up(server, night))
    assert new != id_
    night.settle()
    assert again.end().facts["silence"] == new


def test_one_that_somebody_extended_by_hand_stays_so_until_the_end(
    server: Alertmanager, night: Night, step: Silence
) -> None:
    run = night.run(step)
    until(night.told)
    (id_,) = up(server, night)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    server.move_end(id_, tomorrow)
    renewals = len(posts(server))
    until(lambda: len(posts(server)) > renewals)
    assert abs(datetime.fromisoformat(server.silence(id_)["endsAt"]) - tomorrow) < timedelta(seconds=1)
    night.settle()
    run.end()
    assert server.silence(id_)["status"]["state"] == "expired"


def test_a_lease_that_ran_out_while_the_bot_was_gone_is_replaced_and_told(
    server: Alertmanager, night: Night, step: Silence
) -> None:
    run = night.run(step)
    until(night.told)
    (id_,) = up(server, night)
    with pytest.raises(Stopped):
        night.restart(run)
    server.move_end(id_, datetime.now(UTC) + timedelta(seconds=1))
    until(lambda: not up(server, night))
    again = night.run(step)
    (new,) = until(lambda: up(server, night))
    night.settle()
    assert again.end().facts["silence"] == new
    assert night.told()[1].startswith(f"{id_} is not up any more; ")


def test_it_outlasts_a_server_that_is_down_for_longer_than_the_lease(
    server: Alertmanager, night: Night, step: Silence
) -> None:
    run = night.run(step)
    until(night.told)
    (id_,) = up(server, night)
    down = server.faults.arm("status", status=503, times=10**6)
    until(lambda: not up(server, night))
    assert "503" in until(lambda: night.told()[1:])[0]
    down.times = 0
    (new,) = until(lambda: up(server, night))
    night.settle()
    assert run.end().facts["silence"] == new
    assert f"The silence {id_} had run out at" in night.told()[2]
    assert len(night.told()) == len(set(night.told())) == 4


def test_a_token_that_expires_meanwhile_is_told_with_what_to_do(
    server: Alertmanager, night: Night, step: Silence
) -> None:
    night.settings["MAINT_ALERTMANAGER_TOKEN"] = "hunter2-token"
    run = night.run(step)
    until(night.told)
    server.faults.arm("status", status=401, body="token hunter2-token is expired")
    with pytest.raises(Final, match=r"MAINT_ALERTMANAGER_TOKEN.*is not renewed any more") as caught:
        run.end()
    assert "hunter2" not in str(caught.value)


def test_planning_changes_nothing_and_tells_what_fires(
    server: Alertmanager, night: Night, step: Silence, name: str
) -> None:
    quiet = step.plan(night.ctx())
    assert quiet.details[0] == "0 alerts that match fire now."
    server.fire(name)
    plan = until(lambda: next(iter([made for made in [step.plan(night.ctx())] if name in made.details[0]]), None))
    assert plan.details[0] == f"1 alert that matches fires now: {name}."
    assert plan.digest == quiet.digest
    assert plan.summary == f'Silence alertname="{name}" until app-on is done'
    assert posts(server) == []


def test_what_alertmanager_cannot_understand_is_refused_when_planning(server: Alertmanager, night: Night) -> None:
    with pytest.raises(Final, match="missing closing"):
        Silence(matchers=('alertname=~"Db["',), until=UNTIL).plan(night.ctx())


@pytest.mark.parametrize("name_of", ["nobody", "quiet"])
def test_a_step_that_is_not_there_is_told(server: Alertmanager, night: Night, name_of: str) -> None:
    for act in ("plan", "apply"):
        with pytest.raises(Final, match="no other step"):
            getattr(Silence(matchers=("a=b",), until=name_of), act)(night.ctx())
    assert server.road.asked == []


def test_the_check_before_the_night(server: Alertmanager) -> None:
    found = CONNECTIONS["Alertmanager"]
    told = found.look(lambda one: server.base_url if one.name == "MAINT_ALERTMANAGER_URL" else one.default)
    assert told.startswith("version 0.")
    server.faults.arm("status", status=302, headers={"location": "/login"})
    with pytest.raises(Final, match=r"302.*Check MAINT_ALERTMANAGER_URL"):
        found.look(lambda one: server.base_url if one.name == "MAINT_ALERTMANAGER_URL" else one.default)
    server.faults.arm("status", status=200, body="<html>Welcome</html>")
    with pytest.raises(Final, match="no Alertmanager"):
        found.look(lambda one: server.base_url if one.name == "MAINT_ALERTMANAGER_URL" else one.default)
