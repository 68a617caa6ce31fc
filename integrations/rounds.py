"""Counts how often people have told a step to do its work anew. No integration of its own."""

from bot.step import Context


def rounds_before(ctx: Context) -> int:
    """Return how many times this step was ordered again: retried by hand, or settled as not having happened.

    Part of the name of an intent or a job, so that a person's order is carried out although an earlier one is on
    record, and nothing but a person's order (or the outside's certain no) has it done twice.
    """
    return sum(
        1
        for entry in ctx.history
        if entry["step"] == ctx.step
        and (
            entry["kind"] == "step_retried"
            or (entry["kind"] == "step_settled" and not entry["payload"].get("happened"))
        )
    )
