"""The client's wheel, assembled from the tree that the server runs from (PEP 427), so that a server hands out its own client.

What goes in is said in `pyproject.toml` alone, and is what `make wheel` packs. The same tree always makes the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import tomllib

TREE = Path(__file__).resolve().parent.parent
TAG = "py3-none-any"
WRITTEN = (2020, 2, 2, 0, 0, 0)  # when every member was; a zip has no dates before 1980
MODE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel as it is handed out: the name that pip reads its version from, its bytes, and what it needs."""

    name: str
    version: str
    python: str
    needs: list[str]
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@cache
def client_wheel() -> Wheel:
    """Return the wheel of this tree's client: made once in a process, of files that do not change under it."""
    return make_wheel(TREE)


def make_wheel(tree: Path) -> Wheel:
    said = tomllib.loads((tree / "pyproject.toml").read_text("utf-8"))
    project, packed = said["project"], said["tool"]["hatch"]
    version = _version(tree / packed["version"]["path"])
    stem = f"{project['name']}-{version}"
    members = dict(_files(tree, packed["build"]["targets"]["wheel"]["only-include"]))
    members |= {f"{stem}.dist-info/{name}": text for name, text in _facts(tree, project, version).items()}
    members[f"{stem}.dist-info/RECORD"] = _record(members, f"{stem}.dist-info/RECORD")
    needs = project["dependencies"]
    return Wheel(f"{stem}-{TAG}.whl", version, project["requires-python"], needs, _zipped(members))


def _version(module: Path) -> str:
    found = re.search(r'^__version__ = "([0-9a-z.]+)"$', module.read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"{module} says no __version__")
    return found[1]


def _files(tree: Path, included: list[str]) -> Iterator[tuple[str, bytes]]:
    for name in included:
        path = tree / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                yield file.relative_to(tree).as_posix(), file.read_bytes()


def _facts(tree: Path, project: Mapping[str, Any], version: str) -> dict[str, bytes]:
    """Return what stands in a wheel's `.dist-info` besides its RECORD."""
    scripts = "".join(f"{name} = {target}\n" for name, target in project["scripts"].items())
    return {
        "METADATA": _metadata(tree, project, version).encode(),
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: lmvp {version}\nRoot-Is-Purelib: true\nTag: {TAG}\n".encode(),
        "entry_points.txt": f"[console_scripts]\n{scripts}".encode(),
        **{f"licenses/{name}": (tree / name).read_bytes() for name in project["license-files"]},
    }


def _metadata(tree: Path, project: Mapping[str, Any], version: str) -> str:
    """Return the core metadata, version 2.4, with the README as the description."""
    fields = [
        ("Metadata-Version", "2.4"),
        ("Name", project["name"]),
        ("Version", version),
        ("Summary", project["description"]),
        ("License-Expression", project["license"]),
        *(("License-File", name) for name in project["license-files"]),
        ("Requires-Python", project["requires-python"]),
        *(("Requires-Dist", need) for need in project["dependencies"]),
        ("Description-Content-Type", "text/markdown"),
    ]
    said = "".join(f"{name}: {value}\n" for name, value in fields)
    return f"{said}\n{(tree / project['readme']).read_text('utf-8')}"


def _record(members: Mapping[str, bytes], own_name: str) -> bytes:
    """Return the list of all members with their digests and sizes; RECORD names itself without them."""
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    for name, content in members.items():
        digest = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        writer.writerow([name, f"sha256={digest}", len(content)])
    writer.writerow([own_name, "", ""])
    return lines.getvalue().encode()


def _zipped(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name, WRITTEN)
            member.create_system, member.external_attr = 3, MODE  # Unix, whatever the server runs on
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return out.getvalue()
