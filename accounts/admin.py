"""Users, names, sign-ins and access tokens in the admin. Every write goes through the services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.forms import UsernameField
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from accounts.errors import Refusal
from accounts.models import AccessToken, Name, SignIn, User
from accounts.services import access_tokens, groups, passwords, sign_ins, users
from accounts.user_agents import friendly_name
from accounts.web.forms import show_refusal


class UserCreationForm(forms.ModelForm):
    """A user who counts as verified."""

    password = forms.CharField(strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}))

    class Meta:
        model = User
        fields = ["email", "username", "password"]
        field_classes = {"username": UsernameField}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        user = User(email=data.get("email", ""), username=data.get("username", ""))
        try:
            passwords.check_strength(data.get("password", ""), user=user)
        except Refusal as refusal:
            show_refusal(self, refusal)
        return data


class VerifiedFilter(admin.SimpleListFilter):
    title = "e-mail verified"
    parameter_name = "verified"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() is None:
            return queryset
        return queryset.filter(email_verified_at__isnull=self.value() == "no")


class ReadOnlyAdmin(admin.ModelAdmin):
    """Looked at here, made and changed elsewhere."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return [field.name for field in self.opts.fields]


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    list_display = ["username", "email", "verified", "is_active", "is_staff", "date_joined"]
    list_filter = [VerifiedFilter, "is_active", "is_staff", "is_superuser"]
    search_fields = ["username", "email"]
    ordering = ["username"]
    filter_horizontal = ["groups", "user_permissions"]
    actions = ["mark_verified", "deactivate", "activate", "send_password_reset"]
    add_fieldsets = [(None, {"fields": ["email", "username", "password"]})]
    fieldsets = [
        (None, {"fields": ["email", "username", "email_verified_at", "date_joined", "last_login"]}),
        ("Storage", {"fields": ["quota"]}),
        ("Rights", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
    ]

    def get_form(self, request: HttpRequest, obj: User | None = None, **kwargs: Any) -> type[forms.ModelForm]:
        return super().get_form(request, obj, **({} if obj else {"form": UserCreationForm}) | kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        return self.fieldsets if obj else self.add_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        if obj is None:
            return []
        fixed = ["email", "username", "email_verified_at", "date_joined", "last_login"]
        # Rights are given by superusers alone: staff could otherwise give them to themselves.
        rights = ["is_staff", "is_superuser", "groups", "user_permissions"]
        if request.user.is_superuser:
            return fixed
        return [*fixed, *rights, "quota"] if obj.is_staff or obj.is_superuser else fixed + rights

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False  # what a user made stays theirs: switch users off

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Refusal as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool) -> None:
        data = form.cleaned_data
        if not change:
            made = users.create_user(actor=request.user, **data)
            obj.__dict__.update(made.__dict__)
            return
        flags = {name: data[name] for name in ("is_active", "is_staff", "is_superuser") if name in form.changed_data}
        if "quota" in form.changed_data:
            users.set_quota(actor=request.user, user=User.objects.get(pk=obj.pk), quota=data["quota"])
        if flags:
            users.set_flags(actor=request.user, user=User.objects.get(pk=obj.pk), **flags)

    def save_related(self, request: HttpRequest, form: forms.ModelForm, formsets: list[Any], change: bool) -> None:
        said = {name: form.cleaned_data[name] for name in ("groups", "user_permissions") if name in form.changed_data}
        if said:
            users.set_permissions(actor=request.user, user=form.instance, **said)

    @admin.display(description="verified", boolean=True, ordering="email_verified_at")
    def verified(self, user: User) -> bool:
        return user.is_verified

    @admin.action(description="Mark e-mail address verified", permissions=["change"])
    def mark_verified(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        _for_each(self, request, chosen, lambda user: users.mark_verified(actor=request.user, user=user))

    @admin.action(description="Deactivate", permissions=["change"])
    def deactivate(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        _for_each(self, request, chosen, lambda user: users.set_flags(actor=request.user, user=user, is_active=False))

    @admin.action(description="Activate", permissions=["change"])
    def activate(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        _for_each(self, request, chosen, lambda user: users.set_flags(actor=request.user, user=user, is_active=True))

    @admin.action(description="Send a mail to choose another password", permissions=["change"])
    def send_password_reset(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        _for_each(self, request, chosen, lambda user: users.send_reset(actor=request.user, user=user))


admin.site.unregister(Group)


@admin.register(Group)
class ToldGroupAdmin(GroupAdmin):
    """Django's, but every change is a line of the audit log."""

    def save_model(self, request: HttpRequest, obj: Group, form: forms.ModelForm, change: bool) -> None:
        groups.save_group(actor=request.user, group=obj, permissions=form.cleaned_data["permissions"])

    def save_related(self, request: HttpRequest, form: forms.ModelForm, formsets: list[Any], change: bool) -> None:
        pass  # the permissions are saved with the group

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        groups.delete_group(actor=request.user, group=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        for group in queryset:
            groups.delete_group(actor=request.user, group=group)


@admin.register(AccessToken)
class AccessTokenAdmin(ReadOnlyAdmin):
    list_display = ["name", "user", "scope", "only_project", "hint", "last_used_at", "expires_at", "revoked_at"]
    list_filter = ["scope", ("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["name", "user__username", "user__email", "hint"]
    exclude = ["digest"]
    actions = ["revoke"]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return [name for name in super().get_readonly_fields(request, obj) if name != "digest"]

    @admin.display(description="project", empty_value="all", ordering="project")
    def only_project(self, token: AccessToken) -> str | None:
        return token.project_id

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[AccessToken]) -> None:
        _for_each(
            self, request, chosen, lambda token: access_tokens.revoke_access_token(actor=request.user, token=token)
        )


@admin.register(SignIn)
class SignInAdmin(ReadOnlyAdmin):
    list_display = ["user", "kind", "created_at", "refreshed_at", "expires_at", "revoked_at", "address", "program"]
    list_filter = ["kind", ("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["user__username", "user__email", "address"]
    exclude = ["refresh_id"]
    actions = ["revoke"]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return [name for name in super().get_readonly_fields(request, obj) if name != "refresh_id"]

    @admin.display(description="program")
    def program(self, sign_in: SignIn) -> str:
        return friendly_name(sign_in.user_agent)

    @admin.action(description="End these sign-ins", permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[SignIn]) -> None:
        _for_each(self, request, chosen, lambda found: sign_ins.end_sign_in(actor=request.user, sign_in=found))


@admin.register(Name)
class NameAdmin(ReadOnlyAdmin):
    list_display = ["name", "user", "successor_name", "created_at"]
    list_select_related = ["user"]
    search_fields = ["name"]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.display(description="successor", ordering="successor")
    def successor_name(self, name: Name) -> str | None:
        return name.successor_id


def _for_each(
    model_admin: admin.ModelAdmin, request: HttpRequest, chosen: QuerySet[Any], service: Callable[[Any], object]
) -> None:
    done = 0
    for row in chosen:
        try:
            service(row)
            done += 1
        except Refusal as refusal:
            model_admin.message_user(request, f"{row}: {refusal.message}", messages.ERROR)
    if done:
        model_admin.message_user(request, f"Done for {done}.", messages.SUCCESS)
