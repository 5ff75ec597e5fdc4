"""The pages of a project's lineage trees: their roots by hierarchy, and one artifact with what stands above and below it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from registry import ulids
from registry.models import Artifact, Hierarchy, Version
from registry.services import viewing
from registry.typed_data import RUNS
from registry.web.artifact_contents import preview_of
from registry.web.pages import show
from registry.web.paging import newest_first
from registry.web.pictures import name_of
from registry.web.places import project_at

MOST_HIERARCHIES = 50
MOST_NODES = 200  # of a tree on one page
LEVELS = 3  # below the artifact
STATUS = {
    "good": ("success", "succeeded", "completed", "done", "finished", "ok"),
    "bad": ("failed", "failure", "error", "cancelled", "canceled", "aborted"),
    "warn": ("running", "pending", "queued", "started"),
}
TYPES = {"ml_training": "training run", "ml_prediction": "prediction run"}
OF_A_RUN = ("status", "config_id", "started_at", "completed_at", "duration_seconds")
TOLD_APART = ("type", "metadata", "content", "content_type", "content_size")  # of a run, shown as facts


@dataclass(slots=True)
class Leaf:
    """An artifact as lists and trees show it."""

    id: str
    name: str
    label: str
    type: str
    status: str
    look: str  # of the status
    created_at: datetime
    version: Version | None
    content_size: int | None
    has_children: bool
    children: list[Leaf] = field(default_factory=list)


@require_safe
def roots(request: HttpRequest, project: str) -> HttpResponse:
    """The roots of a project's trees, newest first; those of one hierarchy by `?hierarchy=`."""
    place = project_at(request, project)
    hierarchies = list(Hierarchy.objects.filter(project=place.project)[:MOST_HIERARCHIES])
    rows = Artifact.objects.filter(project=place.project, parent=None)
    chosen = _chosen(hierarchies, request.GET.get("hierarchy", ""))
    if chosen:
        rows = rows.filter(hierarchy=chosen)
    page = newest_first(rows.for_listing(request.user).for_naming(), request, read=ulids.normal)
    page.rows[:] = [(_leaf(row), row) for row in page.rows]
    twin = f"{reverse('artifact', args=['-'])[:-2]}?project={place.project}&parent_id=null"
    return show(
        request, "artifacts", place, tab="artifacts", twin=twin, hierarchies=hierarchies, chosen=chosen, page=page
    )


@require_safe
def artifact(request: HttpRequest, project: str, artifact: str) -> HttpResponse:
    """One artifact: what it says, its content, what it stands below, and the tree below it."""
    place = project_at(request, project)
    found = Artifact.objects.filter(project=place.project).for_listing(request.user).named(artifact)
    tree, cut = _tree(found, request)
    return show(
        request,
        "artifact",
        place,
        tab="artifacts",
        twin=reverse("artifact", args=[found.pk]),
        artifact=found,
        levels=[found.hierarchy.level_labels[key] for key in sorted(found.hierarchy.level_labels, key=int)],
        leaf=_leaf_of(found, found.data),
        above=[_leaf(one) for one in Artifact.objects.above(found).select_related("hierarchy").for_naming()],
        tree=tree,
        cut=cut,
        run=_run(found.data),
        rest=_rest(found.data),
        preview=preview_of(found),
        raw="{}{}".format(*_in_order(found.data)),
        linked=found.version if found.version_seen else None,
    )


def _chosen(hierarchies: Iterable[Hierarchy], name: str) -> Hierarchy | None:
    chosen = next((one for one in hierarchies if one.name == name), None)
    if name and chosen is None:
        raise Http404
    return chosen


def _tree(root: Artifact, request: HttpRequest) -> tuple[list[Leaf], bool]:
    """Return the children with what is below them, some levels down, and whether there are more than are shown."""
    rows = Artifact.objects.in_tree_of(root, depth=LEVELS, most=MOST_NODES + 2)
    found = list(rows.for_listing(request.user).for_naming().order_by("level", "pk"))
    leaves = {one.pk: _leaf(one) for one in found[: MOST_NODES + 1]}
    for one in found[1 : MOST_NODES + 1]:
        if one.parent_id in leaves:
            leaves[one.parent_id].children.append(leaves[one.pk])
    return leaves[root.pk].children, len(found) > MOST_NODES + 1


def _leaf(row: Any) -> Leaf:
    return _leaf_of(row, row.short_data or {})


def _leaf_of(row: Any, data: Mapping[str, Any]) -> Leaf:
    metadata = data.get("metadata") if data.get("type") in RUNS else None
    about: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
    status = str(about.get("status") or "")[:60]
    return Leaf(
        id=row.pk,
        name=name_of(data),
        label=row.hierarchy.label_of(row.level) or f"level {row.level}",
        type=TYPES.get(str(data.get("type")), ""),
        status=status,
        look=next((look for look, words in STATUS.items() if status.lower() in words), ""),
        created_at=row.created_at,
        version=row.version if getattr(row, "version_seen", False) else None,
        content_size=row.content.size if row.content_id and "content" in row._state.fields_cache else None,
        has_children=getattr(row, "has_children", False),
    )


# --- Data that promise what they hold


@dataclass(frozen=True, slots=True)
class Run:
    """How a training or prediction went."""

    type: str
    config: str
    started: datetime | None
    completed: datetime | None
    duration: str
    more: Mapping[str, Any]


def _run(data: Mapping[str, Any]) -> Run | None:
    metadata = data.get("metadata")
    if data.get("type") not in RUNS or not isinstance(metadata, Mapping):
        return None
    return Run(
        TYPES[data["type"]],
        str(metadata.get("config_id", "")),
        _time(metadata.get("started_at")),
        _time(metadata.get("completed_at")),
        _duration(metadata.get("duration_seconds")),
        {name: value for name, value in metadata.items() if name not in OF_A_RUN},
    )


def _rest(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is not shown elsewhere on the page: of a run the keys of its own, of others all but the content."""
    shown: Sequence[str] = TOLD_APART if data.get("type") in RUNS else ("content",)
    return {name: value for name, value in data.items() if name not in shown}


def _in_order(data: Mapping[str, Any]) -> tuple[str, str]:
    text, cut = viewing.in_order(json.dumps(data, ensure_ascii=False))
    return text, "\n… and more, in the page's twin" if cut else ""


def _time(said: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(said)
        return found.astimezone(timezone.utc) if found.tzinfo else found.replace(tzinfo=timezone.utc)
    except (TypeError, ValueError, OverflowError):  # the first and the last hours there are, elsewhere on earth
        return None


def _duration(seconds: Any) -> str:
    """Write seconds as people say them: 12.5 s, 3 min 20 s, 5 h 2 min."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        return ""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    return f"{minutes} min {int(seconds % 60)} s" if not hours else f"{hours:,} h {minutes % 60} min"
