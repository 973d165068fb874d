import pytest
from docs.page import Page


@pytest.fixture(scope="module")
def page(request: pytest.FixtureRequest) -> Page:
    """The page that a test module is about, named by its PAGE."""
    return Page.read(request.module.PAGE)
