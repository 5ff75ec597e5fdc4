"""Verifying what is stored: every file read and hashed again, the one longest not verified first.

Damaged bytes are set aside, out of everybody's way; uploading the same file again heals its row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import User
from registry import connections, storage
from registry.digests import digest_stream
from registry.errors import Conflict
from registry.models import Artifact, Blob, Occurrence, Project
from registry.services import activation, blobs, events
from registry.services.alone import run_alone
from registry.services.budget import Budget

AT_ONCE = 50
LARGE = 16 * 2**20  # bytes whose reading takes so long that no connection is held meanwhile
PLACES_TOLD = 20
SUSPICIOUS = 10  # files missing in a row, and none there: the store is not where it was
READ = (Blob.State.LIVE, Blob.State.DAMAGED)


@dataclass(frozen=True, slots=True)
class Finding:
    """A file that is not as it was stored: `damaged`, `missing`, or `unreadable` just now. `places` use it."""

    digest: str
    size: int
    what: str
    places: Sequence[str]

    def __str__(self) -> str:
        places = "; ".join(self.places) or "nothing"
        return f"{self.what}: {self.digest} ({self.size:,} bytes), used by {places}"


@dataclass(slots=True)
class Report:
    """What a run read and found. `unfinished`: its time or limit was up; the next run goes on with the others."""

    files: int = 0
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)
    healed: int = 0
    unfinished: bool = False

    def lines(self) -> Iterator[str]:
        """Yield what people are told."""
        yield from map(str, self.findings)
        if any(one.what != "unreadable" for one in self.findings):
            yield "Upload the same files again (publish them anew) to heal these, or put them back from a backup."
        if self.healed:
            yield f"{self.healed:,} files are whole again"
        yield f"{self.files:,} files of {self.bytes:,} bytes verified, {len(self.findings):,} of them not well"
        if self.unfinished:
            yield "There are more; the next run goes on from here."


def verify(
    *,
    actor: User | None = None,
    digests: Sequence[str] | None = None,
    project: Project | None = None,
    most: int | None = None,
    limit: timedelta | None = None,
) -> Report:
    """Read and hash what is stored: all of it, some digests, or what a project uses; at most so many, or for so long.

    Raises Conflict (another_run; store_missing when the store as a whole is not there: nothing is marked then).
    """
    with run_alone("verify"):
        if not storage.is_there() and Blob.objects.live().exists():
            raise _no_store()
        run = _Run(timezone.now(), Budget(limit), actor)
        rows = Blob.objects.filter(state__in=READ)
        if digests is not None:
            rows = rows.filter(pk__in=digests)
        if project is not None:
            published = Q(pk__in=Occurrence.objects.filter(model__project=project).values("digest"))
            recorded = Artifact.objects.filter(project=project, content__isnull=False)
            rows = rows.filter(published | Q(pk__in=recorded.values("content")))
        for some in run.longest_unverified(rows, most):
            run.verify(some)
        run.report.unfinished |= run.budget.ran_out
    return run.report


@dataclass(slots=True)
class _Run:
    started: datetime
    budget: Budget
    actor: User | None
    report: Report = field(default_factory=Report)

    def longest_unverified(self, rows: QuerySet[Blob], most: int | None) -> Iterator[list[Blob]]:
        """Yield the rows that were not verified since the run began: those never verified first, then the oldest."""
        left = most
        for waiting in (rows.filter(verified_at=None), rows.filter(verified_at__lt=self.started)):
            while not self.budget.is_spent():
                # In the index's own order: by the key alone PostgreSQL would walk past all that were verified before.
                some = list(waiting.order_by("verified_at", "pk")[: min(AT_ONCE, left or AT_ONCE)])
                if not some:
                    break
                if left == 0:
                    self.report.unfinished = True
                    return
                yield some
                left = None if left is None else left - len(some)

    def verify(self, some: list[Blob]) -> None:
        found: list[tuple[Blob, str]] = []
        for blob in some:
            if self.budget.is_spent():
                break
            found.append((blob, examine(blob)))
        if len(found) >= SUSPICIOUS and all(what == "missing" for _, what in found):
            raise _no_store()
        for blob, what in found:
            self._note(blob, what)
        activation.doubt(digests=[blob.pk for blob, what in found if what in ("damaged", "missing")])
        read = [blob.pk for blob, _ in found]
        Blob.objects.filter(pk__in=read).update(verified_at=timezone.now())

    def _note(self, blob: Blob, what: str) -> None:
        self.report.files += 1
        self.report.bytes += blob.size
        if what == "well":
            self.report.healed += blob.state == Blob.State.DAMAGED and _make_live_again(blob)
        elif what == "unreadable" or _condemn(self.actor, blob, what):
            self.report.findings.append(Finding(blob.pk, blob.size, what, _places_of(blob)))


def examine(blob: Blob) -> str:
    """Return how the bytes are: well, damaged, missing, or unreadable (the disk or the store has an error just now)."""
    if blob.size >= LARGE:
        connections.release()
    try:
        if _is_whole(blob) or _is_whole(blob):  # read again, before it is called damaged: memory and cables err too
            return "well"
    except FileNotFoundError:
        return "missing"
    except (OSError, storage.Unavailable):
        return "unreadable"
    return "damaged"


def _is_whole(blob: Blob) -> bool:
    return digest_stream(storage.read_blob(blob.pk)) == (blob.pk, blob.size)


def _condemn(actor: User | None, blob: Blob, what: str) -> bool:
    """Take the row out of use, and then the bytes out of the store; False when the row has gone meanwhile.

    Two transactions: a crash in between leaves a row that is out of use, and is looked at again. Both, and whoever
    heals, hold the row's lock: bytes that somebody has just uploaded are not the ones that are set aside.
    """
    with transaction.atomic():
        row = _locked(blob)
        if row is None:
            return False
        if row.state == Blob.State.LIVE:
            row.state = Blob.State.DAMAGED
            row.save(update_fields=["state"])
            events.record(
                actor=actor, action=f"blob.{what}", project=None, subject=row.pk, after={"places": _places_of(row)}
            )
    with transaction.atomic():
        row = _locked(blob)
        if row and row.state == Blob.State.DAMAGED and what == "damaged":
            storage.set_aside(row.pk)
    return True


def _make_live_again(blob: Blob) -> bool:
    with transaction.atomic():
        row = _locked(blob)
        if row is None or row.state != Blob.State.DAMAGED:
            return False
        blobs.make_live(row)
    return True


def _locked(blob: Blob) -> Blob | None:
    return Blob.objects.filter(pk=blob.pk, state__in=READ).select_for_update(no_key=True).first()


def _places_of(blob: Blob) -> list[str]:
    """Return where the bytes are used, the first of many: model, path, and the version that brought them; artifacts."""
    rows = Occurrence.objects.filter(digest=blob.pk).select_related("model__project", "first_version").order_by("pk")
    places = [f"{row.model} {row.path} (since v{row.first_version.number})" for row in rows[: PLACES_TOLD + 1]]
    artifacts = Artifact.objects.filter(content=blob.pk).select_related("project").order_by("pk")
    places += [f"artifact {row.pk} of {row.project}" for row in artifacts[: PLACES_TOLD + 1 - len(places)]]
    return places[:PLACES_TOLD] + ["and more"] * (len(places) > PLACES_TOLD)


def _no_store() -> Conflict:
    return Conflict(
        "store_missing",
        "No file is where it should be: is the store (LMVP_DATA_DIR, S3_BUCKET) the right one, and mounted?",
    )
