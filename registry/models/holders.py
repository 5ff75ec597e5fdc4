"""Which version holds what stands at a place of its model, a path with a digest: the oldest, found by walking trees."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from registry.directories import Entry, decode, entry_named
from registry.models.content import Tree
from registry.models.versions import RegisteredModel, VersionQuerySet

Place = tuple[str, str]  # path and digest

TREES_AT_ONCE = 25  # held in memory: a directory has up to 100,000 entries
WALKED_AT_ONCE = 200  # versions whose trees are walked together
MOST_WALKED = 1000  # versions, for somebody who waits for an answer
FEW = 20  # names that are looked for one by one, instead of reading all of a directory


def bringers(model: RegisteredModel, places: Collection[Place]) -> dict[Place, int]:
    """Return the number of the version that brought each place of a model; a page of them at most.

    Where that one is in the trash, the oldest that is not and has it; none where that is not found soon.
    """
    paths, digests = {path for path, _ in places}, {digest for _, digest in places}
    rows = model.occurrences.filter(path__in=paths, digest__in=digests)
    found, lost = dict[Place, int](), dict[Place, int]()
    for path, digest, number, trashed_at in rows.values_list(
        "path", "digest", "first_version__number", "first_version__trashed_at"
    ):
        (lost if trashed_at else found)[path, digest] = number
    asked = {place: number for place, number in lost.items() if place in set(places)}
    return found | live_holders(model, asked)


def live_holders(model: RegisteredModel, lost: dict[Place, int]) -> dict[Place, int]:
    """Return for places whose first versions (their numbers) are in the trash the oldest that is not, where one has it.

    Looks at so many versions after the oldest of those; a file that was away for longer than that is not found.
    """
    if not lost:
        return {}
    later = model.versions.filter(trashed_at=None, number__gt=min(lost.values()))
    return holders(later, lost, most=MOST_WALKED)


def holders(versions: VersionQuerySet, places: Iterable[Place], *, most: int | None = None) -> dict[Place, int]:
    """Return for each place the number of the oldest of the versions (of one model) that has it, where there is one.

    Walks their trees from the oldest on, each directory at a path once, and only those on the way to a place.
    """
    wanted = set(places)
    names = _names_on_the_way(wanted)
    walked, found = set[Place](), dict[Place, int]()
    last = looked_at = 0
    while len(found) < len(wanted) and (most is None or looked_at < most):
        rows = versions.filter(number__gt=last).order_by("number").values_list("tree_id", "number")
        some = list(rows[:WALKED_AT_ONCE])
        if not some:
            break
        last, looked_at = some[-1][1], looked_at + len(some)
        level: dict[Place, int] = {}  # a directory at a path → the number of the oldest version that has it
        for tree, number in some:
            level.setdefault(("", tree), number)
        while level := {place: number for place, number in level.items() if place not in walked}:
            walked |= level.keys()
            below: dict[Place, int] = {}
            for path, entry, number in _entries(level, names):
                place = path, entry.digest
                if place in wanted:
                    found[place] = min(number, found.get(place, number))
                if entry.is_directory and path in names:
                    below[place] = min(number, below.get(place, number))
            level = below
    return found


def _names_on_the_way(places: Iterable[Place]) -> dict[str, set[str]]:
    """Return what to look for in which directory: "a/b" → {"": {"a"}, "a": {"b"}}."""
    names: dict[str, set[str]] = {}
    for path, _ in places:
        while path:
            above, _, name = path.rpartition("/")
            names.setdefault(above, set()).add(name)
            path = above
    return names


def _entries(level: dict[Place, int], names: dict[str, set[str]]) -> Iterator[tuple[str, Entry, int]]:
    """Yield what stands in directories under these names: path, entry, and the number that came with the directory."""
    directories = iter(level.items())
    while some := dict(islice(directories, TREES_AT_ONCE)):
        contents = Tree.objects.contents_of({digest for _, digest in some})
        for (path, digest), number in some.items():
            for entry in _named(contents[digest], names[path]):
                yield f"{path}/{entry.name}" if path else entry.name, entry, number


def _named(content: bytes, names: set[str]) -> Iterator[Entry]:
    if len(names) > FEW:
        there = decode(content)
        yield from (there[name] for name in names & there.keys())
        return
    yield from (entry for entry in (entry_named(content, name) for name in names) if entry)
