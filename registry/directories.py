"""One directory as canonical bytes: made, looked into and told apart without decoding more than is asked for. Pure.

A line per entry, sorted by the UTF-8 bytes of its name: `<mode> <digest> <size>[ <files>]\\t<name>\\n`. Modes are 100644,
100755 (files) and 040000 (directories, which also say how many files they hold). No name holds a tab or a line feed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

FILE, EXECUTABLE, DIRECTORY = "100644", "100755", "040000"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a directory: a file (mode, digest of its bytes, bytes) or a directory (digest, all bytes, files)."""

    name: str
    mode: str
    digest: str
    size: int
    files: int = 1

    @property
    def is_directory(self) -> bool:
        return self.mode == DIRECTORY


Directory = dict[str, Entry]


def decode(content: bytes) -> Directory:
    """Return the directory that these bytes are, or a part of it: whole lines."""
    return {entry.name: entry for entry in map(entry_of, content.decode().split("\n")[:-1])}


def entry_of(line: str) -> Entry:
    """Return what a line says."""
    facts, _, name = line.rstrip("\n").partition("\t")
    mode, digest, size, *files = facts.split(" ")
    return Entry(name, mode, digest, int(size), int(files[0]) if files else 1)


def line_for(entry: Entry) -> bytes:
    """Return the line that `entry_of` reads."""
    files = f" {entry.files}" if entry.is_directory else ""
    return f"{entry.mode} {entry.digest} {entry.size}{files}\t{entry.name}\n".encode()


def count(content: bytes) -> int:
    """Return how many entries a directory has."""
    return content.count(b"\n")


def entries(content: bytes, start: int, stop: int) -> list[Entry]:
    """Return the start-th entry of a directory to the one before the stop-th; the others are not decoded."""
    return [entry_of(line.decode()) for line in content.split(b"\n")[:-1][start:stop]]


def directories_first(content: bytes, start: int, stop: int) -> list[Entry]:
    """Return the same of a directory whose directories stand before its files, each of them by name."""
    mark = DIRECTORY.encode()
    directories = content.count(b"\n" + mark) + content.startswith(mark)
    lines = content.split(b"\n")[:-1]
    if directories:
        first = [line for line in lines if line.startswith(mark)] if start < directories else [b""] * directories
        lines = first + ([line for line in lines if not line.startswith(mark)] if stop > directories else [])
    return [entry_of(line.decode()) for line in lines[start:stop]]


def entry_named(content: bytes, name: str) -> Entry | None:
    """Return the entry of this name, if there is one."""
    start, end = line_of(content, name.encode(errors="surrogatepass"))  # broken Unicode is the name of nothing
    return entry_of(content[start:end].decode()) if end > start else None


def line_of(content: bytes, name: bytes) -> tuple[int, int]:
    """Return where the line of a name begins and ends, by bisection; twice where it would be put, when there is none."""
    low, high = 0, len(content)
    while low < high:
        middle = (low + high) // 2
        start = max(low, content.rfind(b"\n", low, middle) + 1)
        end = content.index(b"\n", middle) + 1
        found = content[content.index(b"\t", start) + 1 : end - 1]
        if found == name:
            return start, end
        low, high = (end, high) if found < name else (low, start)
    return low, low


def figures(content: bytes) -> tuple[int, int]:
    """Return all bytes and files of a directory, by its lines."""
    size = files = 0
    for line in content.split(b"\n")[:-1]:
        facts = line[: line.index(b"\t")].split(b" ")
        size += int(facts[2])
        files += int(facts[3]) if len(facts) > 3 else 1
    return size, files


def differing(old: bytes, new: bytes) -> tuple[Directory, Directory]:
    """Return what stands in one of two directories only, or is another in each: as in the old, and as in the new one."""
    start, end = _common_ends(old, new)
    before, after = (content[start : len(content) - end].split(b"\n") for content in (old, new))
    return _without(before, set(after)), _without(after, set(before))


def _without(lines: list[bytes], others: set[bytes]) -> Directory:
    """Return the entries of those lines that others have not, in their order."""
    left = [line for line in lines if line not in others]
    return decode(b"\n".join([*left, b""])) if left else {}


def _common_ends(old: bytes, new: bytes) -> tuple[int, int]:
    """Return the length of the lines that both begin with, and of those that both end with. Mostly that is nearly all."""
    most = min(len(old), len(new))
    same = _longest(most, lambda low, high: old[low:high] == new[low:high])
    start = old.rfind(b"\n", 0, same) + 1
    backwards = _longest(
        most - start,
        lambda low, high: old[len(old) - high : len(old) - low] == new[len(new) - high : len(new) - low],
    )
    first_line = old.find(b"\n", len(old) - backwards)
    return start, len(old) - first_line - 1 if backwards else 0


def _longest(most: int, same: Callable[[int, int], bool]) -> int:
    """Return up to where two texts are the same; `same` compares a part of them, so that each byte is seen about once."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if same(low, middle) else (low, middle - 1)
    return low
