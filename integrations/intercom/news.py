"""The change log inside the app: a news item, drafted first, and published once somebody has approved what it says."""

from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from bot.errors import Final, Temporary
from bot.step import Context, OnFailure, Outcome, Plan, Setting, Step, step
from integrations.intercom.body import html_of
from integrations.intercom.client import ADMIN_ID, TOKEN, URL, Intercom
from integrations.intercom.news_item import Item, News, words

_TITLE_CHARACTERS = 255
_CLOCK_S = 2
_INTENT = "draft"


def _title(title: str) -> str:
    one = " ".join(title.split())
    if not one or len(one) > _TITLE_CHARACTERS:
        raise ValueError(f"a title has 1 to {_TITLE_CHARACTERS} characters on one line")
    return one


def _body(body: str) -> str:
    html_of(body)
    return body


class _NewsStep(Step):
    """What drafting and publishing share."""

    settings: ClassVar[tuple[Setting, ...]] = (TOKEN, URL, ADMIN_ID)
    estimate_s: ClassVar[float] = 5.0
    timeout_s: ClassVar[float] = 120.0
    reversible: ClassVar[bool] = True


@step("intercom.news")
class NewsDraft(_NewsStep):
    """Draft a news item in Intercom: an entry of the change log that users see in the app.

    Nobody but teammates sees a draft: read and edit it in Intercom, then let `intercom.publish_news` publish it.
    Undoing deletes the draft; one that has been published meanwhile stays.
    """

    on_failure: ClassVar[OnFailure] = "lift"

    title: Annotated[str, AfterValidator(_title)]
    """The headline, on one line."""
    body: Annotated[str, AfterValidator(_body)]
    """The text, plain: an empty line begins a paragraph, web addresses become links."""
    feeds: tuple[str, ...] = ()
    """The newsfeeds that it is for, by name or number; left out, the only one that the workspace has."""
    labels: tuple[str, ...] = ()
    """Labels that users see with it, such as `Maintenance`."""
    silently: bool = False
    """Whether it appears without a badge."""
    sender: Annotated[str, Field(pattern=r"^\d+$")] | None = None
    """The id of the Intercom admin whose it is; the setting MAINT_INTERCOM_ADMIN_ID where it is not given."""

    def plan(self, ctx: Context) -> Plan:
        with Intercom.of(ctx) as client:
            feeds = News(client).chosen(self.feeds)
            name = client.name_of(self._sender(ctx))
            item = self._item(ctx, tuple(feeds))
        summary = f"Draft a news item for {_named(feeds)}: {self.title}"
        subject = {"uses": self.uses, **item.request(live=False)}
        return Plan(summary, (*self.body.strip().splitlines(), f"From {name}. Users do not see it yet."), subject)

    def check(self, ctx: Context) -> Outcome | None:
        if not ctx.intended(_INTENT):
            return None
        with Intercom.of(ctx) as client:
            found = self._found(ctx, News(client))
        return None if found is None else self._outcome(ctx, found)

    def apply(self, ctx: Context) -> Outcome:
        with Intercom.of(ctx) as client:
            news = News(client)
            item = self._item(ctx, tuple(news.chosen(self.feeds)))
            if not ctx.intend(_INTENT) and (found := self._found(ctx, news)) is not None:
                return self._outcome(ctx, found)
            if "drafted_since" not in ctx.facts:
                ctx.record("Drafting the news item.", drafted_since=client.now() - _CLOCK_S)
            made = news.create(item)
        ctx.record(f"Drafted the news item {made.id}.", item=made.id)
        return self._outcome(ctx, made)

    def verify(self, ctx: Context, outcome: Outcome) -> None:
        with Intercom.of(ctx) as client:
            now = News(client).item(str(outcome.facts["item"]))
        if now is None:
            raise Temporary(f"The news item {outcome.facts['item']} was drafted, and Intercom does not show it.")

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:
        with Intercom.of(ctx) as client:
            news = News(client)
            known = outcome.facts.get("item")
            now = news.item(str(known)) if known else self._found(ctx, news)
            if now is None:
                return Outcome("There is no draft of the news item.")
            if now.is_live:
                return Outcome(f"The news item “{now.title}” has been published, and stays.")
            news.delete(now.id)
        return Outcome(f"Deleted the draft of the news item “{now.title}”.")

    def _found(self, ctx: Context, news: News) -> Item | None:
        """The draft of an earlier run: by its number, or, where the answer was lost, by its title and its time."""
        if "item" in ctx.facts:
            return news.item(str(ctx.facts["item"]))
        if "drafted_since" not in ctx.facts:
            return None  # nothing was sent: that is put on record before
        return news.found(self.title, int(ctx.facts["drafted_since"]))

    def _sender(self, ctx: Context) -> str:
        return self.sender or ctx.setting(ADMIN_ID)

    def _item(self, ctx: Context, feeds: tuple[int, ...]) -> Item:
        sender = self._sender(ctx)
        if not sender.isdigit():
            raise Final(f"{ADMIN_ID.name} is {sender!r}. A news item needs the number of an admin.")
        body = html_of(self.body)
        return Item("", "", self.title, body, int(sender), False, feeds, self.labels, self.silently, 0)

    def _outcome(self, ctx: Context, item: Item) -> Outcome:
        where = _workspace(ctx.setting(URL), item.workspace)
        return Outcome(
            f"Drafted the news item “{item.title}” (number {item.id}). Read and edit it in Intercom, under News{where}",
            {"item": item.id, "title": item.title},
        )


@step("intercom.publish_news")
class PublishNews(_NewsStep):
    """Publish the news item that an `intercom.news` step has drafted, as it reads in Intercom now.

    What is approved is the title, the text, the newsfeeds and the labels as they are when it is asked for: if somebody
    edits the draft after that, it is asked for again. A cancelled maintenance makes it a draft again.
    """

    approval: ClassVar[bool] = True
    on_failure: ClassVar[OnFailure] = "keep"

    draft: str
    """The id of the `intercom.news` step that drafted it."""

    def plan(self, ctx: Context) -> Plan:
        with Intercom.of(ctx) as client:
            news = News(client)
            item = self._item(ctx, news)
            feeds = {number: name for number, name in news.feeds().items() if number in item.feeds}
        if not feeds:
            raise Final(f"The news item “{item.title}” has no newsfeed any more, so nobody would see it. Give it one.")
        labels = f"Labels: {', '.join(item.labels)}. " if item.labels else ""
        badge = "without a badge" if item.silently else "with a badge"
        return Plan(
            f"Publish the news item “{item.title}” in {_named(feeds)}",
            ("As they will read it:", *words(item.body).splitlines(), f"{labels}It appears {badge}."),
            self._subject(item),
        )

    def check(self, ctx: Context) -> Outcome | None:
        with Intercom.of(ctx) as client:
            item = self._item(ctx, News(client))
        return _published(item) if item.is_live else None

    def apply(self, ctx: Context) -> Outcome:
        with Intercom.of(ctx) as client:
            news = News(client)
            item = self._item(ctx, news)
            if not item.feeds:
                raise Final(f"The news item “{item.title}” has no newsfeed any more. Nothing was published.")
            self._must_be_as_approved(ctx, item)
            put = news.put(item, live=True)
        if put is None:
            raise Final(f"The news item “{item.title}” was deleted in Intercom just now. Nothing was published.")
        return _published(put)

    def verify(self, ctx: Context, outcome: Outcome) -> None:
        with Intercom.of(ctx) as client:
            now = News(client).item(str(outcome.facts["item"]))
        if now is None or not now.is_live:
            raise Temporary("The news item was published, and Intercom does not show it as live.")

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:
        known = outcome.facts.get("item") or ctx.outcomes.get(self.draft, {}).get("item")
        with Intercom.of(ctx) as client:
            news = News(client)
            now = news.item(str(known)) if known else None
            if now is None or not now.is_live:
                return Outcome("The news item is not published.")
            back = news.put(now, live=False)
        if back is not None and back.is_live:
            raise Final(f"Intercom still shows the news item “{now.title}”. Take it down there, under News.")
        return Outcome(f"The news item “{now.title}” is a draft again; users do not see it any more.")

    def _subject(self, item: Item) -> dict[str, Any]:
        return {"uses": self.uses, "item": item.id, **item.request(live=True)}

    def _must_be_as_approved(self, ctx: Context, item: Item) -> None:
        """Raise `Final` if somebody has edited the draft since it was planned, moments ago, right before the start."""
        said = [entry["payload"] for entry in ctx.history if entry["kind"] == "approved" and entry["step"] == ctx.step]
        if said and said[-1]["digest"] != Plan("", subject=self._subject(item)).digest:
            raise Final(
                f"The draft “{item.title}” was edited in Intercom after its approval. Nothing was published. Retry the "
                "step: it is asked again, for what the draft says now."
            )

    def _no_draft(self, ctx: Context) -> str:
        status = ctx.statuses.get(self.draft)
        if status is None:
            return f"There is no step {self.draft} that could have drafted a news item. Mend `draft` in the runbook."
        if status in {"skipped", "undone"}:
            return f"The step {self.draft} is {status}, so there is no news item to publish. Skip this step."
        return (
            f"The step {self.draft} has not drafted the news item yet. Let this step need it, and retry it after that."
        )

    def _item(self, ctx: Context, news: News) -> Item:
        drafted = ctx.outcomes.get(self.draft, {}).get("item")
        if drafted is None:
            raise Final(self._no_draft(ctx))
        item = news.item(str(drafted))
        if item is None:
            raise Final(
                f"The news item {drafted} was deleted in Intercom. Nothing was published. Skip this step, or write the "
                "item there by hand."
            )
        return item


def _published(item: Item) -> Outcome:
    return Outcome(f"Published the news item “{item.title}”.", {"item": item.id, "title": item.title, "live": True})


def _named(feeds: dict[int, str]) -> str:
    return f"the newsfeed{'s' if len(feeds) > 1 else ''} {', '.join(feeds.values())}"


def _workspace(api: str, workspace: str) -> str:
    """Where people find it: the workspace's address in the region of the API, as far as that is Intercom's own."""
    host = urlsplit(api).hostname or ""
    if not (host.startswith("api.") and host.endswith("intercom.io") and workspace):
        return "."
    return f": https://app.{host.removeprefix('api.').replace('intercom.io', 'intercom.com')}/a/apps/{workspace}"
