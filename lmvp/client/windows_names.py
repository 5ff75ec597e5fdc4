"""Names that Windows cannot give a file, or takes for another one. Pure: the same answer on every system.

Source: “Naming Files, Paths, and Namespaces” in the manual of Windows.
"""

from __future__ import annotations

# Also with an ending: aux.txt is the device.
PORTS = {f"{kind}{number}" for kind in ("COM", "LPT") for number in "123456789¹²³"}
DEVICES = frozenset({"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | PORTS)
FORBIDDEN = frozenset('<>:"|?*\\')


def problem(path: str) -> str | None:
    """Return why a path of a version cannot stand on a disk of Windows, or None."""
    return next((found for part in path.split("/") if (found := _problem(part))), None)


def _problem(part: str) -> str | None:
    if is_device(part):
        return f"“{part}” is the name of a device there"
    if forbidden := [character for character in part if character in FORBIDDEN or character < " "]:
        return f"no name there has a {forbidden[0]!r}"
    if part[-1:] in (" ", "."):
        return f"the end of “{part}”, a dot or a space, is dropped there"
    return None


def is_device(part: str) -> bool:
    """Whether one name of a path is a device of Windows."""
    return part.partition(".")[0].rstrip(" ").upper() in DEVICES


def key(path: str) -> str:
    """Return what two paths have in common that are one file on Windows."""
    return path.casefold()
