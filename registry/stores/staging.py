"""Bytes that senders bring to the bucket themselves: objects `staging/<upload>/bytes`, read by nobody until they are sure.

A signed PUT is given out only where the store refuses bytes that are not the announced ones. All other bytes come in
parts, which we join: what stands here then nobody can write any more while it is read back. A store's checksum of
parts is not the file's (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from registry.digests import base64_of
from registry.stores.bucket import PART, Bucket
from registry.stores.contract import Piece, key_of
from registry.stores.objects import said_clearly

MOST_PARTS = 1000  # of a file; larger ones have larger parts
STAGING, BYTES = "staging/", "/bytes"


@dataclass(frozen=True, slots=True)
class Part:
    """Some bytes of an upload, and where they are sent; with the store's name for them when they are there."""

    number: int
    offset: int
    size: int
    href: str
    etag: str | None = None


class Staging:
    """Where uploads stand that come straight to the bucket, by addresses below `endpoint`, as their senders reach it."""

    def __init__(self, bucket: Bucket, endpoint: str) -> None:
        self._bucket = bucket
        self._endpoint = endpoint

    # --- At once

    def takes_at_once(self, *, size: int, sha256: str) -> bool:
        """Whether the store itself sees to it that nothing but these bytes is written."""
        return bool(sha256) and size <= PART and self._bucket.verifies

    def address(self, upload: str, *, size: int, sha256: str, seconds: int) -> tuple[str, dict[str, str]]:
        """Return where to PUT a file, and the headers to send with it."""
        checksum = base64_of(sha256)
        about = {"ContentLength": size, "ChecksumSHA256": checksum}
        return self._signed("put_object", upload, seconds, **about), {"x-amz-checksum-sha256": checksum}

    def is_sure(self, upload: str, *, sha256: str) -> bool:
        """Whether the store says that it has verified this SHA-256 of the whole file."""
        return self._bucket.reports(_name(upload)) == base64_of(sha256)

    # --- In parts

    def begin(self, upload: str) -> str:
        """Begin an upload in parts; return the store's own name of it."""
        with said_clearly():
            return str(self._bucket.client.create_multipart_upload(**self._place(upload))["UploadId"])

    def parts(self, upload: str, name: str, *, size: int, seconds: int) -> list[Part]:
        """Return the parts of a file; FileNotFoundError when the store does not know (any more) of an upload of this name."""
        there = self._arrived(upload, name)
        return [
            Part(
                number,
                offset,
                length,
                self._signed("upload_part", upload, seconds, UploadId=name, PartNumber=number, ContentLength=length),
                there[number][0] if number in there and there[number][1] == length else None,
            )
            for number, offset, length in cut(size)
        ]

    def join(self, upload: str, name: str, *, size: int, etags: Mapping[int, str]) -> list[int]:
        """Make one object of the parts; or return the numbers of those that are not there, or not as their sender says.

        FileNotFoundError when the store does not know of them: joined before, or forgotten.
        """
        there = self._arrived(upload, name)
        wrong = [
            number
            for number, _, length in cut(size)
            if number not in there
            or there[number][1] != length
            or bare(etags.get(number) or there[number][0]) != bare(there[number][0])
        ]
        if not wrong:
            named = [{"PartNumber": number, "ETag": there[number][0]} for number, _, _ in cut(size)]
            with said_clearly():
                self._bucket.client.complete_multipart_upload(
                    **self._place(upload), UploadId=name, MultipartUpload={"Parts": named}
                )
        return wrong

    def _arrived(self, upload: str, name: str) -> dict[int, tuple[str, int]]:
        """Return ETag and size of each part that is there."""
        with said_clearly():
            pages = self._bucket.client.get_paginator("list_parts").paginate(**self._place(upload), UploadId=name)
            return {
                part["PartNumber"]: (part["ETag"], part["Size"])
                for page in pages
                if page["UploadId"] == name  # an answer that broke off is not one that lists nothing
                for part in page.get("Parts", [])
            }

    # --- What came

    def size_of(self, upload: str) -> int:
        return self._bucket.size_of(_name(upload))

    def digest_of(self, upload: str) -> str:
        """Read what came, and return its SHA-256."""
        return self._bucket.digest_of(_name(upload))

    def give_key(self, upload: str, digest: str) -> None:
        """Let verified bytes stand under their digest; within the store."""
        self._bucket.copy(_name(upload), key_of(digest))

    def forget(self, upload: str, name: str = "") -> None:
        """Delete what came of an upload, and its parts; quiet when nothing did."""
        if name:
            self.abort(upload, name)
        self._bucket.delete_object(_name(upload))

    def abort(self, upload: str, name: str) -> None:
        """Delete parts that were not joined; quiet when the store does not know of them."""
        with suppress(FileNotFoundError), said_clearly():
            self._bucket.client.abort_multipart_upload(**self._place(upload), UploadId=name)

    def leftovers(self) -> Iterator[Piece]:
        """Yield what stands here: whole objects (without a name), and uploads in parts by the store's name (without a size)."""
        for name, size, written_at in self._bucket.objects(STAGING):
            if name.endswith(BYTES):  # what else stands there is not of ours
                yield Piece(_upload_of(name), "", size, written_at)
        asked = {"Bucket": self._bucket.name, "Prefix": self._bucket.key(STAGING)}
        with suppress(FileNotFoundError), said_clearly():  # some stores say so where there are none
            for page in self._bucket.client.get_paginator("list_multipart_uploads").paginate(**asked):
                for begun in page.get("Uploads", []):
                    upload = _upload_of(str(begun["Key"]).removeprefix(self._bucket.key("")))
                    yield Piece(upload, begun["UploadId"], 0, begun["Initiated"].timestamp())

    # --- Names

    def _place(self, upload: str) -> dict[str, str]:
        return self._bucket.place(_name(upload))

    def _signed(self, call: str, upload: str, seconds: int, **about: object) -> str:
        return self._bucket.signed(call, _name(upload), endpoint=self._endpoint, seconds=seconds, **about)


def cut(size: int) -> list[tuple[int, int, int]]:
    """Return number, offset and size of the parts of a file."""
    length = max(PART, -(-size // MOST_PARTS))
    starts = range(0, max(size, 1), length)
    return [(number, start, min(length, size - start)) for number, start in enumerate(starts, start=1)]


def _name(upload: str) -> str:
    """A directory for each: a store that keeps objects as files may take an empty one away, beside others under way."""
    return f"{STAGING}{upload}{BYTES}"


def _upload_of(name: str) -> str:
    return name.removeprefix(STAGING).removesuffix(BYTES)


def bare(etag: str) -> str:
    return etag.strip('"')
