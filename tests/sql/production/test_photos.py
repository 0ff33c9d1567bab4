"""A photo of an order is seen by those who see the order."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.core.photos import photo
from tests.sql.core.test_photos import seen
from tests.support.production import CUT, order, quality, report

Db = psycopg.Connection


@pytest.mark.parametrize("by", ["report", "quality"])
def test_a_photo_of_the_order_of_a_store_is_seen_in_that_store(plant: Db, by: str) -> None:
    """Anybody of the site saw it, whatever store the order was of."""
    code = order(plant, 5, store="bannos")
    path = photo(plant, about="production_order")
    if by == "report":
        report(plant, code, CUT, 1, photo=path)
    else:
        quality(plant, code, "scrap", 1, photo=path)
    assert seen(plant, "viewer") == 1
    assert seen(plant, "flourlane_operator") == 0


def test_a_photo_of_an_order_of_no_store_is_seen_at_the_site(plant: Db) -> None:
    path = photo(plant, about="production_order")
    report(plant, order(plant, 5), CUT, 1, photo=path)
    assert seen(plant, "flourlane_operator") == 1
