"""What holds after every fault: asked over HTTP as anybody would, and by the commands that keep house.

No version without its bytes, no byte wrong, no number twice, stored files verified, nothing left but what is referenced,
and every answer that a client got was true.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from tests.faults.clients import MODEL, Files, Record, fetched
from tests.faults.sites import Site
from tests.tars import digest_of

VERIFIED = "call_command('verify_blobs'); call_command('collect_garbage')"
CLEANED_UP = f"""
with patch("django.utils.timezone.now", return_value=timezone.now() + timedelta(days=3)):  # nobody cared for long
    # Packs that a store broke off may have left more files than versions need.
    call_command("collect_garbage", "--grace-hours", "0", "--trust-database")
shared, staging = storage.shared(), storage.bucket_staging()
found = dict(
    blobs=sorted(Blob.objects.values_list("pk", flat=True)),
    files=sorted(one.digest for one in storage.stored()),
    trees=Tree.objects.exclude(pk__in=Version.objects.values("tree")).exclude(pk="{digest_of(b"")}")
    .exclude(pk__in=Occurrence.objects.values("digest")).count(),
    uploads=Upload.objects.count(),
    on_their_way=[one.upload for one in shared.pieces()] + [one.upload for one in staging.leftovers()] if shared else [],
)
"""


def check(site: Site, record: Record) -> None:
    """Assert all of it; let the grace of garbage pass, and assert it again. The site must be at rest, and answer."""
    assert record.surprises == [], site.output()
    versions = check_versions(site, record)
    check_what_was_told(site, record)
    site.keep_house(VERIFIED)
    check_what_was_told(site, record)
    needed = check_bytes(site, versions)
    check_nothing_is_left(site, needed)
    assert check_bytes(site, versions) == needed
    check_it_goes_on(site, versions)


def check_versions(site: Site, record: Record) -> list[tuple[int, Files]]:
    """Assert that versions are those that were asked for, each once and as told; return their numbers and files."""
    found = all_versions(site)
    assert sorted(one["number"] for one in found) == list(range(1, len(found) + 1)), "no number twice, and no gap"
    by_message = {one["message"]: (one["number"], one["digest"]) for one in found}
    assert [text for text, n in Counter(one["message"] for one in found).items() if n > 1] == [], "published once"
    assert by_message.keys() <= record.begun.keys(), "nobody else published"
    assert record.published.items() <= by_message.items(), "what was told is there"
    versions = [(one["number"], tree_of(site, one["number"])) for one in found]
    assert {one["message"]: files for one, (_, files) in zip(found, versions, strict=True)} == {
        message: record.begun[message] for message in by_message
    }
    return versions


def check_what_was_told(site: Site, record: Record) -> None:
    """Assert that stored files are still said to be stored, safe parts safe, and aliases where they were moved to."""
    wanted = [{"sha256": digest, "size": size} for digest, size in sorted(record.stored.items())]
    for start in range(0, len(wanted), 1000):
        offers = ask(site, "POST", f"{MODEL}/uploads/", wanted[start : start + 1000])
        assert [one["sha256"] for one in offers if one["status"] != "stored"] == []
    for href, offset in record.parts.items():
        assert upload_offset(site, href) >= offset
    for name, possible in record.aliases.items():
        status, alias = site.alice.call("GET", f"{MODEL}/aliases/{name}/")
        assert (alias["version"] if status == 200 else status) in possible


def check_bytes(site: Site, versions: list[tuple[int, Files]]) -> set[str]:
    """Download every file that versions name, and hash it; return their digests."""
    read: set[str] = set()
    for number, files in versions:
        for path, digest in files.items():
            if digest not in read:
                status, content = fetched(site.alice, f"{MODEL}/versions/{number}/files/{path}")
                assert (status, digest_of(content)) == (200, digest)
                read.add(digest)
    return read


def check_nothing_is_left(site: Site, needed: set[str]) -> None:
    """Assert that, days later, the store, its rows and the incoming directory hold what versions need, and no more."""
    found = site.keep_house(CLEANED_UP)
    assert found == {"blobs": sorted(needed), "files": sorted(needed), "trees": 0, "uploads": 0, "on_their_way": []}
    assert sorted((site.servers[0].data_dir / "incoming").iterdir()) == []


def check_it_goes_on(site: Site, versions: list[tuple[int, Files]]) -> None:
    """Assert that the next version gets the next number and becomes the newest."""
    version = site.alice.publish("vision/classifier", {"next": os.urandom(1000)}, base="empty", message="the next")
    assert version["number"] == len(versions) + 1
    assert ask(site, "GET", f"{MODEL}/versions/latest/")["number"] == version["number"]


def all_versions(site: Site) -> list[dict[str, Any]]:
    """Return all versions of the model, page by page."""
    found, path = [], f"{MODEL}/versions/?page_size=200"
    while path:
        page = ask(site, "GET", path)
        found += page["results"]
        path = "/v1/" + page["next"].split("/v1/", 1)[1] if page["next"] else ""
    return found


def tree_of(site: Site, number: int) -> Files:
    page = ask(site, "GET", f"{MODEL}/versions/{number}/tree/?recursive=true&page_size=200")
    return {one["path"]: one["digest"] for one in page["results"]}


def upload_offset(site: Site, href: str) -> int:
    upload = ask(site, "GET", href)
    return int(upload["size"] if upload["status"] == "stored" else upload["offset"])


def ask(site: Site, method: str, path: str, body: Any = None) -> Any:
    status, answer = site.alice.call(method, path, body)
    assert status == 200, f"{method} {path} answered {status}: {answer!r:.500}\n{site.output()}"
    return answer
