"""The calls that delete projects, models and versions, show what is in the trash, and take it back."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.lineage import WholeVersionSerializer
from registry.api.rooms import Room
from registry.api.serializers import ModelSerializer, ProjectSerializer
from registry.models import Project, RegisteredModel, Version
from registry.permissions import Action, require
from registry.services import trash

DELETED_PROJECT = {
    "kind": "project",
    "name": "digits",
    "trashed_by": "ada",
    "trashed_at": doc.TIME,
    "until": "2026-08-15T09:00:00Z",
}
DELETED_MODEL = DELETED_PROJECT | {"kind": "model", "name": "digits/classifier"}
DELETED_VERSION = DELETED_PROJECT | {
    "kind": "version",
    "name": "digits/classifier v3",
    "number": 3,
    "digest": doc.DIGEST,
    "message": "Wider",
}


class DeletedSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="project, model or version")
    name = serializers.CharField()
    trashed_by = serializers.CharField(allow_null=True, help_text="null: the model's retention rule.")
    trashed_at = serializers.DateTimeField()
    until = serializers.DateTimeField(help_text="So long it can be taken back; then it is purged.")

    def to_representation(self, row: trash.Row) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(
            {
                "kind": trash.noun_of(row),
                "name": str(row),
                "trashed_by": row.trashed_by and row.trashed_by.username,
                "trashed_at": row.trashed_at,
                "until": trash.until(row),
            }
        )
        if isinstance(row, Version):
            shown |= {"number": row.number, "digest": row.digest, "message": row.message}
        return shown


class ProjectTrashing(Room):
    """What the viewset of projects has besides."""

    @documented(
        "Delete a project: it goes to the trash",
        name="projects_delete",
        tag="trash",
        answer=(200, "What went to the trash, and until when it can be taken back.", DELETED_PROJECT),
        errors=(401, 403, 404, 409),
    )
    def destroy(self, request: Request, project: str) -> Response:
        return self.show(DeletedSerializer, trash.delete(actor=request.user, row=self.project()))


class ModelTrashing(Room):
    """What the viewset of models has besides."""

    @documented(
        "Delete a model: it goes to the trash",
        name="models_delete",
        tag="trash",
        answer=(200, "What went to the trash, and until when it can be taken back.", DELETED_MODEL),
        errors=(401, 403, 404),
    )
    def destroy(self, request: Request, project: str, model: str) -> Response:
        return self.show(DeletedSerializer, trash.delete(actor=request.user, row=self.model()))


class VersionTrashing(Room):
    """What the viewset of versions has besides."""

    @documented(
        "Delete a version: it goes to the trash",
        name="versions_delete",
        tag="trash",
        answer=(200, "What went to the trash, and until when it can be taken back.", DELETED_VERSION),
        errors=(401, 403, 404, 409),
    )
    def destroy(self, request: Request, project: str, model: str, revision: str) -> Response:
        return self.show(DeletedSerializer, trash.delete(actor=request.user, row=self.version()))


class TrashViewSet(Room):
    @documented(
        "List your projects in the trash",
        name="trash_projects",
        tag="trash",
        answer=(200, "A page of the projects that you own.", doc.page_of(DELETED_PROJECT)),
        errors=(401,),
        query=doc.PAGES,
    )
    def projects(self, request: Request) -> Response:
        rows = Project.objects.in_trash().owned_by(request.user).select_related("trashed_by")
        return self.pages(DeletedSerializer, rows)

    @documented(
        "List the models of a project in the trash",
        name="trash_models",
        tag="trash",
        answer=(200, "A page of models.", doc.page_of(DELETED_MODEL)),
        errors=(401, 403, 404),
        query=doc.PAGES,
    )
    def models(self, request: Request, project: str) -> Response:
        place = self.project()
        require(request.user, Action.VIEW_TRASH, place)
        rows = RegisteredModel.objects.in_trash().filter(project=place)
        return self.pages(DeletedSerializer, rows.select_related("project", "trashed_by"))

    @documented(
        "List the versions of a model in the trash",
        name="trash_versions",
        tag="trash",
        answer=(200, "A page of versions.", doc.page_of(DELETED_VERSION)),
        errors=(401, 403, 404),
        query=doc.PAGES,
    )
    def versions(self, request: Request, project: str, model: str) -> Response:
        there = self.model()
        require(request.user, Action.VIEW_TRASH, there.project)
        rows = Version.objects.in_trash().filter(model=there)
        return self.pages(DeletedSerializer, rows.select_related("model__project", "trashed_by"))

    def get_permissions(self) -> list[Any]:
        return [IsAuthenticated()] if self.action == "projects" else super().get_permissions()


class UndeleteViewSet(Room):
    @documented(
        "Take a project back from the trash",
        name="projects_undelete",
        tag="trash",
        answer=(200, "The project, as it was.", doc.PROJECT),
        errors=(401, 403, 404, 409, 410),
    )
    def project_back(self, request: Request, project: str) -> Response:
        row = self._undeleted(project)
        return self.show(ProjectSerializer, Project.objects.with_role_of(request.user).get(pk=row.pk))

    @documented(
        "Take a model back from the trash",
        name="models_undelete",
        tag="trash",
        answer=(200, "The model, as it was.", doc.MODEL),
        errors=(401, 403, 404, 409, 410),
    )
    def model_back(self, request: Request, project: str, model: str) -> Response:
        row = self._undeleted(project, model)
        return self.show(ModelSerializer, RegisteredModel.objects.for_listing().get(pk=row.pk))

    @documented(
        "Take a version back from the trash, by its number or digest",
        name="versions_undelete",
        tag="trash",
        answer=(200, "The version, as it was.", doc.VERSION),
        errors=(401, 403, 404, 409, 410),
    )
    def version_back(self, request: Request, project: str, model: str, revision: str) -> Response:
        row = self._undeleted(project, model, revision)
        shown = Version.objects.with_figures().select_related("model__project").get(pk=row.pk)
        return self.show(WholeVersionSerializer, shown)

    def _undeleted(self, project: str, model: str = "", revision: str = "") -> trash.Row:
        actor = self.request.user
        row = trash.find_deleted(actor=actor, project=project, model=model, revision=revision)
        return trash.undelete(actor=actor, row=row)
