"""What is asked for to make a project or a model."""

from __future__ import annotations

from django import forms

from accounts.models import NAME_PATTERN
from registry.models import RegisteredModel, Visibility
from registry.models.versions import MODEL_NAME

PROJECT_NAME = "Lower-case letters, digits and hyphens, 39 at most, beginning with a letter or digit."
MODEL_NAME_HELP = "Letters, digits and . _ - (96 at most), a letter or digit at both ends."
SEEN_BY = [
    (Visibility.PRIVATE.value, "Private: only its members see it. You can open it later."),
    (Visibility.INTERNAL.value, "Internal: everybody who signs in here sees it; members alone change it."),
    (Visibility.PUBLIC.value, "Public: everyone sees and downloads it, signed in or not; members alone change it."),
]
KINDS = [
    (RegisteredModel.Kind.MODEL.value, "Model: weights that were trained."),
    (RegisteredModel.Kind.DATASET.value, "Dataset: what models are trained or tested with."),
    (RegisteredModel.Kind.CONFIG.value, "Config: settings that are shared and versioned by themselves."),
]


def name_field(pattern: str, help_text: str, most: int) -> forms.CharField:
    """A name whose grammar the browser and a script tell while it is typed."""
    typed = {
        "pattern": pattern.replace("-]", r"\-]"),  # browsers read it with the flag “v”
        "autocapitalize": "none",
        "autocomplete": "off",
        "spellcheck": "false",
        "data-name": "",
    }
    # One more than allowed gets through to the service, whose refusal says the grammar.
    return forms.CharField(max_length=most + 1, help_text=help_text, widget=forms.TextInput(attrs=typed))


def description_field(help_text: str) -> forms.CharField:
    area = forms.Textarea(attrs={"rows": 3})
    return forms.CharField(max_length=2000, required=False, widget=area, help_text=help_text)


class NewProjectForm(forms.Form):
    name = name_field(NAME_PATTERN, PROJECT_NAME, 39)
    description = description_field("What its models are for, in a sentence or two.")
    visibility = forms.ChoiceField(choices=SEEN_BY, initial=Visibility.PRIVATE, widget=forms.RadioSelect)


class NewModelForm(forms.Form):
    name = name_field(MODEL_NAME.pattern, MODEL_NAME_HELP, 96)
    kind = forms.ChoiceField(choices=KINDS, initial=RegisteredModel.Kind.MODEL, widget=forms.RadioSelect)
    description = description_field("What it does, in a sentence or two. Its README.md, once published, says the rest.")
