"""The JSON of what CloudCannon answers, as its API description has it."""

from datetime import datetime
from typing import Any

from sandbox.cloudcannon.model import Build, Output, Pull, Site, Sync


def at_text(at: datetime) -> str:
    """An instant as the API writes it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _maybe(at: datetime | None) -> str | None:
    return at_text(at) if at else None


def site(one: Site) -> dict[str, Any]:
    """A site, in full."""
    built = [build for build in one.builds if build.completed_at]
    return {
        "uuid": one.uuid,
        "id": one.id,
        "site_name": one.name,
        "stable_domain": f"{one.uuid}.cloudcannon.example",
        "domain_name": None,
        "ssg": "jekyll",
        "storage_provider": "github",
        "storage_provider_details": {"full_name": one.repository, "branch": one.branch},
        "last_synced": _maybe(max((sync.completed_at for sync in one.syncs if sync.completed_at), default=None)),
        "last_compiled": _maybe(built[-1].completed_at if built else None),
        "last_compiled_success": _maybe(
            max((build.completed_at for build in built if build.successful and build.completed_at), default=None)
        ),
        "last_output": _maybe(
            max((output.completed_at for output in one.outputs if output.completed_at), default=None)
        ),
        "last_published": _maybe(one.last_published),
        "building_locked": one.building_locked,
        "has_open_editing_session": one.has_open_editing_session,
        "sync_error": None,
        "output_error": None,
        "pr_number": next((pull.number for pull in one.pulls if pull.state == "open"), None),
        "pr_external_url": None,
        "publish_mode": one.publish_mode,
        "destroy_on_publish": one.destroy_on_publish,
        "created_at": at_text(one.created_at),
        "updated_at": at_text(one.created_at),
    }


def _base(one: Sync | Build | Output, owner: Site) -> dict[str, Any]:
    return {
        "uuid": one.uuid,
        "id": one.id,
        "name": f"{type(one).__name__} #{one.id}",
        "created_at": at_text(one.created_at),
        "updated_at": at_text(one.completed_at or one.created_at),
        "completed_at": _maybe(one.completed_at),
        "site_uuid": owner.uuid,
    }


def sync(one: Sync, owner: Site) -> dict[str, Any]:
    """A sync: `after_identifier` is the commit that it brought."""
    return {
        **_base(one, owner),
        "provider": "github",
        "provider_data": {},
        "identifier": one.before,
        "after_identifier": one.sha,
        "diff_id": None,
        "successful": True if one.completed_at else None,
        "triggered_build": one.triggered_build,
    }


def build(one: Build, owner: Site) -> dict[str, Any]:
    """A build."""
    return {**_base(one, owner), "site_id": owner.id, "successful": one.successful, "metadata": None, "pinnable": False}


def output(one: Output, owner: Site) -> dict[str, Any]:
    """An output."""
    successful = True if one.completed_at else None
    return {**_base(one, owner), "provider": "cloudcannon", "provider_data": {}, "successful": successful}


def pull(one: Pull, owner: Site) -> dict[str, Any]:
    """A pull request."""
    repository = {"name": owner.repository.split("/")[1], "full_name": owner.repository}
    return {
        "number": one.number,
        "state": one.state,
        "title": one.title,
        "body": one.body,
        "created_at": at_text(one.created_at),
        "updated_at": at_text(one.merged_at or one.created_at),
        "closed_at": _maybe(one.merged_at),
        "merged_at": _maybe(one.merged_at),
        "locked": False,
        "draft": False,
        "head": {"ref": owner.branch, "sha": one.head_sha, "repo": repository},
        "base": {"ref": owner.publish_branch, "sha": one.base_sha, "repo": repository},
        "is_external_contributor": False,
    }
