"""What versions are made of: blobs, trees, where both occur, and uploads on their way. Knows no file and no key."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connections, models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from lmvp.prepared import prepared
from registry.models.projects import Project, bound_to

if TYPE_CHECKING:
    from registry.models.projects import Actor

DIRECTORIES_AT_ONCE = 500  # in one query


class BlobQuerySet(models.QuerySet["Blob"]):
    def live(self) -> BlobQuerySet:
        return self.filter(state=Blob.State.LIVE)

    def readable_by(self, actor: Actor, digests: Sequence[str]) -> BlobQuerySet:
        """Those of the digests that stand in a model or artifact the actor may see, or that its own uploads brought."""
        return self.live().filter(pk__in=self._readable(actor, digests))

    def sizes_readable_by(self, actor: Actor, digests: Sequence[str]) -> list[tuple[str, int]]:
        """Return digest and size of the same."""
        readable = self._readable(actor, digests)
        return _sizes(list(readable)) if readable else []

    def _readable(self, actor: Actor, digests: Sequence[str]) -> set[str]:
        # In steps, because one query with several EXISTS is planned badly by both databases. Some hundred at a time.
        readable = {digest for (digest,) in _occurring(list(digests), actor.pk, bound_to(actor))} if digests else set()
        if actor.is_authenticated and (left := list(set(digests) - readable)):
            readable |= {digest for (digest,) in _brought(left, actor.pk, bound_to(actor), timezone.now())}
        if left := list(set(digests) - readable):
            readable |= {digest for (digest,) in _in_artifacts(left, actor.pk, bound_to(actor))}
        return readable


@prepared
def _sizes(digests: list[str]) -> models.QuerySet[Any, tuple[str, int]]:
    return Blob.objects.live().filter(pk__in=digests).values_list("pk", "size")


@prepared
def _occurring(digests: list[str], user: int | None, bound: str | None) -> models.QuerySet[Any, tuple[str]]:
    """Those of the digests that stand in a model which the user may see."""
    seen = Project.objects.seen_by(user, bound)
    occurs = Occurrence.objects.filter(digest__in=digests, model__trashed_at=None, model__project__in=seen)
    return occurs.values_list("digest").distinct()


@prepared
def _brought(digests: list[str], user: int, bound: str | None, now: datetime) -> models.QuerySet[Any, tuple[str]]:
    """Those of the digests whose bytes the user's own uploads brought."""
    return Upload.objects.brought_by(user, bound, now).filter(sha256__in=digests).values_list("sha256")


@prepared
def _in_artifacts(digests: list[str], user: int | None, bound: str | None) -> models.QuerySet[Any, tuple[str]]:
    """Those of the digests that stand in an artifact which the user may see."""
    seen = Project.objects.seen_by(user, bound)
    return Blob.objects.filter(pk__in=digests, artifacts__project__in=seen).values_list("pk").distinct()


class Blob(models.Model):
    """Immutable bytes, named by their SHA-256. A live row is there only when the bytes are."""

    class State(models.TextChoices):
        LIVE = "live"
        DELETING = "deleting", "being deleted"
        DAMAGED = "damaged", "damaged or missing"  # until the same bytes are uploaded again

    sha256 = models.CharField(primary_key=True, max_length=64)
    size = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.LIVE)
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(
        default=timezone.now, db_index=True, help_text="Last promised or published; unused ones are collected."
    )
    verified_at = models.DateTimeField(null=True, blank=True, help_text="When its bytes were last read and hashed.")

    objects = BlobQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(size__gte=0), name="blob_size_is_not_negative")]
        indexes = [
            models.Index(fields=["verified_at", "sha256"], name="blobs_least_verified"),
            models.Index(fields=["state"], condition=Q(state__in=["deleting", "damaged"]), name="blobs_not_live"),
        ]

    def __str__(self) -> str:
        return self.sha256


class TreeQuerySet(models.QuerySet["Tree"]):
    def content_of(self, digest: str) -> bytes:
        """Return the canonical bytes of one directory; Tree.DoesNotExist otherwise."""
        return bytes(self.values_list("content", flat=True).get(pk=digest))

    def contents_of(self, digests: Collection[str]) -> dict[str, bytes]:
        """Return the canonical bytes of many directories by digest: a query for every few hundred. All must be there."""
        return self._contents(digests, "")

    def held_contents_of(self, digests: Collection[str]) -> dict[str, bytes]:
        """Return the same of rows that stay until the transaction ends: the collector waits for whoever holds them.

        FOR KEY SHARE, so that publishers do not wait for each other. On SQLite a writing transaction is alone anyway.
        """
        return self._contents(digests, " FOR KEY SHARE" if connections[self.db].vendor == "postgresql" else "")

    def _contents(self, digests: Collection[str], lock: str) -> dict[str, bytes]:
        wanted, found = sorted(set(digests)), dict[str, bytes]()
        for start in range(0, len(wanted), DIRECTORIES_AT_ONCE):
            some = wanted[start : start + DIRECTORIES_AT_ONCE]
            places = ", ".join(["%s"] * len(some))
            with connections[self.db].cursor() as cursor:
                cursor.execute(
                    f"SELECT digest, content FROM registry_tree WHERE digest IN ({places}) ORDER BY digest{lock}", some
                )
                found.update((digest, bytes(content)) for digest, content in cursor.fetchall())
        if len(found) < len(wanted):
            raise Tree.DoesNotExist
        return found

    def files_below(self, digest: str) -> int:
        """Return how many files a directory holds; Tree.DoesNotExist otherwise."""
        files: int = self.values_list("files", flat=True).get(pk=digest)
        return files


class Tree(models.Model):
    """One directory: its canonical bytes (see registry.trees), named by their SHA-256, shared between versions."""

    digest = models.CharField(primary_key=True, max_length=64)
    content = models.BinaryField()
    files = models.IntegerField(help_text="How many files it holds, subdirectories included.")
    size = models.BigIntegerField(help_text="Their bytes.")
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(default=timezone.now, db_index=True, help_text="Last published; as with blobs.")

    objects = TreeQuerySet.as_manager()

    def __str__(self) -> str:
        return self.digest


class Occurrence(models.Model):
    """Where content stands: a digest at a path of a model, and the version that brought it there first."""

    model = models.ForeignKey("registry.RegisteredModel", models.CASCADE, related_name="occurrences")
    path = models.CharField(max_length=1024)
    digest = models.CharField(max_length=64, db_index=True)
    first_version = models.ForeignKey("registry.Version", models.PROTECT, related_name="+")

    number: int  # of a version to show it in, and the size of its blob, where a search found the row
    size: int | None

    class Meta:
        constraints = [models.UniqueConstraint(fields=["model", "path", "digest"], name="one_occurrence_per_place")]

    def __str__(self) -> str:
        return f"{self.path} {self.digest[:12]}"


TO_COME = """
    FROM registry_upload
    WHERE stored_at IS NULL AND refused = '' AND alive_at > %s AND expires_at > %s AND actor_id <> %s
"""
EACH_TO_COME = f'SELECT COALESCE(SUM(size - "offset"), 0) {TO_COME}'
EACH_FILE_TO_COME = f"""
    SELECT COALESCE(SUM(missing), 0) FROM (
        SELECT MAX(size - "offset") AS missing {TO_COME} GROUP BY actor_id, sha256, CASE sha256 WHEN '' THEN id END
    ) AS files
"""


class UploadQuerySet(models.QuerySet["Upload"]):
    def open(self, now: datetime | None = None) -> UploadQuerySet:
        return self.filter(expires_at__gt=now or timezone.now())

    def bytes_to_come(self, *, room: int = -1, but_of: int = 0) -> int:
        """How many bytes senders may still bring, all but the user of this id: of uploads that are open and alive.

        A file that somebody announced several times by its digest comes once. That is looked at where there is no room for
        so many bytes: it takes much longer when many thousands are announced.
        """
        now, adapted = timezone.now(), connections[self.db].ops.adapt_datetimefield_value
        said = [adapted(now - settings.UPLOAD_ROOM_KEPT), adapted(now), but_of]
        with connections[self.db].cursor() as cursor:
            cursor.execute(EACH_TO_COME, said)
            each = int(cursor.fetchone()[0])
            if each <= room:
                return each
            cursor.execute(EACH_FILE_TO_COME, said)
            return int(cursor.fetchone()[0])

    def coming(self) -> UploadQuerySet:
        """Those whose bytes are not all here and may still come: alive, or begun and not yet expired."""
        alive = Q(alive_at__gt=timezone.now() - settings.UPLOAD_ROOM_KEPT)
        return self.open().filter(alive | Q(offset__gt=0) | ~Q(store_upload=""), stored_at=None, refused="")

    def unfinished(self) -> UploadQuerySet:
        """Those of which something came, or may have come, that a sender goes on with."""
        return self.open().filter(Q(offset__gt=0) | ~Q(store_upload=""), stored_at=None, refused="")

    def stored_by(self, actor: Actor) -> UploadQuerySet:
        """The actor's own uploads whose bytes have arrived and that have not expired; a bound token sees its project's."""
        return self.brought_by(actor.pk, bound_to(actor), timezone.now())

    def brought_by(self, user: int | None, bound: str | None, now: datetime) -> UploadQuerySet:
        """The same of the user of this id; of the project named `bound` alone, if there is one."""
        uploads = self.open(now).filter(actor=user, stored_at__isnull=False)
        return uploads if bound is None else uploads.filter(project__name=bound)


def upload_deadline() -> datetime:
    return timezone.now() + settings.UPLOAD_LIFETIME


class Upload(models.Model):
    """Bytes on their way to become a blob, announced by one user for a project, mostly for one of its models."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="uploads")
    model = models.ForeignKey("registry.RegisteredModel", models.CASCADE, null=True, blank=True, related_name="uploads")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="uploads")
    sha256 = models.CharField(max_length=64, blank=True, db_index=True, help_text="As announced, or as found.")
    size = models.BigIntegerField()
    offset = models.BigIntegerField(default=0, help_text="Bytes that are safe on disk.")
    pieces = models.JSONField(
        default=list, blank=True, editable=False, help_text="In a bucket: name and size of each object that holds some."
    )
    store_upload = models.CharField(
        max_length=1024,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="The bucket's own name of an upload in parts, where the sender brings it there itself.",
    )
    verifying_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When it was last asked to read what a bucket was sent."
    )
    refused = models.CharField(
        max_length=40, blank=True, default="", db_default="", editable=False, help_text="Why what came is not kept."
    )
    leased_until = models.DateTimeField(null=True, blank=True, help_text="One writer at a time.")
    created_at = models.DateTimeField(auto_now_add=True)
    alive_at = models.DateTimeField(
        default=timezone.now,
        db_default=Now(),
        editable=False,
        help_text="When it was announced, or bytes of it last came: its room on the disk is kept for a while from then.",
    )
    expires_at = models.DateTimeField(default=upload_deadline, db_index=True)
    stored_at = models.DateTimeField(null=True, blank=True)

    objects = UploadQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(size__gte=0), name="upload_size_is_not_negative")]
        indexes = [
            models.Index(fields=["actor", "sha256"], name="uploads_of_an_actor"),
            models.Index(fields=["alive_at"], condition=Q(stored_at=None), name="uploads_to_come"),
        ]

    def __str__(self) -> str:
        return str(self.id)
