"""What a wrong EnvoyFilter does: istiod says nothing about most, so each must be seen from outside.

A probe is a request that the policy must deny; the gateway is ours only where the denial carries our own mark.
"""

import asyncio
import copy
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
from conformance.exchange import Message
from faults.stage import get, post
from istio_live.objects import Object
from istio_live.stage import Mesh

from extproc.errors import ConfigurationError
from extproc.istio.recognition import check

PROBE = post(b'{"probe": "attack"}')


@dataclass(frozen=True)
class Outcome:
    """The statuses of a harmless request and of the probe, and whether the probe's denial is ours."""

    harmless: int
    probe: int
    ours: bool


ENFORCED = Outcome(200, 403, ours=True)
OPEN = Outcome(200, 200, ours=False)
GUARDED = Outcome(403, 403, ours=False)
UNAVAILABLE = Outcome(503, 503, ours=False)


def _patch(attachment: Object, name: str = "extproc.policy") -> Object:
    """The patch that inserts this filter."""
    return next(one for one in attachment["spec"]["configPatches"] if one["patch"]["value"].get("name") == name)


def _config(attachment: Object) -> Object:
    return _patch(attachment)["patch"]["value"]["typed_config"]


def wrong_label(attachment: Object) -> None:
    attachment["spec"]["workloadSelector"] = {"labels": {"istio": "ingress"}}


def wrong_namespace(attachment: Object) -> None:
    attachment["metadata"]["namespace"] = "default"


def config_patch_for_config_patches(attachment: Object) -> None:
    attachment["spec"]["configPatch"] = attachment["spec"].pop("configPatches")


def misspelt_sub_filter_everywhere(attachment: Object) -> None:
    for patch in attachment["spec"]["configPatches"]:
        if patch["applyTo"] == "HTTP_FILTER":
            patch["match"]["listener"]["filterChain"]["filter"]["subFilter"]["name"] = "envoy.filters.http.routr"


def patch_without_value(attachment: Object) -> None:
    """Istiod panics inside, and drops every patch of the listener."""
    del attachment["spec"]["configPatches"][-1]["patch"]["value"]


def unknown_enumeration_value(attachment: Object) -> None:
    _config(attachment)["processing_mode"]["request_body_mode"] = "BUFERED"


def wrong_type(attachment: Object) -> None:
    _config(attachment)["failure_mode_allow"] = "no"


def duration_without_unit(attachment: Object) -> None:
    _config(attachment)["message_timeout"] = 2


def unknown_message(attachment: Object) -> None:
    _config(attachment)["@type"] += "X"


def misspelt_field_within_processing_mode(attachment: Object) -> None:
    """The body is not sent, so the request is never decided whole."""
    mode = _config(attachment)["processing_mode"]
    mode["request_body_mod"] = mode.pop("request_body_mode")


def responses_that_are_not_sent(attachment: Object) -> None:
    """Nobody decides a response, so the response guard answers in its place; a denial of the request is no response."""
    _config(attachment)["processing_mode"] |= {"response_header_mode": "SKIP", "response_body_mode": "NONE"}


def misspelt_field(attachment: Object) -> None:
    config = _config(attachment)
    config["mesage_timeout"] = config.pop("message_timeout")


def unknown_cluster(attachment: Object) -> None:
    _config(attachment)["grpc_service"]["envoy_grpc"]["cluster_name"] = "outbound|9000||nobody.extproc.svc"


def version_that_is_no_expression(attachment: Object) -> None:
    """It matches every version."""
    _patch(attachment)["match"]["proxy"] = {"proxyVersion": "["}


def version_of_another_release(attachment: Object) -> None:
    """As after an upgrade of the gateway."""
    for patch in attachment["spec"]["configPatches"]:
        patch["match"]["proxy"] = {"proxyVersion": r"^1\.29.*"}


def target_refs_beside_workload_selector(attachment: Object) -> None:
    """The targetRefs win."""
    attachment["spec"]["targetRefs"] = [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "shop"}]


def only_envoy_checks_it(attachment: Object) -> None:
    """Envoy refuses the listener (NACK), and the one before goes on serving."""
    _config(attachment)["status_on_error"] = {"code": 9}


@dataclass(frozen=True)
class Mistake:
    """What was done to the object, what the gateway then does, and whether our validation refuses it before."""

    make: Callable[[Object], None]
    outcome: Outcome
    refused: bool

    def of(self, attachment: Object) -> Object:
        """A copy with the mistake in it."""
        wrong = copy.deepcopy(attachment)
        self.make(wrong)
        return wrong


MISTAKES = [
    Mistake(wrong_label, OPEN, refused=False),
    Mistake(wrong_namespace, OPEN, refused=False),
    Mistake(config_patch_for_config_patches, OPEN, refused=True),
    Mistake(misspelt_sub_filter_everywhere, OPEN, refused=True),
    Mistake(patch_without_value, OPEN, refused=True),
    Mistake(unknown_enumeration_value, GUARDED, refused=True),
    Mistake(wrong_type, GUARDED, refused=True),
    Mistake(duration_without_unit, GUARDED, refused=True),
    Mistake(unknown_message, GUARDED, refused=True),
    Mistake(misspelt_field_within_processing_mode, Outcome(200, 403, ours=False), refused=True),
    Mistake(responses_that_are_not_sent, Outcome(503, 403, ours=True), refused=True),
    Mistake(misspelt_field, ENFORCED, refused=True),
    Mistake(unknown_cluster, UNAVAILABLE, refused=True),
    Mistake(version_that_is_no_expression, ENFORCED, refused=True),
    Mistake(version_of_another_release, OPEN, refused=True),
    Mistake(target_refs_beside_workload_selector, OPEN, refused=True),
    Mistake(only_envoy_checks_it, ENFORCED, refused=True),
]


async def outcome(shop: Mesh) -> Outcome:
    """What the gateway does now."""
    harmless, probe = await shop.send(get()), await shop.send(PROBE)
    return Outcome(harmless.status, probe.status, ours=_verdict(probe) == "deny")


def _verdict(answer: Message) -> str | None:
    return dict(answer.headers).get("x-extproc-verdict")


BY_NAME = pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.make.__name__)


@BY_NAME
def test_our_validation_refuses_what_the_table_says(shop: Mesh, mistake: Mistake) -> None:
    with pytest.raises(ConfigurationError) if mistake.refused else nullcontext():
        check(mistake.of(shop.attachment))


@BY_NAME
def test_a_mistake_does_to_the_gateway_what_the_table_says(
    runner: asyncio.Runner, shop: Mesh, mistake: Mistake
) -> None:
    wrong = mistake.of(shop.attachment)

    async def play() -> tuple[Outcome, Outcome]:
        with shop.gateway.plane.objects.scene():
            if wrong["metadata"] != shop.attachment["metadata"]:
                await shop.gateway.delete([shop.attachment])
            await shop.gateway.apply([wrong])
            seen = await outcome(shop)
        await shop.gateway.apply([shop.attachment])
        return seen, await outcome(shop)

    assert runner.run(play()) == (mistake.outcome, ENFORCED)
