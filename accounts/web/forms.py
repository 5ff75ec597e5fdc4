"""What the accounts' pages ask for. Rules live in the services, whose refusals land beside the fields here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm

from accounts.errors import NotVerified, Refusal
from accounts.services import sign_ins

OLD = {"autocomplete": "current-password"}
NEW = {"autocomplete": "new-password"}
VERIFY_FIRST = "Verify your e-mail address first: open the link that we mailed you, or ask below for another mail."


def password_field(label: str, attrs: dict[str, str], help_text: str = "") -> forms.CharField:
    widget = forms.PasswordInput(attrs=attrs)
    return forms.CharField(label=label, max_length=1000, strip=False, widget=widget, help_text=help_text)


def show_refusal(form: forms.Form, refusal: Refusal | forms.ValidationError) -> None:
    """Put what a service said beside the fields that it means, or on top. What a refusal has for a field may be facts."""
    if isinstance(refusal, Refusal):
        meant = [name for name in refusal.fields if name in form.fields]
        said: dict[str, Any] = dict.fromkeys(meant or [""], refusal.message)
    else:
        said = refusal.message_dict if hasattr(refusal, "error_dict") else {"": refusal.messages}
    for name, messages in said.items():
        form.add_error(name if name in form.fields else None, messages)


class LoginForm(AuthenticationForm):
    password = password_field("Password", OLD)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "E-mail address"
        self.fields["username"].widget.attrs["autocomplete"] = "username"

    def clean(self) -> dict[str, Any]:
        login, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if login and password:
            try:
                self.user_cache = sign_ins.open_session(login=login, password=password)
            except NotVerified as refusal:
                raise forms.ValidationError(VERIFY_FIRST, code=refusal.code) from None
            except Refusal as refusal:
                raise forms.ValidationError(refusal.message, code=refusal.code) from None
        return self.cleaned_data


class EmailForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )


class RegistrationForm(EmailForm):
    username = forms.CharField(
        max_length=39,
        help_text="Lower-case letters, digits and hyphens. Your personal project is named so too.",
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
    )
    password = password_field("Password", NEW, "At least 8 characters, and not a common one.")


class MailedTokenForm(forms.Form):
    token = forms.CharField(max_length=4096, widget=forms.HiddenInput)


class ResetPasswordForm(MailedTokenForm):
    password = password_field("New password", NEW, "At least 8 characters, and not a common one.")


class ChangePasswordForm(forms.Form):
    old_password = password_field("Password now", OLD)
    new_password = password_field("New password", NEW, "At least 8 characters. You will be signed out elsewhere.")


class AccessTokenForm(forms.Form):
    name = forms.CharField(
        max_length=100,
        help_text="Where it is used: “cluster”, “CI of the web shop”.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scope = forms.ChoiceField(
        label="What it may do",
        choices=[("read", "Read: download and look"), ("write", "Read and write: publish, move names, log metrics")],
        help_text="In no case more than you may yourself, nor make tokens, change your password or manage people.",
    )
    project = forms.CharField(
        max_length=39,
        required=False,
        help_text="The only project that it opens. Empty: all projects that you may see.",
        widget=forms.TextInput(attrs={"list": "projects", "autocomplete": "off", "autocapitalize": "none"}),
    )
    expires_in_days = forms.IntegerField(
        label="Days until it expires", min_value=1, max_value=3650, required=False, help_text="Empty: it does not."
    )
