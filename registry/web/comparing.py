"""The pages that compare: choosing what, two versions, one of their files. Several side by side: side_by_side.py."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from registry import connections
from registry.diffs import hunks, values
from registry.errors import Invalid
from registry.models import Ref, RegisteredModel, Version
from registry.models.surroundings import surroundings_of
from registry.services import differences, downloads, tables
from registry.trees import Difference
from registry.web import file_changes, side_by_side
from registry.web.pages import show
from registry.web.places import ModelPlace, model_at

RECENT = 20  # versions to choose from by a tick
MOST_NAMES = 200  # that are suggested while one types
MOST_VALUES = 300  # metrics, and metadata keys, on one page
MOST_SAME = 100  # metrics that did not change, folded
MOST_TENSORS = 300  # of each kind
QUICK_BYTES = 64 * 2**20  # of tensors that are compared without being asked; asked, as many as the API reads

Errors = dict[str, str]


@require_safe
def choose(request: HttpRequest, project: str, model: str) -> HttpResponse:
    """The forms to choose by; `?base=&head=` leads on to the two, `?versions=1,3` shows several side by side."""
    place = model_at(request, project, model)
    said = {name: request.GET.get(name, "").strip() for name in ("base", "head", "versions", "add")}
    if ticked := [*request.GET.getlist("v")[::-1], *filter(None, [said["add"]])]:
        chosen = [*side_by_side.revisions(said["versions"]), *ticked]
        return redirect(request.path + side_by_side.query(chosen, request.GET))
    if said["versions"]:
        return _several(request, place, said)
    if "swap" in request.GET:
        said |= {"base": said["head"], "head": said["base"]}
    elif said["base"] and said["head"]:
        _, errors = _both(place, said["base"], said["head"])
        if not errors:
            return redirect("web:compare", place.project.name, place.model.name, said["base"], said["head"])
        return _choosing(request, place, said, errors, 404)
    return _choosing(request, place, said)


def _several(request: HttpRequest, place: ModelPlace, said: dict[str, str]) -> HttpResponse:
    try:
        chosen = tables.versions_named(place.model, said["versions"])
    except Invalid as refused:
        return _choosing(request, place, said, {"versions": refused.message}, 400)
    except Version.DoesNotExist as unknown:
        return _choosing(request, place, said, {"versions": f"There is no version “{unknown}” here, or no more."}, 404)
    return side_by_side.page(request, place, chosen)


def _both(place: ModelPlace, base: str, head: str) -> tuple[tuple[Version, Version] | None, Errors]:
    """Return the two versions, or what is wrong with which revision."""
    there = place.model.versions.filter(trashed_at=None).with_figures()
    found = there.at_each(place.model, [base, head])
    for version in found.values():
        version.model = place.model
    unknown = "This model has no version “%s”: a revision is a number, a name, “latest” or the beginning of a digest."
    errors = {name: unknown % said for name, said in (("base", base), ("head", head)) if said not in found}
    return (None, errors) if errors else ((found[base], found[head]), {})


# --- Choosing


def _choosing(
    request: HttpRequest, place: ModelPlace, said: dict[str, str], errors: Errors | None = None, status: int = 200
) -> HttpResponse:
    recent, refs = _recent(place.model), _refs(place.model)
    around = surroundings_of(recent)
    rows = [(version, around[version.pk]) for version in recent]
    facts: dict[str, Any] = {"said": said, "errors": errors or {}, "rows": rows, "names": _names(refs, recent)}
    facts["suggestions"] = _suggestions(place.model, refs, recent)
    return show(request, "compare_choose", place, status=status, tab="compare", **facts)


def _recent(model: RegisteredModel) -> list[Version]:
    found = list(model.versions.filter(trashed_at=None).defer("metadata_json").order_by("-number")[:RECENT])
    for version in found:
        version.model = model
    return found


def _refs(model: RegisteredModel) -> list[Ref]:
    """Return names, aliases first, then branches, with the numbers of their versions."""
    refs = Ref.objects.filter(model=model, version__trashed_at=None).select_related("version")
    return list(refs.only("kind", "name", "version__number", "version__message").order_by("kind", "name")[:MOST_NAMES])


def _names(refs: list[Ref], recent: list[Version]) -> list[tuple[str, str]]:
    """Return what can be typed, with what it is."""
    named = [(ref.name, f"{ref.kind}, v{ref.version.number}") for ref in refs]
    return [("latest", "the newest of the default branch"), *named, *((str(v.number), v.title[:60]) for v in recent)]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Two revisions that somebody probably wants to compare, and what they would see."""

    base: str
    head: str
    why: str


def _suggestions(model: RegisteredModel, refs: list[Ref], recent: list[Version]) -> list[Suggestion]:
    head = next((ref for ref in refs if (ref.kind, ref.name) == (Ref.Kind.BRANCH, model.default_branch)), None)
    found: dict[tuple[int, int], Suggestion] = {}

    def suggest(base: str, base_id: int, head: str, head_id: int, why: str) -> None:
        if base_id != head_id:
            found.setdefault((base_id, head_id), Suggestion(base, head, why))

    if head:
        aliases = sorted((ref for ref in refs if ref.kind == Ref.Kind.ALIAS), key=lambda ref: ref.name != "production")
        for ref in aliases[:2]:
            suggest(ref.name, ref.version_id, "latest", head.version_id, f"what {ref.name} has not got yet")
        link = head.version.parent_links.select_related("parent").filter(parent__trashed_at=None).first()
        if link:
            suggest(
                str(link.parent.number), link.parent_id, head.name, head.version_id, f"the last step of {head.name}"
            )
        for ref in [ref for ref in refs if ref.kind == Ref.Kind.BRANCH and ref != head][:3]:
            suggest(head.name, head.version_id, ref.name, ref.version_id, f"what {ref.name} would bring to {head.name}")
    if len(recent) > 1:
        new, old = recent[:2]
        suggest(str(old.number), old.pk, str(new.number), new.pk, "the two newest")
    return list(found.values())


# --- Two versions


@require_safe
def compare(request: HttpRequest, project: str, model: str, base: str, head: str) -> HttpResponse:
    """What became of the files, the metadata and the metrics from one version to another."""
    place = model_at(request, project, model)
    both, errors = _both(place, base, head)
    if not both:
        return _choosing(request, place, {"base": base, "head": head}, errors, 404)
    around = surroundings_of(both)
    refs = [around[version.pk].refs for version in both]
    listing = file_changes.listing(request, differences.files_between(*both))
    facts = {
        "sides": list(zip(("Base", "Head"), (base, head), both, refs, strict=True)),
        "mergeable": all(map(_is_branch, both, (base, head), refs)),
        "relation": _relation(*both),
        "listing": listing,
        "bytes_more": both[1].tree.size - both[0].tree.size,
        "names": _names(_refs(both[0].model), []),
        **_metrics(*(around[version.pk].metrics for version in both)),
        **_metadata(*both),
    }
    facts["folds"] = _folds(request, both, listing)  # behind all that the database is asked
    twin = _twin("comparison", place, base, head)
    return show(request, "compare", place, tab="compare", twin=twin, base=base, head=head, **facts)


def _metrics(before: dict[str, float | str], after: dict[str, float | str]) -> dict[str, Any]:
    found = values.metric_changes(before, after)
    changed = [one for one in found if one.differs]
    largest = max((abs(one.percent) for one in changed if one.percent), default=100)
    return {
        "metrics": changed[:MOST_VALUES],
        "metrics_same": [one for one in found if not one.differs][:MOST_SAME],
        "most_same": MOST_SAME,
        "metrics_count": len(found),
        "metrics_changed": len(changed),
        "metrics_unchanged": len(found) - len(changed),
        "most_percent": min(100, largest),
        "most_values": MOST_VALUES,
    }


def _metadata(*both: Version) -> dict[str, Any]:
    found = values.rows([values.leaves(version.metadata) for version in both], differing=True)
    return {"metadata": [(row.name, *row.values) for row in found[:MOST_VALUES]], "metadata_count": len(found)}


def _twin(name: str, place: ModelPlace, *more: str) -> str:
    return reverse(name, args=[place.project.name, place.model.name, *more])


def _is_branch(version: Version, revision: str, refs: list[tuple[str, str]]) -> bool:
    name = version.model.default_branch if revision == "latest" else revision
    return (Ref.Kind.BRANCH, name) in refs


def _relation(base: Version, head: Version) -> dict[str, Any]:
    """Return how the two stand to each other in the history, as far as that is told quickly."""
    found = Version.objects.divergence(base, head) if base.pk != head.pk else None
    if found is None:
        return {"same": base.pk == head.pk}
    there = base.model.versions.filter(number=found.ancestor, trashed_at=None) if found.ancestor else None
    return {"known": found, "linked": there is not None and there.exists()}


def _folds(request: HttpRequest, both: tuple[Version, Version], listing: file_changes.Listing) -> Any:
    """Return the changed files with what changed in the first small ones; that is noted as a look into a file."""
    if any(file_changes.is_small(one) for one in listing.changed):
        _note(request, *both)
    return file_changes.folds(listing.changed)


def _note(request: HttpRequest, *both: Version) -> None:
    """Note that bytes are handed out, and give the database connection back while they are read."""
    for version in both:
        downloads.note(actor=request.user, version=version)
    connections.release()


# --- One file


@require_safe
def file(request: HttpRequest, project: str, model: str, base: str, head: str, path: str) -> HttpResponse:
    """What became of one file: its lines, its tensors, or that its bytes are others."""
    place = model_at(request, project, model)
    there = place.model.versions.filter(trashed_at=None)
    both = there.at(place.model, base), there.at(place.model, head)
    for version in both:
        version.model = place.model
    found = differences.file_between(*both, path.strip("/"))
    more = request.GET.get("bytes") == "more"
    _note(request, *both)
    content = differences.content_of(found, budget=differences.MOST_BYTES if more else QUICK_BYTES)
    return show(
        request,
        "compare_file",
        place,
        tab="compare",
        twin=_twin("difference", place, base, head, found.path),
        base=base,
        head=head,
        found=found,
        sides=_file_sides(found, both),
        content=content,
        diff=hunks.shown(content.text.diff) if content.text else None,
        tensors=_tensors(content),
        asked_for_more=more,
    )


def _file_sides(found: Difference, both: tuple[Version, Version]) -> list[Any]:
    paths = found.former_path or found.path, found.path
    return list(zip(("Before", "After"), both, paths, (found.before, found.after), strict=True))


def _tensors(content: differences.Content) -> dict[str, Any] | None:
    """Return the tensors by what became of them, each kind with its first ones and how many are not shown."""
    diff = content.tensors
    if diff is None:
        return None
    rows = [
        *(("removed", one.name, one, None, _parameters(one)) for one in diff.removed[:MOST_TENSORS]),
        *(("added", one.name, None, one, _parameters(one)) for one in diff.added[:MOST_TENSORS]),
        *(
            (", ".join(c.differs), c.after.name, c.before, c.after, _parameters(c.after))
            for c in diff.changed[:MOST_TENSORS]
        ),
    ]
    counts = {"changed": len(diff.changed), "added": len(diff.added), "removed": len(diff.removed)}
    left_out = sum(max(0, count - MOST_TENSORS) for count in counts.values())
    return {"rows": rows, "counts": counts, "left_out": left_out, "diff": diff}


def _parameters(tensor: Any) -> int:
    return math.prod(tensor.shape)
