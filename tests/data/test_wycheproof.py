"""Ed25519 signatures that others made up to be accepted wrongly: https://github.com/C2SP/wycheproof."""

import json
import os
from pathlib import Path

import pytest

from extproc.errors import VerificationError
from extproc.evidence.keys import load_key_ring

DATA = Path(os.environ.get("EXTPROC_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def test_the_verifier_accepts_exactly_the_valid_signatures(tmp_path: Path) -> None:
    suite = json.loads((DATA / "wycheproof" / "testvectors_v1" / "ed25519_test.json").read_text())
    pinned, checked = tmp_path / "pinned.jwks", 0
    wrong: list[str] = []
    for group in suite["testGroups"]:
        x = group["publicKeyJwk"]["x"]  # without the suite's kid, which is no thumbprint
        pinned.write_text(json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]}))
        ring = load_key_ring(pinned)
        (kid,) = ring.kids
        for test in group["tests"]:
            checked += 1
            try:
                ring.verify(kid, bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))
            except VerificationError:
                accepted = False
            else:
                accepted = True
            if accepted is not (test["result"] == "valid"):
                wrong.append(f"tcId {test['tcId']}: {test['comment']}")
    assert (checked, wrong) == (suite["numberOfTests"], [])


def test_both_forms_of_a_key_pin_the_same_one(tmp_path: Path) -> None:
    suite = json.loads((DATA / "wycheproof" / "testvectors_v1" / "ed25519_test.json").read_text())
    for number, group in enumerate(suite["testGroups"]):
        jwk, pem = tmp_path / f"{number}.jwks", tmp_path / f"{number}.pem"
        jwk.write_text(json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": group["publicKeyJwk"]["x"]}]}))
        pem.write_text(group["publicKeyPem"])
        assert load_key_ring(jwk).kids == load_key_ring(pem).kids


@pytest.fixture(autouse=True)
def _data() -> None:
    """Missing data is a failure, never a skip."""
    assert DATA.is_dir(), f"{DATA} is missing: set EXTPROC_TEST_DATA"
