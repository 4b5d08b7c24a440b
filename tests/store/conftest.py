"""What the tests of the store share: both servers, and publications of invented nights."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.store_servers import fresh_store_url, store_url
from triage.store import Store, open_store

__all__ = ["fresh_store_url", "store_url"]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A prepared, empty store."""
    with open_store(store_url) as opened:
        opened.prepare()
        yield opened
