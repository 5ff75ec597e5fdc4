"""Projects with their members and open invitations: made, changed, and put right for members who cannot."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, IntegerField, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.safestring import SafeString

from registry.admin.housekeeping import WithTrash
from registry.admin.pages import RegistryAdmin, list_link
from registry.models import Invitation, Membership, Project, RegisteredModel, Role
from registry.services import members, projects
from registry.services.quotas import storage_of

TRASH = ["trashed_at", "trashed_by", "purged_at"]


class MemberInline(admin.TabularInline):
    model = Membership
    verbose_name_plural = "members"
    fields = ["user", "role", "created_at"]
    readonly_fields = ["user", "created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "project")

    def has_add_permission(self, request: HttpRequest, obj: Model | None) -> bool:
        return False


class AddedMemberInline(admin.TabularInline):
    """Apart from the members that are there: their users stay as they are, and cost no query each."""

    model = Membership
    verbose_name_plural = "add members"
    verbose_name = "member"
    fields = ["user", "role"]
    autocomplete_fields = ["user"]
    extra = 1

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class InvitationInline(admin.TabularInline):
    model = Invitation
    verbose_name_plural = "open invitations (delete one to withdraw it)"
    fields = readonly_fields = ["email", "role", "invited_by", "created_at", "expires_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invitation]:
        return super().get_queryset(request).open().select_related("invited_by", "project")

    def has_add_permission(self, request: HttpRequest, obj: Model | None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Project)
class ProjectAdmin(WithTrash, RegistryAdmin):
    list_display = ["name", "visibility", "personal", "member_count", "model_count", "created_at"]
    list_filter = [
        "visibility",
        ("personal_of", admin.EmptyFieldListFilter),
        ("trashed_at", admin.EmptyFieldListFilter),
    ]
    search_fields = ["name"]
    fields = [
        "name",
        "description",
        "visibility",
        "quota",
        "holds",
        "personal_of",
        "created_by",
        "created_at",
        *TRASH,
    ]
    inlines = [MemberInline, AddedMemberInline, InvitationInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        return (
            super()
            .get_queryset(request)
            .select_related("personal_of", "created_by")
            .annotate(member_count=_count(Membership), model_count=_count(RegisteredModel))
        )

    def get_fields(self, request: HttpRequest, obj: Project | None = None) -> list[str]:
        return self.fields if obj else self.fields[:3]

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> list[str]:
        fixed = ["holds", "personal_of", "created_by", "created_at", *TRASH]
        return [*fixed, "name"] if obj and obj.personal_of_id else fixed

    def get_inlines(self, request: HttpRequest, obj: Project | None) -> list[type[admin.TabularInline]]:
        return self.inlines if obj else [AddedMemberInline]

    def save_model(self, request: HttpRequest, obj: Project, form: forms.ModelForm, change: bool) -> None:
        said = {name: form.cleaned_data[name] for name in form.changed_data}
        if "quota" in said:
            projects.set_quota(actor=request.user, project=obj, quota=said.pop("quota"))
        if change:
            projects.update_project(
                actor=request.user, project=Project.objects.get(pk=obj.pk), by_administrator=True, **said
            )
        else:
            obj.__dict__.update(projects.create_project(actor=request.user, **said).__dict__)

    def save_related(self, request: HttpRequest, form: forms.ModelForm, formsets: list[Any], change: bool) -> None:
        for formset in formsets:
            formset.save(commit=False)  # notes what was asked for; the services write it
        given = [row for formset in formsets for row in [*formset.new_objects, *_first(formset.changed_objects)]]
        taken = [row for formset in formsets for row in formset.deleted_objects]
        who = {"actor": request.user, "project": form.instance, "by_administrator": change}
        for row in sorted(given, key=lambda row: -row.role):  # the next owner before the last one goes
            user = members.find_user(username=row.user.username) if row.pk is None else row.user
            members.set_membership(**who, user=user, role=Role(row.role))
        for row in taken:
            if isinstance(row, Invitation):
                members.withdraw_invitation(**who, invitation_id=row.pk)
            else:
                members.remove_member(**who, user=row.user)

    @admin.display(description="holds")
    def holds(self, project: Project) -> str:
        return storage_of(project)

    @admin.display(description="personal", boolean=True, ordering="personal_of")
    def personal(self, project: Project) -> bool:
        return project.personal_of_id is not None

    @admin.display(description="members", ordering="member_count")
    def member_count(self, project: Project) -> int:
        return project.member_count

    @admin.display(description="models", ordering="model_count")
    def model_count(self, project: Project) -> SafeString:
        return list_link(RegisteredModel, "project", project.pk, project.model_count)


def _count(model: type[Model]) -> Coalesce:
    """How many rows of a table a project has, for annotating."""
    rows = model._default_manager.filter(project=OuterRef("pk")).order_by().values("project")
    return Coalesce(Subquery(rows.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0)


def _first(pairs: list[tuple[Any, Any]]) -> list[Any]:
    return [pair[0] for pair in pairs]
