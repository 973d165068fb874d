"""The Kubernetes objects around the EnvoyFilter, as plain documents.

No typed library builds them: those on offer would add a package for each API group to a server that stands inline.  The
tests hold every object against the published schemas of Kubernetes and Istio, strictly.
"""
