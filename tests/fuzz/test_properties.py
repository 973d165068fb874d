import pytest
from fuzz.properties import TARGETS
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("name", "shown"), [(name, shown) for name, target in TARGETS.items() for shown in target.shown]
)
def test_a_named_seed_is_shown_and_every_reader_takes_it(name: str, shown: str) -> None:
    target = TARGETS[name]
    assert target.check(target.shown[shown]) == target.readers > 0


@pytest.mark.parametrize("name", TARGETS)
def test_the_property_holds_for_every_seed(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].check(seed)


@pytest.mark.parametrize("name", TARGETS)
@given(st.data())
def test_the_property_holds_for_any_bytes(name: str, data: st.DataObject) -> None:
    TARGETS[name].check(data.draw(_inputs(name)))


def _inputs(name: str) -> st.SearchStrategy[bytes]:
    """Bytes, soups of tokens, and seeds with a piece replaced by a soup."""
    target = TARGETS[name]
    soups = st.lists(st.sampled_from(target.tokens), max_size=8).map(b"".join)
    edited = st.tuples(st.sampled_from(target.seeds), st.integers(0, 99), st.integers(0, 9), soups).map(
        lambda edit: edit[0][: edit[1]] + edit[3] + edit[0][edit[1] + edit[2] :]
    )
    return st.binary(max_size=60) | soups | edited
