"""What the tests of housekeeping share: time that has passed, runs of the collector, and what is stored."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.utils import timezone

from accounts.models import User
from registry import storage, trees
from registry.models import Blob, Occurrence, Tree, Upload, Version
from registry.services import garbage, trash

LONG_AGO = timedelta(days=400)
AT_ONCE = timedelta(0)  # a grace that waits for nothing but the end of the run


def let_trash_days_pass(row: trash.Row) -> None:
    """Let a row in the trash have been there for longer than it can be taken back."""
    type(row)._default_manager.filter(pk=row.pk).update(trashed_at=timezone.now() - LONG_AGO)


def let_grace_pass() -> None:
    """Let everything that is stored have been used last long ago, and every upload have expired."""
    past = timezone.now() - LONG_AGO
    for kind in (Blob, Tree):
        kind._default_manager.update(used_at=past)
    Upload.objects.update(expires_at=past)


def purge(actor: User, *rows: trash.Row) -> garbage.Report:
    """Delete rows, let their time in the trash pass, and run the collector."""
    for row in rows:
        let_trash_days_pass(trash.delete(actor=actor, row=row))
    return garbage.collect()


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def path_of(content: bytes) -> Path:
    """Where the disk keeps these bytes."""
    return Path(settings.STORAGES["blobs"]["OPTIONS"]["location"]) / storage.key_of(digest_of(content))


def is_kept(content: bytes) -> bool:
    """Whether these bytes have a live row and their file; fails where there is one without the other."""
    row = Blob.objects.live().filter(pk=digest_of(content)).exists()
    assert storage.blob_exists(digest_of(content)) == row
    return row


def everything() -> dict[str, Any]:
    """All rows and all files, to see that nothing has changed."""
    rows = {
        model.__name__: sorted(map(_plain, model._default_manager.values()))
        for model in apps.get_app_config("registry").get_models()
    }
    files = {
        str(path): path.read_bytes()
        for path in settings.LMVP_DATA_DIR.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }
    return rows | files


def _plain(row: dict[str, Any]) -> str:
    return repr({name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()})


def check_integrity() -> None:
    """Assert that every version that was not purged has its trees, its places and its bytes, whole."""
    for version in Version.objects.filter(purged_at=None):
        places = set(Occurrence.objects.filter(model=version.model_id).values_list("path", "digest"))
        for place in trees.brought(Tree.objects.contents_of, version.tree_id, None):
            assert (place.path, place.entry.digest) in places, (version.number, place.path)
            if not place.entry.is_directory:
                assert Blob.objects.live().filter(pk=place.entry.digest).exists(), (version.number, place.path)
                assert hashlib.sha256(b"".join(storage.read_blob(place.entry.digest))).hexdigest() == place.entry.digest
    for blob in Blob.objects.live():
        assert storage.blob_exists(blob.pk), blob.pk
