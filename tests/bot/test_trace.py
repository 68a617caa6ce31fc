"""Traces: one a maintenance, by OTLP to a real receiver, always the same, and never in anybody's way."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.entry import Kind
from bot.errors import BadInput, Temporary
from bot.ledger import Intents
from bot.maintenances import Maintenances
from bot.trace import Event, Span, Trace, trace_of
from bot.trace_export import TraceExporter, encoded, target
from sandbox.server import serving
from tests.bot.entries import ID, a_night, begin

ERROR = Status.STATUS_CODE_ERROR


class Receiver:
    """Takes traces as a collector does. `status` is what it answers."""

    def __init__(self) -> None:
        self.status = 200
        self.tokens: list[str | None] = []
        self.got: list[ExportTraceServiceRequest] = []
        self.app = Starlette(routes=[Route("/v1/traces", self.take, methods=["POST"])])
        self.url = ""

    async def take(self, request: Request) -> Response:
        assert request.headers["Content-Type"] == "application/x-protobuf"
        self.tokens.append(request.headers.get("x-token"))
        if self.status == 200:
            self.got.append(ExportTraceServiceRequest.FromString(await request.body()))
        return Response(b"", self.status, media_type="application/x-protobuf")

    def spans(self) -> list[Sent]:
        """The spans of the only export."""
        [request] = self.got
        [scope] = request.resource_spans[0].scope_spans
        return list(scope.spans)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    with serving(made.app) as server:
        made.url = server.url
        yield made


@pytest.fixture
def night(maintenances: Maintenances) -> Maintenances:
    a_night(maintenances)
    return maintenances


def exporter(receiver: Receiver, maintenances: Maintenances, *, leads: bool = True) -> TraceExporter:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{receiver.url}/", "OTEL_EXPORTER_OTLP_HEADERS": "x-token=s3%20cret"}
    to = target(environment)
    return TraceExporter(to, maintenances, Intents(maintenances.journal.database), lambda: leads)


def made(maintenances: Maintenances) -> Trace:
    return trace_of(maintenances.journal.read(ID), maintenances.state(ID))


def test_a_night_is_exported_once_by_whoever_leads(receiver: Receiver, night: Maintenances) -> None:
    assert exporter(receiver, night, leads=False).export() == []
    one = exporter(receiver, night)
    assert one.export() == [ID]
    assert one.export() == []
    assert exporter(receiver, night).export() == [], "nor after a restart"
    assert receiver.tokens == ["s3 cret"]
    [resource] = [each.resource for each in receiver.got[0].resource_spans]
    assert [(each.key, each.value.string_value) for each in resource.attributes] == [("service.name", "maint")]


def test_the_spans_say_what_was_in_the_night(receiver: Receiver, night: Maintenances) -> None:
    exporter(receiver, night).export()
    spans = receiver.spans()
    whole = spans[0]
    assert [span.name for span in spans if span.parent_span_id == whole.span_id and span.name in {"banner", "upgrade"}]
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)
    tries = [span for span in spans if span.name.startswith("banner attempt")]
    assert [by_id[span.parent_span_id].name for span in tries] == ["banner", "banner"]
    assert [(span.status.code == ERROR, span.status.message) for span in tries] == [
        (True, "Connection refused"),
        (False, ""),
    ]
    assert [event.name for event in tries[0].events] == [Kind.STEP_FACT, Kind.STEP_FAILED]
    names = [span.name for span in spans]
    assert (names.count("approval upgrade"), names.count("undo banner"), names.count("upgrade")) == (3, 2, 1)
    assert (whole.status.code, whole.status.message) == (ERROR, "aborted")
    assert "paused" in [event.name for event in whole.events]
    assert {span.trace_id for span in spans} == {whole.trace_id}
    for span in spans:
        assert whole.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= whole.end_time_unix_nano


def test_the_same_journal_always_makes_the_same_trace(night: Maintenances, maintenances: Maintenances) -> None:
    assert encoded(made(night), {}) == encoded(made(night), {})
    trace = made(night)
    assert (len(trace.id), {len(span.id) for span in trace.spans}) == (16, {8})


def test_what_is_not_over_is_not_exported(receiver: Receiver, night: Maintenances) -> None:
    begin(night, maintenance="2026-11-26-running")
    assert exporter(receiver, night).export() == [ID]


def test_a_receiver_that_is_away_is_tried_again(receiver: Receiver, night: Maintenances) -> None:
    one = exporter(receiver, night)
    receiver.status = 503
    with pytest.raises(Temporary, match="503"):
        one.export()
    receiver.status = 200
    assert one.export() == [ID]
    assert len(receiver.got) == 1


def test_what_is_refused_for_good_is_not_sent_again(receiver: Receiver, night: Maintenances) -> None:
    receiver.status = 400
    one = exporter(receiver, night)
    one.export()
    receiver.status = 200
    assert one.export() == []


def test_what_was_over_long_ago_is_left_where_it_is(receiver: Receiver, night: Maintenances) -> None:
    later = night.now() + timedelta(days=8)
    assert exporter(receiver, Maintenances(night.journal, lambda: later)).export() == []


def test_more_events_than_are_taken_are_counted() -> None:
    at = datetime(2026, 11, 25, 9, tzinfo=UTC)
    span = Span(b"", None, "long", at)
    for _ in range(130):
        span.happens(Event(at, "noted", {}))
    assert (len(span.events), span.dropped) == (128, 2)


@pytest.mark.parametrize("url", ["collector:4318", "ftp://collector", "http://me:s3cret@collector:4318"])
def test_an_address_that_is_none_is_told_without_its_secrets(url: str) -> None:
    with pytest.raises(BadInput) as caught:
        target({"OTEL_EXPORTER_OTLP_ENDPOINT": url})
    assert "s3cret" not in str(caught.value)


def test_the_variables_of_opentelemetry() -> None:
    to = target(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://one",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://two/otlp",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=staging,service.name=x",
            "OTEL_SERVICE_NAME": "maint-eu",
        }
    )
    assert (to.url, dict(to.headers)) == ("https://two/otlp", {})
    assert to.resource == {"deployment.environment": "staging", "service.name": "maint-eu"}
