"""The pages of single files: looked into by what they are, and raw where a browser may show them. Never active content."""

from __future__ import annotations

from shlex import quote as shell_word
from typing import Any
from urllib.parse import quote

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from registry import connections, markdown, trees
from registry.diffs.text import begins_readable
from registry.highlighting import highlighted
from registry.images import image_type
from registry.models import Blob, Tree, Visibility
from registry.services import blobs, downloads, viewing
from registry.services.viewing import ROWS, TENSORS, View
from registry.storage import Lost, open_blob
from registry.trees import Entry
from registry.web.pages import show
from registry.web.paging import Page, query
from registry.web.places import VersionPlace, version_at
from registry.web.readmes import addresses
from registry.web.trees import crumbs, missing, start_of

OTHERS = 10  # versions of a file named beside it
NEVER_ACTIVE = "default-src 'none'; sandbox"
# How a file is called that a lexer is chosen for, where its ending does not say it.
BY_NAME = {"dockerfile": "docker", "makefile": "make", "modelfile": "docker"}


@require_safe
def root(request: HttpRequest, project: str, model: str, revision: str) -> HttpResponse:
    """The address of a file cut short: the files of a version are listed by its tree."""
    version_at(request, project, model, revision)
    return redirect("web:tree", project, model, revision)


@require_safe
def file(request: HttpRequest, project: str, model: str, revision: str, path: str) -> HttpResponse:
    """One file of a version, shown by what it is: text, Markdown, JSON, a table, a picture, the header of a model."""
    place = version_at(request, project, model, revision)
    version, path = place.version, path.strip("/")
    entry = trees.find(Tree.objects.content_of, version.tree_id, path)
    if entry is None:
        return missing(request, place, path)
    if entry.is_directory:
        return redirect("web:tree-at", project, model, revision, path)
    facts = _facts(place, path, entry)
    plain, start = "plain" in request.GET, start_of(request)
    damaged, view = "", View("lost")
    try:
        view = viewing.view_file(actor=request.user, version=version, path=path, entry=entry, start=start, plain=plain)
    except Lost:
        damaged = blobs.said_damaged().message
    facts |= {"view": view, "html": _html(view, place, path), "page": _neighbours(request, view), "damaged": damaged}
    facts |= {
        "lines": range(1, _lines(view.text) + 1),
        "notes": list(view.header.notes.values.items()) if view.header else [],
    }
    return show(request, "file", place, tab="files", plain=plain, **facts)


@require_safe
def raw(request: HttpRequest, project: str, model: str, revision: str, path: str) -> HttpResponseBase:
    """The bytes of a text, as plain text, or of a picture; anything else is downloaded."""
    place = version_at(request, project, model, revision)
    version, path = place.version, path.strip("/")
    entry = trees.find(Tree.objects.content_of, version.tree_id, path)
    if entry is None or entry.is_directory:
        return missing(request, place, path)
    etag = f'"{entry.digest}"'
    unchanged = get_conditional_response(request, etag=etag)
    if unchanged is not None:
        unchanged["Content-Security-Policy"] = NEVER_ACTIVE  # a browser may take its headers for the page that it kept
        return unchanged
    downloads.note(actor=request.user, version=version)
    connections.release()  # from here on bytes are read
    first = viewing.first_bytes(entry)
    media_type = image_type(first) or ("text/plain; charset=utf-8" if begins_readable(first) else None)
    if media_type is None:
        return redirect(_bytes(place, path))
    response = FileResponse(open_blob(entry.digest), content_type=media_type)
    response["Content-Length"] = str(entry.size)
    response["Content-Disposition"] = content_disposition_header(False, entry.name) or "inline"
    response["Content-Security-Policy"] = NEVER_ACTIVE
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-cache"
    response["ETag"] = etag
    return response


def _facts(place: VersionPlace, path: str, entry: Entry) -> dict[str, Any]:
    """Return what stands around the contents: asked for before them, while there is a database connection."""
    version = place.version
    model = version.model
    brought = model.occurrences.filter(path=path, first_version__trashed_at=None).select_related("first_version")
    others = list(brought.order_by("-first_version__number")[: OTHERS + 1])
    for one in others:
        one.first_version.model = model
    sizes = dict(Blob.objects.filter(pk__in=[one.digest for one in others]).values_list("pk", "size"))
    return {
        "path": path,
        "crumbs": crumbs(path),
        "entry": entry,
        "bytes_at": _bytes(place, path),
        "curl": _curl(place, path),
        "others": [(one, sizes.get(one.digest)) for one in others[:OTHERS]],
        "more_others": len(others) > OTHERS,
        "twin": place.twin + "inspect/" + quote(path) if path.rpartition(".")[2] in _INSPECTED else place.twin,
    }


_INSPECTED = {"safetensors", "gguf", "onnx", "npy", "npz"}


def _curl(place: VersionPlace, path: str) -> str:
    """Return the command that gets this file into the directory where one is."""
    signed = "" if place.project.visibility == Visibility.PUBLIC else '-H "Authorization: Bearer $LMVP_TOKEN" '
    address = place.request.build_absolute_uri(_bytes(place, path))
    return f"curl -f {signed}-o {shell_word('./' + path.rpartition('/')[2])} {shell_word(address)}"


def _bytes(place: VersionPlace, path: str) -> str:
    return f"{place.twin}files/{quote(path)}"


def _html(view: View, place: VersionPlace, path: str) -> SafeString | str:
    """Return the contents of a text as HTML: coloured, or rendered."""
    if view.kind == "markdown" and view.card:
        directory = path.rpartition("/")[0]
        return markdown.render(view.card.text, base=addresses(place.version, place.revision, directory))
    if view.kind in ("text", "json"):
        name = path.rpartition("/")[2].lower()
        return highlighted(view.text, BY_NAME.get(name, name.rpartition(".")[2]))
    return ""


def _lines(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n"))


def _neighbours(request: HttpRequest, view: View) -> Page:
    """Return the ways to the rows before and behind those that are shown."""
    step = TENSORS if view.kind == "tensors" else ROWS
    return Page(
        [],
        newer=query(request, **{"from": max(view.start - step, 0)}) if view.start else "",
        older=query(request, **{"from": view.start + step}) if view.more else "",
    )
