"""Collecting garbage: rules, the trash, expired uploads, and then the bytes and directories that nothing needs any more.

Nothing is deleted that anything referenced, or that was promised to anybody, within the grace. A blob goes in three
steps that a crash may come between: its row is marked under its lock, the file is deleted, the row is deleted. A run that
was cut off is finished by the next. Safe while others publish: who publishes holds the rows of what a version will name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from lmvp.inserting import insert_missing
from registry import storage
from registry.digests import EMPTY
from registry.models import Artifact, Blob, Occurrence, Tree, Upload, Version
from registry.services import leftovers, retention
from registry.services.alone import run_alone
from registry.services.budget import Budget
from registry.services.purging import Purge, Purged, purge_due

LOOKED_AT_ONCE = 500
DELETED_AT_ONCE = 50  # files between two commits
MOST_ORPHANS = 100  # more, and more than are known: that is not what crashes leave
LAST_RUN = "garbage:last-run"  # in the cache: when, and what it freed
SWEPT = (Blob.State.LIVE, Blob.State.DAMAGED)


@dataclass(slots=True)
class Amount:
    """How many of something, and their bytes."""

    count: int = 0
    bytes: int = 0

    def add(self, sizes: Iterable[int]) -> None:
        for size in sizes:
            self.count += 1
            self.bytes += size


@dataclass(slots=True)
class Report:
    """What a run did, or of a rehearsal, what a run would do now. `unfinished`: its time was up before its end."""

    rehearsal: bool
    trashed: dict[str, int] = field(default_factory=dict)  # project → versions that a rule put into the trash
    purged: dict[str, Purged] = field(default_factory=dict)  # project → what was purged
    uploads: int = 0
    blobs: Amount = field(default_factory=Amount)
    trees: Amount = field(default_factory=Amount)
    orphans: Amount = field(default_factory=Amount)  # files in the store that no row tells of
    abandoned: Amount = field(default_factory=Amount)  # incoming files whose sender is gone
    unknown: int = 0  # files without a row that were left alone, because they are most of all
    unfinished: bool = False

    def lines(self) -> Iterator[str]:
        """Yield what people are told."""
        would = "would be " if self.rehearsal else ""
        for project, number in sorted(self.trashed.items()):
            yield f"{project}: {number:,} versions {would}put into the trash by retention rules"
        for project, took in sorted(self.purged.items()):
            whole = "the project, " * took.projects + f"{took.models:,} models, " * bool(took.models)
            yield (
                f"{project}: {whole}{took.versions:,} versions {would}purged; they alone held {took.files:,} files of"
                f" {took.bytes:,} bytes, which go after the grace"
            )
        yield f"{self.uploads:,} expired uploads {would}forgotten"
        for words, amount in (
            ("files that nothing uses", self.blobs),
            ("directories that nothing uses", self.trees),
            ("files without a record", self.orphans),
            ("abandoned incoming files", self.abandoned),
        ):
            yield f"{amount.count:,} {words} {would}deleted: {amount.bytes:,} bytes"
        if self.unknown:
            yield (
                f"{self.unknown:,} files without a record were left alone: that is most of the store. Is the database"
                " (DATABASE_URL) the right one, and not an old copy? If so, run it again with --trust-database."
            )
        if self.unfinished:
            yield "The time was up before the end; the next run goes on from here."


@dataclass(slots=True)
class _Run:
    """One run: what was last used at `cutoff` or before, and is referenced by nothing, goes."""

    cutoff: datetime
    report: Report
    budget: Budget
    trusts_database: bool = False

    @property
    def rehearsal(self) -> bool:
        return self.report.rehearsal


def collect(
    *,
    grace: timedelta | None = None,
    rehearsal: bool = False,
    limit: timedelta | None = None,
    trust_database: bool = False,
) -> Report:
    """Do all of it once; a rehearsal counts what would go, and changes nothing. Stops when `limit` is over.

    What is purged now goes in a run after the grace, so a rehearsal is exact. Files without a row are left alone when
    they are most of all, unless the database is to be trusted. Raises Conflict (another_run).
    """
    with run_alone("collect"):
        now, budget = timezone.now(), Budget(limit)
        cutoff = now - (settings.GARBAGE_GRACE if grace is None else grace)
        run = _Run(cutoff, Report(rehearsal), budget, trust_database)
        report = run.report
        purge = Purge(now - settings.TRASH_LIFETIME, rehearsal=rehearsal, budget=budget, by_project=report.purged)
        report.trashed = retention.apply_rules(rehearsal=rehearsal, budget=budget)
        _expire_uploads(run)
        purge_due(purge)
        for step in (_remove_abandoned, _finish, _sweep_blobs, _sweep_trees, _sweep_orphans):
            step(run)
        report.unfinished = budget.ran_out
    if not rehearsal:
        _note(report)
    return report


def _note(report: Report) -> None:
    """Keep what is told to whoever watches."""
    amounts = (report.blobs, report.trees, report.orphans, report.abandoned)
    freed = {"files": sum(each.count for each in amounts), "bytes": sum(each.bytes for each in amounts)}
    cache.set(LAST_RUN, {"at": timezone.now().timestamp(), **freed}, timeout=None)


# --- Uploads


def _expire_uploads(run: _Run) -> None:
    """Forget uploads that expired a grace ago: until then they kept their bytes."""
    expired = Upload.objects.filter(expires_at__lte=run.cutoff)
    if run.rehearsal:
        run.report.uploads = expired.count()
        return
    while not run.budget.is_spent():
        pks = list(expired.values_list("pk", flat=True)[:LOOKED_AT_ONCE])
        if not pks:
            return
        with transaction.atomic():
            Upload.objects.filter(pk__in=pks).delete()
        run.report.uploads += len(pks)


def _remove_abandoned(run: _Run) -> None:
    before = min(run.cutoff, timezone.now() - timedelta(days=1))
    found = leftovers.forgotten(before=before, cutoff=run.cutoff, rehearsal=run.rehearsal, budget=run.budget)
    run.report.abandoned.add(found)


# --- Blobs


def _finish(run: _Run) -> None:
    """Delete what a run marked that did not come to its end."""
    for some in _chunks(run, Blob.objects.filter(state=Blob.State.DELETING)):
        _delete(run, some, run.report.blobs)


def _sweep_blobs(run: _Run) -> None:
    unused = Blob.objects.filter(state__in=SWEPT, used_at__lte=run.cutoff)
    for digests in _chunks(run, unused):
        free = sorted(digests - _blobs_needed(digests, run))
        for start in range(0, len(free), DELETED_AT_ONCE):
            some = set(free[start : start + DELETED_AT_ONCE])
            _delete(run, some if run.rehearsal else _mark(run, some), run.report.blobs)


def _blobs_needed(digests: set[str], run: _Run) -> set[str]:
    """Return those of the digests that a version, an artifact or an upload refers to."""
    uploads = Upload.objects.filter(expires_at__gt=run.cutoff)
    return (
        _found(Occurrence.objects.all(), "digest", digests)
        | _found(Artifact.objects.all(), "content", digests)
        | _found(uploads, "sha256", digests)
    )


def _mark(run: _Run, digests: set[str]) -> set[str]:
    """Mark the blobs as being deleted, for good; return those that nothing has taken up meanwhile."""
    with transaction.atomic():
        rows = Blob.objects.filter(pk__in=digests, state__in=SWEPT, used_at__lte=run.cutoff).order_by("pk")
        held = set(rows.select_for_update(no_key=True).values_list("pk", flat=True))
        # Asked again, in a statement of its own that sees what was committed while this one waited for the locks.
        free = held - _blobs_needed(held, run)
        Blob.objects.filter(pk__in=free).update(state=Blob.State.DELETING)
    return free


def _delete(run: _Run, digests: set[str], amount: Amount) -> None:
    """Delete the files of marked blobs, and then their rows.

    Under the rows' locks: nobody else can have finished one, and let an upload bring the same bytes again, in between.
    """
    marked = sorted(digests)
    for start in range(0, len(marked), DELETED_AT_ONCE):
        rows = Blob.objects.filter(pk__in=marked[start : start + DELETED_AT_ONCE])
        if run.rehearsal:
            amount.add(rows.values_list("size", flat=True))
            continue
        with transaction.atomic():
            held = rows.filter(state=Blob.State.DELETING).order_by("pk").select_for_update(no_key=True)
            sizes = dict(held.values_list("pk", "size"))
            for digest in sizes:
                storage.delete_blob(digest)
            Blob.objects.filter(pk__in=sizes).delete()
        amount.add(sizes.values())


# --- Trees


def _sweep_trees(run: _Run) -> None:
    unused = Tree.objects.filter(used_at__lte=run.cutoff).exclude(pk=EMPTY)
    for digests in _chunks(run, unused):
        free = digests - _trees_needed(digests)
        rows = Tree.objects.filter(pk__in=free)
        if run.rehearsal:
            run.report.trees.add(map(len, rows.values_list("content", flat=True).iterator(chunk_size=20)))
            continue
        with transaction.atomic():
            # Whoever is about to name some holds them from the root down (Tree.objects.held_contents_of): to wait for
            # those, with others in hand, could be a circle. They are in use, and stay; the rest is asked for again.
            locked = rows.filter(used_at__lte=run.cutoff).order_by("pk").select_for_update(skip_locked=True)
            held = set(locked.values_list("pk", flat=True))
            rows = Tree.objects.filter(pk__in=held - _trees_needed(held))
            sizes = [len(content) for content in rows.values_list("content", flat=True).iterator(chunk_size=20)]
            rows.only("pk").delete()
        run.report.trees.add(sizes)


def _trees_needed(digests: set[str]) -> set[str]:
    """Return those of the digests that are a version's root, or a directory below one."""
    return _found(Version.objects.all(), "tree", digests) | _found(Occurrence.objects.all(), "digest", digests)


# --- Files without a row


def _sweep_orphans(run: _Run) -> None:
    """Delete files that a crash left between file and row. A row is made first, so that an upload of the same waits."""
    if not run.trusts_database and _knows_too_few(run):
        return
    for _, orphans in _orphans(run):
        if run.rehearsal:
            run.report.orphans.add(orphans.values())
            continue
        rows = [Blob(pk=digest, size=size, state=Blob.State.DELETING) for digest, size in sorted(orphans.items())]
        with transaction.atomic():
            insert_missing(rows)  # an upload's own row stays, and its file
        _delete(run, set(orphans), run.report.orphans)


def _knows_too_few(run: _Run) -> bool:
    """Whether most files have no row. Then the database is a wrong or an old one, rather than the files garbage."""
    known = unknown = 0
    for with_row, orphans in _orphans(run):
        known, unknown = known + with_row, unknown + len(orphans)
    if unknown <= MOST_ORPHANS or unknown <= known:
        return False
    run.report.unknown = unknown
    return True


def _orphans(run: _Run) -> Iterator[tuple[int, dict[str, int]]]:
    """Yield old files of the store, some at a time: how many have a row, and digest and size of the others."""
    before = run.cutoff.timestamp()
    old = (one for one in storage.stored() if one.written_at < before)
    while some := {one.digest: one.size for one in islice(old, LOOKED_AT_ONCE)}:
        if run.budget.is_spent():
            return
        known = _found(Blob.objects.all(), "pk", set(some))
        yield len(known), {digest: size for digest, size in some.items() if digest not in known}


# --- Step by step


def _chunks(run: _Run, rows: QuerySet[Any]) -> Iterator[set[str]]:
    """Yield the keys of rows, some at a time, until there are no more or the time is up."""
    last = ""
    while not run.budget.is_spent():
        pks = list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:LOOKED_AT_ONCE])
        if not pks:
            return
        last = pks[-1]
        yield set(pks)


def _found(rows: QuerySet[Any], column: str, digests: set[str]) -> set[str]:
    return (
        set(rows.filter(**{f"{column}__in": digests}).values_list(column, flat=True).distinct()) if digests else set()
    )
