"""The conflict radar: what speaks against a window, and how it is overridden."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import integrations
from bot.changes import plan_of_change
from bot.conflict_kinds import DEFAULTS, KINDS, levels_of
from bot.decide import Ask, Move, Start, decide
from bot.entry import Entry, Kind
from bot.errors import BadInput
from bot.evolve import evolve, planned
from bot.overrides import overridden, overriding, refusal, split_override
from bot.radar import Conflict, conflicts, of_change, targets
from bot.state import State
from bot.step import Plan
from tests.bot.entries import ANA, BEN, POLICY
from tests.maintenance_fixtures import created_payload, raw_step

integrations.load()

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
START = datetime(2026, 11, 25, 9, tzinfo=UTC)
BANNER = raw_step("banner", "banner.on", **{"with": {"repository": "{{ params.theme }}", "text": "x", "url": "/"}})


def made(*steps: dict[str, Any], start: datetime = START, hours: float = 2, id_: str = "one", **more: Any) -> State:
    window = {
        "start": start.isoformat(),
        "end": (start + timedelta(hours=hours)).isoformat(),
        "zone": more.pop("zone", "UTC"),
    }
    payload = created_payload(
        [*steps] or [raw_step("work")], NOW, window=window, params={"theme": "acme/theme"}, **more
    )
    return planned(payload, ANA, NOW, id_)


def kinds(found: list[Conflict]) -> Mapping[str, bool]:
    return {each.kind: each.blocks for each in found}


def test_a_good_window_has_no_conflict() -> None:
    assert conflicts(made(), NOW, ()) == []


def test_every_kind_is_explained_and_has_a_level() -> None:
    assert KINDS.keys() == DEFAULTS.keys()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (timedelta(hours=20), "That is 20 hours of notice; postgres-upgrade wants 1 day."),
        (timedelta(0), "That is no time at all of notice; postgres-upgrade wants 1 day."),
    ],
)
def test_too_short_a_notice_blocks(given: timedelta, text: str) -> None:
    [found] = conflicts(made(radar={"notice_s": 86400.0}), START - given, ())
    assert (found.kind, found.blocks, found.text) == ("notice", True, text)
    assert conflicts(made(radar={"notice_s": 86400.0}), START - timedelta(days=1), ()) == []


def test_a_window_shorter_than_the_estimates_blocks_and_one_without_a_margin_warns() -> None:
    work = raw_step("work", estimate_s=6000.0, due=["start", 0.0])
    [found] = conflicts(made(work, hours=1), NOW, ())
    assert kinds([found]) == {"too_short": True}
    assert re.search(
        r"By the estimates it ends \d+ minutes after the announced end, at Wed 25 Nov 2026 10:", found.text
    )
    [found] = conflicts(made(work, radar={"margin_s": 3600.0}), NOW, ())
    assert kinds([found]) == {"margin": False}
    assert found.text.endswith("minutes to spare; 1 hour should be.")
    assert conflicts(made(work, radar={"margin_s": 60.0}), NOW, ()) == []


def test_maintenances_that_share_a_target_overlap() -> None:
    mine = made(BANNER)
    assert targets(mine) == {"acme/theme"}
    [found] = conflicts(mine, NOW, [made(BANNER, id_="two", start=START + timedelta(hours=1)), mine])
    assert kinds([found]) == {"overlap": True}
    assert found.text.startswith(
        "two (Postgres 14 to 18) works on the same at the same time, on acme/theme: Wed 25 Nov"
    )
    later = made(BANNER, id_="two", start=START + timedelta(hours=2))
    assert conflicts(mine, NOW, [later, made(id_="three")]) == []


def test_one_that_runs_late_is_under_way_until_it_ends() -> None:
    late = replace(made(BANNER, id_="late", start=START - timedelta(hours=3)), started_at=START - timedelta(hours=3))
    assert conflicts(made(BANNER), NOW, [late]) == []
    assert kinds(conflicts(made(BANNER), START + timedelta(minutes=1), [late])) == {"overlap": True}


def test_targets_are_found_by_default_values_inside_keys_and_not_where_only_a_later_step_tells() -> None:
    app = {"turn_off": {"url": "https://a.example/off"}, "turn_on": {"command": ["on"]}, "read": {"url": "https://a"}}
    vacuum = raw_step("vacuum", "postgres.vacuum")
    unknown = raw_step("page", "statuspage.begin", **{"with": {"page": "{{ outcomes.vacuum.page }}"}})
    found = targets(made(raw_step("off", "app.off", **{"with": app}), vacuum, unknown))
    assert found == {"https://a.example/off", "MAINT_POSTGRES_DSN"}


def test_a_change_of_clocks_in_any_stated_zone_warns() -> None:
    # Europe's clocks go back on 25 October 2026 at 01:00 UTC.
    night = made(start=datetime(2026, 10, 25, 0, 30, tzinfo=UTC), zone="Europe/Berlin")
    found = conflicts(night, night.window.start, (), ["America/New_York", "Europe/London"])
    assert [each.about for each in found] == ["Europe/Berlin", "Europe/London"]
    assert found[0].text.startswith(
        "The clocks of Europe/Berlin change within the window, from CEST (UTC+2) to CET (UTC+1) at 01:00 UTC"
    )


def test_past_midnight_warns_and_the_midnight_that_ends_a_day_does_not() -> None:
    until_midnight = made(start=datetime(2026, 11, 25, 22, tzinfo=UTC))
    assert conflicts(until_midnight, NOW, ()) == []
    [found] = conflicts(replace(until_midnight, window=replace(until_midnight.window, zone="Europe/Berlin")), NOW, ())
    assert found.text == "It runs past midnight, until Thu 26 Nov 2026 01:00 CET (UTC+1): say the date with it."


def test_the_policy_decides_what_blocks_and_what_is_not_looked_at() -> None:
    night = {
        "start": datetime(2026, 11, 25, 23, tzinfo=UTC),
        "radar": {"notice_s": 9e9, "levels": {"midnight": "block"}},
    }
    assert kinds(conflicts(made(**night), NOW, ())) == {"notice": True, "midnight": True}
    night["radar"] = {"notice_s": 9e9, "levels": {"midnight": "off", "notice": "warn"}}
    assert kinds(conflicts(made(**night), NOW, ())) == {"notice": False}


def test_a_change_is_only_blocked_by_what_it_brings_and_never_once_it_has_begun() -> None:
    notice, overlap = Conflict("notice", "short", True), Conflict("overlap", "both", True, "two")
    assert kinds(of_change([overlap, notice], [overlap, notice], made())) == {"notice": True, "overlap": False}
    assert kinds(of_change([overlap], [], made())) == {"overlap": True}
    assert kinds(of_change([overlap, notice], [], replace(made(), status="in_progress"))) == {
        "overlap": False,
        "notice": False,
    }


@pytest.mark.parametrize(
    ("words", "rest", "reason"),
    [
        ("tomorrow 22:00", "tomorrow 22:00", ""),
        ("tomorrow override=the vendor insists", "tomorrow", "the vendor insists"),
        ('upgrade override="at the latest" at in 2h', "upgrade at in 2h", "at the latest"),
        ("override='it is ours' at now", "at now", "it is ours"),
        ("note=override=x", "note=override=x", ""),
    ],
)
def test_the_reason_is_in_quotes_or_all_that_follows(words: str, rest: str, reason: str) -> None:
    assert split_override(words) == (rest, reason)


def test_an_empty_reason_is_none() -> None:
    with pytest.raises(BadInput, match="reason is needed"):
        split_override("tomorrow override=")


def test_levels_are_read_or_refused_with_what_there_is() -> None:
    assert levels_of("notice=warn, overlap=off") == {"notice": "warn", "overlap": "off"}
    assert levels_of("") == {}
    for words in ("notice", "notice=no", "full-moon=block"):
        with pytest.raises(ValueError, match="one of notice, too_short"):
            levels_of(words)


def override(found: list[Conflict], **more: Any) -> State:
    steps = [raw_step("tell", phase="scheduled"), raw_step("work", needs=["tell"], approval=POLICY)]
    payload = overriding(created_payload(steps, START), found, "it is urgent", ANA, ["S0APPROVE"], **more)
    return planned(payload, ANA, NOW, "one")


BLOCK, WARN = Conflict("notice", "Too late.", True), Conflict("midnight", "Past midnight.", False)


def test_nothing_starts_before_somebody_has_approved_the_override() -> None:
    state = override([BLOCK, WARN])
    assert decide(state, START) == [Ask("override")]
    assert state.specs["override"].with_ == {"reason": "it is urgent", "conflicts": [BLOCK.plain, WARN.plain]}
    assert state.specs["override"].approval is not None
    assert not state.specs["override"].approval.requester_may
    state = _told(state, Kind.APPROVAL_REQUESTED, **_REQUEST)
    state = _told(state, Kind.APPROVED, token="t", digest="d", of=1)
    assert decide(state, START) == [Start("override", 1)]
    state = _told(_told(state, Kind.STEP_STARTED, attempt=1), Kind.STEP_SUCCEEDED, attempt=1, summary="", facts={})
    assert (state.status, state.milestones) == ("draft", ())
    assert decide(state, START) == [Move("scheduled"), Start("tell", 1)]


def test_a_warning_needs_no_approval() -> None:
    state = override([WARN])
    assert "override" not in state.specs


def test_nobody_overrides_alone() -> None:
    alone = raw_step("work", approval={**POLICY, "approvers": [ANA], "requester_may": True})
    with pytest.raises(BadInput, match="second person"):
        overriding(created_payload([alone], START), [BLOCK], "it is urgent", ANA, [])
    with pytest.raises(BadInput, match="second person"):
        overriding(created_payload([raw_step("work")], START), [BLOCK], "it is urgent", ANA, [])
    with pytest.raises(BadInput, match="reason is needed"):
        overriding(created_payload([raw_step("work")], START), [BLOCK], " ", ANA, [BEN])


def test_a_change_keeps_what_it_overrides_and_its_approval_shows_it() -> None:
    with pytest.raises(BadInput, match="Too late"):
        overridden([BLOCK, WARN], "")
    assert overridden([WARN], "for nothing") == {"conflicts": [WARN.plain]}
    assert refusal([WARN]) == ""
    state = made(raw_step("work", approval=POLICY))
    window = {"start": START.isoformat(), "end": START.isoformat(), "zone": "UTC"}
    kept = overridden([BLOCK, WARN], "the vendor insists")
    plans = []
    for with_ in (window, {**window, **kept}):
        step = raw_step("move-1", "maint.window", change="move-1", title="Move", **{"with": with_})
        payload = {"change": "move-1", "what": "moved", "reason": "", "window": window, "steps": [step]}
        changed = _told(state, Kind.CHANGE_ASKED, None, **payload)
        plans.append(plan_of_change(changed, "move-1", NOW, lambda *_: Plan("")))
    assert plans[1].details == (
        "In spite of what blocks it. Reason: the vendor insists",
        "Overridden: Too late.",
        "Warning: Past midnight.",
    )
    assert plans[0].digest != plans[1].digest


_REQUEST: dict[str, Any] = {
    "token": "t",
    "digest": "d",
    "summary": "",
    "details": [],
    "count": 1,
    "approvers": [],
    "expires_at": (START + timedelta(hours=1)).isoformat(),
}


def _told(state: State, kind: Kind, step: str | None = "override", **payload: Any) -> State:
    return evolve(state, Entry(state.id, state.seq + 1, NOW, BEN, kind, step, payload, "", "", ""))
