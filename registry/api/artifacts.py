"""The calls about artifacts: parse, call one service, answer. What they hold goes out by artifact_content."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from drf_yasg import openapi
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils import html

from accounts.api.inputs import Input
from accounts.api.parsers import strict_json
from lmvp.numerals import whole_number
from registry import connections
from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.forms import FormRoom
from registry.api.rooms import Room
from registry.api.serializers import JSONText
from registry.arriving import ArrivedFile
from registry.errors import Invalid
from registry.incoming import Incoming
from registry.models import Artifact
from registry.permissions import Action, require
from registry.services import artifacts, hierarchies
from registry.services.projects import find_project
from registry.services.recordings import Content, Recording

ARTIFACT = {
    "id": "01K2ZP5Q7V3C8Y0M4N6R9T1W2X",
    "parent_id": None,
    "level": 0,
    "data": {
        "type": "ml_training",
        "metadata": {
            "status": "success",
            "config_id": "hidden-64",
            "started_at": doc.TIME,
            "completed_at": doc.TIME,
            "duration_seconds": 12.5,
        },
        "content": None,
        "content_type": "application/zip",
        "content_size": 18000,
    },
    "created_at": doc.TIME,
    "updated_at": doc.TIME,
    "project": "digits",
    "hierarchy": "ml_pipeline",
    "content": {"sha256": doc.DIGEST, "size": 18000, "content_type": "application/zip"},
    "version": "digits/classifier@3",
    "created_by": "ada",
}
EXPANDED = ARTIFACT | {"level_label": "experiment"}
TREE = EXPANDED | {"children": [EXPANDED | {"level": 1, "level_label": "model", "children": []}]}
LARGEST_PAGE = 200
LAST_PAGE = 10**9


class ArtifactSerializer(serializers.ModelSerializer[Artifact]):
    parent_id = serializers.CharField(allow_null=True)
    data = serializers.JSONField()
    project = serializers.CharField(source="project.name")
    hierarchy = serializers.CharField(source="hierarchy.name")
    content = serializers.SerializerMethodField(help_text="Its bytes, or null: {sha256, size, content_type}.")
    version = serializers.SerializerMethodField(help_text="project/model@number; null for none that you may see.")
    created_by = serializers.CharField(source="created_by.username")

    class Meta:
        model = Artifact
        fields = [
            "id", "parent_id", "level", "data", "created_at", "updated_at",
            "project", "hierarchy", "content", "version", "created_by",
        ]  # fmt: skip

    def get_content(self, artifact: Artifact) -> dict[str, Any] | None:
        blob = artifact.content
        return blob and {"sha256": blob.pk, "size": blob.size, "content_type": artifact.content_type}

    def get_version(self, artifact: Artifact) -> str | None:
        version = artifact.version if artifact.version_seen else None  # type: ignore[attr-defined]
        return version and f"{version.model}@{version.number}"


class ExpandedSerializer(ArtifactSerializer):
    level_label = serializers.SerializerMethodField(help_text="From its hierarchy; null where that has no labels.")

    class Meta(ArtifactSerializer.Meta):
        fields = [*ArtifactSerializer.Meta.fields, "level_label"]

    def get_level_label(self, artifact: Artifact) -> str | None:
        return artifact.hierarchy.label_of(artifact.level)


class DataField(JSONText):
    """A JSON object; in a form, its text."""

    def get_value(self, dictionary: Any) -> Any:
        if html.is_html_input(dictionary):
            return super().get_value(dictionary)
        return dictionary.get(self.field_name, serializers.empty)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError('A JSON object, like {"name": "first run"}.')
        return data


class ContentField(serializers.Field[Any, Any, Any, Any]):
    """Bytes: the file of a form, or {"sha256", "content_type"?} or the SHA-256 alone of bytes that were sent before."""

    def to_internal_value(self, data: Any) -> Content:
        if isinstance(data, ArrivedFile):
            return Content(data.incoming.sha256, data.content_type or "", data.incoming.size)
        if isinstance(data, str) and data.startswith("{"):
            data = strict_json(data)
        said = {"sha256": data} if isinstance(data, str) else data
        texts = isinstance(said, Mapping) and all(isinstance(value, str) for value in said.values())
        if not texts or not {"sha256"} <= said.keys() <= {"sha256", "content_type"}:
            raise serializers.ValidationError('{"sha256": …, "content_type": …} of bytes that were sent before.')
        return Content(said["sha256"], said.get("content_type", ""))


class ReplacementInput(Input):
    data = DataField(help_text="Any JSON object of at most 64 KB; its `type` may promise more.")
    project = serializers.CharField(required=False, allow_null=True, max_length=39)
    hierarchy = serializers.CharField(required=False, allow_null=True, max_length=hierarchies.MOST_CHARACTERS)
    parent_id = serializers.CharField(required=False, allow_null=True, max_length=26)
    content = ContentField(required=False, allow_null=True)
    version = serializers.CharField(
        required=False, allow_null=True, max_length=300, help_text="project/model@revision that it stands for."
    )

    def recording(self) -> Recording:
        return Recording(**self.validated_data)


class ArtifactInput(ReplacementInput):
    """The same for a new one."""


class TreeInput(Input):
    root_id = serializers.CharField(max_length=26)
    max_depth = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=2**31 - 1, help_text="How many levels below the root."
    )


class ArtifactPages:
    """{items, total, page, size, pages}: counted from 1; a page behind the last one is empty."""

    def paginate_queryset(self, rows: QuerySet[Any], request: Request, view: Any = None) -> list[Any]:
        self.page = _number(request, "page", 1, LAST_PAGE)
        self.size = _number(request, "size", 50, LARGEST_PAGE)
        self.total = rows.count()
        start = (self.page - 1) * self.size
        return list(rows[start : start + self.size]) if start < self.total else []

    def get_paginated_response(self, items: Any) -> Response:
        pages = math.ceil(self.total / self.size)
        return Response({"items": items, "total": self.total, "page": self.page, "size": self.size, "pages": pages})


def _number(request: Request, name: str, default: int, most: int) -> int:
    number = whole_number(request.query_params.get(name, str(default)))
    if number is None or not 1 <= number <= most:
        raise Invalid("invalid", f"`{name}` is a number from 1 to {most:,}.", fields={name: ["invalid"]})
    return number


FORM = [
    doc.form("data", 'JSON text of an object: {"name": "first run"}', required=True),
    doc.form("content", "Its bytes (curl -F content=@table.csv).", openapi.TYPE_FILE),
    doc.form("parent_id", "The artifact that it stands below."),
    doc.form("project", "Of a root; your personal project when left out."),
    doc.form("hierarchy", "Of a root; “default” when left out."),
    doc.form("version", "The version that it stands for: project/model@revision."),
]
BODY = {
    "parent_id": ARTIFACT["id"],
    "data": ARTIFACT["data"],
    "content": {"sha256": doc.DIGEST, "content_type": "application/zip"},
    "version": "digits/classifier@3",
}


class ArtifactViewSet(FormRoom):
    receiving = frozenset({"create", "update"})

    def rows(self) -> Any:
        return Artifact.objects.visible_to(self.request.user).for_listing(self.request.user)

    def artifact(self) -> Artifact:
        """Return the artifact of the address."""
        found: Artifact = self.rows().named(self.kwargs["artifact"])
        return found

    @documented(
        "List the artifacts that you may see",
        name="artifacts_list",
        tag="artifacts",
        answer=(200, "A page of artifacts, oldest first.", {"items": [ARTIFACT], "total": 1, "page": 1, "size": 50, "pages": 1}),
        errors=(400, 401, 404),
        query=[
            doc.query("project", "Only those of this project."),
            doc.query("hierarchy", "Only those of hierarchies of this name."),
            doc.query("parent_id", "Only the children of this artifact; null: only roots."),
            doc.query("page", "Which page, from 1.", openapi.TYPE_INTEGER),
            doc.query("size", "How many on a page, at most 200; 50 when left out.", openapi.TYPE_INTEGER),
        ],
    )  # fmt: skip
    def list(self, request: Request) -> Response:
        said, rows = request.query_params, self.rows()
        if name := said.get("project"):
            rows = rows.filter(project=find_project(actor=request.user, name=name))
        if hierarchy := said.get("hierarchy"):
            rows = rows.filter(hierarchy__name=hierarchy)
        if parent := said.get("parent_id"):
            rows = rows.filter(parent=None) if parent == "null" else rows.filter(parent=parent.upper())
        return self.pages(ArtifactSerializer, rows, ArtifactPages())

    @documented(
        "Record an artifact",
        name="artifacts_create",
        tag="artifacts",
        answer=(201, "The artifact, with its id and level.", ARTIFACT),
        errors=(400, 401, 403, 404, 507),
        consumes=["multipart/form-data"],
        operation_description="As a form with its bytes, or as `application/json` with the digest of bytes that were sent"
        f" by `uploads/`:\n\n```json\n{BODY}\n```\n".replace("'", '"').replace("None", "null"),
        query=FORM,
    )
    def create(self, request: Request) -> Response:
        self.require_room(request)
        connections.release()  # a form may bring gigabytes
        recording = self.read(ArtifactInput).recording()
        made = artifacts.record_artifact(actor=request.user, recording=recording, arrived=self._arrived())
        return self._shown(made, 201)

    @documented("Show an artifact", name="artifacts_read", tag="artifacts", answer=(200, "The artifact.", ARTIFACT))
    def retrieve(self, request: Request, artifact: str) -> Response:
        return self.show(ArtifactSerializer, self.artifact())

    @documented(
        "Replace what an artifact says; move it below another parent",
        name="artifacts_update",
        tag="artifacts",
        answer=(200, "The artifact.", ARTIFACT),
        errors=(400, 401, 403, 404, 507),
        consumes=["multipart/form-data"],
        operation_description="As a form or as `application/json`, like recording one. `data` are replaced; `parent_id`,"
        " `content` and `version` stay as they are when they are left out, and go when they are null.",
        query=[one for one in FORM if one.name not in ("project", "hierarchy")],
    )
    def update(self, request: Request, artifact: str) -> Response:
        there = self.artifact()
        require(request.user, Action.RECORD_LINEAGE, there.project)
        self.require_room(request, there.project)
        connections.release()
        recording = self.read(ReplacementInput).recording()
        changed = artifacts.replace_artifact(
            actor=request.user, artifact=there, recording=recording, arrived=self._arrived()
        )
        return self._shown(changed, 200)

    @documented(
        "Delete an artifact that has no children",
        name="artifacts_delete",
        tag="artifacts",
        answer=(204, "Done.", None),
        errors=(401, 403, 404, 409),
    )
    def destroy(self, request: Request, artifact: str) -> Response:
        artifacts.delete_artifact(actor=request.user, artifact=self.artifact())
        return Response(status=204)

    @documented(
        "Show an artifact with the label of its level, without its children",
        name="artifacts_expand",
        tag="artifacts",
        answer=(200, "The artifact, with `level_label`.", EXPANDED),
    )
    def expand(self, request: Request, artifact: str) -> Response:
        return self.show(ExpandedSerializer, self.artifact())

    @documented(
        "Show the metadata of an artifact's data",
        name="artifacts_metadata",
        tag="artifacts",
        answer=(200, "What stands in `data.metadata`; {} where nothing does.", ARTIFACT["data"]["metadata"]),  # type: ignore[index]
    )
    def metadata(self, request: Request, artifact: str) -> Response:
        found = self.artifact().data.get("metadata")
        return Response({} if found is None else found)

    @documented(
        "Show the tree of an artifact",
        name="artifacts_tree_of",
        tag="artifacts",
        answer=(200, "The artifact with its `children`, and theirs.", TREE),
        errors=(400, 401, 404),
        query=[doc.query("max_depth", "How many levels below it.", openapi.TYPE_INTEGER)],
    )
    def tree(self, request: Request, artifact: str) -> Response:
        root = self.artifact()
        said = TreeInput(data={"root_id": root.pk, "max_depth": request.query_params.get("max_depth")})
        said.is_valid(raise_exception=True)
        return self._tree(root, said.validated_data["max_depth"])

    def _tree(self, root: Artifact, depth: int | None) -> Response:
        found = artifacts.tree_of(actor=self.request.user, root=root, depth=depth)
        nodes = {one["id"]: one | {"children": []} for one in ExpandedSerializer(found, many=True).data}
        for node in nodes.values():
            if node["id"] != root.pk:
                nodes[node["parent_id"]]["children"].append(node)
        return Response(nodes[root.pk])

    def _arrived(self) -> list[Incoming]:
        if len(self.arriving.arrived) > 1:
            raise Invalid("invalid", "An artifact has one `content`. Record another artifact for another file.")
        return self.arriving.arrived

    def _shown(self, artifact: Artifact, status: int) -> Response:
        return self.show(ArtifactSerializer, self.rows().get(pk=artifact.pk), status)


class ArtifactTreeViewSet(ArtifactViewSet):
    """A read by POST: its root stands in the body."""

    permission_classes = [AllowAny]
    parser_classes = Room.parser_classes
    receiving = frozenset()

    @documented(
        "Show the tree below a root",
        name="artifacts_tree",
        tag="artifacts",
        body=TreeInput,
        example={"root_id": ARTIFACT["id"], "max_depth": 3},
        answer=(200, "The root with its `children`, and theirs.", TREE),
        errors=(400, 401, 404),
    )
    def create(self, request: Request) -> Response:
        said = self.read(TreeInput).validated_data
        return self._tree(self.rows().named(said["root_id"]), said.get("max_depth"))
