"""What tests say of answers: values equal to any of a kind, refusals with their code, and that nothing was left behind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Model
from django.utils import timezone

from registry.models import Tree


class Like:
    """Equal to every text that matches a pattern."""

    def __init__(self, pattern: str) -> None:
        self.pattern = re.compile(pattern)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.pattern.fullmatch(other) is not None

    def __hash__(self) -> int:
        return hash(self.pattern)

    def __repr__(self) -> str:
        return f"<like {self.pattern.pattern}>"


class Such:
    """Equal to every value that a test holds for."""

    def __init__(self, what: str, holds: Callable[[Any], bool]) -> None:
        self.what = what
        self.holds = holds

    def __eq__(self, other: object) -> bool:
        return self.holds(other)

    def __hash__(self) -> int:
        return hash(self.what)

    def __repr__(self) -> str:
        return f"<{self.what}>"


def _just_now(value: Any) -> bool:
    try:
        return abs(timezone.now() - datetime.fromisoformat(value)) < timedelta(minutes=5)
    except (TypeError, ValueError):
        return False


def _later(value: Any) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value) > timezone.now()


SHA256 = Like(r"[0-9a-f]{64}")
UUID = Like(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TEXT = Like(r"(?s).+")
NUMBER = Such("a number above 0", lambda value: isinstance(value, int) and value > 0)
JUST_NOW = Such("a time of these minutes", _just_now)
LATER = Such("a time to come", _later)


def refused(response: Any, status: int, code: str) -> dict[str, Any]:
    """Assert that a response is our error of this status and code, with a sentence; return what stands in it."""
    assert (response.status_code, _error_of(response).get("code")) == (status, code), response.content[:500]
    error = _error_of(response)
    assert set(error) <= {"code", "message", "fields"}
    assert len(error["message"]) > 10, "a sentence that says what to do"
    return error


def _error_of(response: Any) -> dict[str, Any]:
    assert response["Content-Type"].startswith("application/json"), response.content[:500]
    answer = response.json()
    assert set(answer) == {"error"}, answer
    error: dict[str, Any] = answer["error"]
    return error


@contextmanager
def nothing_left_behind(*, but: type[Model] | tuple[type[Model], ...] = ()) -> Iterator[None]:
    """Assert that no row and no file came or went; rows of `but` aside (and directories, which nobody reads alone)."""
    before = _traces(but)
    yield
    assert _traces(but) == before


def _traces(but: type[Model] | tuple[type[Model], ...]) -> dict[str, int | list[str]]:
    skipped = but if isinstance(but, tuple) else (but,)
    counted = [model for model in apps.get_app_config("registry").get_models() if model not in (Tree, *skipped)]
    blobs = Path(settings.STORAGES["blobs"]["OPTIONS"]["location"])
    files = {
        "incoming": sorted(file.name for file in settings.INCOMING_DIR.glob("*")),
        "blobs": sorted(file.name for file in blobs.rglob("*") if file.is_file()),
    }
    return {model.__name__: model._default_manager.count() for model in counted} | files
