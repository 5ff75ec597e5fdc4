"""What the pages about branches, tags and aliases ask for, and what is said when versions are merged."""

from __future__ import annotations

from typing import Any

from django import forms

from registry.models import Ref
from registry.services.refs import ANYTHING, Move
from registry.services.versions import MOST_MESSAGE_CHARACTERS

REVISION = "A number, a branch, tag or alias, “latest”, or the beginning of a digest."
REVISIONS = {"list": "revisions", "autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
NAMES = {
    Ref.Kind.BRANCH: "A line of versions of its own, for example wider-layers. It moves with each version published on it.",
    Ref.Kind.TAG: "For example release-1.0. It names this version for good: tags do not move.",
    Ref.Kind.ALIAS: "For example production or staging. You can move it later; every move is kept.",
}
WHY = "Why. It is kept in the history of the name, for those who ask later."


def _revision(**options: Any) -> forms.CharField:
    return forms.CharField(max_length=100, widget=forms.TextInput(attrs=REVISIONS), **options)


def _comment() -> forms.CharField:
    return forms.CharField(
        required=False, max_length=1000, widget=forms.TextInput(attrs={"autocomplete": "off"}), help_text=WHY
    )


class GuardForm(forms.Form):
    """What guards and explains a change: where the name stood when the page was made, and why it is changed."""

    expected = forms.CharField(required=False, max_length=100, widget=forms.HiddenInput)
    comment = _comment()

    def clean_expected(self) -> str | None:
        """Nothing said: no expectation; “-”: the name is not there."""
        said: str = self.cleaned_data["expected"]
        return {"": ANYTHING, "-": None}.get(said, said)


class MoveForm(GuardForm):
    revision = _revision(label="To", help_text=REVISION)
    field_order = ["revision", "comment"]


class NewRefForm(forms.Form):
    """A new branch, tag or alias; what its kind or its maker may not have is no field."""

    name = forms.CharField(
        max_length=101,  # one more than allowed: the grammar's own refusal says why
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
    )
    revision = _revision(label="Version", help_text=REVISION)
    comment = _comment()
    active = forms.BooleanField(
        required=False, label="Active", help_text="Keep its files ready on the server, for a process that serves them."
    )
    protected = forms.BooleanField(
        required=False, label="Protected", help_text="Only maintainers and owners may move or delete it."
    )

    def __init__(self, *args: Any, kind: str, protects: bool, **more: Any) -> None:
        super().__init__(*args, **more)
        self.kind = kind
        self.fields["name"].help_text = NAMES[Ref.Kind(kind)]
        if kind == Ref.Kind.BRANCH:
            self.fields["revision"].label = "Begins at"
        if kind != Ref.Kind.ALIAS:
            del self.fields["active"]
        if not protects:
            del self.fields["protected"]

    @property
    def move(self) -> Move:
        return Move(self.kind, **{name: said for name, said in self.cleaned_data.items() if said is not False})


class FlagsForm(forms.Form):
    """What is true of a name beside its version. `flag` is the one that a button changes, `on` what it shall be."""

    flag = forms.ChoiceField(choices=[("protected", "protected"), ("active", "active")])
    on = forms.TypedChoiceField(choices=[("yes", "yes"), ("no", "no")], coerce=lambda said: said == "yes")


class ChoiceForm(forms.Form):
    """What is merged into what."""

    source = _revision(label="From", help_text="A branch, or any other revision.")
    target = forms.CharField(
        label="Into",
        max_length=100,
        help_text="The branch that it goes onto.",
        widget=forms.TextInput(attrs={**REVISIONS, "list": "branches"}),
    )


class MergeForm(forms.Form):
    """A merge as it was shown: what its message is, and between which versions."""

    message = forms.CharField(
        required=False,
        max_length=MOST_MESSAGE_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The first line is the title of the new version.",
    )
    seen_source = forms.IntegerField(widget=forms.HiddenInput)
    seen_target = forms.IntegerField(widget=forms.HiddenInput)
    others = forms.ChoiceField(
        required=False,
        choices=[("", "I decide each"), ("source", "as in the source"), ("target", "as in the target")],
        label="Conflicts not decided above",
    )
