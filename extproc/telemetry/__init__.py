"""Receipts as spans, metrics for Prometheus, and logging: everything an operator watches, nothing that decides.

    spans.py     a signed receipt -> one OpenTelemetry span, value to value
    otlp.py      spans -> a collector, over gRPC
    otlp_*.py    OTLP's messages: their schema, and their classes
    metrics.py   what is counted, and the page that Prometheus scrapes
    logs.py      one line per record on standard error

A span is built from the write-ahead log, never by a tracer: a tracer would mint ids that the signature does not cover,
and would drop what it does not sample.
"""
