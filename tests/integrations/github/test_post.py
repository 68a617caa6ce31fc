"""`github.post`: a post in a pull request that is left to people."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from bot.attempt import perform
from bot.context import StepContext
from bot.errors import Final
from bot.step import Window
from bot.templates import render, variables
from integrations.github import Post
from integrations.report import closing_report
from integrations.report.step import facts
from sandbox.github import GitHub
from tests.integrations.github.conftest import REPO
from tests.integrations.report.day import START, whole_day

Contexts = Callable[..., StepContext]
NAME = "_posts/2026-11-25-the-database-is-new.md"
WINDOW = {"start": "2026-11-25T04:00:00+00:00", "end": "2026-11-25T06:00:00+00:00", "zone": "Pacific/Auckland"}


def post(**fields: Any) -> Post:
    given = {"repository": REPO, "title": "The database is new", "body": "It is *faster*.", "wait_s": 20}
    return Post.model_validate({**given, **fields})


@pytest.fixture
def ctx(context: Contexts) -> Contexts:
    return lambda step, **options: context(step, window=WINDOW, id_="post", maintenance="m-1", **options)


def text_of(github: GitHub) -> str:
    return github.repo(REPO).git.run("cat-file", "blob", f"maint/m-1/post:{NAME}").decode()


def test_the_plan_shows_the_whole_post_and_opens_nothing(github: GitHub, ctx: Contexts) -> None:
    plan = post(categories=["operations"]).plan(ctx(post()))
    assert plan.summary == (
        "Post: The database is new: open a pull request with _posts/2026-11-25-the-database-is-new.md in acme/theme, "
        "for people to merge"
    )
    assert plan.details == (
        "---", "# maint m-1:post", 'title: "The database is new"', "date: 2026-11-25 17:00:00 +1300", 'layout: "post"',
        "categories:", '  - "operations"', "---", "", "It is *faster*.",
    )  # fmt: skip
    assert github.pulls(REPO) == []


def test_the_pull_request_is_left_to_people(github: GitHub, ctx: Contexts) -> None:
    outcome = perform(post(), ctx(post()))
    (pull,) = github.pulls(REPO)
    assert pull.state == "open"
    assert outcome.summary.endswith(": edit it there, and merge it when it reads well")
    assert outcome.facts["pr_url"] in outcome.summary
    with pytest.raises(FileNotFoundError):
        github.read(REPO, NAME)
    assert yaml.safe_load(text_of(github).split("---")[1])["title"] == "The database is new"


def test_what_people_do_with_it_is_never_done_again(github: GitHub, ctx: Contexts, undo: Any) -> None:
    step = post()
    outcome = perform(step, ctx(step))
    edited = text_of(github).replace("faster", "much faster")
    github.commit(REPO, {NAME: edited}, branch="maint/m-1/post")
    assert perform(step, ctx(step, attempt=2)).facts == outcome.facts
    assert (text_of(github), len(github.pulls(REPO))) == (edited, 1)
    assert undo(step, ctx(step), outcome).summary.startswith("Closed pull request #1")
    assert text_of(github) == edited
    assert undo(step, ctx(step), outcome).summary == "No pull request with the post is open."
    assert "which is closed now" in perform(step, ctx(step, attempt=3)).summary


def test_merged_if_the_runbook_says_so_and_never_written_over(github: GitHub, ctx: Contexts, undo: Any) -> None:
    step = post(merge=True)
    outcome = perform(step, ctx(step))
    assert outcome.facts["changed"] is True
    github.commit(REPO, {NAME: github.read(REPO, NAME) + "More.\n"})
    perform(step, ctx(step, attempt=2))
    assert len(github.pulls(REPO)) == 1
    with pytest.raises(Final, match="was changed by others since"):
        undo(step, ctx(step), outcome)


def test_another_post_of_that_name_is_left_alone(github: GitHub, ctx: Contexts) -> None:
    github.commit(REPO, {NAME: "Another\n"})
    with pytest.raises(Final, match="is another post already"):
        post().plan(ctx(post()))
    assert post(slug="else").plan(ctx(post())).summary.count("2026-11-25-else.md") == 1


def test_liquid_and_html_are_text(ctx: Contexts) -> None:
    said = "{{ site.x }} {% include y %} {{{ z }}} <script>1</script> a < b <https://example.com/>\n{: .big}"
    assert post(body=said).plan(ctx(post())).details[-2:] == (
        "&#123;&#123; site.x }} &#123;% include y %} &#123;&#123;&#123; z }}} &lt;script>1&lt;/script> a < b "
        "<https://example.com/>",
        "&#123;: .big}",
    )


def test_its_text_is_made_from_the_facts_of_the_report(ctx: Contexts) -> None:
    report = facts(closing_report(whole_day().entries, START + timedelta(minutes=105)))
    names = variables(
        maintenance="m-1", title="T", window=Window(START, START, "UTC"), params={}, outcomes={"report": report}
    )
    body = """\
{% set report = outcomes['report'].words %}
It took {{ report.took }} of {{ report.allotted }}, and ended {{ report.ended }}.
{% for line in report.upgraded + report.downtime %}
* {{ line }}
{%- endfor %}"""
    text = "\n".join(post(body=render(body, names)).plan(ctx(post())).details)
    assert "It took 1 hour 40 minutes of 2 hours, and ended 15 minutes before the announced end.\n" in text
    assert "\n* PostgreSQL 14 to 18\n* The app was off for 27 minutes 24 seconds, 17:05:06 to 17:32:30 NZDT.\n" in text


@pytest.mark.parametrize(
    "fields", [{"title": " "}, {"body": "\n"}, {"slug": "../x"}, {"date": "2026-11-25T17:00:00"}, {"date": "soon"}]
)
def test_what_makes_no_post_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        post(**fields)
