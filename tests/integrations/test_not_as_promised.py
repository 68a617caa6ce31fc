"""Answers with the right status and the wrong shape: told in words, never as a fault of ours."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from bot.context import StepContext, Surroundings
from bot.errors import StepError
from tests.stands import calls, github
from tests.stands.stand import STANDS, Trial

__all__ = ["calls", "github"]
WRONG = [None, 7, "yes", [7], [[]], {"data": 7, "admins": 7, "pages": 7, "total_count": []}, {"admins": [7]}]


@pytest.mark.parametrize("uses", ["banner.on", "intercom.message"])
def test_it_is_said_that_the_answer_is_not_what_was_promised(
    uses: str, tmp_path: Path, context_of: Callable[..., StepContext], surroundings: Surroundings
) -> None:
    with STANDS[uses](tmp_path / "stand") as stand:
        trial = Trial(stand, context_of, surroundings)
        assert stand.faults is not None
        for wrong in WRONG:
            fault = stand.faults.arm("status", status=200, skip=1, body=json.dumps(wrong), headers=_JSON)
            with suppress(StepError):
                stand.step.plan(trial.context())
            assert fault.times == 0
            stand.faults.clear()


_JSON = {"content-type": "application/json"}
