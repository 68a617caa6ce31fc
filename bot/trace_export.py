"""Sends the traces of maintenances that are over by OTLP over HTTP, to whom OpenTelemetry's own variables name.

The protocol and the variables are OpenTelemetry's (https://opentelemetry.io/docs/specs/otlp/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/). Loading its classes takes time and memory, so nobody
imports this before it is needed.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit

import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from bot.endings import Ending
from bot.errors import BadInput, Final, StepError
from bot.http import Http
from bot.ledger import Intents
from bot.maintenances import Maintenances
from bot.trace import Attributes, Span, Trace, trace_of

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_TICK_S = 10.0
_LONGEST_REST_S = 600.0
_RECENT = timedelta(days=7)
_SENT = {"Content-Type": "application/x-protobuf"}

log = structlog.get_logger()


@dataclass(frozen=True)
class Target:
    """Where traces go: the whole address, the headers to send (they may be secret), and what sends them."""

    url: str
    headers: Mapping[str, str]
    resource: Mapping[str, str]


def target(environment: Mapping[str, str]) -> Target:
    """Return what OpenTelemetry's variables say. Raises `BadInput` if the address is none."""
    url = environment.get(_TRACES_ENDPOINT) or f"{environment.get(_ENDPOINT, '').rstrip('/')}/v1/traces"
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise BadInput(
            f"{_ENDPOINT} is not an address that traces can be sent to: expected one such as http://collector:4318, "
            "without a user name (headers go into OTEL_EXPORTER_OTLP_HEADERS)."
        )
    headers = environment.get("OTEL_EXPORTER_OTLP_TRACES_HEADERS") or environment.get("OTEL_EXPORTER_OTLP_HEADERS", "")
    resource = _pairs(environment.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    name = environment.get("OTEL_SERVICE_NAME") or resource.get("service.name") or "maint"
    return Target(url, _pairs(headers), {**resource, "service.name": name})


def encoded(trace: Trace, resource: Mapping[str, str]) -> bytes:
    """Return the body of the request that exports `trace`: `ExportTraceServiceRequest`, as protobuf."""
    scope = trace_pb2.ScopeSpans(
        scope=InstrumentationScope(name="maint"), spans=[_span(trace.id, span) for span in trace.spans]
    )
    whole = trace_pb2.ResourceSpans(resource=Resource(attributes=_attributes(resource)), scope_spans=[scope])
    body: bytes = ExportTraceServiceRequest(resource_spans=[whole]).SerializeToString()
    return body


class TraceExporter:
    """Exports each maintenance once it is over, if that was in the last 7 days. Only the process that leads does.

    What was exported is remembered after it was taken. Should that be lost, the same trace is sent again, with the
    same ids. Nothing waits for it, and what fails is logged and tried again.
    """

    def __init__(
        self,
        to: Target,
        maintenances: Maintenances,
        intents: Intents,
        leads: Callable[[], bool],
        http: Http | None = None,
    ) -> None:
        secrets = [*to.headers.values()]
        self._http = http or Http("", system="The receiver of traces", headers=to.headers, secrets=secrets)
        self._to = to
        self._maintenances = maintenances
        self._intents = intents
        self._leads = leads
        self._done: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Look every 10 seconds, less often while it fails, until `stop` is set."""
        rest_s = _TICK_S
        while not stop.wait(rest_s):
            try:
                self.export()
                rest_s = _TICK_S
            except Exception as error:
                rest_s = min(_LONGEST_REST_S, rest_s * 2)
                if isinstance(error, StepError):
                    log.warning("traces_not_taken", error=str(error), again_in_s=rest_s)
                else:
                    log.exception("traces_failed")

    def export(self) -> list[str]:
        """Export what is over and was not exported, and return the ids of these maintenances.

        Raises `StepError` if the receiver is away; what it refuses for good is logged, and not sent again.
        """
        exported: list[str] = []
        if not self._leads():
            return exported
        for maintenance, ending in self._maintenances.endings.known().items():
            if maintenance not in self._done:
                if self._is_due(ending):
                    self._send(maintenance)
                    exported.append(maintenance)
                self._done.add(maintenance)
        return exported

    def _is_due(self, ending: Ending) -> bool:
        now = self._maintenances.now()
        return (ending.ended or now) > now - _RECENT and not self._intents.known(_key(ending.id))

    def _send(self, maintenance: str) -> None:
        state = self._maintenances.state(maintenance, keep=False)
        trace = trace_of(self._maintenances.journal.read(maintenance), state)
        try:
            body = encoded(trace, self._to.resource)
            self._http.request("POST", self._to.url, content=body, headers=_SENT, repeatable=True)
            log.info("trace_exported", maintenance=maintenance, trace=trace.id.hex(), spans=len(trace.spans))
        except Final as error:
            log.warning("trace_refused", maintenance=maintenance, error=str(error))
        self._intents.intend(_key(maintenance), self._maintenances.now())


def _key(maintenance: str) -> str:
    return f"{maintenance}:trace"


def _pairs(text: str) -> dict[str, str]:
    """The pairs of `a=b,c=d`, percent-encoded as W3C Baggage has them."""
    parts = [part.partition("=") for part in text.split(",") if "=" in part]
    return {unquote(name.strip()): unquote(value.strip()) for name, _, value in parts}


def _span(trace: bytes, span: Span) -> trace_pb2.Span:
    status = trace_pb2.Status.STATUS_CODE_ERROR if span.error else trace_pb2.Status.STATUS_CODE_OK
    return trace_pb2.Span(
        trace_id=trace,
        span_id=span.id,
        parent_span_id=span.parent or b"",
        name=span.name,
        kind=trace_pb2.Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=_ns(span.start),
        end_time_unix_nano=_ns(span.end or span.start),
        attributes=_attributes(span.attributes),
        events=[
            trace_pb2.Span.Event(
                time_unix_nano=_ns(event.at), name=event.name, attributes=_attributes(event.attributes)
            )
            for event in span.events
        ],
        dropped_events_count=span.dropped,
        status=trace_pb2.Status(code=status, message=span.error or ""),
    )


def _attributes(values: Attributes) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in values.items()]


def _value(value: str | float | bool) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(double_value=value) if isinstance(value, float) else AnyValue(string_value=value)


def _ns(at: datetime) -> int:
    # By whole microseconds: a float has too few digits for nanoseconds since 1970.
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
