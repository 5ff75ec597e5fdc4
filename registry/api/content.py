"""The calls about versions and their files: parse, call one service, answer."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from drf_yasg import openapi
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import BearerAuthentication
from registry import connections, trees
from registry.api import archives, ranges
from registry.api import documentation as doc
from registry.api.choosing import CHOOSING, chosen_versions
from registry.api.documentation import documented
from registry.api.errors import refusal
from registry.api.parsers import ArrivedFile, HashingUploadHandler, LongJSON, WholeForm
from registry.api.rooms import Room, SessionByHeader
from registry.api.serializers import (
    EntrySerializer,
    JSONText,
    MetricInput,
    PublicationInput,
    VersionSerializer,
)
from registry.digests import base64_of
from registry.errors import Invalid
from registry.models import Occurrence, RegisteredModel, Tree
from registry.permissions import Action, require
from registry.services import metrics
from registry.services.versions import File, Publication, publish_version
from registry.storage import Slice

NEVER_ACTIVE = "default-src 'none'; sandbox"  # what users send is never run in a browser


class FormPublicationInput(PublicationInput):
    """The same in multipart/form-data: the files themselves, and metadata and metrics as JSON text."""

    also = PublicationInput.also | {"files", "paths"}
    files = None
    metadata = JSONText(required=False)
    metrics = JSONText(required=False)

    def validate_metadata(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise serializers.ValidationError('The text of a JSON object, like {"lr": 0.1}.')
        return value

    def validate_metrics(self, value: Any) -> list[metrics.Measured]:
        if isinstance(value, dict):  # the short form: {"accuracy": 0.97}
            value = [{"name": name, "text" if isinstance(one, str) else "value": one} for name, one in value.items()]
        checked = MetricInput(data=value, many=True)
        checked.is_valid(raise_exception=True)
        measured: list[metrics.Measured] = checked.validated_data
        return measured


class VersionViewSet(Room):
    authentication_classes = [BearerAuthentication, SessionByHeader]
    parser_classes = [LongJSON, WholeForm]

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.arriving = HashingUploadHandler(request)
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:  # also when the caller was refused: checking a form's CSRF token has read its files
            self.arriving.discard()

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        # Before anything reads the body: files of a form are hashed on their way to the disk.
        if self.action_map.get(request.method.lower()) == "create":
            request.upload_handlers = [self.arriving]
        return super().initialize_request(request, *args, **kwargs)

    @documented(
        "List the versions of a model",
        name="versions_list",
        tag="versions",
        answer=(200, "Versions, newest first unless `order_by` says otherwise.", doc.cursor_page_of(doc.VERSION)),
        errors=(400, 401, 404),
        query=[
            doc.query(
                "order_by", "-number (default), number, -created_at, created_at, -metric:accuracy, metric:loss …"
            ),
            *CHOOSING,
            *doc.CURSOR,
        ],
    )
    def list(self, request: Request, project: str, model: str) -> Response:
        return self.pages(VersionSerializer, *chosen_versions(request.query_params, self.model()))

    @documented(
        "Publish a version",
        name="versions_create",
        tag="versions",
        answer=(201, "The version. 200 when the same call was made before.", doc.VERSION),
        errors=(400, 401, 403, 404, 409, 507),
        consumes=["multipart/form-data"],
        operation_description="As a form with the files themselves (at most 1,000), or as `application/json` with"
        f" digests of files that were sent by `uploads/`:\n\n```json\n{doc.PUBLICATION}\n```\n".replace("'", '"')
        + "\nThe header `Idempotency-Key` makes a repeated call safe.",
        query=[
            doc.form("files", "A file. Repeat it for several (curl -F files=@a -F files=@b).", openapi.TYPE_FILE),
            doc.form("paths", "Its path in the version, where the file's own name is not enough. Repeat it likewise."),
            doc.form("message", "What changed; the first line is the title."),
            doc.form("metadata", 'JSON text: {"lr": 0.1}'),
            doc.form("metrics", 'JSON text: {"accuracy": 0.97} or [{"name": "loss", "value": 0.3, "step": 1}]'),
            doc.form("branch", "main when left out."),
            doc.form("parent", "The head that you expect; 409 when it has moved on."),
            doc.form("base", "parent (change its files) or empty (these files alone).", enum=["parent", "empty"]),
            doc.form("remove", "A path to take out of the parent's files. Repeat it for several."),
            doc.form("tag", "Name the version for good."),
            doc.form("alias", "Point this alias to the version."),
            openapi.Parameter("Idempotency-Key", openapi.IN_HEADER, type=openapi.TYPE_STRING),
        ],
    )
    def create(self, request: Request, project: str, model: str) -> Response:
        there = self.model()
        require(request.user, Action.PUBLISH, there.project)
        connections.release()  # a form may bring gigabytes
        publication = self._publication(request)
        version, new = publish_version(
            actor=request.user, model=there, publication=publication, arrived=self.arriving.arrived
        )
        self.kwargs["revision"] = str(version.number)
        return self.show(VersionSerializer, self.shown_version(), 201 if new else 200)

    def _publication(self, request: Request) -> Publication:
        key = request.headers.get("Idempotency-Key", "")
        if not request.content_type.startswith("multipart/"):
            return self.read(PublicationInput).publication(key=key)
        said = self.read(FormPublicationInput)
        files = request.FILES.getlist("files")
        paths = _paths(files, request.data.getlist("paths"))
        if unknown := request.FILES.keys() - {"files"}:
            raise Invalid("unknown_field", f"Files go into the form field “files”, not “{min(unknown)}”.")
        arrived = [File(path, file.incoming.sha256) for path, file in zip(paths, files, strict=True)]
        return said.publication(key=key, arrived=arrived)

    @documented(
        "Show everything about a version but its bytes",
        name="versions_read",
        tag="versions",
        answer=(200, "The version.", doc.VERSION),
    )
    def retrieve(self, request: Request, project: str, model: str, revision: str) -> Response:
        return self.show(VersionSerializer, self.shown_version())


def _paths(files: list[ArrivedFile], paths: list[str]) -> list[str]:
    if paths and len(paths) != len(files):
        raise Invalid(
            "paths_do_not_match", f"{len(files)} files came with {len(paths)} `paths`. Give one for each, or none."
        )
    return [path or file.name or "" for path, file in zip(paths or [""] * len(files), files, strict=True)]


class TreeViewSet(Room):
    @documented(
        "List the root directory of a version",
        name="tree_list",
        tag="files",
        answer=(200, "A page of entries, each with the version that brought it.", doc.page_of(doc.ENTRY)),
        query=[doc.query("recursive", "true: the files of all directories below.", openapi.TYPE_BOOLEAN), *doc.PAGES],
    )
    def list(self, request: Request, project: str, model: str, revision: str) -> Response:
        return self._listing("")

    @documented(
        "List a directory below the root",
        name="tree_list_below",
        tag="files",
        answer=(200, "A page of entries, each with the version that brought it.", doc.page_of(doc.ENTRY)),
        query=[doc.query("recursive", "true: the files of all directories below.", openapi.TYPE_BOOLEAN), *doc.PAGES],
    )
    def below(self, request: Request, project: str, model: str, revision: str, path: str) -> Response:
        return self._listing(path.strip("/"))

    def _listing(self, path: str) -> Response:
        version = self.version()
        entry = trees.find(Tree.objects.content_of, version.tree_id, path)
        if entry is None or not entry.is_directory:
            raise Tree.DoesNotExist
        prefix = f"{path}/" if path else ""
        places = _places(entry.digest, prefix, self.request.query_params.get("recursive") == "true")
        return self.pages(EntrySerializer, _Listing(version.model, places))


class _Listing:
    """Entries as pages see them: sliced first, then looked up who brought them."""

    def __init__(self, model: RegisteredModel, places: list[trees.Place]) -> None:
        self.model = model
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, part: slice) -> list[dict[str, Any]]:
        places = self.places[part]
        rows = Occurrence.objects.filter(model=self.model, path__in=[place.path for place in places])
        brought = {
            (path, digest): number
            for path, digest, number in rows.values_list("path", "digest", "first_version__number")
        }
        return [_shown(place, brought.get((place.path, place.entry.digest))) for place in places]


def _places(digest: str, prefix: str, recursive: bool) -> list[trees.Place]:
    if recursive:
        return list(trees.walk(Tree.objects.content_of, digest, prefix=prefix))
    entries = trees.decode(Tree.objects.content_of(digest)).values()
    return [trees.Place(f"{prefix}{entry.name}", entry) for entry in entries]


def _shown(place: trees.Place, version: int | None) -> dict[str, Any]:
    entry = place.entry
    return {
        "path": place.path,
        "name": place.path.rpartition("/")[2],
        "type": "directory" if entry.is_directory else "file",
        "mode": entry.mode,
        "size": entry.size,
        "digest": entry.digest,
        "version": version,
    }


class FileViewSet(Room):
    @documented(
        "Download a file of a version",
        name="files_read",
        tag="files",
        answer=(200, "The bytes. 206 with Range, 304 with If-None-Match.", doc.BYTES),
        errors=(401, 404, 416),
        produces=["application/octet-stream"],
        query=[openapi.Parameter("Range", openapi.IN_HEADER, type=openapi.TYPE_STRING, description="bytes=0-999")],
    )
    def retrieve(self, request: Request, project: str, model: str, revision: str, path: str) -> HttpResponseBase:
        version = self.version()
        entry = trees.find(Tree.objects.content_of, version.tree_id, path.strip("/"))
        if entry is None or entry.is_directory:
            raise Tree.DoesNotExist
        connections.release()  # from here on bytes travel
        return _file_response(request, entry)

    @documented(
        "Download a whole version",
        name="archive_read",
        tag="files",
        answer=(200, "A zip or tar of all its files, streamed.", doc.BYTES),
        produces=["application/zip", "application/x-tar"],
        query=[doc.query("format", "zip (default) or tar.", enum=["zip", "tar"])],
    )
    def archive(self, request: Request, project: str, model: str, revision: str) -> HttpResponseBase:
        version = self.version()
        form = request.query_params.get("format", "zip")
        if form not in ("zip", "tar"):
            raise Invalid("invalid_format", f"An archive is “zip” or “tar”, not “{form}”.")
        places = list(trees.walk(Tree.objects.content_of, version.tree_id))
        connections.release()
        stream = archives.zip_of if form == "zip" else archives.tar_of
        response = StreamingHttpResponse(
            stream(places, version.created_at), content_type="application/zip" if form == "zip" else "application/x-tar"
        )
        name = f"{version.model.project.name}-{version.model.name}-v{version.number}.{form}"
        return _guarded(response, name)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        return super().perform_content_negotiation(
            request, force=True
        )  # ?format= is ours, and bytes have no other form


def _file_response(request: Request, entry: trees.Entry) -> HttpResponseBase:
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
    start, length = part or (0, entry.size)
    response = FileResponse(
        Slice(entry.digest, start=start, length=length),
        status=206 if part else 200,
        content_type="application/octet-stream",
    )
    response["Content-Length"] = str(length)
    if part:
        response["Content-Range"] = f"bytes {start}-{start + length - 1}/{entry.size}"
    return _described(response, entry)


def _described(response: HttpResponseBase, entry: trees.Entry) -> HttpResponseBase:
    digest = base64_of(entry.digest)
    response["ETag"] = f'"{entry.digest}"'
    response["Accept-Ranges"] = "bytes"
    response["Digest"] = f"sha-256={digest}"
    response["Repr-Digest"] = f"sha-256=:{digest}:"
    response["Cache-Control"] = "private, no-cache"
    return _guarded(response, entry.name)


def _guarded(response: HttpResponseBase, name: str) -> HttpResponseBase:
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Content-Security-Policy"] = NEVER_ACTIVE
    response["X-Content-Type-Options"] = "nosniff"
    return response
