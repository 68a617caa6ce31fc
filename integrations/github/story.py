"""What a pull request says to those who find it in their repository: who wants what, and for which maintenance."""

from zoneinfo import ZoneInfo

from bot.step import Context

_TITLE_CHARACTERS = 200


def one_line(text: str) -> str:
    """Return `text` as a title: one line, not too long, calling nobody by name."""
    line = _quiet(" ".join(text.split()))
    return line if len(line) <= _TITLE_CHARACTERS else line[: _TITLE_CHARACTERS - 1] + "…"


def body_of(ctx: Context, what: str, *, left_open: bool = False) -> str:
    """Return the text (Markdown) of a pull request that does `what` for the step of `ctx`.

    `left_open`: people edit and merge it.
    """
    window, zone = ctx.window, ZoneInfo(ctx.window.zone)
    start, end = window.start.astimezone(zone), window.end.astimezone(zone)
    day = "" if start.date() == end.date() else f"{end:%A %d %B %Y, }"
    here = f"{start:%A %d %B %Y, %H:%M} to {day}{end:%H:%M} ({window.zone})"
    there = f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC"
    lines = [
        _quiet(what),
        "",
        f"* Maintenance: {_quiet(ctx.title)} (`{ctx.maintenance}`), step `{ctx.step}`",
        f"* Window: {here}, which is {there}",
        f"* Asked for by: `{_requester(ctx)}`",
    ]
    approvers = _approvers(ctx)
    if approvers:
        lines.append(f"* Approved in Slack by: {', '.join(f'`{name}`' for name in approvers)}")
    if left_open:
        return "\n".join(
            [*lines, "", "maint opened this and leaves it to you: edit it, and merge it when it reads well."]
        )
    lines += [
        "",
        "maint opened this and merges it once checks and reviews allow. It will not merge anything else than this: "
        "please push nothing to the branch. Closing it stops the step.",
    ]
    return "\n".join(lines)


def _requester(ctx: Context) -> str:
    return str(ctx.history[0]["actor"]) if ctx.history else "maint"


def _approvers(ctx: Context) -> list[str]:
    said = [str(entry["actor"]) for entry in ctx.history if entry["kind"] == "approved" and entry["step"] == ctx.step]
    return list(dict.fromkeys(said))


def _quiet(text: str) -> str:
    """Break `@name`, so that words from Slack notify nobody on GitHub."""
    return text.replace("@", "@\u200b")
