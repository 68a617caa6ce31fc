"""`/maint stats`: how maintenances have gone so far, the last ten as bars."""

from datetime import timedelta

from bot.errors import BadInput
from bot.track_record import Ended, Summary
from bot.window import duration_words
from commands.verb import Bot, Call, Reply, verb

_WIDTH = 16


@verb("stats", "stats", "how maintenances have gone: on time, late, well foreseen; the last ten")
def stats(call: Call, bot: Bot) -> Reply:
    """Say the shares first, then show the last ten, the latest first. Raises `BadInput` for words that mean nothing."""
    if call.words.strip():
        raise BadInput(f"`/maint stats` takes nothing more: it is not clear what {call.words.strip()!r} means.")
    found = bot.track_record()
    if not found.last:
        return Reply("No maintenance is over yet; there is nothing to count.")
    return Reply("\n".join([*summed_up(found), "", bars(found)]))


def summed_up(found: Summary) -> list[str]:
    """Return the record as lines of mrkdwn; what there is nothing to say about has no line."""
    counts = ", ".join(f"{number} {status.replace('_', ' ')}" for status, number in found.by_status.most_common())
    number = sum(found.by_status.values())
    lines = [f"*{number} maintenance{' is' if number == 1 else 's are'} over*: {counts}."]
    if found.on_time is not None:
        lines.append(f"On time: {found.on_time:.0%} of those completed, by the end first promised.{_late(found)}")
    if found.extended:
        lines.append(f"Extended on the way: {found.extended}.")
    if found.error_start is not None and found.error_half is not None:
        lines.append(
            f"Forecast: off by {_share(found.error_start)} when it began, by {_share(found.error_half)} half-way "
            f"(mean of the last {found.judged})."
        )
    if found.wait_median is not None and found.wait_longest is not None:
        lines.append(
            f"Approvals in the window: {duration_words(found.wait_median)} as a rule, "
            f"{duration_words(found.wait_longest)} at the longest."
        )
    return lines


def _share(error: float) -> str:
    """A share of the true length; beyond all of it the number says nothing more."""
    return f"{error:.0%} of the time it took" if error <= 1 else "more than the time it took"


def _late(found: Summary) -> str:
    if found.late_median is None or found.latest is None:
        return ""
    return (
        f" Late ones by {duration_words(found.late_median)} as a rule, at most by "
        f"{duration_words(found.latest.late)} (`{found.latest.id}`)."
    )


def bars(found: Summary) -> str:
    """Return the last ten as a block of fixed width: `█` used, `░` planned and not used, `▓` used beyond the plan."""
    longest = max(max(each.planned, each.took or timedelta()) for each in found.last)
    names = max(len(each.id) for each in found.last)
    lines = [f"{each.id:<{names}} {_bar(each, longest):<{_WIDTH}} {_told(each)}" for each in found.last]
    return "\n".join(["```", *lines, "```", "█ used  ░ planned and not used  ▓ beyond what was planned"])


def _bar(each: Ended, longest: timedelta) -> str:
    planned, took = (_cells(length, longest) for length in (each.planned, each.took or timedelta()))
    return "█" * min(planned, took) + "░" * (planned - took) + "▓" * (took - planned)


def _cells(length: timedelta, longest: timedelta) -> int:
    return max(1, round(_WIDTH * (length / longest))) if length else 0


def _told(each: Ended) -> str:
    of = f"of {duration_words(each.planned)}"
    took = f"{duration_words(each.took)} {of}" if each.took is not None else of
    if each.status != "completed":
        return f"{took}, {each.status.replace('_', ' ')}"
    return f"{took}, {duration_words(each.late)} late" if each.late else f"{took}, on time"
