"""The content of an artifact on its way out: bytes as they are, JSON values, and tables in the form that is accepted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain, islice
from typing import Any, BinaryIO

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import patch_vary_headers
from drf_yasg import openapi
from rest_framework.request import Request

from registry import connections, frames, storage, typed_data
from registry.api import documentation as doc
from registry.api.artifacts import ArtifactViewSet
from registry.api.documentation import documented
from registry.api.downloads import file_response, guarded
from registry.api.errors import refusal
from registry.models import Artifact
from registry.parquet import from_parquet
from registry.services import downloads
from registry.trees import FILE, Entry
from registry.typed_data import BYTES, CSV, FRAME, JSON, PARQUETS

READERS: dict[str, Callable[[BinaryIO], frames.Table]] = {
    CSV: frames.from_csv,
    **dict.fromkeys(PARQUETS, from_parquet),
}
WRITERS = {FRAME: frames.to_json, JSON: frames.to_json, CSV: frames.to_csv}


class ArtifactContentViewSet(ArtifactViewSet):
    @documented(
        "Download the content of an artifact",
        name="artifacts_download",
        tag="artifacts",
        answer=(200, "Its bytes, or its JSON value. A table comes as it was kept, as records, or as CSV.", doc.BYTES),
        errors=(401, 404, 406, 416),
        produces=["application/octet-stream", FRAME, CSV],
        query=[
            openapi.Parameter(
                "Accept", openapi.IN_HEADER, type=openapi.TYPE_STRING, description=f"Of a table: {FRAME} or {CSV}."
            )
        ],
    )
    def download(self, request: Request, artifact: str) -> HttpResponseBase:
        there = self.artifact()
        downloads.note_artifact(actor=request.user, artifact=there)
        connections.release()  # from here on bytes travel
        response = _bytes(request, there) if there.content_id else _inline(request, there)
        patch_vary_headers(response, ["Accept"])
        return response

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        return super().perform_content_negotiation(request, force=True)  # what is accepted is looked at here


def _bytes(request: Request, artifact: Artifact) -> HttpResponseBase:
    kept = typed_data.without_parameters(artifact.content_type)
    read = READERS.get(kept)
    offered = list(dict.fromkeys([kept, *(WRITERS if read else ()), BYTES]))
    chosen = _chosen(request, offered)
    if chosen is None:
        return _not_acceptable(offered)
    if read is None or chosen in (kept, BYTES):
        return _original(request, artifact)
    return _converted(artifact, read, chosen)


def _original(request: Request, artifact: Artifact) -> HttpResponseBase:
    blob = artifact.content
    assert blob
    entry = Entry(_name(artifact, artifact.content_type), FILE, blob.pk, blob.size)
    return _named(file_response(request, entry, content_type=artifact.content_type), entry.name)


def _converted(artifact: Artifact, read: Callable[[BinaryIO], frames.Table], media_type: str) -> HttpResponseBase:
    """Read what is kept row by row. What cannot be read is told before anything is sent, as far as the first row says."""
    stream = storage.open_blob(str(artifact.content_id))
    try:
        columns, rows = read(stream)
        first = list(islice(rows, 1))
    except frames.NoReader:
        stream.close()
        return _not_convertible("this server has no reader for Parquet (its administrator can `pip install pyarrow`)")
    except frames.NoTable as error:
        stream.close()
        return _not_convertible(str(error))

    def pieces() -> Iterator[bytes]:
        with closing(stream):  # a reader that is through may have closed it
            yield from frames.joined(WRITERS[media_type]((columns, chain(first, rows))))

    return _sent(artifact, pieces(), media_type)


def _inline(request: Request, artifact: Artifact) -> HttpResponseBase:
    content, said = artifact.data.get("content"), artifact.data.get("content_type")
    if content is None:
        return refusal(404, "no_content", "This artifact has no content: neither bytes nor `content` in its data.")
    kept = typed_data.without_parameters(said) if isinstance(said, str) and typed_data.is_media_type(said) else JSON
    if isinstance(content, str) and kept.startswith("text/"):
        return _as_is(request, artifact, content.encode(), kept)
    if kept in (FRAME, CSV):
        return _inline_table(request, artifact, content, kept)
    is_json = kept == JSON or kept.endswith("+json")
    return _as_is(
        request, artifact, json.dumps(content, ensure_ascii=False, allow_nan=False).encode(), kept if is_json else JSON
    )


def _as_is(request: Request, artifact: Artifact, content: bytes, media_type: str) -> HttpResponseBase:
    if _chosen(request, [media_type]) is None:
        return _not_acceptable([media_type])
    return _sent(artifact, content, media_type)


def _inline_table(request: Request, artifact: Artifact, content: Any, kept: str) -> HttpResponseBase:
    offered = list(dict.fromkeys([kept, *WRITERS]))
    chosen = _chosen(request, offered)
    if chosen is None:
        return _not_acceptable(offered)
    try:
        return _sent(artifact, b"".join(WRITERS[chosen](frames.from_json(content))), chosen)
    except frames.NoTable as error:
        return _not_convertible(str(error))


def _sent(artifact: Artifact, content: bytes | Iterator[bytes], media_type: str) -> HttpResponseBase:
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    made = HttpResponse if isinstance(content, bytes) else StreamingHttpResponse
    response = made(content, content_type=f"{media_type}{charset}")
    response["Cache-Control"] = "private, no-cache"
    name = _name(artifact, media_type)
    return _named(guarded(response, name), name)


def _chosen(request: Request, offered: list[str]) -> str | None:
    """Return what the caller prefers of the media types that there are, the first one where it does not mind."""
    if not request.headers.get("Accept", "").strip():
        return offered[0]
    preferred: str | None = request._request.get_preferred_type(offered)
    return preferred


def _name(artifact: Artifact, media_type: str) -> str:
    return f"artifact_{artifact.pk}.{typed_data.extension(media_type)}"


def _named(response: HttpResponseBase, name: str) -> HttpResponseBase:
    if "Content-Disposition" in response:
        response["Content-Disposition"] = f"attachment; filename={name}"  # letters and digits: no quotes needed
    return response


def _not_acceptable(offered: list[str]) -> HttpResponse:
    forms = ", ".join(offered)
    return refusal(406, "not_acceptable", f"The content comes as {forms}. Send Accept: with one of them, or */*.")


def _not_convertible(why: str) -> HttpResponse:
    return refusal(
        406,
        "conversion_not_available",
        f"The content does not come in another form: {why}. Ask with Accept: */* for the bytes as they were kept.",
    )
