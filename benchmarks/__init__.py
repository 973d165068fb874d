"""The bench behind `make bench`: real Envoy, a load generator, our server and an empty one, in one interleaved run.

docs/performance.md says what is measured and holds the tables.
"""
