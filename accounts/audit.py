"""The audit log as the accounts know it: somebody who takes lines. Who that is, is said at the start; no table is known here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from accounts.models import User

Facts = dict[str, Any]


class Recorder(Protocol):
    """Writes one line into the log, in the transaction of the caller."""

    def __call__(
        self, *, actor: User | None, action: str, subject: str, before: Facts | None = None, after: Facts | None = None
    ) -> None: ...


_recorders: list[Recorder] = []


def keep_with(recorder: Recorder) -> None:
    """Let all lines go to `recorder`; called once, when the applications are ready."""
    _recorders[:] = [recorder]


def record(
    *, actor: User | None, action: str, subject: str, before: Facts | None = None, after: Facts | None = None
) -> None:
    """Leave a line about an account; inside the transaction of the write that it tells of."""
    if not _recorders:
        raise ImproperlyConfigured("Nobody keeps the audit log: call accounts.audit.keep_with() in AppConfig.ready().")
    _recorders[0](actor=actor, action=action, subject=subject, before=before, after=after)
