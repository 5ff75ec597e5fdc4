"""Files of this machine on their way in or out: which ones, their digests, and which paths are good. No HTTP."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import stat
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lmvp.client import windows_names
from lmvp.client.errors import LocalFileError, ValidationFailed

CHUNK = 1024 * 1024
LONGEST_PATH = 1024
DRAFT = ".lmvp-"  # how the names of files begin that are not whole yet
# What tools leave behind and nobody means to publish.
JUNK = frozenset([".git", ".hg", ".svn", "__pycache__", ".ipynb_checkpoints", ".DS_Store", "Thumbs.db", "desktop.ini"])

Meter = Callable[[int], None]


@dataclass(frozen=True)
class LocalFile:
    """A file to publish: `path` is its place in the version, `source` where it stands here."""

    path: str
    source: Path
    size: int
    sha256: str
    modified: int = 0  # in nanoseconds, when it was hashed

    def require_unchanged(self) -> None:
        """LocalFileError when the file is not any more what it was when it was hashed."""
        with reading(self.source):
            now = self.source.stat()
        if (now.st_size, now.st_mtime_ns) != (self.size, self.modified):
            raise changed(self.source)


def changed(source: Path) -> LocalFileError:
    """Return the error of a file that somebody writes while it is published."""
    return LocalFileError(f"{source} changed while it was sent. Let its writer finish, then publish again.")


def found(source: Path) -> dict[str, Path]:
    """Return {path in the version: file} for a file or for a directory with all below it, but JUNK.

    LocalFileError for what cannot be published: nothing is left out silently.
    """
    if not source.exists():
        raise LocalFileError(
            f"There is no file or directory {source}. Check the path; it is looked up in {Path.cwd()}."
        )
    root = source.resolve()
    if not root.is_dir():
        return {_named(source.name, source): _regular(root)}
    files: dict[str, Path] = {}
    for name, file in _walk(root, root, "", ()):
        path = _named(name, file)
        if path in files:
            raise LocalFileError(f"{files[path]} and {file} have the same name in Unicode NFC. Rename one of them.")
        files[path] = file
    if not files:
        raise LocalFileError(f"There are no files in {source}. Save the model there first.")
    return dict(sorted(files.items()))


def _walk(root: Path, directory: Path, prefix: str, above: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    with reading(directory), os.scandir(directory) as entries:
        listed = [entry for entry in entries if entry.name not in JUNK]
    for entry in listed:
        name, place = f"{prefix}{entry.name}", directory / entry.name
        if entry.is_symlink():
            place = _resolved(place, root)
        elif entry.is_file():
            yield name, place
            continue
        if place.is_dir():
            if place in (*above, directory):
                raise LocalFileError(f"{directory / entry.name} leads in a circle back to {place}. Remove this link.")
            yield from _walk(root, place, f"{name}/", (*above, directory))
        else:
            yield name, _regular(place)


def _resolved(entry: Path, root: Path) -> Path:
    """Follow a link, but not out of the directory that is published: it might lead to a private key."""
    try:
        real = entry.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # a loop is a RuntimeError before Python 3.13
        raise LocalFileError(f"{entry} is a link that leads nowhere or in a circle. Remove it.") from error
    if not real.is_relative_to(root):
        raise LocalFileError(
            f"{entry} is a link out of {root}, to {real}. Copy the file there if it belongs to the model."
        )
    return real


def _regular(file: Path) -> Path:
    with reading(file):
        mode = file.stat().st_mode
    if not stat.S_ISREG(mode):
        raise LocalFileError(f"{file} is not a regular file (a pipe, socket or device). Move it out of the directory.")
    return file


def _named(name: str, file: Path) -> str:
    path = unicodedata.normalize("NFC", name)
    problem = path_problem(path)
    if problem:
        raise LocalFileError(f"{str(file)!r} cannot be published: its path {problem}. Rename it.")
    return path


def path_problem(path: str) -> str | None:
    """Return what is wrong with a path inside a version, or None."""
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    if len(encoded) > LONGEST_PATH:
        return f"is longer than {LONGEST_PATH} bytes"
    if any(segment in ("", ".", "..") for segment in path.split("/")):
        return "has an empty, “.” or “..” part"
    plain = path.isascii() and path.isprintable()
    if "\\" in path or not (plain or all(unicodedata.category(character) != "Cc" for character in path)):
        return "has a backslash or a control character"
    return None


def directory(path: str | os.PathLike[str]) -> Path:
    """Return the directory to write to, there or not yet; LocalFileError where a file stands in its way."""
    wanted = Path(path).expanduser()
    for one in (wanted, *wanted.parents):
        if one.exists() and not one.is_dir():
            raise LocalFileError(f"{one} is a file; give a directory.")
    return wanted


def inside(root: Path, path: str) -> Path:
    """Return root/path for a path that a server sent; ValidationFailed when it would leave the root."""
    return Inside(root).place(path)


class Inside:
    """A directory whose files a server names: none of them may leave it, nor become another one's on `windows`.

    Looks at each directory once.
    """

    def __init__(self, root: Path, *, windows: bool = os.name == "nt") -> None:
        self._root = root
        self._windows = windows
        self._checked: set[str] = set()
        self._given: dict[str, str] = {}

    def place(self, path: str) -> Path:
        """Return root/path; ValidationFailed or LocalFileError when it would leave the root, or cannot stand there."""
        problem = path_problem(path)
        if problem:
            raise ValidationFailed(f"The server sent the path {path!r}, which {problem}. Nothing was written for it.")
        if self._windows:
            self._check_on_windows(path)
        target = self._root / path
        directory = path.rpartition("/")[0]
        if directory not in self._checked:
            if not target.parent.resolve().is_relative_to(self._root.resolve()):
                raise LocalFileError(f"{target.parent} is a link out of {self._root}. Give another directory.")
            self._checked.add(directory)
        return target

    def _check_on_windows(self, path: str) -> None:
        problem = windows_names.problem(path)
        twin = self._given.setdefault(windows_names.key(path), path)
        if twin != path:
            problem = f"it is the same file as “{twin}” there"
        if problem:
            raise LocalFileError(
                f"“{path}” cannot be written on Windows: {problem}. Nothing was written. Read it by itself "
                "(lmvp.read_file / `lmvp cat`), take all as one archive (lmvp.download_archive / `lmvp archive`), or download "
                "the version on another system; for the next version, give the file another name."
            )


def hashed(path: str, source: Path, meter: Meter) -> LocalFile:
    """Read the file once, for its size and SHA-256; LocalFileError when it changes meanwhile."""
    digest, size = hashlib.sha256(), 0
    with reading(source), source.open("rb", buffering=0) as file:
        before = os.fstat(file.fileno())
        buffer = memoryview(bytearray(max(1, min(CHUNK, before.st_size))))
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            size += count
            meter(count)
        after = os.fstat(file.fileno())
    if (size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise changed(source)
    return LocalFile(path, source, size, digest.hexdigest(), after.st_mtime_ns)


def matches(file: Path, sha256: str, size: int, meter: Meter = lambda _: None) -> bool:
    """Whether the file is there with exactly these bytes. The meter counts them, and takes back what did not fit."""
    counted = 0

    def count(more: int) -> None:
        nonlocal counted
        counted += more
        meter(more)

    try:
        if file.stat().st_size == size and file.is_file() and hashed(file.name, file, count).sha256 == sha256:
            return True
    except (OSError, LocalFileError):
        pass
    meter(-counted)
    return False


@contextlib.contextmanager
def reading(source: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LocalFileError(f"Cannot read {source}: {error.strerror}. Change its rights, or move it away.") from error


@contextlib.contextmanager
def writing(target: Path) -> Iterator[None]:
    """Say of what the system refuses what to do about it."""
    try:
        yield
    except OSError as error:
        raise LocalFileError(
            f"Cannot write {target}: {error.strerror}. Free some space, change the rights, or use another path."
        ) from error


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a draft beside the target that becomes it when all went well, and vanishes when not."""
    draft = draft_of(target)
    try:
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield draft
            draft.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):  # must not hide what went wrong
            draft.unlink(missing_ok=True)
        raise


def write(target: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Let a file be these bytes, whole or not at all; the quick way for thousands of small ones."""
    draft = draft_of(target)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with writing(target):
        try:
            descriptor = os.open(draft, flags, mode)
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(draft, flags, mode)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
            os.replace(draft, target)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise


_DRAFTS = itertools.count()
_PROCESS = uuid.uuid4().hex


def draft_of(target: Path) -> Path:
    """Return a name beside the target that nobody else uses: not another thread, process or machine."""
    return target.with_name(f"{DRAFT}{_PROCESS}{os.getpid()}-{next(_DRAFTS)}.part")
