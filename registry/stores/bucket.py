"""The store in an S3 bucket: an object for each blob. Every answer is awaited for a bounded time, and bodies are streamed.

What is written is either verified by the store itself, where it has shown that it refuses other bytes, or read back.
"""

from __future__ import annotations

import errno
import io
import secrets
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from weakref import WeakKeyDictionary

from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from registry.digests import base64_of, chunks_of, digest_stream
from registry.stores.beside import at_once
from registry.stores.contract import Piece, Stored, key_of
from registry.stores.objects import Ranges, Stream, Window, said_clearly

READ_AT_ONCE = 128 * 1024  # of an object of which only parts are read
PART = 64 * 2**20  # bytes; larger files go up in parts
MOST_COPIED = 5 * 2**30  # bytes that a store copies in one request
NO_BYTES = b"these bytes have another SHA-256"
Answer = TypeVar("Answer")
Asked = TypeVar("Asked")

# A store that does not answer is said to be away after some seconds, and tried again by whoever asked.
PATIENCE = Config(
    connect_timeout=4,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=64,
    # What we know is better than CRCs: the SHA-256 of whole files.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
IN_PARTS = TransferConfig(multipart_threshold=PART, multipart_chunksize=16 * 2**20, max_concurrency=4)
COPYING = TransferConfig(multipart_threshold=MOST_COPIED, multipart_chunksize=2**30, max_concurrency=4)


class Bucket:
    """Blobs as objects `ab/cdef…` of an S3 bucket, by the settings of django-storages."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self.name: str = storage.bucket_name
        self._signers: dict[str, Any] = {}

    @cached_property
    def client(self) -> Any:
        """One client for all threads: what django-storages makes is one for each, and holds whole objects."""
        return self.client_at(self._storage.endpoint_url)

    def client_at(self, endpoint: str | None) -> Any:
        storage = self._storage
        about = PATIENCE.merge(storage.client_config) if storage.client_config else PATIENCE
        style = storage.addressing_style or ("path" if endpoint else "auto")
        about = about.merge(Config(s3={"addressing_style": style}, signature_version="s3v4"))
        return storage._create_session().client(
            "s3", region_name=storage.region_name or "us-east-1", endpoint_url=endpoint, config=about
        )

    def key(self, name: str) -> str:
        location = str(self._storage.location).strip("/")
        return f"{location}/{name}" if location else name

    def place(self, name: str) -> dict[str, str]:
        return {"Bucket": self.name, "Key": self.key(name)}

    # --- Blobs

    def take(self, source: Path, digest: str) -> None:
        if self.send(source, key_of(digest), digest):
            return
        # The store may not verify what it received: read it back before anybody relies on it.
        if self.digest_of(key_of(digest)) != digest:
            self.delete(digest)
            raise OSError(errno.EIO, f"the store gave back other bytes for {digest}")

    def take_all(self, sources: Mapping[str, Path]) -> None:
        at_once(lambda digest: self.take(sources[digest], digest), sources)

    def all_exist(self, digests: Collection[str]) -> bool:
        return all(at_once(self.exists, digests))

    def open(self, digest: str, *, start: int = 0, length: int | None = None) -> BinaryIO:
        return self.open_object(key_of(digest), start=start, length=length)

    def open_ranges(self, digest: str) -> BinaryIO:
        size = self.size_of(key_of(digest))
        return io.BufferedReader(Ranges(self.client, self.place(key_of(digest)), size), READ_AT_ONCE)

    def delete(self, digest: str) -> None:
        self.delete_object(key_of(digest))

    def exists(self, digest: str) -> bool:
        try:
            self._head(key_of(digest))
        except FileNotFoundError:
            return False
        return True

    def set_aside(self, digest: str) -> None:
        if self.exists(digest):
            self.copy(key_of(digest), f"quarantine/{digest}")
            self.delete(digest)

    def stored(self) -> Iterator[Stored]:
        for name, size, written_at in self.objects(""):
            if name[2:3] == "/":
                yield Stored(name.replace("/", "", 1), size, written_at)

    def is_there(self) -> bool:
        return True  # a bucket that is not there is an error wherever it is asked

    def check(self) -> None:
        with said_clearly():
            self.client.head_bucket(Bucket=self.name)

    def signed_address(self, digest: str, *, endpoint: str, disposition: str, content_type: str, seconds: int) -> str:
        """Return where whoever has it fetches the bytes, at the store itself, for so long."""
        about = {"ResponseContentDisposition": disposition, "ResponseContentType": content_type}
        return self.signed("get_object", key_of(digest), endpoint=endpoint, seconds=seconds, **about)

    def signed(self, call: str, name: str, *, endpoint: str, seconds: int, **about: Any) -> str:
        """Return an address at which whoever has it may make this one call of S3, for so long."""
        if endpoint not in self._signers:
            self._signers[endpoint] = self.client_at(endpoint)
        asked = {**self.place(name), **about}
        return str(self._signers[endpoint].generate_presigned_url(call, Params=asked, ExpiresIn=seconds))

    # --- Pieces of uploads

    def keep_piece(self, upload: str, source: Path, *, start: int, length: int) -> str:
        """Keep some bytes of a file; return the name of the piece. No two are alike: a sender that was late harms none."""
        name = f"{start:015d}-{secrets.token_hex(8)}"
        with Window(source, start=start, length=length) as window, said_clearly():
            self.client.put_object(Body=window, ContentLength=length, **self.place(f"incoming/{upload}/{name}"))
        return name

    def open_piece(self, upload: str, name: str) -> BinaryIO:
        return self.open_object(f"incoming/{upload}/{name}")

    def forget_piece(self, upload: str, name: str) -> None:
        self.delete_object(f"incoming/{upload}/{name}")

    def pieces(self) -> Iterator[Piece]:
        for path, size, written_at in self.objects("incoming/"):
            _, upload, name = path.split("/", 2)
            yield Piece(upload, name, size, written_at)

    # --- Objects by name

    def send(self, source: Path, name: str, digest: str) -> bool:
        """Make an object of a file; whether the store itself is sure that it has the bytes of this digest."""
        with source.open("rb") as file, said_clearly():
            if source.stat().st_size > PART:
                self.client.upload_fileobj(file, **self.place(name), Config=IN_PARTS)
                return False
            if not self.verifies:
                self.client.put_object(Body=file, **self.place(name))
                return False
            said = self.client.put_object(Body=file, ChecksumSHA256=base64_of(digest), **self.place(name))
            return bool(said.get("ChecksumSHA256") == base64_of(digest))

    @cached_property
    def verifies(self) -> bool:
        """Whether this store refuses bytes that have another SHA-256 than announced. Some note what was said, unread."""
        place, false = self.place("probe"), base64_of("0" * 64)
        with said_clearly():
            try:
                self.client.put_object(Body=NO_BYTES, ChecksumSHA256=false, **place)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 400:
                    return True
                raise
            self.client.delete_object(**place)
        return False

    def reports(self, name: str) -> str:
        """Return the SHA-256 of a whole object, in base64, that the store says it has verified; empty where it does not."""
        about = self._head(name, ChecksumMode="ENABLED")
        return str(about.get("ChecksumSHA256", "")) if self.verifies else ""

    def digest_of(self, name: str) -> str:
        """Read an object back, and return its SHA-256."""
        with self.open_object(name) as stored:
            return digest_stream(chunks_of(stored))[0]

    def open_object(self, name: str, *, start: int = 0, length: int | None = None) -> BinaryIO:
        return Stream(self.client, self.place(name), start=start, length=length)  # type: ignore[return-value]

    def copy(self, source: str, target: str) -> None:
        with said_clearly():
            self.client.copy(self.place(source), self.name, self.key(target), Config=COPYING)

    def delete_object(self, name: str) -> None:
        with said_clearly():
            self.client.delete_object(**self.place(name))

    def objects(self, prefix: str) -> Iterator[tuple[str, int, float]]:
        """Yield the objects whose names begin so: name, size, and when it was written (seconds)."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self.key(prefix))
        with said_clearly():
            for page in pages:
                for item in page.get("Contents", []):
                    name = str(item["Key"]).removeprefix(self.key(""))
                    yield name, item["Size"], item["LastModified"].timestamp()

    def size_of(self, name: str) -> int:
        return int(self._head(name)["ContentLength"])

    def _head(self, name: str, **more: str) -> dict[str, Any]:
        with said_clearly():
            about: dict[str, Any] = self.client.head_object(**self.place(name), **more)
            _ = about["ContentLength"]  # the head of the answer is whole, or nearly so
        return about


_KNOWN: WeakKeyDictionary[Any, Bucket] = WeakKeyDictionary()


def bucket_of(storage: Any) -> Bucket:
    """Return the bucket of this storage: one for each, whose connections stay."""
    if storage not in _KNOWN:
        _KNOWN[storage] = Bucket(storage)
    return _KNOWN[storage]
