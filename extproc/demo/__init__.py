"""A real Envoy, an upstream, a collector and the server on one machine, and the story that `extproc demo` tells."""
