"""Files of this machine on their way in or out: which ones, their digests, and which paths are good. No HTTP."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lmvp.client.errors import LocalFileError, ValidationFailed

CHUNK = 1024 * 1024
LONGEST_PATH = 1024
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
    with reading(directory):
        entries = sorted(directory.iterdir())
    for entry in entries:
        if entry.name in JUNK:
            continue
        real = _resolved(entry, root)
        if real.is_dir():
            if real in (*above, directory):
                raise LocalFileError(f"{entry} leads in a circle back to {real}. Remove this link.")
            yield from _walk(root, real, f"{prefix}{entry.name}/", (*above, directory))
        else:
            yield f"{prefix}{entry.name}", _regular(real)


def _resolved(entry: Path, root: Path) -> Path:
    """Follow a link, but not out of the directory that is published: it might lead to a private key."""
    if not entry.is_symlink():
        return entry
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
    if "\\" in path or any(unicodedata.category(character) == "Cc" for character in path):
        return "has a backslash or a control character"
    if os.name == "nt" and (":" in path or any(segment[-1] in " ." for segment in path.split("/"))):
        return "is no path on Windows"
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
    problem = path_problem(path)
    if problem:
        raise ValidationFailed(f"The server sent the path {path!r}, which {problem}. Nothing was written for it.")
    target = root / path
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise LocalFileError(f"{target.parent} is a link out of {root}. Give another directory.")
    return target


def hashed(path: str, source: Path, meter: Meter) -> LocalFile:
    """Read the file once, for its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    with reading(source), source.open("rb") as file:
        for chunk in pieces(file):
            digest.update(chunk)
            size += len(chunk)
            meter(len(chunk))
    return LocalFile(path, source, size, digest.hexdigest())


def pieces(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(CHUNK), b"")


def matches(file: Path, sha256: str, size: int) -> bool:
    """Whether the file is there with exactly these bytes."""
    try:
        if not file.is_file() or file.stat().st_size != size:
            return False
        return hashed(file.name, file, lambda _: None).sha256 == sha256
    except (OSError, LocalFileError):
        return False


@contextlib.contextmanager
def reading(source: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LocalFileError(f"Cannot read {source}: {error.strerror}. Change its rights, or move it away.") from error


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a draft beside the target that becomes it when all went well, and vanishes when not."""
    draft = target.with_name(f".lmvp-{uuid.uuid4().hex}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(target)
    except OSError as error:
        raise LocalFileError(
            f"Cannot write {target}: {error.strerror}. Free some space, change the rights, or use another path."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # must not hide what went wrong
            draft.unlink(missing_ok=True)
