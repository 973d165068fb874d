"""For all rooms."""

from hypothesis import settings

# A busy machine fails no property: time is measured by `make bench` alone.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")
