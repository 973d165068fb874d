"""The processes: a supervisor, its workers (one event loop each, which speak ext_proc with Envoy) and the shipper.

Only supervisor.py, worker.py and shipper.py put objects together; everything else here is given what it needs.
"""
