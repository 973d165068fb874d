"""Every case of every outside set."""

from itertools import chain

from data.cases import Case
from data.readers import blns, coreruleset, gotestwaf, json_files, lines, modsecurity, python_multipart

# Of the long sets, a part is enough to show that a case is decided alike whenever it comes.
_ONE_IN = 10
_SHORT = (coreruleset, gotestwaf, json_files, modsecurity, python_multipart)


def requests() -> tuple[list[Case], list[Case]]:
    """All cases, and those that are sent again."""
    short = list(chain.from_iterable(each.requests() for each in _SHORT))
    long = [*blns.requests(), *lines.requests()]
    return [*short, *long], [*short, *long[::_ONE_IN]]


def responses() -> tuple[list[Case], list[Case]]:
    """The same for what upstreams answer: all of them are sent again."""
    cases = list(chain.from_iterable(each.responses() for each in (blns, coreruleset, json_files, modsecurity)))
    return cases, cases
