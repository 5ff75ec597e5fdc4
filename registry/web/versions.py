"""The pages of one version: what it is, what was measured, where it came from, what happened to it, what can be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from lmvp.numerals import whole_number
from registry import trees
from registry.cards import CARD
from registry.errors import Invalid
from registry.lineage import lineage_of
from registry.models import Event, Ref, RefMove, Tree, Version
from registry.permissions import Action, can
from registry.services import trash
from registry.web.forms.versions import (
    AliasForm,
    BranchForm,
    DeletionForm,
    DeprecationForm,
    MetricForm,
    RestoreForm,
    TagForm,
)
from registry.web.measurements import measurements_of
from registry.web.pages import show
from registry.web.pictures import picture_of
from registry.web.places import VersionPlace, model_at, version_at

MOST_ENTRIES = 12
MOST_REFS = 50  # shown, and to choose from
MOST_LINES = 20  # of what happened
MOST_NEAR = 14  # nodes in the small picture
MOST_TITLE = 140  # characters of a heading
LONG_MESSAGE = 1_200  # characters, or so many lines: folded
LONG_LINES = 16
DEPTHS = (1, 2, 3, 5, 10, 20)
DEPTH = 3


@require_safe
def version(request: HttpRequest, project: str, model: str, revision: str) -> HttpResponse:
    """One version, or for whoever may take it back that it is in the trash."""
    try:
        place = version_at(request, project, model, revision)
    except Version.DoesNotExist:
        return _in_the_trash(request, project, model, revision)
    return page_of(place)


def page_of(place: VersionPlace, *, failed: Form | None = None) -> HttpResponse:
    """Show a version; after a form of it was refused, with that form open and what was wrong beside its fields."""
    model, found = place.model, place.version
    parents = [link.parent for link in found.parent_links.select_related("parent").order_by("position")]
    refs = list(found.refs.select_related("version")[:MOST_REFS])
    before, after = model.versions.neighbours_of(found)
    content = Tree.objects.content_of(found.tree_id)
    return show(
        place.request,
        "version",
        place,
        status=400 if failed else 200,
        tab="versions",
        parents=parents,
        refs=refs,
        head=_head_that_moved_on(found),
        before=before,
        after=after,
        message=_message_of(found),
        measured=measurements_of(found, parents[0].pk if parents else None, place.request),
        entries=trees.entries(content, 0, MOST_ENTRIES),
        more_entries=max(trees.count(content) - MOST_ENTRIES, 0),
        card=CARD if trees.find(lambda _: content, found.tree_id, CARD) else "",
        picture=picture_of(lineage_of(found, actor=place.request.user, depth=1), most=MOST_NEAR),
        story=_story(place),
        ways=_ways(place),
        archive=f"{_api(place, str(found.number))}archive/",
        trash_days=settings.TRASH_LIFETIME.days,
        **_forms(place, failed),
    )


@require_safe
def lineage(request: HttpRequest, project: str, model: str, revision: str) -> HttpResponse:
    """What a version came from and what came of it, as far as `?depth=` says."""
    place = version_at(request, project, model, revision)
    depth = _depth(request)
    picture = picture_of(lineage_of(place.version, actor=request.user, depth=depth))
    twin = f"{place.twin}lineage/?depth={depth}"
    return show(
        request, "version_lineage", place, twin=twin, tab="versions", picture=picture, depth=depth, depths=DEPTHS
    )


def _depth(request: HttpRequest) -> int:
    depth = whole_number(request.GET.get("depth", str(DEPTH)))
    if depth is None or depth > DEPTHS[-1]:
        raise Invalid("invalid", f"A depth is a number of steps from 0 to {DEPTHS[-1]}.")
    return depth


def _in_the_trash(request: HttpRequest, project: str, model: str, revision: str) -> HttpResponse:
    """Tell those who may see the trash that the version is there, and until when; to all others it is not here."""
    place = model_at(request, project, model)
    gone = place.model.versions.in_trash().at(place.model, revision) if place.may["view_trash"] else None
    if gone is None:
        raise Version.DoesNotExist
    gone.model = place.model
    return show(request, "version_gone", place, status=404, tab="versions", gone=gone, until=trash.until(gone))


# --- What is said


def _head_that_moved_on(found: Version) -> Version | None:
    """Return the head of the branch that a version was published on, where that is a newer one."""
    refs = Ref.objects.filter(model=found.model_id, kind=Ref.Kind.BRANCH, name=found.branch)
    ref = refs.select_related("version").first()
    return ref.version if ref and ref.version.number > found.number else None


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is shown: a heading, the rest of the text, and whether that is too long to be open at once."""

    title: str
    text: str
    long: bool


def _message_of(found: Version) -> Message:
    title, _, rest = found.message.partition("\n")
    text = rest.strip("\n")
    if len(title) > MOST_TITLE:
        title, text = f"{title[:MOST_TITLE].rstrip()}…", found.message.strip("\n")
    return Message(title, text, len(text) > LONG_MESSAGE or text.count("\n") > LONG_LINES)


def _ways(place: VersionPlace) -> dict[str, str]:
    """Return how to get exactly this version: by its digest, which names nothing else."""
    model, found = place.model, place.version
    address = place.request.build_absolute_uri(f"{_api(place, found.digest)}archive/")
    return {
        "Python": f'import lmvp\nlocal = lmvp.download("{model}", revision="{found.digest}")\nprint(local.path)',
        "Command line": f"lmvp download {model}@{found.digest} -o {model.name}/",
        "curl": f'curl -fOJ -H "Authorization: Bearer $LMVP_TOKEN" \\\n  "{address}?format=tar"',
    }


def _api(place: VersionPlace, revision: str) -> str:
    return reverse("version", args=[place.project.name, place.model.name, revision])


# --- What happened


@dataclass(frozen=True, slots=True)
class Told:
    """One line of what happened to a version."""

    at: datetime
    who: str
    words: str
    icon: str
    comment: str = ""
    ref: tuple[str, str] | None = None  # kind and name
    details: Mapping[str, Any] = field(default_factory=dict)


EVENTS = {
    "version.published": ("published it", "upload"),
    "version.deprecated": ("deprecated it", "circle-slash"),
    "version.undeprecated": ("took the deprecation back", "undo"),
    "version.trashed": ("deleted it", "trash"),
    "version.undeleted": ("took it back from the trash", "undo"),
    "version.downloaded": ("downloaded files of it", "download"),
    "metrics.logged": ("logged metrics", "graph"),
}


def _story(place: VersionPlace) -> list[Told]:
    """Return the newest of what happened: moves of names, and for whoever may see it the audit log."""
    found = place.version
    told = [_move(move, found) for move in RefMove.objects.about(found, most=MOST_LINES)]
    if can(place.request.user, Action.VIEW_EVENTS, place.project):
        events = Event.objects.about(found).select_related("actor").order_by("-id")
        told += [_event(event) for event in events[:MOST_LINES]]
    return sorted(told, key=lambda one: one.at, reverse=True)[:MOST_LINES]


def _move(move: RefMove, found: Version) -> Told:
    before, after = move.from_version, move.to_version
    if after == found:
        words = f"moved here from v{before.number}" if before else "made here"
    else:
        words = f"moved on to v{after.number}" if after else "deleted"
    if move.undoes_id:
        words = words.replace("moved", "rolled back", 1).replace("on to", "to")
    published = after and move.comment == after.title[:1000]  # by publishing; it says nothing of the move
    comment, icon = "" if published else move.comment, "undo" if move.undoes_id else ""
    return Told(move.at, move.actor.username, words, icon, comment, (move.kind, move.name))


def _event(event: Event) -> Told:
    words, icon = EVENTS.get(event.action, (event.action, "dot-fill"))
    after = event.after or {}
    names = ", ".join(map(str, after.get("names", [])[:5]))
    comment = str(after.get("deprecated") or names or "")
    return Told(event.at, event.actor.username if event.actor else "a rule", words, icon, comment)


# --- What can be done


def _forms(place: VersionPlace, failed: Form | None) -> dict[str, Any]:
    """Return the forms that the visitor may send, by their actions; the refused one as it came."""
    found, may = place.version, place.may
    forms: list[Form] = []
    if may["move_ref"]:
        forms += [TagForm(), BranchForm(), AliasForm(aliases=_elsewhere(found, Ref.Kind.ALIAS))]
    if may["publish"]:
        forms.append(RestoreForm(branches=_elsewhere(found, Ref.Kind.BRANCH), number=found.number))
    forms += [MetricForm()] if may["log_metrics"] else []
    forms += [DeprecationForm()] if may["deprecate"] else []
    forms += [DeletionForm()] if may["trash"] else []
    shown = {form.action: form for form in forms}  # type: ignore[attr-defined]
    if failed:
        _keep_choices(failed, shown[failed.action])  # type: ignore[attr-defined]
        shown[failed.action] = failed  # type: ignore[attr-defined]
    return {"forms": shown, "opened": failed.action if failed else ""}  # type: ignore[attr-defined]


def _keep_choices(failed: Form, fresh: Form) -> None:
    """Offer what there is to choose from now: a name may have been moved meanwhile."""
    for name in ("alias", "branch"):
        if name in fresh.fields:
            failed.fields[name].widget.choices = fresh.fields[name].widget.choices


def _elsewhere(found: Version, kind: str) -> list[Ref]:
    rows = Ref.objects.filter(model=found.model_id, kind=kind).exclude(version=found)
    return list(rows.select_related("version").order_by("name")[:MOST_REFS])
