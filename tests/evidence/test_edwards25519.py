import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.evidence.edwards25519 import is_sound

P = 2**255 - 19
# RFC 8032, section 7.1, tests 1 to 3
PUBLISHED = (
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
)
# the points of order 1, 2, 4 and 8; the last two in both signs
SMALL = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
)


@pytest.mark.parametrize("public", PUBLISHED)
def test_a_published_key_is_sound(public: str) -> None:
    assert is_sound(bytes.fromhex(public))


@pytest.mark.parametrize("public", SMALL)
def test_a_point_of_small_order_is_not_sound(public: str) -> None:
    assert not is_sound(bytes.fromhex(public))


@pytest.mark.parametrize("y", [P, P + 1, 2**255 - 1])
def test_a_second_way_to_write_a_point_is_not_sound(y: int) -> None:
    assert not is_sound(y.to_bytes(32, "little"))


def test_a_point_beside_the_curve_is_not_sound() -> None:
    assert not is_sound((2).to_bytes(32, "little"))


@given(st.binary(max_size=70).filter(lambda public: len(public) != 32))
def test_another_length_is_not_sound(public: bytes) -> None:
    assert not is_sound(public)
