"""Forgetting what has ended: sign-ins with the addresses they came from, and the sessions of browsers. Ends nothing that stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import SignIn

KEPT = timedelta(days=7)  # for administrators, who may ask where somebody was signed in
AT_ONCE = 500  # rows between two commits


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows went, or of a rehearsal, would go now."""

    sign_ins: int
    sessions: int


def forget_ended(*, rehearsal: bool = False) -> Forgotten:
    """Delete sign-ins that ended or ran out a week ago, and expired sessions; they are good for nothing any more.

    Safe at any time and as often as one likes: whoever comes with one of them is told the same as before.
    """
    sign_ins, sessions = _ended_sign_ins(), Session.objects.filter(expire_date__lt=timezone.now())
    if rehearsal:
        return Forgotten(sign_ins.count(), sessions.count())
    return Forgotten(_delete(sign_ins), _delete(sessions))


def _ended_sign_ins() -> QuerySet[SignIn]:
    before = timezone.now() - KEPT
    return SignIn.objects.filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before))


def _delete(rows: QuerySet[Any]) -> int:
    """Delete rows some at a time, each a short transaction; return how many."""
    deleted = 0
    while some := list(rows.order_by().values_list("pk", flat=True)[:AT_ONCE]):
        deleted += rows.filter(pk__in=some).delete()[0]
    return deleted
