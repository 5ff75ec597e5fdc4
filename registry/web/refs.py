"""The pages of branches, tags and aliases: all of a model's, a new one, and what became of one over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry import active
from registry.ancestry import distances
from registry.errors import Invalid
from registry.models import Ref, RefMove, RegisteredModel, VersionParent
from registry.models.names import refs_of
from registry.models.ref_moves import RefMoveQuerySet
from registry.moments import read_moment
from registry.permissions import Action
from registry.services import refs
from registry.services.activation import address_of
from registry.services.rollbacks import roll_back as take_back
from registry.strips import MOST_SPANS, Stop, spans
from registry.web.forms.refs import FlagsForm, GuardForm, MoveForm, NewRefForm
from registry.web.pages import act, attempt, show
from registry.web.paging import Page, newest_first
from registry.web.places import ModelPlace, actor_of, model_at
from registry.web.revisions import suggested

PLURALS = {Ref.Kind.BRANCH: "branches", Ref.Kind.TAG: "tags", Ref.Kind.ALIAS: "aliases"}
FIRST = 10  # of each kind, where all kinds are on one page
MOVE_IDS = "move_%s"
MOST_APART = 2000  # versions looked at to tell how far branches are ahead and behind


# --- All of them


@dataclass(frozen=True, slots=True)
class Row:
    """A name as a list shows it: the move that put it where it is, and how far a branch is from the default one."""

    ref: Ref
    move: RefMove | None = None
    apart: tuple[int, int] | None = None  # versions ahead, and behind


@dataclass(frozen=True, slots=True)
class Section:
    kind: str
    plural: str
    page: Page
    rows: list[Row]
    more: bool = False  # there are more than this page of all kinds shows


@require_safe
def overview(request: HttpRequest, project: str, model: str) -> HttpResponse:
    """Branches, aliases and tags, or by `?kind=` all of one kind, in pages."""
    place = model_at(request, project, model)
    kind = request.GET.get("kind", "")
    kinds = [Ref.Kind(kind)] if kind in PLURALS else [Ref.Kind.BRANCH, Ref.Kind.ALIAS, Ref.Kind.TAG]
    sections = [_section(request, place.model, kind, alone=len(kinds) == 1) for kind in kinds]
    facts: dict[str, Any] = {
        "sections": sections,
        "kind": kinds[0] if len(kinds) == 1 else "",
        "kinds": PLURALS.items(),
    }
    twin = reverse("model", args=[place.project.name, place.model.name]) + (
        f"{PLURALS[kinds[0]]}/" if len(kinds) == 1 else ""
    )
    return show(request, "refs", place, tab="refs", twin=twin, **facts)


def _section(request: HttpRequest, model: RegisteredModel, kind: Ref.Kind, *, alone: bool) -> Section:
    rows = refs_of(model, kind)
    first: list[Ref] = []
    if kind == Ref.Kind.BRANCH:
        first = list(rows.filter(name=model.default_branch))
        rows = rows.exclude(name=model.default_branch)
    if alone:
        page, more = newest_first(rows, request), False
    else:
        found = list(rows[: FIRST + 1])
        page, more = Page(found[:FIRST]), len(found) > FIRST
    shown = page.rows if page.newer else [*first, *page.rows]
    return Section(kind, PLURALS[kind], page, _rows(model, shown, first), more)


def _rows(model: RegisteredModel, found: Sequence[Ref], default: Sequence[Ref]) -> list[Row]:
    moves = RefMove.objects.select_related("actor").in_bulk([ref.move_id for ref in found])
    for ref in found:
        ref.version.model = model
    apart: dict[str, tuple[int, int] | None] = {}
    if default and len(found) > 1:
        heads = {ref.name: ref.version.number for ref in [*default, *found]}
        edges = VersionParent.objects.of_model(model.pk)
        apart = distances(edges, heads, default[0].name, MOST_APART) | {default[0].name: None}
    return [Row(ref, moves.get(ref.move_id), apart.get(ref.name)) for ref in found]


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, project: str, model: str) -> HttpResponse:
    """Make a branch, tag or alias: `?kind=`, and the version that it shall name with `?revision=`."""
    place = model_at(request, project, model, action=Action.MOVE_REF)
    there, said = place.model, request.GET.get("kind")
    kind = Ref.Kind(said) if said in PLURALS else Ref.Kind.BRANCH
    first = {"revision": request.GET.get("revision", "")[:100] or "latest"}
    protects = place.may["move_protected_ref"]
    form = NewRefForm(request.POST or None, kind=kind, protects=protects, initial=first)
    if form.is_valid() and attempt(
        form, lambda _: refs.create_ref(actor=actor_of(request), model=there, move=form.move)
    ):
        name = form.cleaned_data["name"]
        messages.success(request, f"The {kind} “{name}” is there.")
        return redirect("web:ref", there.project.name, there.name, kind, name)
    facts: dict[str, Any] = {"form": form, "kind": kind, "suggestions": suggested(there)}
    return show(request, "new_ref", place, tab="refs", status=400 if request.method == "POST" else 200, **facts)


# --- One of them


@require_safe
def history(request: HttpRequest, project: str, model: str, kind: str, name: str) -> HttpResponse:
    """Where a name stands, where it stood when, and who moved it; also of one that is deleted."""
    return _history(request, model_at(request, project, model), kind, name)


def _history(
    request: HttpRequest, place: ModelPlace, kind: str, name: str, *, refused: MoveForm | None = None
) -> HttpResponse:
    model = place.model
    moves = RefMove.objects.of(model, kind, name)
    newest = list(moves.for_listing()[: MOST_SPANS + 1])
    ref = refs_of(model, kind).filter(name=name).first()
    if ref is None and not newest:
        raise Ref.DoesNotExist
    blocked = bool(ref and ref.protected and not place.may["move_protected_ref"])
    facts: dict[str, Any] = {
        "kind": kind,
        "name": name,
        "ref": ref,
        "latest": newest[0] if newest else None,
        "spans": _spans(newest),
        "more_spans": len(newest) > MOST_SPANS,
        "page": newest_first(moves.for_listing(), request),
        "asked": _asked(request, moves),
        "blocked": blocked,
        "acts": place.may["move_ref"] and not blocked,
        "is_default": kind == Ref.Kind.BRANCH and name == model.default_branch,
        "suggestions": suggested(model) if place.may["move_ref"] else [],
        "move_form": _move_form(ref, refused),
    }
    if kind == Ref.Kind.ALIAS:
        facts |= {"undo": _undo(moves), "served": active.standing(address_of(ref)) if ref and ref.active else None}
    twin = reverse("model", args=[model.project.name, model.name]) + f"{PLURALS[Ref.Kind(kind)]}/{name}/moves/"
    return show(request, "ref", place, tab="refs", status=400 if refused else 200, twin=twin, **facts)


def _move_form(ref: Ref | None, refused: MoveForm | None) -> MoveForm:
    """Return the form as it was refused, or an empty one; it expects the name where this page shows it."""
    expected = str(ref.version.number) if ref else "-"
    if refused is None:
        return MoveForm(initial={"expected": expected}, auto_id=MOVE_IDS)
    refused.data = dict(refused.data.items()) | {"expected": expected}
    return refused


def _spans(newest: Sequence[RefMove]) -> list[dict[str, Any]]:
    """Return the strip of a name's newest moves, each span with how a template draws it: in hundredths of the width."""
    moves = newest[:MOST_SPANS][::-1]
    stops = [Stop(move.to_version.number if move.to_version else None, move.at) for move in moves]
    return [
        {"span": span, "x": f"{span.x * 100:.3f}%", "width": f"{span.width * 100:.3f}%"}
        for span in spans(stops, timezone.now())
    ]


def _asked(request: HttpRequest, moves: RefMoveQuerySet) -> dict[str, Any] | None:
    """Return the answer to `?time=`: where the name stood then; None when nobody asks."""
    said = request.GET.get("time", "").strip()
    if not said:
        return None
    try:
        when = read_moment(said)
    except Invalid as refusal:
        return {"said": said, "error": refusal.message}
    return {"said": said, "when": when, "future": when > timezone.now(), "move": moves.last_until(when)}


@dataclass(frozen=True, slots=True)
class Undo:
    """What a rollback would take back, and the move that had put the name where it would stand again."""

    move: RefMove
    former: RefMove | None


def _undo(moves: RefMoveQuerySet) -> Undo | None:
    found = moves.in_force()
    if found is None or found.from_version_id is None:
        return None
    move = moves.for_listing().get(pk=found.pk)
    return Undo(move, moves.for_listing().filter(pk__lt=move.pk).first())


# --- What is done to one


@require_POST
def move(request: HttpRequest, project: str, model: str, kind: str, name: str) -> HttpResponse:
    """Point it to another version; a branch or tag that was deleted comes back so."""
    place = model_at(request, project, model, action=Action.MOVE_REF)
    there = place.model
    form = MoveForm(request.POST, auto_id=MOVE_IDS)
    if form.is_valid() and attempt(
        form, lambda said: refs.set_ref(actor=actor_of(request), model=there, move=refs.Move(kind, name, **said))
    ):
        messages.success(request, f"“{name}” is at {_now(there, kind, name)} now.")
        return redirect("web:ref", there.project.name, there.name, kind, name)
    return _history(request, place, kind, name, refused=form)


@require_POST
def roll_back(request: HttpRequest, project: str, model: str, name: str) -> HttpResponse:
    place = model_at(request, project, model, action=Action.MOVE_REF)
    form = _guard(request)
    return act(
        request,
        lambda: take_back(actor=actor_of(request), model=place.model, name=name, **form),
        done=f"“{name}” is rolled back by one move: it stands where it stood before.",
        then=_address(place, Ref.Kind.ALIAS, name),
    )


@require_POST
def delete(request: HttpRequest, project: str, model: str, kind: str, name: str) -> HttpResponse:
    place = model_at(request, project, model, action=Action.MOVE_REF)
    form = _guard(request)
    return act(
        request,
        lambda: refs.delete_ref(actor=actor_of(request), model=place.model, kind=kind, name=name, **form),
        done=f"The {kind} “{name}” is deleted. Its history stays here, and from here you can bring it back.",
        then=_address(place, kind, name),
    )


@require_POST
def change(request: HttpRequest, project: str, model: str, kind: str, name: str) -> HttpResponse:
    """Protect it or not, and keep the files of an alias ready or not."""
    place = model_at(request, project, model, action=Action.MOVE_REF)
    form = FlagsForm(request.POST)
    if not form.is_valid():
        raise Invalid("invalid", "Say which flag: protected or active, and yes or no. Go back and use the buttons.")
    flag, on = form.cleaned_data["flag"], form.cleaned_data["on"]
    return act(
        request,
        lambda: refs.set_ref(actor=actor_of(request), model=place.model, move=refs.Move(kind, name, **{flag: on})),
        done=f"“{name}” is {flag if on else f'not {flag}'} now.",
        then=_address(place, kind, name),
    )


def _guard(request: HttpRequest) -> dict[str, Any]:
    form = GuardForm(request.POST)
    if not form.is_valid():
        raise Invalid("invalid", " ".join(f"{name}: {' '.join(map(str, said))}" for name, said in form.errors.items()))
    return form.cleaned_data


def _address(place: ModelPlace, kind: str, name: str) -> str:
    return reverse("web:ref", args=[place.project.name, place.model.name, kind, name])


def _now(model: RegisteredModel, kind: str, name: str) -> str:
    return f"v{model.refs.get(kind=kind, name=name).version.number}"
