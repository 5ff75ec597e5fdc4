"""The calls about projects, members, invitations and models: parse, call one service, answer."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.rooms import Room
from registry.api.serializers import (
    AcceptanceInput,
    AcceptanceSerializer,
    InvitationInput,
    InvitationSerializer,
    MemberInput,
    MemberSerializer,
    ModelChangeInput,
    ModelInput,
    ModelSerializer,
    ProjectInput,
    ProjectSerializer,
    RoleInput,
)
from registry.api.trash import ModelTrashing, ProjectTrashing
from registry.models import Invitation, Membership, Project, RegisteredModel, Role
from registry.permissions import Action, require
from registry.services import members, projects, registered_models


class ProjectViewSet(ProjectTrashing):
    @documented(
        "List the projects that you may see",
        name="projects_list",
        tag="projects",
        answer=(200, "A page of projects.", doc.page_of(doc.PROJECT)),
        errors=(401,),
        query=doc.PAGES,
    )
    def list(self, request: Request) -> Response:
        if request.user.is_authenticated:
            projects.ensure_personal_project(actor=request.user)
        rows = Project.objects.visible_to(request.user).with_role_of(request.user)
        return self.pages(ProjectSerializer, rows)

    @documented(
        "Make a project",
        name="projects_create",
        tag="projects",
        body=ProjectInput,
        example={"name": "digits", "description": "Reading digits", "visibility": "private"},
        answer=(201, "The project; you own it.", doc.PROJECT),
        errors=(400, 401, 403),
    )
    def create(self, request: Request) -> Response:
        said = self.read(ProjectInput).validated_data
        project = projects.create_project(actor=request.user, **said)
        return self._shown(project, 201)

    @documented("Show a project", name="projects_read", tag="projects", answer=(200, "The project.", doc.PROJECT))
    def retrieve(self, request: Request, project: str) -> Response:
        return self.show(ProjectSerializer, self.project())

    @documented(
        "Change a project",
        name="projects_update",
        tag="projects",
        body=ProjectInput,
        example={"description": "Reading digits, fast", "visibility": "internal"},
        answer=(200, "The project. A former name keeps leading to it.", doc.PROJECT),
        errors=(400, 401, 403, 404, 409),
    )
    def partial_update(self, request: Request, project: str) -> Response:
        said = self.read(ProjectInput, partial=True).validated_data
        return self._shown(projects.update_project(actor=request.user, project=self.project(), **said), 200)

    def _shown(self, project: Project, status: int) -> Response:
        with_role = Project.objects.with_role_of(self.request.user).get(pk=project.pk)
        return self.show(ProjectSerializer, with_role, status)


class MemberViewSet(Room):
    @documented(
        "List the members",
        name="members_list",
        tag="members",
        answer=(200, "A page of members, owners first.", doc.page_of(doc.MEMBER)),
        errors=(401, 403, 404),
        query=doc.PAGES,
    )
    def list(self, request: Request, project: str) -> Response:
        place = self.project()
        require(request.user, Action.VIEW_MEMBERS, place)
        return self.pages(MemberSerializer, place.memberships.select_related("user"))

    @documented(
        "Add a member, or change a role",
        name="members_create",
        tag="members",
        body=MemberInput,
        example={"username": "ben", "role": "contributor"},
        answer=(201, "The member.", doc.MEMBER),
        errors=(400, 401, 403, 404, 409),
    )
    def create(self, request: Request, project: str) -> Response:
        place = self.project()
        require(request.user, Action.MANAGE_MEMBERS, place)
        said = self.read(MemberInput).validated_data
        user = members.find_user(username=said["username"])
        membership = members.set_membership(actor=request.user, project=place, user=user, role=Role.named(said["role"]))
        return self.show(MemberSerializer, membership, 201)

    @documented(
        "Change a member's role",
        name="members_update",
        tag="members",
        body=RoleInput,
        example={"role": "maintainer"},
        answer=(200, "The member.", doc.MEMBER),
        errors=(400, 401, 403, 404, 409),
    )
    def partial_update(self, request: Request, project: str, username: str) -> Response:
        place = self.project()
        require(request.user, Action.MANAGE_MEMBERS, place)
        role = Role.named(self.read(RoleInput).validated_data["role"])
        user = Membership.objects.select_related("user").get(project=place, user__username=username).user
        return self.show(
            MemberSerializer, members.set_membership(actor=request.user, project=place, user=user, role=role)
        )

    @documented(
        "Remove a member, or leave",
        name="members_delete",
        tag="members",
        answer=(204, "Done.", None),
        errors=(401, 403, 404, 409),
    )
    def destroy(self, request: Request, project: str, username: str) -> Response:
        place = self.project()
        require(request.user, Action.LEAVE if request.user.username == username else Action.MANAGE_MEMBERS, place)
        user = get_object_or_404(User, username=username)
        members.remove_member(actor=request.user, project=place, user=user)
        return Response(status=204)


class InvitationViewSet(Room):
    @documented(
        "List the open invitations",
        name="invitations_list",
        tag="members",
        answer=(200, "A page of invitations.", doc.page_of(doc.INVITATION)),
        errors=(401, 403, 404),
        query=doc.PAGES,
    )
    def list(self, request: Request, project: str) -> Response:
        place = self.project()
        require(request.user, Action.VIEW_INVITATIONS, place)
        return self.pages(
            InvitationSerializer, Invitation.objects.open().filter(project=place).select_related("invited_by")
        )

    @documented(
        "Invite somebody by e-mail",
        name="invitations_create",
        tag="members",
        body=InvitationInput,
        example={"email": "cleo@example.org", "role": "viewer"},
        answer=(201, "The invitation; its token is in the mail alone.", doc.INVITATION),
        errors=(400, 401, 403, 404, 429),
    )
    def create(self, request: Request, project: str) -> Response:
        place = self.project()
        require(request.user, Action.MANAGE_MEMBERS, place)
        said = self.read(InvitationInput).validated_data
        invitation = members.invite(
            actor=request.user, project=place, email=said["email"], role=Role.named(said["role"])
        )
        return self.show(InvitationSerializer, invitation, 201)

    @documented(
        "Withdraw an invitation",
        name="invitations_delete",
        tag="members",
        answer=(204, "Done.", None),
        errors=(401, 403, 404),
    )
    def destroy(self, request: Request, project: str, pk: int) -> Response:
        members.withdraw_invitation(actor=request.user, project=self.project(), invitation_id=pk)
        return Response(status=204)


class AcceptanceViewSet(Room):
    permission_classes = [IsAuthenticated]

    @documented(
        "Accept an invitation",
        name="invitations_accept",
        tag="members",
        body=AcceptanceInput,
        example={"token": "Zk3x…"},
        answer=(200, "You are a member now.", {"project": "digits", "role": "viewer"}),
        errors=(400, 401, 403),
    )
    def create(self, request: Request) -> Response:
        token = self.read(AcceptanceInput).validated_data["token"]
        return self.show(AcceptanceSerializer, members.accept_invitation(actor=request.user, token=token))


class ModelViewSet(ModelTrashing):
    @documented(
        "List the models of a project",
        name="models_list",
        tag="models",
        answer=(200, "A page of models.", doc.page_of(doc.MODEL)),
        query=doc.PAGES,
    )
    def list(self, request: Request, project: str) -> Response:
        rows = RegisteredModel.objects.filter(project=self.project(), trashed_at=None).for_listing()
        return self.pages(ModelSerializer, rows)

    @documented(
        "Make a model",
        name="models_create",
        tag="models",
        body=ModelInput,
        example={"name": "classifier", "kind": "model", "description": "8×8 digits"},
        answer=(201, "The model, without versions.", doc.MODEL),
        errors=(400, 401, 403, 404),
    )
    def create(self, request: Request, project: str) -> Response:
        place = self.project()
        require(request.user, Action.CREATE_MODEL, place)
        said = self.read(ModelInput).validated_data
        return self._shown(registered_models.create_model(actor=request.user, project=place, **said), 201)

    @documented("Show a model", name="models_read", tag="models", answer=(200, "The model.", doc.MODEL))
    def retrieve(self, request: Request, project: str, model: str) -> Response:
        return self._shown(self.model(), 200)

    @documented(
        "Change a model",
        name="models_update",
        tag="models",
        body=ModelChangeInput,
        example={"description": "8×8 digits, for the letter sorter"},
        answer=(200, "The model. A former name keeps leading to it.", doc.MODEL),
        errors=(400, 401, 403, 404),
    )
    def partial_update(self, request: Request, project: str, model: str) -> Response:
        there = self.model()
        require(request.user, Action.EDIT_MODEL, there.project)
        said = self.read(ModelChangeInput, partial=True).validated_data
        return self._shown(registered_models.update_model(actor=request.user, model=there, **said), 200)

    def _shown(self, model: RegisteredModel, status: int) -> Response:
        return self.show(ModelSerializer, RegisteredModel.objects.for_listing().get(pk=model.pk), status)
