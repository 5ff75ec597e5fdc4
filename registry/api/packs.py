"""The calls that carry thousands of small files in one tar, to the server and from it."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse
from drf_yasg import openapi
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.inputs import Input
from lmvp.numerals import whole_number
from registry import connections, trees
from registry.api import archives
from registry.api import documentation as doc
from registry.api.deprecation import told
from registry.api.documentation import documented
from registry.api.downloads import guarded
from registry.api.parsers import LongJSON, RawBytes, body_chunks
from registry.api.rooms import Room
from registry.errors import Invalid, Missing
from registry.models import Tree, Version
from registry.permissions import Action, require
from registry.services import blobs, downloads, packs
from registry.trees import Place

TAR = "application/x-tar"
MOST_PATHS = trees.MAX_ENTRIES
MOST_TOLD = 100  # of the paths that are not there


class UploadPackViewSet(Room):
    parser_classes = [RawBytes]

    @documented(
        "Send thousands of small files at once",
        name="uploads_pack",
        tag="uploads",
        body=doc.RAW,
        consumes=[TAR],
        answer=(200, "All are stored, in the order of the tar.", [{"sha256": doc.DIGEST, "size": 812}]),
        errors=(400, 401, 403, 404, 413, 415, 507),
        operation_description="A tar of plain files that are named by their SHA-256: kept whole, or not at all.",
    )
    def create(self, request: Request, project: str, model: str) -> Response:
        there = self.model()
        require(request.user, Action.UPLOAD, there.project)
        _require_tar(request)
        came = packs.receive_pack(
            actor=request.user,
            model=there,
            chunks=body_chunks(request._request),
            announced=whole_number(request.META.get("CONTENT_LENGTH") or "", digits=100) or 0,
        )
        return Response([{"sha256": digest, "size": size} for digest, size in came])


def _require_tar(request: Request) -> None:
    kind = (request.content_type or "").partition(";")[0].strip().lower()
    if kind != TAR:
        raise UnsupportedMediaType(kind, f"A pack is sent as {TAR}, not as “{kind}”.")
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedMediaType(kind, "A pack is sent as it is. Leave out Content-Encoding, and do not compress it.")


class Paths(serializers.Field[Any, Any, Any, Any]):
    """A list of texts, however long: looked at once, and not by a field for each."""

    def to_internal_value(self, data: Any) -> list[str]:
        if not isinstance(data, list) or not data or not all(isinstance(path, str) for path in data):
            raise serializers.ValidationError("A list of paths, or nothing for all files.")
        return data


class PackInput(Input):
    paths = Paths(required=False, help_text="In this order; all files when left out.")

    class Meta:
        swagger_schema_fields = {
            "properties": {
                "paths": openapi.Schema(type=openapi.TYPE_ARRAY, items=openapi.Schema(type=openapi.TYPE_STRING))
            }
        }


class PackViewSet(Room):
    """A read by POST: what is asked for stands in the body."""

    permission_classes = [AllowAny]
    parser_classes = [LongJSON]

    @documented(
        "Download many files of a version at once",
        name="pack_read",
        tag="files",
        body=PackInput,
        example={"paths": ["data/a.txt", "data/b.txt"]},
        answer=(200, "A pax tar of them, streamed; members are named by path and come as asked for.", doc.BYTES),
        errors=(400, 401, 404),
        produces=[TAR],
    )
    def create(self, request: Request, project: str, model: str, revision: str) -> HttpResponseBase:
        version = self.version()
        paths = self.read(PackInput).validated_data.get("paths")
        places = (
            trees.files_between(Tree.objects.contents_of, version.tree_id) if paths is None else _at(version, paths)
        )
        blobs.refuse_damaged(place.entry.digest for place in places)  # before the first byte: later is too late
        downloads.note(actor=request.user, version=version)
        connections.release()  # from here on bytes travel
        response = StreamingHttpResponse(archives.tar_of(places, version.created_at), content_type=TAR)
        name = f"{version.model.project.name}-{version.model.name}-v{version.number}.tar"
        return told(guarded(response, name), version)


def _at(version: Version, paths: list[str]) -> list[Place]:
    if len(paths) > MOST_PATHS:
        raise Invalid("too_many_files", f"Ask for at most {MOST_PATHS:,} files in one call.")
    if len(set(paths)) < len(paths):
        raise Invalid("duplicate_path", "A path is there twice. Ask for each once.")
    found = trees.files_at(Tree.objects.contents_of, version.tree_id, paths)
    if missing := [path for path in paths if path not in found]:
        raise Missing(
            "not_found",
            f"This version has no file at {len(missing):,} of these paths. …/tree/ lists what it has.",
            fields={"paths": missing[:MOST_TOLD]},
        )
    return [Place(path, found[path]) for path in paths]
