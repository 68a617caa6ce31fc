"""The step that tells people by an in-app message."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from bot.errors import Temporary
from bot.step import Context, Ledger, Outcome, Plan, Retry, Setting, Step, step
from integrations.intercom.audience import Audience, fix, must_be_whole, people
from integrations.intercom.body import html_of
from integrations.intercom.client import ADMIN_ID, TOKEN, URL, Intercom
from integrations.intercom.delivery import Delivery
from integrations.intercom.gone import tell_apart
from integrations.intercom.preview import Letter, send_to, who_gets_it
from integrations.intercom.read_back import mark_cut_off, read_back

_FRUITLESS = 3
_FILE_LINES = 10_000
_PEOPLE_PER_S = 100
"""A guess below the 166 requests a second that Intercom grants an app; the last runs correct it."""


def _with_text(body: str) -> str:
    html_of(body)
    return body


@step("intercom.message")
class Message(Step):
    """Send an Intercom in-app message to every active user, once each.

    Who gets it is found first and written down; each recipient is put on record before their message is sent, so that
    a crash, a retry or a restart goes on where it was and writes to nobody twice. Whoever may or may not have got it
    is told as `unknown` and not written to again. It keeps to the rate that Intercom grants.
    """

    settings: ClassVar[tuple[Setting, ...]] = (TOKEN, URL, ADMIN_ID)
    estimate_s: ClassVar[float] = 600.0
    timeout_s: ClassVar[float] = 7200.0
    retry: ClassVar[Retry] = Retry(attempts=8, wait_s=10.0)
    approval: ClassVar[bool] = True
    tells: ClassVar[Mapping[str, tuple[str, ...]]] = {"body": ("start", "length", "zone", "impact", "link")}
    pausable: ClassVar[bool] = True
    try_on_words: ClassVar[str] = "Send to me first"

    body: Annotated[str, AfterValidator(_with_text)]
    """The message as plain text: an empty line begins a paragraph, web addresses become links."""
    to: Annotated[str, Field(pattern=r"^(active|ledger:[A-Za-z0-9._-]+)$")] = "active"
    """Who gets it: `active`, or `ledger:NAME` for exactly those who got the message NAME, and whoever was active
    since."""
    active_within_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """How recently one must have been seen to be `active`, in days."""
    role: Literal["user", "lead"] = "user"
    """Which kind of contact."""
    sender: str | None = None
    """The id of the Intercom admin from whom it comes; the setting MAINT_INTERCOM_ADMIN_ID where it is not given."""
    message_type: Literal["inapp", "in_app"] = "inapp"
    """How the API is told that it is an in-app message: its examples and its schema disagree."""
    ledger: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] | None = None
    """The name under which later messages refer to the recipients of this one; the step's id where it is not given."""
    read_back_after_s: Annotated[float, Field(ge=0)] = 10.0
    """How long after the last message to ask Intercom what came of those whose answer was lost, in seconds."""

    def plan(self, ctx: Context) -> Plan:
        audience, sender = self._audience(ctx), self._sender(ctx)
        with Intercom.of(ctx) as client:
            workspace = (client.me().get("app") or {}).get("name", "Intercom")
            name = client.name_of(sender)
            number, count, sample = who_gets_it(ctx, client, audience)
        return Plan(
            summary=f"Send an in-app message in {workspace} to {audience.text()}. {count}",
            details=("As they will read it:", *self.body.strip().splitlines(), f"From {name} ({sender}).", sample),
            subject={
                "uses": self.uses,
                "body": html_of(self.body),
                "to": self.to,
                "role": self.role,
                "active_within_days": self.active_within_days,
                "sender": sender,
                "message_type": self.message_type,
                "ledger": self._ledger_name(ctx),
            },
            estimate_s=max(1.0, number / _PEOPLE_PER_S),
        )

    def check(self, ctx: Context) -> Outcome | None:
        if "audience" not in ctx.facts:
            return None
        counts = self._ledger(ctx).counts()
        if counts["pending"] or counts["sending"] or (counts["unknown"] and "read_back" not in ctx.facts):
            return None
        return self._outcome(ctx)

    def try_on(self, ctx: Context, who: str) -> str:
        with Intercom.of(ctx) as client:
            return send_to(client, self._letter(self._sender(ctx)), who, self.role)

    def apply(self, ctx: Context) -> Outcome:
        sender, ledger = self._sender(ctx), self._ledger(ctx)
        mark_cut_off(ledger)
        with Intercom.of(ctx) as client:
            client.name_of(sender)
            fix(ctx, client, self._audience(ctx), self._ledger_name(ctx))
            self._send_all(ctx, client, ledger, sender)
            while ledger.counts()["unknown"]:
                ctx.sleep(self.read_back_after_s)
                if not read_back(ctx, client, ledger, int(ctx.facts["sending_since"])):
                    break
                self._send_all(ctx, client, ledger, sender)
            tell_apart(ctx, client, ledger)
        if ledger.counts()["unknown"]:
            left = people(ledger.counts()["unknown"])
            ctx.record(f"{left} may or may not have got the message, and will not be sent it again.", read_back=True)
        return self._outcome(ctx)

    def verify(self, ctx: Context, outcome: Outcome) -> None:  # noqa: ARG002 - the signature of the contract
        must_be_whole(ctx, self._ledger_name(ctx))

    def _send_all(self, ctx: Context, client: Intercom, ledger: Ledger, sender: str) -> None:
        """Deliver until nobody is pending; a hold-up is waited out, and given up after three without a message."""
        letter, fruitless = self._letter(sender), 0

        while True:
            delivery = Delivery(ctx, client, ledger, lambda contact: letter(contact, self.role))
            try:
                delivery.run()
                counts, total = ledger.counts(), sum(ledger.counts().values())
                if not delivery.held or not counts["pending"]:
                    return
                ctx.hold(total - counts["pending"], total, "messages")
                continue
            except Temporary as held:
                fruitless = 1 if delivery.sent else fruitless + 1
                if fruitless >= _FRUITLESS:
                    waiting = people(ledger.counts()["pending"])
                    raise Temporary(f"{held} {waiting} still to be told; a retry goes on there.") from None
            ctx.sleep(2.0**fruitless)

    def _letter(self, sender: str) -> Letter:
        body = html_of(self.body)

        def letter(contact: str, role: str) -> dict[str, object]:
            return {
                "message_type": self.message_type,
                "body": body,
                "from": {"type": "admin", "id": sender},
                "to": {"type": role, "id": contact},
            }

        return letter

    def _audience(self, ctx: Context) -> Audience:
        audience = Audience.of(self.to, self.role, self.active_within_days)
        audience.must_be_known(ctx)
        return audience

    def _sender(self, ctx: Context) -> str:
        return self.sender or ctx.setting(ADMIN_ID)

    def _ledger_name(self, ctx: Context) -> str:
        return self.ledger or ctx.step

    def _ledger(self, ctx: Context) -> Ledger:
        return ctx.ledger(self._ledger_name(ctx))

    def _outcome(self, ctx: Context) -> Outcome:
        ledger = self._ledger(ctx)
        counts = ledger.counts()
        reasons = Counter(reason.partition(":")[0] for _, reason in ledger.recipients("skipped"))
        facts = {
            "ledger": self._ledger_name(ctx),
            "sent": counts["sent"],
            "skipped": counts["skipped"],
            "unknown": counts["unknown"],
            "total": sum(counts.values()),
            "skipped_because": dict(reasons),
        }
        files = {f"{state}.csv": _csv(ledger.recipients(state)) for state in ("skipped", "unknown") if counts[state]}
        return Outcome(_summary(counts, reasons), facts, files)


def _summary(counts: dict[str, int], reasons: Counter[str]) -> str:
    if not any(counts.values()):
        return "No message sent: there was nobody to tell"
    messages = "1 message" if counts["sent"] == 1 else f"{counts['sent']:,} messages"
    parts = [f"{messages} sent"]
    if counts["skipped"]:
        why = ", ".join(f"{number:,} {reason}" for reason, number in reasons.most_common())
        parts.append(f"{counts['skipped']:,} skipped ({why})")
    if counts["unknown"]:
        parts.append(
            f"{counts['unknown']:,} unknown: they may or may not have got it; look them up in Intercom (unknown.csv), "
            "and write to those who did not by hand"
        )
    return ", ".join(parts)


def _csv(rows: Iterable[tuple[str, str]]) -> str:
    lines = ["contact,reason"]
    for number, (contact, reason) in enumerate(rows):
        if number == _FILE_LINES:
            lines.append("more,the ledger has them all")
            break
        quoted = reason.replace('"', "'")
        lines.append(f'{contact},"{quoted}"')
    return "\n".join(lines) + "\n"
