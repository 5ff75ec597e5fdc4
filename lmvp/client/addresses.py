"""Addresses of servers and of what stands on them, each in its one spelling. No HTTP."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from lmvp.client.errors import ValidationFailed

DEFAULT_SERVER = "http://localhost:8000"


def path_of(*segments: str | int) -> str:
    """Return the API path of these segments, each quoted: path_of("projects", "a") is "/v1/projects/a/".

    ValidationFailed for one that would lead elsewhere: DELETE …/versions/../ would be the model's.
    """
    for segment in segments:
        if str(segment) in ("", ".", ".."):
            raise ValidationFailed(f"“{segment}” is no name. Give the name of what you mean.")
    return "/v1/" + "".join(f"{quote(str(segment), safe='')}/" for segment in segments)


def normal_server(url: str) -> str:
    """Return the server's address in its one spelling; ValidationFailed when it is no address."""
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValidationFailed(f"“{url}” is not the address of a server. Write it like {DEFAULT_SERVER}.")
    origin = f"{parts.scheme}://{parts.netloc.lower()}"
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValidationFailed(f"“{url}” is a page, not the address of a server: leave out the path, {origin}.")
    return origin


def origin_of(url: str) -> str:
    """Return scheme and host of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
