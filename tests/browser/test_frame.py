"""What every page has: the frame holds on a phone, in the dark, and for a screen reader."""

from __future__ import annotations

import pytest

from tests.browser.browsing import DARK, PHONE, assert_well_made
from tests.cast import publish

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("look", [{}, DARK, PHONE], ids=["light", "dark", "phone"])
def test_the_main_pages_are_accessible_and_fit(new_visitor, cast, look) -> None:
    model = cast.model()
    publish(cast.alice, model, {"weights.bin": b"1"}, message="first")
    visitor = new_visitor(cast.alice, **look)
    for address in ("/", "/vision/", "/vision/classifier/", "/vision/classifier/versions/"):
        assert_well_made(visitor.goto(address))
