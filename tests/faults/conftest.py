"""What the faults happen to: an empty database of the suite's kind, and a site on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.sites import Site, running_site
from tests.servers import empty_database


@pytest.fixture
def database() -> Iterator[dict[str, str]]:
    with empty_database() as env:
        yield env


@pytest.fixture
def site(tmp_path: Path, database: dict[str, str]) -> Iterator[Site]:
    """One server with two workers."""
    with running_site(tmp_path, database) as one:
        yield one
