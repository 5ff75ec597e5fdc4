"""The calls about hierarchies: the names of the levels of artifact trees."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.inputs import Input
from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.rooms import Room
from registry.models import Hierarchy
from registry.permissions import Action, require
from registry.services import hierarchies

HIERARCHY = {
    "name": "ml_pipeline",
    "project": "digits",
    "level_labels": {"0": "experiment", "1": "model", "2": "predictions"},
    "created_at": doc.TIME,
}


class HierarchySerializer(serializers.ModelSerializer[Hierarchy]):
    project = serializers.CharField(source="project.name")

    class Meta:
        model = Hierarchy
        fields = ["name", "project", "level_labels", "created_at"]


class HierarchyInput(Input):
    name = serializers.CharField(max_length=hierarchies.MOST_CHARACTERS)
    level_labels = serializers.DictField(
        child=serializers.CharField(trim_whitespace=False), help_text='{"0": "experiment", "1": "model"}'
    )


class HierarchyViewSet(Room):
    @documented(
        "List the hierarchies of a project",
        name="hierarchies_list",
        tag="artifacts",
        answer=(200, "A page of hierarchies.", doc.page_of(HIERARCHY)),
        query=doc.PAGES,
    )
    def list(self, request: Request, project: str) -> Response:
        return self.pages(
            HierarchySerializer, Hierarchy.objects.filter(project=self.project()).select_related("project")
        )

    @documented(
        "Make a hierarchy: the names of the levels of artifact trees",
        name="hierarchies_create",
        tag="artifacts",
        body=HierarchyInput,
        example={"name": HIERARCHY["name"], "level_labels": HIERARCHY["level_labels"]},
        answer=(201, "The hierarchy. Its labels do not change any more.", HIERARCHY),
        errors=(400, 401, 403, 404, 409),
    )
    def create(self, request: Request, project: str) -> Response:
        there = self.project()
        require(request.user, Action.RECORD_LINEAGE, there)
        said = self.read(HierarchyInput).validated_data
        made = hierarchies.create_hierarchy(actor=request.user, project=there, **said)
        return self.show(HierarchySerializer, made, 201)
