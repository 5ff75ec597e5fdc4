"""Round trips of objects: given to `publish`, sent to a real server, fetched, verified, loaded."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from lmvp.client.api import Client
from lmvp.client.versions import LocalModel
from tests.client_home import home_of_its_own, signed_in


@pytest.fixture
def alice(live_server, cast, tmp_path, monkeypatch) -> Client:
    home_of_its_own(tmp_path, monkeypatch)
    return signed_in(live_server.url, cast.alice)


@pytest.fixture
def fetched(alice) -> Callable[[Any], LocalModel]:
    """Publish an object, and download what came of it."""

    def publish_and_download(obj: Any, name: str = "vision/object") -> LocalModel:
        version = alice.publish(name, obj)
        return alice.download(name, revision=version.number)

    return publish_and_download


def library(name: str) -> ModuleType:
    """Import a library whose warnings are none of ours; skip without it, or fail where it may not be missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if {"all", name.partition(".")[0]} & set(os.environ.get("LMVP_REQUIRE_FORMATS", "").split()):
            return importlib.import_module(name)
        return pytest.importorskip(
            name, reason=f"{name} is not installed here: make test-formats", exc_type=ImportError
        )
