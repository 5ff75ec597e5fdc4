"""The forms beside a version: what can be done with it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from django import forms

from registry.models import Ref
from registry.services import deprecation
from registry.services.versions import MOST_MESSAGE_CHARACTERS

AT = "@"  # no ref name has it: a choice is a name and the number of the version that the page showed it at


def at(ref: Ref) -> str:
    return f"{ref.name}{AT}{ref.version.number}"


class RefChoice(forms.CharField):
    """One of the names that the page showed, with where each stood then. Whether it still stands there, the service says."""

    widget = forms.Select

    def clean(self, value: Any) -> tuple[str, str]:
        name, mark, number = super().clean(value).partition(AT)
        if name and not mark:
            raise forms.ValidationError("Choose one of the list.")
        return name, number


class VersionForm(forms.Form):
    """A form with ids of its own: several stand on one page."""

    action = ""

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, auto_id=f"{self.action}-%s", label_suffix="", **options)


class TagForm(VersionForm):
    action = "tag"
    name = forms.CharField(label="Tag", max_length=100, help_text="A tag stays where it is: v1.0-final, paper-2026.")


class BranchForm(VersionForm):
    action = "branch"
    name = forms.CharField(label="Branch", max_length=100, help_text="A line of its own that begins at this version.")


class AliasForm(VersionForm):
    """Which alias: one that is there, or the name of a new one."""

    action = "alias"
    alias = RefChoice(label="Alias", required=False)
    name = forms.CharField(label="Name of a new alias", max_length=100, required=False)
    comment = forms.CharField(
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Why; stays in its history.",
    )
    active = forms.ChoiceField(
        label="Files kept ready for serving",
        choices=[("", "As it is"), ("yes", "Yes"), ("no", "No")],
        required=False,
    )

    def __init__(self, data: Any = None, *, aliases: Iterable[Ref] = (), **options: Any) -> None:
        super().__init__(data, **options)
        there = [(at(ref), f"{ref.name} (now v{ref.version.number})") for ref in aliases]
        self.fields["alias"].widget.choices = [("", "A new one …"), *there]

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        if not any(said.get("alias") or ()) and not said.get("name") and "name" not in self.errors:
            self.add_error("name", "Name the new alias, or choose one that is there.")
        return said


class RestoreForm(VersionForm):
    action = "restore"
    branch = RefChoice(label="To the branch", help_text="Its next version has these files and this metadata.")
    message = forms.CharField(
        max_length=MOST_MESSAGE_CHARACTERS, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, data: Any = None, *, branches: Iterable[Ref] = (), number: int = 0, **options: Any) -> None:
        super().__init__(data, **options)
        self.fields["branch"].widget.choices = [(at(ref), f"{ref.name} (at v{ref.version.number})") for ref in branches]
        self.fields["message"].widget.attrs["placeholder"] = f"Restore version {number}"


class DeprecationForm(VersionForm):
    action = "deprecate"
    reason = forms.CharField(
        max_length=deprecation.MOST_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Everybody who looks at it or downloads it is told. The version stays as it is.",
    )


class MetricForm(VersionForm):
    action = "metric"
    name = forms.CharField(max_length=200)
    value = forms.CharField(max_length=1000, help_text="A number, or a text.")
    step = forms.IntegerField(required=False, help_text="For a value of a series.")

    def clean_value(self) -> float | str:
        said: str = self.cleaned_data["value"]
        if not said.isascii() or "_" in said:  # Python reads numbers of every script, and 1_000
            return said
        try:
            number = float(said)
        except ValueError:
            return said
        if not math.isfinite(number):
            raise forms.ValidationError("This is not a finite number. Write what happened as words instead.")
        return number


class DeletionForm(VersionForm):
    action = "delete"
