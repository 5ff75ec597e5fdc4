"""Files on their way out: ranges, conditions, digests, and the headers that keep a browser from running them."""

from __future__ import annotations

from django.http import FileResponse, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from rest_framework.request import Request

from registry import storage
from registry.api import ranges
from registry.api.errors import refusal
from registry.digests import base64_of
from registry.trees import Entry

READ_AT_ONCE = 256 * 1024  # from a bucket; a disk's file is sent by the kernel
LEAST_SENT_ON = 2**20  # bytes; smaller files are here before a client has asked elsewhere
NEVER_ACTIVE = "default-src 'none'; sandbox"  # what users send is never run in a browser


def file_response(
    request: Request, entry: Entry, *, content_type: str = "application/octet-stream"
) -> HttpResponseBase:
    """Answer a file's bytes, whole, in part or not again; under the entry's name."""
    etag = f'"{entry.digest}"'
    unchanged = get_conditional_response(request, etag=etag)
    if unchanged is not None and unchanged.status_code == 412:
        return refusal(412, "precondition_failed", "The file is another one than If-Match names. Look at it first.")
    if unchanged is not None:
        return _described(unchanged, entry)
    wanted = request.headers.get("Range", "")
    if_range = request.headers.get("If-Range")
    try:
        part = ranges.requested(wanted, entry.size) if wanted and if_range in (None, etag) else None
    except ranges.NotSatisfiable:
        refused = refusal(416, "range_not_satisfiable", f"The file has {entry.size:,} bytes; ask for a range in them.")
        refused["Content-Range"] = f"bytes */{entry.size}"
        return refused
    if at := storage.internal_location(entry.digest):
        return _handed_over(_described(HttpResponse(content_type=content_type), entry), at)
    if at := _elsewhere(request, entry, content_type):
        return _sent_on(at)
    start, length = part or (0, entry.size)
    response = FileResponse(
        storage.Slice(entry.digest, start=start, length=length),
        status=206 if part else 200,
        content_type=content_type,
    )
    response.block_size = READ_AT_ONCE
    response["Content-Length"] = str(length)
    if part:
        response["Content-Range"] = f"bytes {start}-{start + length - 1}/{entry.size}"
    return _described(response, entry)


def _elsewhere(request: Request, entry: Entry, content_type: str) -> str | None:
    """Return where the client fetches a large file itself. Not on conditions: they name our ETag, which a store has not got."""
    conditional = any(name in request.headers for name in ("If-Match", "If-Range", "If-None-Match"))
    if request.method != "GET" or conditional or entry.size < LEAST_SENT_ON:
        return None
    disposition = content_disposition_header(True, entry.name) or "attachment"
    return storage.public_location(entry.digest, disposition=disposition, content_type=content_type)


def _sent_on(location: str) -> HttpResponseBase:
    response = HttpResponse(status=302, headers={"Location": location, "Cache-Control": "no-store"})
    response["Content-Security-Policy"] = NEVER_ACTIVE
    return response


def _handed_over(response: HttpResponseBase, location: str) -> HttpResponseBase:
    """Let the proxy in front send the file: it reads the request's Range itself (deploy/nginx.conf)."""
    response["X-Accel-Redirect"] = location
    del response["Accept-Ranges"]  # nginx says so itself
    return response


def _described(response: HttpResponseBase, entry: Entry) -> HttpResponseBase:
    digest = base64_of(entry.digest)
    response["ETag"] = f'"{entry.digest}"'
    response["Accept-Ranges"] = "bytes"
    response["Digest"] = f"sha-256={digest}"
    response["Repr-Digest"] = f"sha-256=:{digest}:"
    response["Cache-Control"] = "private, no-cache"
    return guarded(response, entry.name)


def guarded(response: HttpResponseBase, name: str) -> HttpResponseBase:
    """Make an answer a file to save."""
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Content-Security-Policy"] = NEVER_ACTIVE
    response["X-Content-Type-Options"] = "nosniff"
    return response
