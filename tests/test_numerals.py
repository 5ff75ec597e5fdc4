"""Whole numbers of callers are ASCII digits: other scripts, superscripts and endless ones are none, wherever they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lmvp.numerals import size_of, whole_number
from registry.models import Blob, Upload
from registry.services.announcing import Wanted, announce
from tests.cast import Cast, client_of

ROOT = Path(__file__).resolve().parent.parent
NONE = ["", "²", "٣", "４", "1²", "-1", "+1", "1_0", " 1", "1 ", "1\n", "1.0", "1e3", "0x1", "9" * 19, "9" * 5000]


@pytest.mark.parametrize("said", NONE, ids=lambda said: ascii(said[:20]))
def test_what_is_no_whole_number(said: str) -> None:
    assert whole_number(said) is None


@pytest.mark.parametrize(("said", "number"), [("0", 0), ("007", 7), ("9" * 18, 10**18 - 1)])
def test_what_is_one(said: str, number: int) -> None:
    assert whole_number(said) == number


@pytest.mark.parametrize(
    ("said", "size"),
    [("0", 0), ("7", 7), ("5B", 5), ("2k", 2048), ("2 KiB", 2048), ("50GB", 50 * 2**30), ("1.5 tb", 3 * 2**39)],
)
def test_what_is_a_size(said: str, size: int) -> None:
    assert size_of(said) == size


@pytest.mark.parametrize(
    "said", ["", "B", "GB", "-1GB", "1.5", "1.5B", "1,5GB", "1e3", "٣GB", "5\u212a", "1G\n", "9" * 5000]
)
def test_what_is_no_size(said: str) -> None:
    assert size_of(said) is None


def test_no_other_place_decides_by_pythons_idea_of_a_digit() -> None:
    asked = re.compile(r"\.is(?:digit|decimal|numeric)\(")
    places = (path for app in ("registry", "accounts", "lmvp") for path in (ROOT / app).rglob("*.py"))
    files = [
        path for path in places if not path.is_relative_to(ROOT / "lmvp" / "client")
    ]  # its callers harm themselves alone
    found = {str(path.relative_to(ROOT)) for path in files if asked.search(path.read_text("utf-8"))}
    assert found == {"lmvp/numerals.py"}


@pytest.mark.django_db
@pytest.mark.parametrize("length", ["²", "\xb3", "9" * 5000])
def test_a_length_that_is_none_is_as_if_it_were_not_said(cast: Cast, length: str) -> None:
    bob = client_of(cast.bob)
    offers = announce(actor=cast.bob, model=cast.model(), files=[Wanted(11), Wanted(11)])
    whole, parts = (f"/v1/uploads/{offer.upload.pk}/" for offer in offers if offer.upload)
    put = bob.put(whole, b"hello world", content_type="application/octet-stream", CONTENT_LENGTH=length)
    assert put.status_code in (200, 400)
    part = {"content_type": "application/offset+octet-stream", "headers": {"Upload-Offset": "0"}}
    patch = bob.patch(parts, b"hello", **part, CONTENT_LENGTH=length)
    assert patch.status_code in (204, 400)
    assert Upload.objects.filter(stored_at=None).count() == 2 - Blob.objects.count()


@pytest.mark.django_db
@pytest.mark.parametrize("expires", ["²", "٣", "9" * 5000, "", "1e99"])
def test_an_expiry_that_is_no_number_opens_nothing(cast: Cast, expires: str) -> None:
    (offer,) = announce(actor=cast.bob, model=cast.model(), files=[Wanted(1)])
    assert offer.upload
    answer = client_of(None).head(f"/v1/uploads/{offer.upload.pk}/", {"expires": expires, "signature": "a" * 64})
    assert answer.status_code == 401
