"""Waiting, merging, and every refusal told apart."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from bot import acts
from bot.acts import Act
from bot.context import Surroundings
from bot.errors import Final, Stopped, Temporary
from bot.step import Outcome
from integrations.github.banner import BannerOff
from sandbox.github import GitHub
from sandbox.github.model import Pull
from tests.integrations.github.conftest import FILE, PATH, REPO, TEXT, TOKEN, banner_on, push

Run = Callable[..., Outcome]
BRANCH = "maint/2026-11-25-test/the-step"
MERGE = r"/pulls/\d+/merge$"


def merges(github: GitHub) -> list[int]:
    return [each["status"] for each in github.requests if each["method"] == "PUT" and each["path"].endswith("/merge")]


def eventually(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


class People(threading.Thread):
    """Somebody who does something on GitHub as soon as the pull request is open."""

    def __init__(self, github: GitHub, deed: Callable[[Pull], object]) -> None:
        super().__init__(daemon=True)
        self._github, self._deed = github, deed
        self.start()

    def run(self) -> None:
        eventually(lambda: self._github.pulls(REPO))
        self._deed(self._github.pulls(REPO)[-1])


def test_waits_for_the_required_check_and_review_and_then_merges_the_approved_head(github: GitHub, run: Run) -> None:
    github.protect(REPO, checks=["build"], reviews=1)
    github.run_ci(REPO, "build", after_s=0.5)
    People(github, lambda pull: github.approve(REPO, pull.number))
    outcome = run(banner_on())
    assert merges(github) == [200]
    merge = next(each for each in github.requests if each["method"] == "PUT")
    assert merge["body"]["sha"] == outcome.facts["head_sha"] == github.pull(REPO, 1).head_sha


@pytest.mark.parametrize("ruleset", [True, False])
def test_what_it_waits_for_is_on_the_card_and_in_the_error(
    github: GitHub, run: Run, surroundings: Surroundings, ruleset: bool
) -> None:
    github.protect(REPO, checks=["build", "lint"], reviews=2, ruleset=ruleset)
    github.run_ci(REPO, "build", after_s=None)
    with pytest.raises(Final, match="still waits for check build and check lint") as failed:
        run(banner_on(wait_s=1))
    assert "Nothing was merged; it stays open" in str(failed.value)
    assert ("2 approving reviews" in str(failed.value)) is ruleset, "classic rules do not tell how many reviews"
    shown = surroundings.progress.read("2026-11-25-test")["the-step"]
    assert "waits for check build" in shown["text"]
    assert github.read(REPO, PATH) == FILE


def test_a_retry_goes_on_with_the_same_pull_request(github: GitHub, run: Run) -> None:
    github.protect(REPO, reviews=1)
    with pytest.raises(Final, match="still waits for 1 approving review"):
        run(banner_on(wait_s=0.5))
    github.approve(REPO, 1)
    assert run(banner_on(), attempt=2).facts["pr"] == 1
    assert len(github.pulls(REPO)) == 1


def test_a_pull_request_of_an_earlier_plan_tells_the_new_one(github: GitHub, run: Run) -> None:
    github.protect(REPO, reviews=1)
    with pytest.raises(Final, match="still waits"):
        run(banner_on(text="Down at 4", wait_s=0.5))
    People(github, lambda pull: (eventually(lambda: "Down at 5" in pull.title), github.approve(REPO, 1)))
    run(banner_on(text="Down at 5"), attempt=2)
    assert len(github.pulls(REPO)) == 1
    assert "Down at 5" in str(github.pull(REPO, 1).body)
    assert 'text: "Down at 5"' in github.read(REPO, PATH)


def test_a_failed_required_check_is_final_at_once(github: GitHub, run: Run) -> None:
    github.protect(REPO, checks=["build"])
    github.run_ci(REPO, "build", conclusion="failure")
    with pytest.raises(Final, match=r"the required check build failed \(http"):
        run(banner_on())
    assert merges(github) == []


def test_a_failed_check_that_is_not_required_does_not_stop_the_merge(github: GitHub, run: Run) -> None:
    github.run_ci(REPO, "spelling", conclusion="failure")
    assert run(banner_on()).facts["pr"] == 1


def test_changes_asked_for_are_final_with_the_reviewers_words(github: GitHub, run: Run) -> None:
    github.protect(REPO, reviews=1)
    People(github, lambda pull: github.request_changes(REPO, pull.number, body="Say which zone."))
    with pytest.raises(Final, match=r"grace asked for changes \(“Say which zone\.”\)"):
        run(banner_on())


def test_a_base_branch_that_was_modified_is_the_one_405_that_is_tried_again(github: GitHub, run: Run) -> None:
    github.disturb_merges(REPO, 2)
    run(banner_on())
    assert merges(github) == [405, 405, 200]


def test_it_is_not_tried_again_once_the_head_is_another_one(github: GitHub, run: Run) -> None:
    github.disturb_merges(REPO, 1)
    github.app.arm("delay", path=MERGE, delay_s=0.5)

    def meddle(pull: Pull) -> None:
        eventually(lambda: merges(github))
        github.commit(REPO, {"evil.js": "alert(1)"}, branch=pull.head)

    People(github, meddle)
    with pytest.raises(Final, match="was changed after its approval"):
        run(banner_on())
    assert merges(github) == [405]
    assert github.read(REPO, PATH) == FILE


def test_a_push_just_before_the_merge_is_refused_by_the_pinned_head(github: GitHub, run: Run) -> None:
    github.app.arm("delay", path=r"/contents/", skip=2, delay_s=0.5)  # the last look before the merge
    People(github, lambda pull: github.commit(REPO, {PATH: "enabled: true\ntext: Buy!\n"}, branch=pull.head))
    with pytest.raises(Final, match="was changed after its approval"):
        run(banner_on())
    assert 200 not in merges(github)


def test_update_branch_on_githubs_page_changes_nothing_of_what_was_approved(github: GitHub, run: Run) -> None:
    github.protect(REPO, reviews=1)

    def update(pull: Pull) -> None:
        git = github.repo(REPO).git
        base = github.commit(REPO, {"README.md": "# Theme, better\n"})
        tree = git.merge_tree(base, pull.head_sha)
        assert tree is not None
        push(github, pull.head, tree, pull.head_sha, base)
        github.approve(REPO, pull.number)

    People(github, update)
    assert run(banner_on()).facts["pr"] == 1
    assert github.read(REPO, "README.md") == "# Theme, better\n"


def test_a_branch_that_has_to_be_up_to_date_is_put_on_top_of_its_base(github: GitHub, run: Run) -> None:
    github.protect(REPO, strict=True, reviews=1)

    def move(pull: Pull) -> None:
        github.commit(REPO, {"README.md": "# Theme, better\n"})
        eventually(lambda: github.pull(REPO, 1).head_sha != pull_head)
        github.approve(REPO, pull.number)

    pull_head = ""

    def begin(pull: Pull) -> None:
        nonlocal pull_head
        pull_head = pull.head_sha
        move(pull)

    People(github, begin)
    run(banner_on())
    assert len(github.pulls(REPO)) == 1
    assert TEXT in github.read(REPO, PATH)


def test_a_policy_405_is_final_and_explained(github: GitHub, run: Run) -> None:
    said = "Repository rule violations found\n\nCommits must have verified signatures.\n\n"
    github.app.arm("status", path=MERGE, method="PUT", status=405, body={"message": said})
    with pytest.raises(Final, match=r"may not be merged: Repository rule violations found Commits must have verified"):
        run(banner_on())
    assert sum(each["path"].endswith("/merge") for each in github.app.requests) == 1


def test_a_merge_refused_because_somebody_merged_already_is_a_success(github: GitHub, run: Run) -> None:
    github.app.arm("delay", path=MERGE, method="PUT", delay_s=0.5)

    def merge(pull: Pull) -> None:
        eventually(lambda: any(each["method"] == "PUT" for each in github.app.requests))
        github.merge(REPO, pull.number)

    People(github, merge)
    outcome = run(banner_on())
    assert outcome.facts["merge_sha"] == github.head(REPO) == github.pull(REPO, 1).merge_sha
    assert merges(github) == [405]


def test_a_409_is_read_again_and_merged_when_the_head_is_still_the_approved_one(github: GitHub, run: Run) -> None:
    body = {"message": "Head branch was modified. Review and try the merge again."}
    github.app.arm("status", path=MERGE, method="PUT", status=409, body=body)
    run(banner_on())
    assert merges(github) == [200]


@pytest.mark.parametrize(
    ("status", "headers", "message"),
    [
        (429, {"retry-after": "1"}, "Too many"),
        (403, {"retry-after": "1"}, "You have exceeded a secondary rate limit."),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0"}, "API rate limit exceeded"),
        (502, {}, "Bad gateway"),
    ],
)
def test_a_limit_or_failure_at_the_merge_is_waited_out(
    github: GitHub, run: Run, status: int, headers: dict[str, str], message: str
) -> None:
    github.app.arm("status", path=MERGE, method="PUT", status=status, headers=headers, body={"message": message})
    run(banner_on())
    assert merges(github) == [200]


def test_a_missing_permission_at_the_merge_is_final(github: GitHub, run: Run) -> None:
    body = {"message": "Resource not accessible by integration"}
    headers = {"x-accepted-github-permissions": "contents=write", "x-ratelimit-remaining": "4000"}
    github.app.arm("status", path=MERGE, method="PUT", status=403, headers=headers, body=body)
    with pytest.raises(Final, match=r"lacks a permission. It needs contents=write") as failed:
        run(banner_on())
    assert failed.value.status == 403


def test_a_422_at_the_merge_is_final(github: GitHub, run: Run) -> None:
    body = {"message": "Validation Failed", "errors": [{"resource": "PullRequest", "code": "invalid", "field": "x"}]}
    github.app.arm("status", path=MERGE, method="PUT", status=422, body=body)
    with pytest.raises(Final, match=r"422 .*Validation Failed PullRequest x invalid"):
        run(banner_on())


@pytest.mark.parametrize("kind", ["drop", "drop_after"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/pulls$"), ("PUT", MERGE)])
def test_a_lost_answer_is_read_back(github: GitHub, run: Run, kind: str, method: str, path: str) -> None:
    github.app.arm(kind, method=method, path=path)
    try:
        run(banner_on())
    except Temporary:
        assert (kind, method) == ("drop", "POST"), "only where nothing was done it is left to the next attempt"
        run(banner_on(), attempt=2)
    assert [pull.merged_at is not None for pull in github.pulls(REPO)] == [True]
    assert merges(github).count(200) == 1


def test_conflicts_are_final_and_a_retry_makes_the_change_anew(github: GitHub, run: Run) -> None:
    github.protect(REPO, reviews=1)
    People(github, lambda _: github.commit(REPO, {PATH: FILE.replace("Scheduled", "Emergency")}))
    with pytest.raises(Final, match="conflicts with master"):
        run(banner_on())
    People(github, lambda _: (eventually(lambda: merge_base_moved(github)), github.approve(REPO, 1)))
    run(banner_on(), attempt=2)
    assert len(github.pulls(REPO)) == 1
    assert TEXT in github.read(REPO, PATH)


def merge_base_moved(github: GitHub) -> bool:
    git, head = github.repo(REPO).git, github.head(REPO)
    return head is not None and git.merge_base(github.pull(REPO, 1).head_sha, head) == head


def test_a_file_changed_on_the_base_meanwhile_is_not_merged_over(github: GitHub, run: Run) -> None:
    github.commit(REPO, {PATH: FILE + "\n\n\n\n# the end\n"})
    github.protect(REPO, reviews=1)

    def change(pull: Pull) -> None:
        github.commit(REPO, {PATH: FILE + "\n\n\n\n# the end, far away from our lines\n"})
        github.approve(REPO, pull.number)

    People(github, change)
    with pytest.raises(Final, match="was changed on master of acme/theme since this step was planned"):
        run(banner_on())
    assert 200 not in merges(github)


def test_a_closed_pull_request_is_an_answer(github: GitHub, run: Run) -> None:
    github.protect(REPO, reviews=1)
    People(github, lambda pull: github.close(REPO, pull.number))
    with pytest.raises(Final, match="was closed without being merged"):
        run(banner_on())


def test_commits_of_others_on_our_branch_are_left_alone(github: GitHub, run: Run) -> None:
    github.commit(REPO, {"x": "mine"}, "Ada's work", branch=BRANCH)
    with pytest.raises(Final, match="has commits that are not maint's \\(“Ada's work”\\)"):
        run(banner_on())
    assert not github.pulls(REPO)


def test_a_merge_queue_is_refused_before_anything_is_done(github: GitHub, run: Run) -> None:
    github.protect(REPO, merge_queue=True)
    with pytest.raises(Final, match="through a merge queue only"):
        run(banner_on())
    assert all(each["method"] == "GET" for each in github.requests)


def test_a_merge_method_that_is_not_allowed_is_refused_before_anything_is_done(github: GitHub, run: Run) -> None:
    with pytest.raises(Final, match=r"does not allow merging by rebase\. Write `merge_method: merge or squash`"):
        run(banner_on(merge_method="rebase"))
    assert all(each["method"] == "GET" for each in github.requests)


def test_squash_and_a_base_of_its_own(github: GitHub, run: Run) -> None:
    github.commit(REPO, {}, branch="release")
    outcome = run(banner_on(base="release", merge_method="squash", delete_branch=False))
    assert TEXT in github.read(REPO, PATH, "release")
    assert github.read(REPO, PATH) == FILE
    sha = github.head(REPO, "release")
    assert outcome.facts["merge_sha"] == sha
    assert sha is not None
    assert len(github.repo(REPO).git.commit(sha).parents) == 1
    assert github.head(REPO, BRANCH) is not None


def test_the_merged_branch_goes_unless_somebody_used_it_since(github: GitHub, run: Run) -> None:
    run(banner_on())
    assert github.head(REPO, BRANCH) is None


def test_a_branch_that_cannot_be_deleted_does_not_fail_the_step(github: GitHub, run: Run) -> None:
    github.app.arm("status", method="DELETE", path="/git/refs/", status=403, body={"message": "No"})
    assert run(banner_on()).facts["pr"] == 1
    assert github.head(REPO, BRANCH) is not None


def test_a_stop_is_heard_while_waiting(github: GitHub, run: Run, surroundings: Surroundings) -> None:
    github.protect(REPO, reviews=1)
    People(github, lambda _: surroundings.stopping.set())
    with pytest.raises(Stopped):
        run(banner_on())
    surroundings.stopping.clear()
    github.approve(REPO, 1)
    assert run(banner_on()).facts["pr"] == 1


def test_an_abort_leaves_no_pull_request_that_somebody_could_merge_later(
    github: GitHub, run: Run, surroundings: Surroundings
) -> None:
    github.commit(REPO, {PATH: FILE.replace("enabled: false", "enabled: true")})
    github.protect(REPO, reviews=1)
    abort = Act("U0ANA", "a")
    People(
        github, lambda _: surroundings.maintenances.record("night", lambda state: acts.abort(state, abort, "enough"))
    )
    off = BannerOff(repository=REPO, path=PATH)  # has no undo that would close it
    with pytest.raises(Stopped):
        run(off, id_="down", maintenance="night")
    assert [pull.state for pull in github.pulls(REPO)] == ["closed"]
    with pytest.raises(Stopped):  # killed before it was recorded, it begins again
        run(off, id_="down", maintenance="night")
    assert {pull.state for pull in github.pulls(REPO)} == {"closed"}


def test_a_primary_limit_says_when_it_ends(github: GitHub, run: Run) -> None:
    github.add_token(TOKEN, limit=1)
    with pytest.raises(Temporary) as limited:
        run(banner_on())
    assert limited.value.retry_after_s is not None
    assert 3000 < limited.value.retry_after_s <= 3600
    reset = datetime.now(UTC) + timedelta(seconds=limited.value.retry_after_s)
    assert "rate limit" in str(limited.value)
    assert reset > datetime.now(UTC)
