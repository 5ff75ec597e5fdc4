"""Bodies of answers that are no JSON of ours: read whole or written to a file, and checked against their digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lmvp.client import files
from lmvp.client.errors import IntegrityError
from lmvp.client.files import CHUNK

Response = Any  # as `Session.content` opens it; requests is http.py's alone


def whole(response: Response) -> bytes:
    """Return the body. IntegrityError where it is not what its ETag, the SHA-256 of a file, says."""
    return b"".join(_checked(response))


def into(response: Response, path: str | os.PathLike[str]) -> Path:
    """Write the body to a file, at once or not at all; return its path. IntegrityError as of `whole`."""
    target = Path(path).expanduser()
    with files.replacing(target) as draft, draft.open("xb") as out:
        for piece in _checked(response):
            out.write(piece)
    return target


def _checked(response: Response) -> Iterator[bytes]:
    announced, digest = response.headers.get("ETag", "").strip('"'), hashlib.sha256()
    from lmvp.client.transport import pieces  # requests takes longer to import than all the rest

    for piece in pieces(response, CHUNK):
        digest.update(piece)
        yield piece
    if len(announced) == 64 and digest.hexdigest() != announced:
        raise IntegrityError(
            f"The server sent other bytes (SHA-256 {digest.hexdigest()[:12]}…) than it announced ({announced[:12]}…). "
            "Nothing was kept. Try again; if it goes on, tell whoever runs the server."
        )
