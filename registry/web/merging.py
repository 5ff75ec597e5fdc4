"""The page where a revision is merged into a branch: what would come of it, and its conflicts, decided one by one."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from registry.diffs.text import TextDiff
from registry.models import Ref, RegisteredModel, Version
from registry.models.holders import bringers
from registry.permissions import Action
from registry.services import merging, small_texts
from registry.services.merging import Meeting, Outcome, Preview
from registry.tree_merging import SOURCE, TARGET, Sides
from registry.trees import Difference, Entry
from registry.web.forms.refs import ChoiceForm, MergeForm
from registry.web.pages import attempt, show
from registry.web.places import ModelPlace, actor_of, model_at
from registry.web.revisions import branches_of, suggested

MOST_CONFLICTS = 200  # on the page; the others are decided together, or by the API
MOST_CHANGES = 50  # listed of the files that come, change or go
LINES = {"+": "came", "-": "went", "@": "place"}  # classes, by how a line of a difference begins
PICK = "resolve:"  # and a path: the name of a field


@dataclass(frozen=True, slots=True)
class Side:
    """What a path is on one side: nothing, a file or a directory, and the version that brought it."""

    side: str
    at: Version  # where this side stands
    entry: Entry | None
    bringer: Version | None


@dataclass(frozen=True, slots=True)
class Row:
    """A conflict, and what was picked for it."""

    path: str
    sides: list[Side]
    comparable: bool  # files on both sides
    picked: str = ""
    diff: TextDiff | None = None  # from the target's to the source's, of small texts

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The difference line by line, without its heads: each with its class."""
        lines = self.diff.diff.split("\n")[2:-1] if self.diff else []
        return [(LINES.get(line[:1], ""), line) for line in lines]


@dataclass(frozen=True, slots=True)
class Shown:
    """A preview as the page shows it."""

    preview: Preview
    conflicts: list[Row]
    counts: dict[str, int]  # of changes, by kind
    changes: list[Difference]

    @property
    def more_conflicts(self) -> int:
        return len(self.preview.conflicts) - len(self.conflicts)

    @property
    def more_changes(self) -> int:
        return len(self.preview.changes) - len(self.changes)


@require_http_methods(["GET", "HEAD", "POST"])
def merge(request: HttpRequest, project: str, model: str) -> HttpResponse:
    """Choose what is merged into what, see what would come of it, decide the conflicts, merge."""
    place = model_at(request, project, model, action=Action.PUBLISH if request.method == "POST" else None)
    model_here = place.model
    said = {name: request.GET[name] for name in ("source", "target") if name in request.GET}
    choice = ChoiceForm(
        {"target": model_here.default_branch} | said if "source" in said or request.method == "POST" else None,
        initial={"target": model_here.default_branch} | said,
    )
    shown = _shown(request, model_here, choice)
    form = _merge_form(request, shown, choice)
    if shown and form.is_valid() and request.method == "POST":
        head, merged = list[Version](), functools.partial(_merged, request, model_here, shown, choice)
        if attempt(form, lambda said: head.append(merged(said))):
            return redirect("web:version", model_here.project.name, model_here.name, str(head[0].number))
        shown = _shown(request, model_here, choice)  # as it is now: somebody may have been quicker
    return _page(request, place, choice, shown, form)


def _page(request: HttpRequest, place: ModelPlace, choice: Form, shown: Shown | None, form: Form) -> HttpResponse:
    model = place.model
    target = choice["target"].value() or ""
    guarded = model.refs.filter(kind=Ref.Kind.BRANCH, name=target, protected=True).exists() if shown else False
    facts = {
        "choice": choice,
        "shown": shown,
        "form": form,
        "source": choice["source"].value() or "",
        "target": target,
        "suggestions": suggested(model),
        "branches": branches_of(model),
        "guarded": guarded,
        "acts": place.may["publish"] and (not guarded or place.may["move_protected_ref"]),
        "outcome": _outcome(shown),
    }
    failed = bool(form.errors or choice.errors)
    status = (409 if form.errors else 400) if failed else 200
    twin = reverse("model", args=[model.project.name, model.name])
    return show(request, "merge", place, tab="refs", status=status, twin=f"{twin}branches/", **facts)


def _outcome(shown: Shown | None) -> str:
    if shown is None:
        return ""
    outcome = shown.preview.meeting.outcome
    return "unrelated" if outcome is None else outcome.value


# --- What would come of it


def _shown(request: HttpRequest, model: RegisteredModel, choice: ChoiceForm) -> Shown | None:
    """Return the preview of a choice; None when nothing is chosen, or what is chosen cannot be merged."""
    found = list[Preview]()
    if not choice.is_valid() or not attempt(
        choice, lambda said: found.append(merging.preview(actor=request.user, model=model, **said))
    ):
        return None
    preview = found[0]
    for version in (preview.meeting.source, preview.meeting.head, preview.meeting.base):
        if version:
            version.model = model
    counts = Counter(change.kind for change in preview.changes)
    rows = _rows(request, model, preview)
    return Shown(preview, rows, dict(counts), list(preview.changes[:MOST_CHANGES]))


def _rows(request: HttpRequest, model: RegisteredModel, preview: Preview) -> list[Row]:
    met, listed = preview.meeting, sorted(preview.conflicts.items())[:MOST_CONFLICTS]
    places = [(path, entry.digest) for path, sides in listed for entry in (sides.source, sides.target) if entry]
    numbers = bringers(model, places)
    found = model.versions.filter(number__in=set(numbers.values())).defer("metadata_json")
    versions = {version.number: version for version in found}
    brought = {place: versions.get(number) for place, number in numbers.items()}
    files = {path: (sides.target, sides.source) for path, sides in listed if sides.target and sides.source}
    pairs = {path: pair for path, pair in files.items() if not any(entry.is_directory for entry in pair)}
    diffs = small_texts.compare(actor=request.user, versions=[met.head, met.source], pairs=pairs)
    picks = _picks(request)
    return [
        Row(path, _sides(sides, met, brought), path in pairs, picks.get(path, ""), diffs.get(path))
        for path, sides in listed
    ]


def _sides(sides: Sides, met: Meeting, brought: Mapping[tuple[str, str], Version | None]) -> list[Side]:
    return [
        Side(side, at, entry, brought.get((sides.path, entry.digest)) if entry else None)
        for side, at, entry in ((SOURCE, met.source, sides.source), (TARGET, met.head, sides.target))
    ]


# --- Merging


def _picks(request: HttpRequest) -> dict[str, str]:
    fields = ((name[len(PICK) :], side) for name, side in request.POST.items() if name.startswith(PICK))
    return {path: str(side) for path, side in fields if side in (SOURCE, TARGET)}


def _merge_form(request: HttpRequest, shown: Shown | None, choice: ChoiceForm) -> MergeForm:
    if shown is None:
        return MergeForm()
    met = shown.preview.meeting
    first = {
        "message": _default_message(choice),
        "seen_source": met.source.number,
        "seen_target": met.head.number,
    }
    return MergeForm(request.POST if request.method == "POST" else None, initial=first)


def _default_message(choice: ChoiceForm) -> str:
    return f"Merge {choice.cleaned_data['source']} into {choice.cleaned_data['target']}"


def _merged(
    request: HttpRequest, model: RegisteredModel, shown: Shown, choice: ChoiceForm, said: Mapping[str, Any]
) -> Version:
    """Merge what the page showed, and nothing that came since; tell what became of it."""
    source, target = choice.cleaned_data["source"], choice.cleaned_data["target"]
    _refuse_moved(shown.preview, source, said["seen_source"])
    picks = _picks(request)
    if said["others"]:
        picks = dict.fromkeys(shown.preview.conflicts, said["others"]) | picks
    _refuse_undecided(len(shown.preview.conflicts.keys() - picks.keys()))
    head, outcome = merging.merge(
        actor=actor_of(request),
        model=model,
        source=str(said["seen_source"]),
        target=target,
        message=said["message"].replace("\r\n", "\n").strip() or _default_message(choice),
        resolve=picks,
        expected=str(said["seen_target"]),
    )
    messages.success(request, _done(outcome, source, target, head))
    return head


def _refuse_moved(preview: Preview, source: str, seen: int) -> None:
    now = preview.meeting.source.number
    if now != seen:
        raise ValidationError(
            f"“{source}” is at version {now} now; you looked at version {seen}. This is what would come of it now:"
            " look at it, and merge again."
        )


def _refuse_undecided(left: int) -> None:
    if left:
        raise ValidationError(
            f"{left:,} conflict{' is' if left == 1 else 's are'} not decided. Choose a side for each, or say below the list"
            " how the others are decided."
        )


def _done(outcome: Outcome, source: str, target: str, head: Version) -> str:
    return {
        Outcome.UP_TO_DATE: f"“{target}” stands on {source} already: nothing was to be done.",
        Outcome.FAST_FORWARD: f"“{target}” moved forward to v{head.number}.",
        Outcome.MERGED: f"{source} is merged into “{target}”: this is the new version, v{head.number}.",
    }[outcome]
