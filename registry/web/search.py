"""Searching, on a page of its own and, while one types, below the box on top of every page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from registry.errors import Refusal
from registry.models import Occurrence, Project, RegisteredModel, Version
from registry.models.search import TYPES
from registry.services.search import MOST_CHARACTERS, load, read_query, search
from registry.web.pages import show
from registry.web.paging import Page, numbered, query

RESULTS = 25  # on a page
SUGGESTIONS = 8
SAID = ("q", "type", "project", "model")
TITLE = 200  # characters


@require_safe
def results(request: HttpRequest) -> HttpResponse:
    """The page of results, or with `?fragment=1` the first of them as the options of a listbox."""
    said = {name: request.GET.get(name, "").strip() for name in SAID}
    facts: dict[str, Any] = {"said": said, "searched": said["q"][:MOST_CHARACTERS], "results": [], "page": Page([])}
    facts["refused"] = ""
    try:
        if said["q"]:
            read_query(said["q"])
            facts |= _found(request, said)
    except Refusal as refusal:
        facts["refused"] = refusal.message
    if "fragment" in request.GET:
        facts["everything"] = f"{reverse('web:search')}?{urlencode({'q': said['q']})}"
        return render(request, "registry/parts/suggestions.html", facts)
    facts["types"] = [(name, f"{name.title()}s" if name else "All", query(request, type=name)) for name in ("", *TYPES)]
    facts["kept"] = {name: value for name, value in said.items() if value and name != "q"}
    facts["start"] = (max(facts["page"].number, 1) - 1) * RESULTS + 1
    twin = f"/v1/search/?{urlencode({name: value for name, value in said.items() if value})}"
    return show(request, "search", twin=twin, status=400 if facts["refused"] else 200, **facts)


def _found(request: HttpRequest, said: dict[str, str]) -> dict[str, Any]:
    place = {"project": said["project"], "model": said["model"]}
    found = search(actor=request.user, said=said["q"], wanted=said["type"], **place)
    page = numbered(found, request, size=SUGGESTIONS if "fragment" in request.GET else RESULTS)
    return {"page": page, "results": [_shown(row) for row in load(page.rows)]}


def _shown(row: Any) -> dict[str, Any]:
    """What a list shows of a thing that was found."""
    if isinstance(row, Project):
        return {"type": "project", "name": row.name, "title": _title(row.description), "url": row.get_absolute_url()}
    if isinstance(row, RegisteredModel):
        facts = {"name": row.name, "place": row.project.name, "kind": row.kind, "title": _title(row.description)}
        return {"type": "model", "url": row.get_absolute_url(), **facts}
    if isinstance(row, Version):
        return {
            "type": "version",
            "name": f"v{row.number}",
            "place": str(row.model),
            "title": _title(row.message),
            "author": row.author_name,
            "at": row.created_at,
            "digest": row.digest,
            "deprecated": row.deprecated,
            "url": row.get_absolute_url(),
        }
    return _file(row)


def _file(file: Occurrence) -> dict[str, Any]:
    version = Version(model=file.model, number=file.number)
    place, path = f"{file.model} v{version.number}", file.path
    facts = {"type": "file", "name": path, "place": place, "digest": file.digest, "size": file.size}
    names = [file.model.project.name, file.model.name, str(version.number), path]
    return {"url": reverse("web:file", args=names), **facts}


def _title(text: str) -> str:
    return text.partition("\n")[0][:TITLE]
