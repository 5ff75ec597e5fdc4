"""What the members page asks for: a role, and whose."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings

from registry.models import Role


def roles_up_to(own: Role | None) -> list[tuple[str, str]]:
    """Return the roles that somebody of this role may give, as choices."""
    return [(role.label, role.label) for role in Role if own is not None and role <= own]


class RoleForm(forms.Form):
    """A role by its name; no higher one is offered than `own`, and the service refuses the rest."""

    role = forms.ChoiceField(label="Role", choices=[(role.label, role.label) for role in Role])

    def __init__(self, *args: Any, own: Role | None = Role.OWNER, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].widget.choices = roles_up_to(own)
        self.fields["role"].initial = Role.CONTRIBUTOR.label

    @property
    def said(self) -> Role:
        return Role.named(self.cleaned_data["role"])


class AddForm(RoleForm):
    username = forms.CharField(
        max_length=39,
        help_text="Somebody who has an account here.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    field_order = ["username", "role"]


class InviteForm(RoleForm):
    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        help_text=f"The mail holds a link to join, good for {settings.INVITATION_LIFETIME.days} days.",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    field_order = ["email", "role"]
