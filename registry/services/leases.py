"""One sender at a time: the right to write an upload, in its row, until a time that is its own and that it moves on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import Error
from django.db.models import Q
from django.utils import timezone

from registry import connections
from registry.errors import Conflict, Gone, Locked
from registry.models import Upload
from registry.partials import InPieces, Partial, forget_partial

COMMITTED_AFTER = 64 * 2**20  # bytes
LEAST_PAUSE = 0.2  # seconds between two renewals aside


class Lease:
    """One sender's right to write an upload: in the row, until a time that is its own and that it moves on.

    `after_another`: the one before did not give it back, and may still be about to write.
    """

    def __init__(self, upload: Upload, offset: int) -> None:
        self.upload = upload
        self.committed = offset
        self.until = _deadline()
        rows = Upload.objects.filter(pk=upload.pk, offset=offset, stored_at=None)
        taking = {"leased_until": self.until, "alive_at": timezone.now()}
        self.after_another = not rows.filter(leased_until=None).update(**taking)
        if self.after_another and not rows.filter(_over()).update(**taking):
            raise _refused(upload, offset)
        self._renewed = time.monotonic()

    def hold(self, partial: Partial | InPieces) -> None:
        """Return when the next bytes may be written; commits and renews where it is time to."""
        if partial.size - self.committed >= COMMITTED_AFTER:
            self.commit(partial)
        elif time.monotonic() - self._renewed >= settings.UPLOAD_LEASE.total_seconds() / 4:
            self._update(_deadline())

    def commit(self, partial: Partial | InPieces, *, and_end: bool = False) -> None:
        """Sync what came, and write down how much that is; `and_end`: let the next sender in."""
        partial.sync()
        self._update(None if and_end else _deadline(), **partial.noted())
        self.committed = partial.size

    def end(self, **also: Any) -> None:
        """Let the next sender in."""
        self._update(None, **also)

    @contextmanager
    def given_back(self) -> Iterator[None]:
        """Let the next sender in when this one fails, whatever of: what was committed is safe, and gone on from."""
        try:
            yield
        except (Conflict, Gone):
            raise  # it is another's by now, or nobody's
        except BaseException:
            with suppress(Conflict, Gone, Error):  # then it runs out
                connections.release()  # it may be what failed
                self.end()
            raise

    @contextmanager
    def renewed_aside(self) -> Iterator[None]:
        """Renew while something takes long that cannot be asked in between: a store that is far, a file that is copied."""
        ended = threading.Event()
        aside = threading.Thread(target=self._renew_until, args=(ended,), daemon=True)
        aside.start()
        try:
            yield
        finally:
            ended.set()
            aside.join()

    def _renew_until(self, ended: threading.Event) -> None:
        pause = max(LEAST_PAUSE, settings.UPLOAD_LEASE.total_seconds() / 4)
        while not ended.wait(pause):
            with suppress(Error):  # the next time; and whoever comes back is told
                if not self._moved(_deadline()):
                    return

    def _update(self, until: datetime | None, **also: Any) -> None:
        if not self._moved(until, **also):
            raise taken(self.upload)

    def _moved(self, until: datetime | None, **also: Any) -> bool:
        try:
            rows = Upload.objects.filter(pk=self.upload.pk, leased_until=self.until, stored_at=None)
            mine = rows.update(leased_until=until, alive_at=timezone.now(), **also)
        finally:
            connections.release()
        if mine:
            self.until, self._renewed = until or self.until, time.monotonic()
        return bool(mine)


def _deadline() -> datetime:
    return timezone.now() + settings.UPLOAD_LEASE


def _over() -> Q:
    """Leases that ran out, and those that nobody takes so far ahead: from before the clock was set back."""
    now = timezone.now()
    return Q(leased_until__lte=now) | Q(leased_until__gt=now + 2 * settings.UPLOAD_LEASE)


def _refused(upload: Upload, offset: int) -> Conflict | Gone | Locked:
    """Say why an upload cannot be written at this offset now."""
    now = Upload.objects.filter(pk=upload.pk).first()
    if now is None:
        return said_cancelled()
    if now.offset != offset:
        return mismatch(now.offset)
    return Locked("upload_locked", "Somebody sends to this upload just now. Ask for its offset again in half a minute.")


def mismatch(offset: int) -> Conflict:
    said = f"This upload stands at {offset:,} bytes. Go on from there."
    return Conflict("offset_mismatch", said, fields={"offset": offset})


def taken(upload: Upload) -> Conflict | Gone:
    now = Upload.objects.filter(pk=upload.pk).first()
    if now is None:
        forget_partial(str(upload.pk))
        return said_cancelled()
    return mismatch(now.offset)


def said_cancelled() -> Gone:
    return Gone("upload_cancelled", "This upload was cancelled while its bytes came. Ask for a new one.")
