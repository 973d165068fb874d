"""Where a policy is asked."""

from enum import StrEnum

from extproc.core.events import Direction


class Point(StrEnum):
    """A decision point: the request's headers alone (where configured), the whole request, the whole response."""

    HEADERS = "headers"
    REQUEST = "request"
    RESPONSE = "response"

    @property
    def direction(self) -> Direction:
        """The half of the exchange that is judged."""
        return Direction.RESPONSE if self is Point.RESPONSE else Direction.REQUEST
