"""Files read as what they are. No code in a file runs unless the caller trusts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lmvp.client.errors import LMVPError, LocalFileError, NotTrusted, UnknownFormat, ValidationFailed
from lmvp.client.formats import libraries, registry
from lmvp.client.formats.format import Format, Loading, Trusted
from lmvp.client.formats.record import Record

LONGEST_REASON = 500  # characters


def load(
    path: Path,
    *,
    trusted: Trusted = False,
    into: Any = None,
    record: Record | None = None,
    otherwise: str = "Read it yourself from that path.",
) -> Any:
    """Return the content of a file: by its record where it has one, else by its ending.

    NotTrusted where that would run code in the file and `trusted` is not given. `otherwise` says what can be done about
    a file that cannot be read.
    """
    one = _named(record, path) if record else _of_file(path)
    _check(one, path, trusted, into)
    try:
        return one.load(path, Loading(trusted, into, record.details if record else {}))
    except LMVPError:
        raise
    except Exception as error:  # whatever a library says about a file that it cannot read
        raise LocalFileError(
            f"{path} cannot be read as {one.name}: {_told(error)}.{_other_versions(one, record)} {otherwise}"
        ) from error


def _named(record: Record, path: Path) -> Format:
    one = registry.named(record.format)
    if one is None:
        raise UnknownFormat(
            f"{path.name} is kept in the format “{record.format}”, which is not known here. Register it with "
            f"lmvp.register_format(…), install the newest client, or read it yourself: its path is {path}."
        )
    return one


def _of_file(path: Path) -> Format:
    one = registry.of_file(path.name)
    if one is None:
        raise UnknownFormat(
            f"There is no loader for {path.name} (known: {', '.join(registry.suffixes())}). Read it yourself: its path "
            f"is {path}. Or say how: lmvp.register_format(…)."
        )
    return one


def _check(one: Format, path: Path, trusted: Trusted, into: Any) -> None:
    if isinstance(trusted, str):
        raise ValidationFailed(f"Give trusted=[{trusted!r}], a list of names, or trusted=True.")
    if one.unsafe and trusted is not True:
        raise NotTrusted(
            f"{path.name} was not loaded: {one.unsafe}. If you trust whoever published it: .load(trusted=True)."
        )
    if into is not None and not one.takes_into:
        raise ValidationFailed(f"{path.name} ({one.name}) is not loaded into another object. Leave `into` out.")


def _told(error: Exception) -> str:
    """Return in one line, and not without end, what a library said."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:LONGEST_REASON].rstrip(".")


def _other_versions(one: Format, record: Record | None) -> str:
    """Say which libraries have other versions here than where the object was kept."""
    was = record.versions if record else {}
    here = libraries.versions(name for name in one.libraries if name in was)
    other = [f"{name} {was[name]} (here {version})" for name, version in here.items() if was[name] != version]
    return f" It was kept with {', '.join(other)}." if other else ""
