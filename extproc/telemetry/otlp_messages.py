"""OTLP's messages as classes: otlp_schema has their fields, otlp_messages.pyi their types; a test compares the two."""

from extproc.telemetry.otlp_schema import message_classes

_CLASSES = message_classes()

AnyValue = _CLASSES["AnyValue"]
ArrayValue = _CLASSES["ArrayValue"]
ExportTracePartialSuccess = _CLASSES["ExportTracePartialSuccess"]
ExportTraceServiceRequest = _CLASSES["ExportTraceServiceRequest"]
ExportTraceServiceResponse = _CLASSES["ExportTraceServiceResponse"]
InstrumentationScope = _CLASSES["InstrumentationScope"]
KeyValue = _CLASSES["KeyValue"]
Resource = _CLASSES["Resource"]
ResourceSpans = _CLASSES["ResourceSpans"]
ScopeSpans = _CLASSES["ScopeSpans"]
Span = _CLASSES["Span"]
Status = _CLASSES["Status"]
