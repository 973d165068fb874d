"""What `render check` reads out of an EnvoyFilter is what a configuration and options can say, and nothing else."""

from collections.abc import Callable
from copy import deepcopy

import pytest
from istio.test_recognition import IN_POD, Document, patch, rendered

from extproc.errors import ConfigurationError
from extproc.istio.recognition import check


def sockets(document: Document) -> Document:
    return patch(document, "CLUSTER")["patch"]["value"]["load_assignment"]["endpoints"][0]["lb_endpoints"]


@pytest.mark.parametrize(
    ("number", "path"), [(1, "/run/other"), (0, "/run/extproc/s"), (2, "/run/extproc/s.3")], ids=str
)
def test_a_socket_that_no_worker_has_is_an_error(number: int, path: str) -> None:
    document = deepcopy(rendered(IN_POD, listen="unix:///run/extproc/s", workers=3))
    sockets(document)[number]["endpoint"]["address"]["pipe"]["path"] = path

    with pytest.raises(ConfigurationError, match=r"pipe\.path: .*where render has"):
        check(document)


ELSEWHERE: dict[str, Callable[[Document], None]] = {
    "a label with a blank": lambda d: d["spec"]["workloadSelector"].update(labels={"extproc": "enabled "}),
    "a label of no key": lambda d: d["spec"]["workloadSelector"].update(labels={"extproc:": "enabled"}),
    "a namespace that is none": lambda d: d["metadata"].update(namespace="Istio System"),
}


@pytest.mark.parametrize("mistake", ELSEWHERE)
def test_a_place_that_no_cluster_has_is_an_error(mistake: str) -> None:
    document = deepcopy(rendered())
    ELSEWHERE[mistake](document)

    with pytest.raises(ConfigurationError, match=r"^EnvoyFilter: no options render this: "):
        check(document)
