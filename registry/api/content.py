"""The calls about versions and their files: parse, call one service, answer."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from drf_yasg import openapi
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.parsers import strict_json
from registry import connections, trees
from registry.api import archives
from registry.api import documentation as doc
from registry.api.choosing import CHOOSING, chosen_versions
from registry.api.deprecation import VersionDeprecation, told
from registry.api.documentation import documented
from registry.api.downloads import file_response, guarded
from registry.api.forms import FormRoom
from registry.api.lineage import WholeVersionSerializer
from registry.api.parsers import LongJSON, WholeForm
from registry.api.rooms import Room
from registry.api.serializers import (
    JSONText,
    MetricInput,
    PublicationInput,
    VersionSerializer,
)
from registry.api.trash import VersionTrashing
from registry.arriving import ArrivedFile
from registry.errors import Invalid
from registry.models import Tree
from registry.permissions import Action, require
from registry.services import blobs, downloads, metrics
from registry.services.versions import File, Publication, publish_version


class NamesText(serializers.ListField):
    """Names: the field repeated, or once with a JSON list."""

    def get_value(self, dictionary: Any) -> Any:
        value = super().get_value(dictionary)
        listed = isinstance(value, list) and len(value) == 1 and str(value[0]).lstrip().startswith("[")
        return strict_json(value[0]) if listed else value


class FormPublicationInput(PublicationInput):
    """The same in multipart/form-data: the files themselves, and metadata and metrics as JSON text."""

    also = PublicationInput.also | {"files", "paths"}
    files = None
    metadata = JSONText(required=False)
    metrics = JSONText(required=False)
    derived_from = NamesText(child=serializers.CharField(), required=False)

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


class VersionViewSet(VersionTrashing, VersionDeprecation, FormRoom):
    parser_classes = [LongJSON, WholeForm]

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
        answer=(201, "The version. 200 when the same call was made before.", doc.DERIVED_VERSION),
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
            doc.form("branch", "The default branch when left out."),
            doc.form("parent", "The head that you expect; 409 when it has moved on."),
            doc.form("base", "parent (change its files) or empty (these files alone).", enum=["parent", "empty"]),
            doc.form("remove", "A path to take out of the parent's files. Repeat it for several."),
            doc.form("tag", "Name the version for good."),
            doc.form("alias", "Point this alias to the version."),
            doc.form(
                "derived_from", "project/model@revision of another model that it was made from. Repeat it likewise."
            ),
            openapi.Parameter("Idempotency-Key", openapi.IN_HEADER, type=openapi.TYPE_STRING),
        ],
    )
    def create(self, request: Request, project: str, model: str) -> Response:
        there = self.model()
        require(request.user, Action.PUBLISH, there.project)
        self.require_room(request, there.project)
        connections.release()  # a form may bring gigabytes
        publication = self._publication(request)
        version, new = publish_version(
            actor=request.user, model=there, publication=publication, arrived=self.arriving.arrived
        )
        shown = version if new else there.versions.with_figures().get(pk=version.pk)
        return self.show(WholeVersionSerializer, shown, 201 if new else 200)

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
        answer=(200, "The version.", doc.DERIVED_VERSION),
    )
    def retrieve(self, request: Request, project: str, model: str, revision: str) -> Response:
        return self.show(WholeVersionSerializer, self.shown_version())


def _paths(files: list[ArrivedFile], paths: list[str]) -> list[str]:
    if paths and len(paths) != len(files):
        raise Invalid(
            "paths_do_not_match", f"{len(files)} files came with {len(paths)} `paths`. Give one for each, or none."
        )
    return [path or file.name or "" for path, file in zip(paths or [""] * len(files), files, strict=True)]


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
        if request.method != "HEAD" and get_conditional_response(request, etag=f'"{entry.digest}"') is None:
            downloads.note(actor=request.user, version=version)
        connections.release()  # from here on bytes travel
        return told(file_response(request, entry), version)

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
        places = trees.files_between(Tree.objects.contents_of, version.tree_id)
        blobs.refuse_damaged(place.entry.digest for place in places)  # before the first byte: later is too late
        if request.method != "HEAD":
            downloads.note(actor=request.user, version=version)
        connections.release()
        stream = archives.zip_of if form == "zip" else archives.tar_of
        response = StreamingHttpResponse(
            stream(places, version.created_at), content_type="application/zip" if form == "zip" else "application/x-tar"
        )
        name = f"{version.model.project.name}-{version.model.name}-v{version.number}.{form}"
        return told(guarded(response, name), version)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        return super().perform_content_negotiation(
            request, force=True
        )  # ?format= is ours, and bytes have no other form
