"""What the settings of a project and of a model ask for."""

from __future__ import annotations

from typing import Any

from django import forms

from registry.models import RegisteredModel, Visibility
from registry.models.retention import MOST_DAYS, MOST_VERSIONS

DESCRIPTION = {"rows": 3}


class DescriptionForm(forms.Form):
    description = forms.CharField(
        required=False, max_length=2000, strip=True, widget=forms.Textarea(attrs=DESCRIPTION), help_text="Plain text."
    )


class VisibilityForm(forms.Form):
    visibility = forms.ChoiceField(label="Who sees it", choices=Visibility.choices, widget=forms.RadioSelect)


class RenameForm(forms.Form):
    """A new name; what a name may be, the service says."""

    name = forms.CharField(
        label="Name",
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
        help_text="The former name keeps leading here, and stays reserved.",
    )


class SureForm(forms.Form):
    """The name of what is to be deleted, typed once more."""

    name = forms.CharField(max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"prefix": "sure"})
        self.expected = expected
        self.fields["name"].label = f"Type {expected} to confirm"

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip()
        if name != self.expected:
            raise forms.ValidationError(f"This is not its name. Type {self.expected}, as it is spelled.")
        return name


class ModelForm(DescriptionForm):
    """What a model is, and which branch is meant where none is named."""

    kind = forms.ChoiceField(label="Kind", choices=RegisteredModel.Kind.choices)
    default_branch = forms.ChoiceField(
        label="Default branch",
        help_text="The head of this branch is “latest”; versions go there where no branch is named.",
    )
    field_order = ["description", "kind", "default_branch"]

    def __init__(self, *args: Any, branches: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["default_branch"].choices = [(name, name) for name in branches]  # type: ignore[attr-defined]


def _number(label: str, most: int, help_text: str) -> forms.IntegerField:
    return forms.IntegerField(label=label, required=False, min_value=1, max_value=most, help_text=help_text)


class RetentionForm(forms.Form):
    """A retention rule: a version stays while one of the two says so."""

    keep_last = _number("Keep the newest", MOST_VERSIONS, "So many versions stay, however old they are.")
    keep_days = _number("Keep what is younger, in days", MOST_DAYS, "Versions younger than this stay, however many.")

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        if not self.errors and not any(said.values()):
            raise forms.ValidationError("Say how many versions to keep, for how many days, or both.")
        return said
