"""What the tests of quotas share: announcing, what is held, and calls that are over a quota."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from registry.errors import StorageFull
from registry.models import Project, RegisteredModel, Upload
from registry.models.holdings import Holdings
from registry.services.announcing import Wanted, announce
from tests.housekeeping import digest_of

HUNDRED = b"h" * 100


def ask(user: User, model: RegisteredModel, *contents: bytes) -> list[Upload]:
    files = [Wanted(len(content), digest_of(content)) for content in contents]
    return [offer.upload for offer in announce(actor=user, model=model, files=files) if offer.upload]


def held(project: Project) -> int:
    return Holdings.of_project(project).size()


def held_by(user: User) -> int:
    return Holdings.of_user(user).size()


def over(call: Callable[[], Any]) -> dict[str, Any]:
    """Assert that a call is over a quota; return limit, used and wanted."""
    with pytest.raises(StorageFull) as caught:
        call()
    assert caught.value.code == "quota_exceeded"
    return caught.value.fields


def let_it_sleep() -> None:
    Upload.objects.update(alive_at=timezone.now() - timedelta(hours=1, minutes=1))


def set_quota_unasked(project: Project, quota: int | None) -> None:
    Project.objects.filter(pk=project.pk).update(quota=quota)
