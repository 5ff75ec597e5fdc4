"""Which kind of picture a file is, by its first bytes. Pure. SVG is none: it can hold scripts."""

from __future__ import annotations

FIRST = 16  # bytes that tell


def image_type(first: bytes) -> str | None:
    """Return the media type of a picture that browsers show, from the first 16 bytes of its file; None for others."""
    if first.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if first.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if first.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if first.startswith(b"RIFF") and first[8:12] == b"WEBP":
        return "image/webp"
    if first[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    return None
