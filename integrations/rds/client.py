"""The calls to Amazon RDS that the steps need, with errors told apart. Source: Amazon RDS API Reference, each action.

Everything that is made gets a name derived from the step's key, so that a lost answer is settled by asking for it.
"""

import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bot.connections import ValueOf
from bot.errors import AnswerLost, Final, Temporary
from bot.step import Context, Setting

REGION = Setting(
    "MAINT_AWS_REGION", help="The AWS region of the databases; empty for that of the AWS_ variables.", default=""
)
ENDPOINT = Setting(
    "MAINT_AWS_ENDPOINT", help="Address of an API that stands in for Amazon's; empty for theirs.", default=""
)
SETTINGS = (REGION, ENDPOINT)

Found = Mapping[str, Any]
_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 10, 60
_LATER = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable", "InternalFailure"}
_SERVER_ERROR = 500
_EVENT_MINUTES = 24 * 60
_NAME_CHARACTERS = 40


class Rds:
    """A client of one region. Credentials come from where the AWS tools look for them; none is ever shown."""

    def __init__(self, region: str, endpoint: str) -> None:
        self._api, self._errors, self._lost = api_of(region, endpoint)

    @classmethod
    def of(cls, ctx: Context) -> "Rds":
        """Return a client as the settings say."""
        return cls(ctx.setting(REGION), ctx.setting(ENDPOINT))

    @classmethod
    def by(cls, value_of: ValueOf) -> "Rds":
        """Return a client for `maint check`."""
        return cls(value_of(REGION) or "", value_of(ENDPOINT) or "")

    def instances(self) -> list[Found]:
        """Return the instances of the region (the first page)."""
        return list(self._read("describe_db_instances")["DBInstances"])

    def instance(self, name: str) -> Found:
        """Return an instance. Raises `Final` if there is none of that name."""
        try:
            return dict(self._read("describe_db_instances", DBInstanceIdentifier=name)["DBInstances"][0])
        except _Absent:
            raise Final(f"Amazon RDS has no instance {name} in this region. Mend `instance` in the runbook.") from None

    def targets(self, engine: str, version: str) -> list[str]:
        """Return the versions of later majors that an instance can be upgraded to from this one."""
        found = self._read("describe_db_engine_versions", Engine=engine, EngineVersion=version)["DBEngineVersions"]
        targets = [target for each in found for target in each.get("ValidUpgradeTarget", [])]
        return [str(target["EngineVersion"]) for target in targets if target.get("IsMajorVersionUpgrade")]

    def snapshot(self, name: str) -> Found | None:
        """Return a snapshot, or None if there is none of that name."""
        try:
            return dict(self._read("describe_db_snapshots", DBSnapshotIdentifier=name)["DBSnapshots"][0])
        except (_Absent, IndexError):
            return None

    def make_snapshot(self, name: str, instance: str) -> Found:
        """Find the snapshot `name`, or have it begun, and return it."""
        return self._made(
            lambda: self.snapshot(name), "create_db_snapshot", DBSnapshotIdentifier=name, DBInstanceIdentifier=instance
        )

    def upgrade(self, instance: str, version: str, parameter_group: str | None) -> None:
        """Order that the instance is upgraded now. Raises `AnswerLost` if it may or may not have been taken."""
        group = {"DBParameterGroupName": parameter_group} if parameter_group else {}
        self._write(
            "modify_db_instance",
            DBInstanceIdentifier=instance,
            EngineVersion=version,
            AllowMajorVersionUpgrade=True,
            ApplyImmediately=True,
            **group,
        )

    def events(self, instance: str) -> list[str]:
        """Return what RDS has said about an instance in the last day, oldest first."""
        found = self._read(
            "describe_events", SourceIdentifier=instance, SourceType="db-instance", Duration=_EVENT_MINUTES
        )
        return [str(event.get("Message", "")) for event in found["Events"]]

    def deployment(self, name: str) -> Found | None:
        """Return the blue/green deployment of that name, or None."""
        wanted = [{"Name": "blue-green-deployment-name", "Values": [name]}]
        found = self._read("describe_blue_green_deployments", Filters=wanted)["BlueGreenDeployments"]
        return next((dict(each) for each in found if each["BlueGreenDeploymentName"] == name), None)

    def make_deployment(self, name: str, source_arn: str, version: str, parameter_group: str | None) -> Found:
        """Find the deployment `name`, or have it begun, and return it."""
        group = {"TargetDBParameterGroupName": parameter_group} if parameter_group else {}
        return self._made(
            lambda: self.deployment(name),
            "create_blue_green_deployment",
            BlueGreenDeploymentName=name,
            Source=source_arn,
            TargetEngineVersion=version,
            **group,
        )

    def switch_over(self, identifier: str, timeout_s: int) -> None:
        """Order that a deployment is switched over. Raises `AnswerLost` if it may or may not have been taken."""
        self._write(
            "switchover_blue_green_deployment",
            BlueGreenDeploymentIdentifier=identifier,
            SwitchoverTimeout=timeout_s,
        )

    def delete_deployment(self, identifier: str, *, target: bool) -> None:
        """Delete a deployment, and with `target` the green instance too."""
        fields = {"DeleteTarget": True} if target else {}
        try:
            self._write("delete_blue_green_deployment", BlueGreenDeploymentIdentifier=identifier, **fields)
        except AnswerLost as lost:
            raise Temporary(f"{lost} Whether it is still there is asked before it is deleted again.") from None

    def _made(self, find: Callable[[], Found | None], action: str, **fields: Any) -> Found:
        found = find()
        if found is not None:
            return found
        with_answer: Exception | None = None
        try:
            self._write(action, **fields)
        except (_Present, AnswerLost) as error:
            with_answer = error
        found = find()
        if found is None:
            raise Temporary(f"{action} was sent, and what it makes is not there yet. {with_answer or ''}".strip())
        return found

    def _read(self, action: str, **fields: Any) -> dict[str, Any]:
        try:
            return self._call(action, fields)
        except AnswerLost as lost:
            raise Temporary(str(lost)) from None

    def _write(self, action: str, **fields: Any) -> dict[str, Any]:
        return self._call(action, fields)

    def _call(self, action: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Make one call. Raises `Temporary` or `Final` where it was certainly not done, else `AnswerLost`."""
        try:
            return dict(getattr(self._api, action)(**fields))
        except self._errors.ClientError as error:
            raise _told(action, error.response) from None
        except (self._errors.EndpointConnectionError, self._errors.ConnectTimeoutError) as error:
            raise Temporary(f"Amazon RDS cannot be reached: {error}") from None
        except self._lost as error:
            raise AnswerLost(f"The answer of Amazon RDS to {action} was lost: {error}") from None
        except self._errors.BotoCoreError as error:
            raise Final(f"Amazon RDS was not asked ({action}): {error} Mend the credentials or settings.") from None


@functools.cache
def api_of(region: str, endpoint: str) -> tuple[Any, Any, tuple[type[Exception], ...]]:
    """Return boto3's client, botocore's errors, and those of them that lose an answer. A client may serve all threads.

    Made once: reading Amazon's description of its API takes a good part of a second.
    """
    # Imported here: that takes as long again, and every start of the bot would pay for it.
    import boto3  # noqa: PLC0415
    from botocore import exceptions  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        # One try: what a repetition may do is for the steps to say.
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
    try:
        # A session of its own: the shared one may not be used by several threads while it is made.
        session = boto3.session.Session(region_name=region or None)
        api = session.client("rds", endpoint_url=endpoint or None, config=config)
    except exceptions.BotoCoreError as error:
        raise Final(f"Amazon RDS cannot be used: {error} Set {REGION.name}, restart, and retry.") from None
    return api, exceptions, (exceptions.HTTPClientError, exceptions.ResponseStreamingError, ResponseParserError)


class _Absent(Final):
    """There is none of that name."""


class _Present(Final):
    """There is one of that name already."""


def _told(action: str, response: Mapping[str, Any]) -> Temporary | Final | AnswerLost:
    fault = response.get("Error", {})
    code, said = str(fault.get("Code", "")), str(fault.get("Message", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _LATER:
        return Temporary(f"Amazon RDS asks for patience ({code}): {said}")
    if status >= _SERVER_ERROR:
        return AnswerLost(f"Amazon RDS failed in {action} ({status} {code}): it may or may not have been done. {said}")
    if "NotFound" in code:
        return _Absent(f"Amazon RDS does not have it ({code}): {said}")
    if "AlreadyExists" in code:
        return _Present(f"Amazon RDS has it already ({code}): {said}")
    return Final(f"Amazon RDS refuses {action} ({code}): {said} Mend it, and retry the step.")


def name_for(key: str, instance: str, number: int) -> str:
    """Return the name of what a step makes: letters, digits and single hyphens, beginning with a letter."""
    digest = hashlib.sha256(f"{key} {number}".encode()).hexdigest()[:8]
    words = re.sub(r"[^a-z0-9]+", "-", f"maint-{instance}-{key}".lower())[:_NAME_CHARACTERS].strip("-")
    return f"{words}-{digest}"


def listed(versions: Iterable[str]) -> str:
    """Return versions as people read them."""
    return ", ".join(versions) or "none"
