"""What the rest of the server relies on in a store, the same on a disk and in a bucket of a real S3 server."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage, storages

from registry import storage
from registry.stores.bucket import bucket_of
from registry.stores.contract import key_of
from registry.stores.disk import Disk
from tests.s3 import storage_options

BYTES = os.urandom(300_000)
DIGEST = hashlib.sha256(BYTES).hexdigest()


@pytest.fixture(params=["disk", "bucket"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the store's files stand."""
    if request.param == "bucket":
        return request.getfixturevalue("in_bucket").bucket
    return tmp_path / "blobs"


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    def make(content: bytes) -> Path:
        path = tmp_path / f"source-{hashlib.sha256(content).hexdigest()[:8]}"
        path.write_bytes(content)
        return path

    return make


@pytest.fixture
def kept(root: Path, file: Callable[[bytes], Path]) -> Path:
    """The file of BYTES, taken."""
    storage.take(file(BYTES), DIGEST)
    return root / key_of(DIGEST)


def test_bytes_stand_under_their_digest(kept: Path) -> None:
    assert kept.read_bytes() == BYTES
    assert storage.blob_exists(DIGEST)
    assert b"".join(storage.read_blob(DIGEST)) == BYTES


def test_no_bytes_are_bytes_too(root: Path, file: Callable[[bytes], Path]) -> None:
    nothing = hashlib.sha256().hexdigest()
    storage.take(file(b""), nothing)
    assert b"".join(storage.read_blob(nothing)) == b""
    with storage.open_ranges(nothing) as opened:
        assert opened.read() == b""
    with storage.Slice(nothing, start=0, length=0) as part:
        assert part.read() == b""


def test_bytes_are_replaced_by_the_same(kept: Path, file: Callable[[bytes], Path]) -> None:
    storage.take(file(BYTES), DIGEST)
    assert b"".join(storage.read_blob(DIGEST)) == BYTES


def test_a_file_may_be_read_from_anywhere(kept: Path) -> None:
    with storage.open_blob(DIGEST) as opened:
        assert opened.read(10) == BYTES[:10]
        opened.seek(200_000)
        assert opened.read(10) == BYTES[200_000:200_010]
        assert opened.tell() == 200_010
        opened.seek(-5, os.SEEK_END)
        assert opened.read(10) == BYTES[-5:]
        assert opened.read(10) == b""
    with storage.open_ranges(DIGEST) as opened:
        opened.seek(-5, os.SEEK_END)
        assert opened.read() == BYTES[-5:]
        opened.seek(7)
        assert opened.read(200_000) == BYTES[7:200_007]


@pytest.mark.parametrize(("start", "length"), [(0, 300_000), (0, 1), (17, 100_000), (299_999, 1)])
def test_a_slice_is_these_bytes_alone(kept: Path, start: int, length: int) -> None:
    with storage.Slice(DIGEST, start=start, length=length) as part:
        found = b"".join(iter(lambda: part.read(65_536), b""))
    assert found == BYTES[start : start + length]


def test_a_slice_has_a_file_number_where_there_is_a_file(kept: Path) -> None:
    with storage.Slice(DIGEST, start=5, length=10) as part:
        if isinstance(storages["blobs"], FileSystemStorage):
            assert os.lseek(part.fileno(), 0, os.SEEK_CUR) == 5
        else:
            with pytest.raises(OSError, match="fileno"):
                part.fileno()


@pytest.mark.parametrize(
    "opened", [storage.open_blob, storage.open_ranges, lambda d: storage.Slice(d, start=0, length=1)]
)
def test_what_is_gone_is_lost(kept: Path, opened: Callable[[str], Any]) -> None:
    kept.unlink()
    assert not storage.blob_exists(DIGEST)
    with pytest.raises(storage.Lost):
        opened(DIGEST)
    storage.delete_blob(DIGEST)


def test_deleted_bytes_are_gone(kept: Path) -> None:
    storage.delete_blob(DIGEST)
    assert not kept.exists()
    assert not storage.blob_exists(DIGEST)


def test_damaged_bytes_are_set_aside(kept: Path, root: Path, tmp_path: Path) -> None:
    storage.set_aside(DIGEST)
    assert not storage.blob_exists(DIGEST)
    shelf = tmp_path if isinstance(storages["blobs"], FileSystemStorage) else root
    assert (shelf / "quarantine" / DIGEST).read_bytes() == BYTES
    storage.set_aside(DIGEST)
    assert list(storage.stored()) == [], "what is set aside is no stored file"


def test_files_of_a_pack_are_taken_together(root: Path, file: Callable[[bytes], Path]) -> None:
    contents = [b"%d" % number * number for number in range(30)]
    files = {hashlib.sha256(content).hexdigest(): file(content) for content in contents}
    storage.take_all(files)
    assert storage.all_exist(files)
    assert not storage.all_exist([*files, DIGEST])
    assert [b"".join(storage.read_blob(digest)) for digest in files] == contents
    found = {one.digest: one.size for one in storage.stored()}
    assert found == {hashlib.sha256(content).hexdigest(): len(content) for content in contents}
    assert all(abs(one.written_at - time.time()) < 60 for one in storage.stored())


def test_only_digests_are_listed(kept: Path, root: Path) -> None:
    for name in ("ab/other", "incoming/x/0", "ready"):
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_bytes(b"x")
    assert [one.digest for one in storage.stored()] == [DIGEST]


def test_a_store_that_works_is_ready(root: Path) -> None:
    storage.check()


def test_a_large_file_goes_up_in_parts(in_bucket, tmp_path: Path) -> None:
    path, block = tmp_path / "large", os.urandom(2**20)
    with path.open("wb") as out:
        for _ in range(70):
            out.write(block)
    digest = hashlib.sha256(block * 70).hexdigest()
    storage.take(path, digest)
    with storage.Slice(digest, start=68 * 2**20 - 3, length=6) as part:
        assert part.read() == block[-3:] + block[:3]


# --- A bucket that is not as it should be


def test_other_bytes_than_promised_are_not_kept(in_bucket, file: Callable[[bytes], Path]) -> None:
    with pytest.raises(OSError, match="other bytes"):
        storage.take(file(b"other bytes"), DIGEST)
    assert in_bucket.objects() == []


def test_what_a_store_repeats_is_not_believed(in_bucket) -> None:
    """This one notes the checksum that it is told, whatever the bytes are."""
    bucket = bucket_of(storages["blobs"])
    assert not bucket.verifies
    bucket.client.put_object(Body=b"x", ChecksumSHA256="A" * 43 + "=", **bucket.place("lie"))
    assert bucket.client.head_object(ChecksumMode="ENABLED", **bucket.place("lie"))["ChecksumSHA256"] == "A" * 43 + "="
    assert bucket.reports("lie") == ""


def test_a_bucket_that_is_not_there_is_said(in_bucket, settings) -> None:
    options = storage_options(in_bucket.url) | {"bucket_name": "nobody-made-it"}
    blobs = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "blobs": blobs}
    with pytest.raises(storage.Unavailable):
        storage.check()


def test_the_disk_is_told_from_the_bucket_here_alone(root: Path) -> None:
    on_disk = isinstance(storages["blobs"], FileSystemStorage)
    assert (storage.path_of(DIGEST) is not None) == on_disk
    assert isinstance(storage._store(), Disk) == on_disk
