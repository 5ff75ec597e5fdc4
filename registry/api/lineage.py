"""The call about a version's lineage, and how a version is shown with what it was made from."""

from __future__ import annotations

from typing import Any

from drf_yasg import openapi
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from registry import lineage
from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.rooms import Room
from registry.api.serializers import VersionSerializer
from registry.models import Artifact, Version
from registry.models.surroundings import Surroundings

DEPTH, DEEPEST = 3, 20


class SourceSerializer(serializers.Serializer[Any]):
    """A version that another was made from; of one that the reader may not see, only that there is one."""

    project = serializers.CharField(source="model.project.name")
    model = serializers.CharField(source="model.name")
    number = serializers.IntegerField()
    digest = serializers.CharField()

    def to_representation(self, source: Version | None) -> dict[str, Any]:
        return super().to_representation(source) if source else {"hidden": True}


class WholeVersionSerializer(VersionSerializer):
    """A version as it is shown alone."""

    def shown(self, version: Version, around: Surroundings) -> dict[str, Any]:
        shown = super().shown(version, around)
        sources = lineage.sources_of(version, actor=self.context["request"].user)
        derived_from = [SourceSerializer().to_representation(source) for source in sources]
        return shown | {"derived_from": derived_from, "url": shown["url"]}


class LineageQuery(serializers.Serializer[Any]):
    depth = serializers.IntegerField(required=False, default=DEPTH, min_value=0, max_value=DEEPEST)


class LineageSerializer(serializers.Serializer[lineage.Lineage]):
    def to_representation(self, found: lineage.Lineage) -> dict[str, Any]:
        return {
            "root": _name(found.nodes[0]),
            "nodes": [self._node(node) for node in found.nodes],
            "edges": [{"from": _name(edge.start), "to": _name(edge.end), "kind": edge.kind} for edge in found.edges],
            "hidden": found.hidden,
            "truncated": found.truncated,
        }

    def _node(self, node: lineage.Node) -> dict[str, Any]:
        return self._artifact(node) if isinstance(node, Artifact) else self._version(node)

    def _version(self, version: Version) -> dict[str, Any]:
        model, request = version.model, self.context["request"]
        gone = bool(version.trashed_at or model.trashed_at)
        place = [model.project.name, model.name, str(version.number)]
        return {
            "id": _name(version),
            "type": "version",
            "project": model.project.name,
            "model": model.name,
            "kind": model.kind,
            "number": version.number,
            "digest": version.digest,
            "title": "" if gone else version.title,
            "author": version.author_name,
            "created_at": serializers.DateTimeField().to_representation(version.created_at),
            "deprecated": None if gone else version.deprecated or None,
            "trashed": gone,
            "url": None if gone else reverse("version", args=place, request=request),
        }

    def _artifact(self, node: Artifact) -> dict[str, Any]:
        return {
            "id": node.pk,
            "type": "artifact",
            "project": node.project.name,
            "hierarchy": node.hierarchy.name,
            "level": node.level,
            "label": node.hierarchy.level_labels.get(str(node.level)),
            "created_at": serializers.DateTimeField().to_representation(node.created_at),
            "url": self.context["request"].build_absolute_uri(f"/v1/artifacts/{node.pk}/"),
        }


def _name(node: lineage.Node) -> str:
    """Return what a node is called here: what `derived_from` takes, or the artifact's id."""
    return node.pk if isinstance(node, Artifact) else f"{node.model.project.name}/{node.model.name}@{node.number}"


class LineageViewSet(Room):
    @documented(
        "Show what a version came from and what came of it",
        name="versions_lineage",
        tag="versions",
        answer=(200, "Nodes and edges; an edge leads from what was there first.", doc.LINEAGE),
        errors=(400, 401, 404),
        query=[doc.query("depth", f"Steps each way: {DEPTH}, at most {DEEPEST}.", openapi.TYPE_INTEGER)],
    )
    def retrieve(self, request: Request, project: str, model: str, revision: str) -> Response:
        asked = LineageQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = lineage.lineage_of(self.version(), actor=request.user, depth=asked.validated_data["depth"])
        return self.show(LineageSerializer, found)
