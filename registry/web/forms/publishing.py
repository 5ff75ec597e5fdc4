"""What the page asks for that publishes a version: a few words in plain text, read into what the service takes."""

from __future__ import annotations

import json
import re
from typing import Any

from django import forms

from registry.services.metrics import Measured
from registry.services.versions import MOST_MESSAGE_CHARACTERS, File

MOST_TEXT = 200_000  # characters of metrics or metadata
LINE = re.compile(r"(?P<name>[^=\n]{1,200})=(?P<value>.*)")
MANY_LINES = {"rows": 3, "spellcheck": "false", "class": "mono"}


def lines_of(text: str) -> list[tuple[str, str]]:
    """Return the names and values of lines like `accuracy = 0.97`; ValidationError for any other."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        read = LINE.fullmatch(line)
        if read is None or not read["name"].strip():
            raise forms.ValidationError(f"Line {number}, “{line[:60]}”: write a name, = and a value, one on each line.")
        found.append((read["name"].strip(), read["value"].strip()))
    return found


def value_of(text: str) -> Any:
    """Return a number, a truth value or another JSON value, and what is none as the text that it is."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text


def _no_number(name: str) -> Any:
    raise forms.ValidationError(f"{name} is no number that can be compared; leave it out, or write it as a text.")


class ManyFiles(forms.FileInput):
    allow_multiple_selected = True


class PublicationForm(forms.Form):
    """A version to publish. The files themselves come beside it, or were sent before: then `listed` names them."""

    message = forms.CharField(
        max_length=MOST_MESSAGE_CHARACTERS,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "What changed, and why"}),
        help_text="The first line is the title.",
    )
    metrics = forms.CharField(
        max_length=MOST_TEXT,
        required=False,
        widget=forms.Textarea(attrs=MANY_LINES | {"placeholder": "accuracy = 0.97\nloss = 0.081"}),
        help_text="One on each line. They can be added later too, from anywhere.",
    )
    metadata = forms.CharField(
        label="Parameters and other metadata",
        max_length=MOST_TEXT,
        required=False,
        widget=forms.Textarea(attrs=MANY_LINES | {"placeholder": "learning_rate = 0.001\noptimizer = adam"}),
        help_text="One on each line, or a JSON object. Fixed with the version.",
    )
    branch = forms.CharField(max_length=100, required=False, widget=forms.TextInput(attrs={"list": "branches"}))
    base = forms.ChoiceField(
        label="Files that the newest version has, and that are not here",
        choices=[("parent", "stay in the new version"), ("empty", "go: the files above are all there is")],
        widget=forms.RadioSelect,
        initial="parent",
    )
    alias = forms.CharField(
        label="Move an alias here",
        max_length=100,
        required=False,
        widget=forms.TextInput(attrs={"list": "aliases", "placeholder": "staging"}),
        help_text="In the same step: nobody sees the one without the other.",
    )
    tag = forms.CharField(
        label="Tag it", max_length=100, required=False, widget=forms.TextInput(attrs={"placeholder": "release-1.0"})
    )
    listed = forms.CharField(required=False, widget=forms.HiddenInput)
    key = forms.CharField(max_length=200, required=False, widget=forms.HiddenInput)

    def clean_message(self) -> str:
        message: str = self.cleaned_data["message"]
        return message.replace("\r\n", "\n")  # as browsers end the lines of a form

    def clean_metrics(self) -> list[Measured]:
        measured = []
        for name, text in lines_of(self.cleaned_data["metrics"]):
            value = value_of(text)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            measured.append(Measured(name, value if number else text))
        return measured

    def clean_metadata(self) -> dict[str, Any]:
        text = self.cleaned_data["metadata"].strip()
        if not text.startswith("{"):
            return {name: value_of(value) for name, value in lines_of(text)}
        try:
            said = json.loads(text, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(f"This begins like a JSON object and is none: {error}.") from None
        return dict(said)

    def clean_listed(self) -> list[File]:
        text = self.cleaned_data["listed"]
        try:
            said = json.loads(text or "[]")
            return [File(str(one["path"]), str(one["sha256"])) for one in said]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise forms.ValidationError("The list of files was damaged on its way. Choose the files again.") from None
