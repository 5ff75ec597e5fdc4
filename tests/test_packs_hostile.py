"""Packs that are no packs, lie, are too large or end too early: refused by name, whole, and nothing of them is kept."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist

from accounts.services.access_tokens import create_access_token
from registry import tars
from registry.errors import Invalid, TooLarge
from registry.models import Blob, RegisteredModel, Upload
from registry.services import packs
from registry.services.members import remove_member
from tests.cast import Cast, client_of, publish
from tests.matchers import nothing_left_behind, refused
from tests.tars import BLOCK, END, digest_of, header, member, pack_of, padded, pax, send_pack
from tests.test_bad_input_uploads import put_raw, tiny_disk

__all__ = ["tiny_disk"]
ADDRESS = "/v1/projects/vision/models/classifier/uploads/pack/"
HELLO, OTHER = b"hello", b"other"
NAME = digest_of(HELLO)
GOOD = member(OTHER)


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    return cast.model()


BAD_NAMES = {
    "path": "weights.bin",
    "empty": "",
    "absolute": f"/{NAME}",
    "in a directory": f"./{NAME}",
    "climbing": f"../{NAME}",
    "upper case": NAME.upper(),
    "too short": NAME[:-1],
    "too long": f"{NAME}0",
    "line feed": f"{NAME}\n",
    "with a suffix": f"{NAME}.bin",
    "a directory's": f"{NAME}/",
}
ODD_TYPES = {
    "hard link": tarfile.LNKTYPE,
    "symlink": tarfile.SYMTYPE,
    "character device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
    "directory": tarfile.DIRTYPE,
    "fifo": tarfile.FIFOTYPE,
    "contiguous": tarfile.CONTTYPE,
    "GNU long name": tarfile.GNUTYPE_LONGNAME,
    "GNU long link": tarfile.GNUTYPE_LONGLINK,
    "GNU sparse": tarfile.GNUTYPE_SPARSE,
    "Solaris pax": tarfile.SOLARIS_XHDTYPE,
    "unknown": b"Q",
}
TERABYTES = 10 * 2**40
BROKEN = {
    "nothing": b"",
    "half a block": header(NAME, 5)[:300],
    "no tar": b"these are no blocks of a tar " * 100,
    "JSON": b"[" + b"1," * 600 + b"1]",
    "zip": b"PK\3\4" + bytes(1000),
    "gzip": gzip.compress(pack_of(*(os.urandom(100) for _ in range(50)))),
    "no member": END,
    "header alone": header(NAME, 5),
    "cut in the bytes": header(NAME, 5) + b"he",
    "cut in the padding": member(HELLO)[:-1],
    "cut before the end": member(HELLO),
    "cut in the end": member(HELLO) + END[:BLOCK],
    "one zero block alone": member(HELLO) + END[:BLOCK] + GOOD + END,
    "junk behind the end": pack_of(HELLO) + b"junk",
    "junk far behind the end": pack_of(HELLO) + bytes(20_000) + b"\1",
    "another tar behind the end": pack_of(HELLO) + pack_of(OTHER),
    "wrong checksum": bytes([header(NAME, 5)[0] ^ 1]) + header(NAME, 5)[1:] + padded(HELLO) + END,
    "size that is no number": header(NAME, 5, size_field=b"eleven bits\0") + padded(HELLO) + END,
    "negative size": header(NAME, 5, size_field=b"-0000000005\0") + padded(HELLO) + END,
    "negative size in base 256": header(NAME, 5, size_field=b"\xff" * 11 + b"\xfb") + padded(HELLO) + END,
    "shorter than it says": header(NAME, 700) + padded(HELLO) + END,
    "longer than it says": header(digest_of(b"x" * 600), 5) + b"x" * 600 + bytes(424) + END,
    "the same member twice": member(HELLO) + GOOD + member(HELLO) + END,
    "prefix": header(NAME, 5, prefix=b"above") + padded(HELLO) + END,
    "long name of terabytes": header("././@LongLink", TERABYTES, kind=tarfile.GNUTYPE_LONGNAME) + GOOD + END,
    "pax of terabytes": header("x", TERABYTES, kind=tarfile.XHDTYPE) + GOOD + END,
    "pax of a megabyte": header("x", 2**20, kind=tarfile.XHDTYPE) + bytes(2**20) + GOOD + END,
    "pax that renames": pax(path="weights.bin") + member(HELLO) + END,
    "pax that resizes": pax(size="8000000000") + member(HELLO) + END,
    "pax for all that resizes": pax(tarfile.XGLTYPE, size="3") + member(HELLO) + END,
    "pax that makes it sparse": pax(**{"GNU.sparse.realsize": str(TERABYTES)}) + member(HELLO) + END,
    "pax that is no pax": header("x", 9, kind=tarfile.XHDTYPE) + padded(b"no record") + member(HELLO) + END,
    "pax that counts wrong": header("x", 12, kind=tarfile.XHDTYPE) + padded(b"99 mtime=1\n\n") + member(HELLO) + END,
    "pax of length nothing": header("x", 9, kind=tarfile.XHDTYPE) + padded(b"0 mtime=1") + member(HELLO) + END,
} | {
    f"name that is {what}": GOOD + header(name, 5) + padded(HELLO) + END for what, name in BAD_NAMES.items()
} | {
    what: GOOD + header(NAME, 0, kind=kind, link="/etc/passwd") + END for what, kind in ODD_TYPES.items()
}  # fmt: skip
TOLD_OTHERWISE = {"longer than it says": "digest_mismatch", "shorter than it says": "digest_mismatch"}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_no_pack_is_refused_whole(cast: Cast, model: RegisteredModel, what: str) -> None:
    with nothing_left_behind():
        refused(send_pack(cast.bob, BROKEN[what]), 400, TOLD_OTHERWISE.get(what, "invalid_pack"))


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("step", [1, 511, 513])
def test_it_is_the_same_however_it_is_cut_into_pieces(cast: Cast, model: RegisteredModel, what: str, step: int) -> None:
    body = BROKEN[what][:40_000]
    pieces = (body[start : start + step] for start in range(0, len(body), step))
    with nothing_left_behind(), pytest.raises(Invalid):
        packs.receive_pack(actor=cast.bob, model=model, chunks=pieces)


@pytest.mark.parametrize("value", [0, 32, 47, 48, 55, 56, 97, 255])
@pytest.mark.parametrize("told", [True, False], ids=["and its checksum", "alone"])
def test_whatever_byte_of_a_header_changes_is_read_as_tarfile_reads_it(value: int, told: bool) -> None:
    for place in range(BLOCK):
        block = bytearray(header(NAME, 812))
        block[place] = value
        if told and not 148 <= place < 156:
            block[148:156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 8 * 32)
        assert _read(tars._usual_header(bytes(block)) or _tarfiles(bytes(block))) == _read(_tarfiles(bytes(block)))


def _tarfiles(block: bytes) -> tarfile.TarInfo | None:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")  # type: ignore[arg-type]
    except (tarfile.HeaderError, ValueError):
        return None


def _read(header: tarfile.TarInfo | None) -> tuple[str, int, bool] | None:
    return (header.name, header.size, header.isreg()) if header else None


def test_bytes_that_are_not_those_of_the_name(cast: Cast, model: RegisteredModel) -> None:
    with nothing_left_behind():
        error = refused(send_pack(cast.bob, GOOD + header(NAME, 5) + padded(b"hellO") + END), 400, "digest_mismatch")
    assert error["fields"] == {"members": [NAME]}
    assert NAME in error["message"]


def test_of_several_damaged_files_the_first_is_told(cast: Cast, model: RegisteredModel) -> None:
    """However many are written at a time, and aside."""
    right = [b"%d" % number for number in range(1000)]
    names = [digest_of(content) for content in right]
    damaged = {200, 201, 500, 999}
    body = b"".join(
        header(names[number], len(content)) + padded(b"x" * len(content) if number in damaged else content)
        for number, content in enumerate(right)
    )
    with nothing_left_behind():
        error = refused(send_pack(cast.bob, body + END), 400, "digest_mismatch")
    assert error["fields"] == {"members": [names[200]]}


def test_compressed_pack_is_told_from_other_junk(cast: Cast, model: RegisteredModel) -> None:
    assert "compress" in refused(send_pack(cast.bob, BROKEN["gzip"]), 400, "invalid_pack")["message"]


# --- Bounds


def test_file_that_is_too_large_for_a_pack(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    settings.LMVP_PACK_FILE_SIZE = 5
    assert send_pack(cast.bob, pack_of(HELLO)).status_code == 200
    with nothing_left_behind():
        error = refused(send_pack(cast.bob, pack_of(OTHER, b"longer")), 413, "too_large")
    assert error["fields"] == {"members": [digest_of(b"longer")]}


@pytest.mark.parametrize("size", [8 * 2**20 + 1, TERABYTES], ids=["one byte more", "terabytes"])
def test_file_that_says_so_is_refused_before_its_bytes_come(cast: Cast, model: RegisteredModel, size: int) -> None:
    with nothing_left_behind():
        refused(send_pack(cast.bob, GOOD + header(NAME, size)), 413, "too_large")


def test_too_many_files(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    settings.LMVP_PACK_FILES = 2
    assert send_pack(cast.bob, pack_of(b"1", b"2")).status_code == 200
    with nothing_left_behind():
        refused(send_pack(cast.bob, pack_of(b"3", b"4", b"5")), 400, "too_many_files")


def test_too_many_bytes_in_all(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    body = pack_of(HELLO)
    settings.LMVP_PACK_SIZE = len(body)
    assert send_pack(cast.bob, body).status_code == 200
    with nothing_left_behind():
        refused(send_pack(cast.bob, pack_of(b"1", b"2")), 413, "too_large")
        refused(send_pack(cast.bob, pack_of(HELLO) + bytes(BLOCK)), 413, "too_large")


def endless(first: bytes, then: bytes) -> Iterator[bytes]:
    yield first
    while True:
        yield then


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (pack_of(HELLO), bytes(2**20)),
        (member(HELLO), pax(mtime="1.5") * 100),
        (member(HELLO), pax(tarfile.XGLTYPE, comment="x" * 900) * 100),
    ],
    ids=["zeros", "pax headers", "global pax headers"],
)
def test_what_never_ends_is_ended(cast: Cast, model: RegisteredModel, settings: Any, first: bytes, then: bytes) -> None:
    settings.LMVP_PACK_SIZE = 4 * 2**20
    with nothing_left_behind(), pytest.raises(TooLarge):
        packs.receive_pack(actor=cast.bob, model=model, chunks=endless(first, then))


def test_pack_is_taken_in_constant_memory(cast: Cast, model: RegisteredModel) -> None:
    def body() -> Iterator[bytes]:
        for number in range(16):
            whole = member(bytes([number]) * (4 * 2**20))
            yield from (whole[start : start + 2**20] for start in range(0, len(whole), 2**20))
        yield END

    tracemalloc.start()
    try:
        assert len(packs.receive_pack(actor=cast.bob, model=model, chunks=body())) == 16
        assert tracemalloc.get_traced_memory()[1] < 24 * 2**20  # the test's own member, twice, and little else
    finally:
        tracemalloc.stop()


# --- Headers of the request, and connections


@pytest.mark.parametrize("kind", ["application/json", "application/octet-stream", "application/gzip", "", "x"])
def test_body_of_another_type(cast: Cast, model: RegisteredModel, kind: str) -> None:
    with nothing_left_behind():
        refused(send_pack(cast.bob, pack_of(HELLO), content_type=kind), 415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
def test_form_is_not_read_either(cast: Cast, model: RegisteredModel, kind: str) -> None:
    with nothing_left_behind():
        refused(send_pack(cast.bob, b"--x\r\n" * 100, content_type=kind), 415, "unsupported_media_type")


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
def test_encoded_body(cast: Cast, model: RegisteredModel, coding: str) -> None:
    body = gzip.compress(pack_of(HELLO))
    with nothing_left_behind():
        refused(send_pack(cast.bob, body, HTTP_CONTENT_ENCODING=coding), 415, "unsupported_media_type")
    assert send_pack(cast.bob, pack_of(HELLO), HTTP_CONTENT_ENCODING="identity").status_code == 200


@pytest.mark.parametrize("announced", [str(2**30 + 1), "9" * 40])
def test_announced_length_that_is_too_much_is_refused_at_once(
    cast: Cast, model: RegisteredModel, bearer: str, announced: str
) -> None:
    status, answer = send_raw(bearer, b"", CONTENT_LENGTH=announced)
    assert (status, answer["error"]["code"]) == (413, "too_large")


@pytest.fixture
def bearer(cast: Cast) -> str:
    _, text = create_access_token(actor=cast.bob, name="cluster", scope="write")
    return f"Bearer {text}"


def send_raw(bearer: str, body: bytes, **environ: Any) -> tuple[int, Any]:
    about = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/x-tar", "HTTP_AUTHORIZATION": bearer}
    return put_raw(ADDRESS, body, **about, **environ)


@pytest.mark.parametrize("sent", [0, 100, 700, 1100, 2000])
def test_client_that_goes_away_midway(cast: Cast, model: RegisteredModel, bearer: str, sent: int) -> None:
    whole = pack_of(HELLO, OTHER)
    with nothing_left_behind():
        status, answer = send_raw(bearer, whole[:sent], CONTENT_LENGTH=str(len(whole)))
    assert (status, answer["error"]["code"]) == (400, "size_mismatch")


def test_connection_that_breaks_in_a_member(cast: Cast, model: RegisteredModel, bearer: str) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if piece := super().read(100):
                return piece
            raise ConnectionResetError("peer went away")

    whole = pack_of(HELLO, OTHER)
    for length in ({"CONTENT_LENGTH": str(len(whole))}, {"HTTP_TRANSFER_ENCODING": "chunked"}):
        with nothing_left_behind():
            status, answer = send_raw(bearer, b"", **length, **{"wsgi.input": Broken(whole[:1600])})
        assert (status, answer["error"]["code"]) == (400, "size_mismatch")


def test_chunked_pack_is_one_too(cast: Cast, model: RegisteredModel, bearer: str) -> None:
    status, answer = send_raw(bearer, pack_of(HELLO), HTTP_TRANSFER_ENCODING="chunked")
    assert (status, answer) == (200, [{"sha256": NAME, "size": 5}])


def test_pack_that_fills_the_disk(
    cast: Cast, model: RegisteredModel, bearer: str, tiny_disk: Any, settings: Any
) -> None:
    body = pack_of(*(bytes([number]) * 200_000 for number in range(8)))
    with nothing_left_behind():
        refused(send_pack(cast.bob, body), 507, "storage_full")
        status, answer = send_raw(bearer, body, HTTP_TRANSFER_ENCODING="chunked")
    assert (status, answer["error"]["code"]) == (507, "storage_full")


# --- Who may


@pytest.mark.parametrize(("name", "status"), [("dave", 403), ("charlie", 404)])
def test_who_may_not_send_is_refused_before_the_body_is_read(
    cast: Cast, model: RegisteredModel, name: str, status: int
) -> None:
    with nothing_left_behind():
        assert send_pack(getattr(cast, name), b"never read").status_code == status


def test_role_that_was_lost_while_the_pack_came(cast: Cast, model: RegisteredModel) -> None:
    def body() -> Iterator[bytes]:
        yield member(HELLO)
        remove_member(actor=cast.alice, project=cast.project, user=cast.bob)
        yield END

    with pytest.raises(ObjectDoesNotExist):
        packs.receive_pack(actor=cast.bob, model=model, chunks=body())
    assert not Blob.objects.exists()
    assert not Upload.objects.exists()


LISTS: dict[str, Any] = {
    "text": {"paths": "a"},
    "number": {"paths": 1},
    "none": {"paths": []},
    "object": {"paths": {"a": 1}},
    "numbers": {"paths": ["a", 1]},
    "lists": {"paths": [["a"]]},
    "other field": {"path": ["a"]},
    "list alone": ["a"],
}


@pytest.mark.parametrize("what", LISTS)
def test_question_that_is_none(cast: Cast, model: RegisteredModel, what: str) -> None:
    publish(cast.alice, model, {"a": b"1"})
    address = "/v1/projects/vision/models/classifier/versions/1/pack/"
    response = client_of(cast.bob).post(address, LISTS[what], format="json")
    assert response.status_code == 400, response.content
    assert response.json()["error"]["code"] in ("invalid", "unknown_field")
