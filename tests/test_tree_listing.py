"""Listing directories: in pages, in a number of queries that does not grow, each entry with the version that brought it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry import trees
from registry.directories import decode, differing, entry_named, figures
from registry.models import Occurrence, RegisteredModel, Tree, Version
from registry.services import trash
from registry.services.versions import File, Publication, publish_version
from registry.trees import Entry
from tests.cast import Cast, client_of, publish, send
from tests.matchers import refused

VERSIONS = "/v1/projects/vision/models/classifier/versions"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def publish_paths(cast: Cast, model: RegisteredModel, paths: Collection[str], content: bytes = b"1") -> Version:
    """Publish many files of the same bytes, over the parent's."""
    digest = send(cast.bob, model, content)
    publication = Publication(files=[File(path, digest) for path in paths])
    return publish_version(actor=cast.bob, model=model, publication=publication)[0]


def entry(path: str, content: bytes, version: int, mode: str = "100644") -> dict[str, Any]:
    return {
        "path": path,
        "name": path.rpartition("/")[2],
        "type": "file",
        "mode": mode,
        "size": len(content),
        "digest": sha(content),
        "version": version,
    }


def directory(version: Version, path: str, brought_by: int) -> dict[str, Any]:
    found = trees.find(Tree.objects.content_of, version.tree_id, path)
    assert found
    about = entry(path, b"", brought_by, "040000")
    return about | {"type": "directory", "size": found.size, "digest": found.digest}


def pages(cast: Cast, url: str) -> tuple[list[dict[str, Any]], int]:
    """Follow `next` to the end; return all results and the number of pages."""
    results, count, client = list[dict[str, Any]](), 0, client_of(cast.dave)
    while url:
        page = client.get(url).json()
        results += page["results"]
        count, url = count + 1, page["next"]
    assert page["count"] == len(results)
    return results, count


def test_each_entry_tells_the_version_that_brought_it(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a/x": b"1", "a/y": b"2", "README.md": b"#"})
    publish(cast.bob, model, {"a/x": b"11"})
    third = publish(cast.bob, model, {"a/x": b"1", "b": b"1"})
    root = client_of(cast.dave).get(f"{VERSIONS}/3/tree/").json()
    assert root == {
        "count": 3,
        "next": None,
        "previous": None,
        "results": [entry("README.md", b"#", 1), directory(third, "a", 1), entry("b", b"1", 3)],
    }
    below = client_of(cast.dave).get(f"{VERSIONS}/2/tree/a/").json()["results"]
    assert below == [entry("a/x", b"11", 2), entry("a/y", b"2", 1)]
    again = client_of(cast.dave).get(f"{VERSIONS}/3/tree/a").json()["results"]
    assert again == [entry("a/x", b"1", 1), entry("a/y", b"2", 1)], "the first with this digest at this path"


@pytest.mark.parametrize("many", [1, 50])
def test_version_in_the_trash_is_not_named(cast: Cast, many: int) -> None:
    """However many the names: few are looked for one by one, many in all of the directory."""
    model = cast.model()
    publish(cast.bob, model, {"a/x": b"1", "README.md": b"#"} | {f"a/y{n}": b"2" for n in range(many)})
    publish(cast.bob, model, {"a/x": b"11", "b": b"1"})
    publish(cast.bob, model, {"a/x": b"1"})
    for number in (1, 2):
        trash.delete(actor=cast.carol, row=model.versions.select_related("model__project").get(number=number))
        results = client_of(cast.dave).get(f"{VERSIONS}/3/tree/?recursive=true&page_size=100").json()["results"]
        brought = {"a/x": 3, "README.md": number + 1, "b": number + 1} | {f"a/y{n}": number + 1 for n in range(many)}
        assert {one["path"]: one["version"] for one in results} == brought
    assert client_of(cast.dave).get(f"{VERSIONS}/3/tree/").json()["results"][1]["version"] == 3, "a directory"


def test_recursive_listing_holds_the_files_below_by_path(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a/x": b"1", "a.txt": b"2", "a/deep/er/y": b"3", "z": b"4"})
    results = client_of(cast.dave).get(f"{VERSIONS}/1/tree/?recursive=true").json()["results"]
    assert results == [
        entry("a/deep/er/y", b"3", 1),
        entry("a/x", b"1", 1),
        entry("a.txt", b"2", 1),
        entry("z", b"4", 1),
    ]
    below = client_of(cast.dave).get(f"{VERSIONS}/1/tree/a/deep?recursive=true").json()
    assert (below["count"], below["results"]) == (1, [entry("a/deep/er/y", b"3", 1)])


@pytest.mark.parametrize("below", ["", "?recursive=true", "flat/", "flat/?recursive=true"])
def test_listing_takes_the_same_queries_for_ten_entries_and_for_a_thousand(cast: Cast, below: str) -> None:
    queries = []
    for name, many in (("small", 10), ("large", 1000)):
        publish_paths(cast, cast.model(name), [f"{below.partition('?')[0]}{n:04d}" for n in range(many)])
        with CaptureQueriesContext(connection) as captured:
            page = client_of(cast.dave).get(f"/v1/projects/vision/models/{name}/versions/1/tree/{below}").json()
        assert (page["count"], len(page["results"])) == (many, min(many, 50))
        assert {one["version"] for one in page["results"]} == {1}
        queries.append(len(captured))
    assert queries[0] == queries[1] <= 10


@pytest.mark.parametrize(("below", "size"), [("", 7), ("", 200), ("?recursive=true", 7), ("?recursive=true", 200)])
def test_pages_together_are_the_whole(cast: Cast, below: str, size: int) -> None:
    paths = sorted(f"{n:03d}" for n in range(305))
    publish_paths(cast, cast.model(), paths)
    results, count = pages(cast, f"{VERSIONS}/1/tree/{below}{'&' if below else '?'}page_size={size}")
    assert [one["path"] for one in results] == paths
    assert count == -(-305 // size)


@pytest.mark.parametrize("recursive", ["false", "true"])
@pytest.mark.parametrize(
    ("query", "answer"),
    [("page=2", 404), ("page=0", 404), ("page=x", 404), ("page=-1", 404), ("page=" + "9" * 400, 404)],
)
def test_pages_that_are_not_there(cast: Cast, query: str, answer: int, recursive: str) -> None:
    publish(cast.bob, cast.model(), {"a": b"1"})
    response = client_of(cast.dave).get(f"{VERSIONS}/1/tree/?recursive={recursive}&{query}")
    assert response.status_code == answer
    refused(response, answer, "not_found")


@pytest.mark.parametrize(("size", "shown"), [("0", 50), ("-1", 50), ("x", 50), ("201", 200), ("9" * 30, 200), ("1", 1)])
def test_page_size_has_bounds(cast: Cast, size: str, shown: int) -> None:
    publish_paths(cast, cast.model(), [f"{n}" for n in range(210)])
    assert len(client_of(cast.dave).get(f"{VERSIONS}/1/tree/?page_size={size}").json()["results"]) == shown


@pytest.mark.parametrize("path", ["nothing", "a/x", "a/nothing/", "a/x/y", "..", "a//x", "%0A", "%09"])
def test_path_that_is_no_directory(cast: Cast, path: str) -> None:
    publish(cast.bob, cast.model(), {"a/x": b"1"})
    for query in ("", "?recursive=true"):
        refused(client_of(cast.dave).get(f"{VERSIONS}/1/tree/{path}{query}"), 404, "not_found")


# --- Large versions


def three_levels(files: int = 2000) -> list[str]:
    return [f"{n % 10}/{n % 100 // 10}/{n:05d}" for n in range(files)]


def test_page_of_a_recursive_listing_opens_only_the_directories_on_it(cast: Cast) -> None:
    version = publish_paths(cast, cast.model(), three_levels())
    opened: list[set[str]] = []

    def load(digests: Collection[str]) -> dict[str, bytes]:
        opened.append(set(digests))
        return Tree.objects.contents_of(digests)

    everything = [place.path for place in trees.files_between(load, version.tree_id)]
    assert everything == sorted(three_levels())
    assert [len(level) for level in opened] == [1, 10, 100]
    opened.clear()
    assert [place.path for place in trees.files_between(load, version.tree_id, 995, 1010)] == everything[995:1010]
    assert [len(level) for level in opened] == [1, 2, 2], "the end of directory 4, and the beginning of 5"
    assert trees.files_between(load, version.tree_id, 2000, 2050) == []
    assert trees.files_between(load, version.tree_id, 0, 0) == []


def test_archive_reads_a_version_by_its_levels(cast: Cast, django_assert_max_num_queries) -> None:
    publish_paths(cast, cast.model(), three_levels(300))
    with django_assert_max_num_queries(11):
        response = client_of(cast.dave).get(f"{VERSIONS}/1/archive/?format=tar")
        assert len(b"".join(response.streaming_content)) == 300 * 1024 + 1024


def test_one_changed_file_writes_the_directories_on_its_path_alone(cast: Cast) -> None:
    model = cast.model()
    publish_paths(cast, model, three_levels())
    directories, occurrences = Tree.objects.count(), Occurrence.objects.count()
    assert (directories, occurrences) == (111, 2110)
    second = publish(cast.bob, model, {"3/4/00043": b"other"})
    assert Tree.objects.count() == directories + 3
    assert sorted(Occurrence.objects.filter(first_version=second).values_list("path", flat=True)) == [
        *("3", "3/4", "3/4/00043"),
    ]
    assert Occurrence.objects.count() == occurrences + 3


def test_publishing_takes_the_same_queries_beside_ten_files_and_beside_two_thousand(cast: Cast) -> None:
    queries = []
    for name, files in (("small", 10), ("large", 2000)):
        model = cast.model(name)
        publish_paths(cast, model, three_levels(files))
        publication = Publication(files=[File("0/0/00000", send(cast.bob, model, name.encode()))])
        with CaptureQueriesContext(connection) as captured:
            publish_version(actor=cast.bob, model=model, publication=publication)
        queries.append(len(captured))
    assert queries[0] == queries[1]


def test_many_changed_directories_are_read_by_levels(cast: Cast) -> None:
    model = cast.model()
    paths = three_levels(300)
    publish_paths(cast, model, paths)
    digest = send(cast.bob, model, b"other")
    queries = []
    for some in (paths[:1], paths[:200]):
        publication = Publication(files=[File(path, digest) for path in some], message=f"{len(some)}")
        with CaptureQueriesContext(connection) as captured:
            publish_version(actor=cast.bob, model=model, publication=publication)
        queries.append(len(captured))
    assert queries[1] <= queries[0] + 4, "as many for two hundred directories as for one, but for batches"


# --- The bytes of directories, against plain dictionaries


def random_directory(chance: random.Random) -> dict[str, Entry]:
    names = {
        "".join(chance.choice("aAbzäß😀. ") for _ in range(chance.randint(1, 3))) for _ in range(chance.randint(0, 12))
    }
    return {
        name: Entry(
            name, chance.choice(["100644", "100755"]), sha(bytes([chance.randint(0, 3)])), chance.randint(0, 999)
        )
        for name in {name.casefold(): name for name in names}.values()
    }


def encoded(directory: dict[str, Entry]) -> bytes:
    made = trees.apply_changes(lambda digests: {}, None, put=directory)
    return made.directories[made.root.digest][1]


def test_random_directories_are_changed_found_and_compared_as_dictionaries_are() -> None:
    chance = random.Random(3)
    for _ in range(1000):
        one, other = random_directory(chance), random_directory(chance)
        if chance.random() < 0.5:  # mostly the same, as directories are
            other = one | dict(list(other.items())[:1])
            other = {name: other[name] for name in {name.casefold(): name for name in other}.values()}
        old, new = encoded(one), encoded(other)
        assert decode(old) == one
        assert list(decode(old)) == sorted(one, key=str.encode)
        assert figures(old) == (sum(entry.size for entry in one.values()), len(one))
        assert trees.entries(old, 1, 3) == list(decode(old).values())[1:3]
        for name in {*one, *other, "", "nothing", "\ud800", "\t", "\n"}:
            assert entry_named(old, name) == one.get(name)
        went, came = differing(old, new)
        assert went == {name: entry for name, entry in one.items() if other.get(name) != entry}
        assert came == {name: entry for name, entry in other.items() if one.get(name) != entry}
        if one:
            digest = sha(old)
            built = trees.apply_changes(
                lambda digests, old=old: dict.fromkeys(digests, old),
                digest,
                put=came,
                remove=went.keys() - came.keys(),
            )
            assert built.directories[built.root.digest][1] == new
            assert (built.root.size, built.root.files) == (sum(entry.size for entry in other.values()), len(other))


@pytest.mark.parametrize(
    ("put", "remove", "code", "path"),
    [
        (["README.MD"], [], "case_conflict", "README.MD"),
        (["A/new"], [], "case_conflict", "A"),
        (["a/X"], [], "case_conflict", "a/X"),
        (["new", "NEW"], [], "case_conflict", None),
        (["straße", "STRASSE"], [], "case_conflict", None),
        (["README.MD"], ["README.md"], None, None),
        (["a"], [], "path_conflict", "a"),
        (["a/x/y"], [], "path_conflict", "a/x"),
        (["n", "n/x"], [], "path_conflict", "n"),
        (["a"], ["a"], None, None),
        ([], ["nothing"], "no_such_path", "nothing"),
        ([], ["a/x", "a/x/y"], "no_such_path", "a/x/y"),
        ([], ["a/nothing"], "no_such_path", "a/nothing"),
    ],
)
def test_collisions_with_what_is_there(put: list[str], remove: list[str], code: str | None, path: str | None) -> None:
    one = Entry("", "100644", sha(b"1"), 1)
    base = trees.apply_changes(lambda digests: {}, None, put={"README.md": one, "a/x": one, "a/y": one})

    def load(digests: Collection[str]) -> dict[str, bytes]:
        return {digest: base.directories[digest][1] for digest in digests}

    try:
        trees.apply_changes(load, base.root.digest, put=dict.fromkeys(put, one), remove=remove)
        found = None
    except trees.BadPath as error:
        found = error
    assert (found and found.code) == code
    assert path is None or (found and found.path) == path
