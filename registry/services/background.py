"""Housekeeping as tasks: at once where LMVP_TASKS is `immediate`, else by `manage.py db_worker`, for as long as it takes."""

from __future__ import annotations

from datetime import timedelta

from django_tasks import task

from accounts.models import User
from registry.services import garbage, verification


@task()
def collect_garbage() -> list[str]:
    """Do what `manage.py collect_garbage` does; return its report, line by line."""
    return list(garbage.collect().lines())


@task()
def verify_blobs(*, actor: int, hours: float) -> list[str]:
    """Do what `manage.py verify_blobs` does, told as the work of the user with this key; return its report."""
    report = verification.verify(actor=User.objects.get(pk=actor), limit=timedelta(hours=hours))
    return list(report.lines())
