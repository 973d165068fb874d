"""extproc: an Envoy external processor that lets Rego decide on whole HTTP exchanges and signs every decision."""

__version__ = "0.1.0"
