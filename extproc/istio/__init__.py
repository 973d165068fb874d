"""Envoy configuration built from typed messages (`envoy_data_plane`): a misspelt field raises here, not in production.

`bootstrap(gateway)` is a whole plain Envoy; the filters it holds are functions of their own, one module each.
"""
