"""What the faults happen to: an empty database of the suite's kind, and a site on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.sites import Site, running_site
from tests.servers import empty_database


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave all of this out of the suite: these tests want the machine for themselves."""
    if "LMVP_FAULTS" in os.environ:
        return
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.skip(reason="wants the machine for itself: make faults"))


@pytest.fixture
def database() -> Iterator[dict[str, str]]:
    with empty_database() as env:
        yield env


@pytest.fixture
def site(tmp_path: Path, database: dict[str, str]) -> Iterator[Site]:
    """One server with two workers."""
    with running_site(tmp_path, database) as one:
        yield one
