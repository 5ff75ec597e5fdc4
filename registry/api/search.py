"""The call that searches: what to look for and where, one page of what was found, each with its address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.pagination import NumberedPages
from registry.api.rooms import Room
from registry.api.serializers import TIME
from registry.models import Occurrence, Project, RegisteredModel, Version
from registry.models.search import MOST_RESULTS, TYPES
from registry.services.search import load, search

RESULTS = [
    {
        "type": "model",
        "name": "digits/classifier",
        "project": "digits",
        "model": "classifier",
        "title": "8×8 digits",
        "url": "http://localhost:8000/v1/projects/digits/models/classifier/",
    },
    {
        "type": "version",
        "name": "digits/classifier v3",
        "project": "digits",
        "model": "classifier",
        "version": 3,
        "digest": doc.DIGEST,
        "title": "Wider",
        "author": "ada",
        "created_at": doc.TIME,
        "deprecated": None,
        "url": "http://localhost:8000/v1/projects/digits/models/classifier/versions/3/",
    },
    {
        "type": "file",
        "name": "weights.npz",
        "project": "digits",
        "model": "classifier",
        "version": 3,
        "path": "weights.npz",
        "digest": doc.DIGEST,
        "size": 18000,
        "url": "http://localhost:8000/v1/projects/digits/models/classifier/versions/3/files/weights.npz",
    },
]


class Ranked(NumberedPages):
    """{next, previous, results}: pages of the best, without a count of all."""

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.get_next_link(), "previous": self.get_previous_link(), "results": data})


class SearchSerializer(serializers.BaseSerializer[Any]):
    """One thing that was found, as its type shows it."""

    def to_representation(self, found: Project | RegisteredModel | Version | Occurrence) -> dict[str, Any]:
        addresses = self.context.setdefault("addresses", Addresses(self.context.get("request")))
        show: Callable[..., dict[str, Any]] = SHOWN[type(found)]
        return show(found, addresses)


class Addresses:
    """Addresses in one answer: those of a kind differ in names alone, none of which has to be quoted."""

    def __init__(self, request: Request | None) -> None:
        self.request = request
        self.known: dict[str, list[str]] = {}

    def of(self, kind: str, *names: str) -> str:
        if kind not in self.known:
            there = reverse(kind, args=["-"] * len(names), request=self.request)
            self.known[kind] = there.rsplit("-", len(names))
        first, *others = self.known[kind]
        return first + "".join(name + between for name, between in zip(names, others, strict=True))


class SearchViewSet(Room):
    @documented(
        "Search projects, models, versions and files",
        name="search",
        tag="search",
        answer=(200, f"What you may see, the best first, {MOST_RESULTS} at most.", doc.cursor_page_of(RESULTS[0])),
        errors=(400, 401, 404),
        query=[
            doc.query("q", "Words, “quoted phrases”, the beginning of the last word, or of a digest.", required=True),
            doc.query("type", "Only these.", enum=list(TYPES)),
            doc.query("project", "Only in this project."),
            doc.query("model", "Only in this model: project/model, or its name beside `project`."),
            *doc.PAGES,
        ],
    )
    def list(self, request: Request) -> Response:
        said = {name: request.query_params.get(name, "") for name in ("project", "model")}
        wanted = request.query_params.get("type", "")
        found = search(actor=request.user, said=request.query_params.get("q", ""), wanted=wanted, **said)
        pages = Ranked()
        rows = load(pages.paginate_queryset(found, request) or [])
        shown = SearchSerializer(rows, many=True, context=self.get_serializer_context())
        return pages.get_paginated_response(shown.data)


# --- What each type shows


def _project(project: Project, addresses: Addresses) -> dict[str, Any]:
    return {
        "type": "project",
        "name": project.name,
        "project": project.name,
        "title": _title(project.description),
        "url": addresses.of("project", project.name),
    }


def _model(model: RegisteredModel, addresses: Addresses) -> dict[str, Any]:
    return {
        "type": "model",
        "name": str(model),
        "project": model.project.name,
        "model": model.name,
        "title": _title(model.description),
        "url": addresses.of("model", model.project.name, model.name),
    }


def _version(version: Version, addresses: Addresses) -> dict[str, Any]:
    return {
        "type": "version",
        "name": str(version),
        **_place(version),
        "digest": version.digest,
        "title": _title(version.message),
        "author": version.author_name,
        "created_at": TIME.to_representation(version.created_at),
        "deprecated": version.deprecated or None,
        "url": _address(version, addresses),
    }


def _file(file: Any, addresses: Addresses) -> dict[str, Any]:
    version = Version(model=file.model, number=file.number)
    return {
        "type": "file",
        "name": file.path,
        **_place(version),
        "path": file.path,
        "digest": file.digest,
        "size": file.size,
        "url": f"{_address(version, addresses)}files/{quote(file.path)}",
    }


def _place(version: Version) -> dict[str, Any]:
    return {"project": version.model.project.name, "model": version.model.name, "version": version.number}


def _address(version: Version, addresses: Addresses) -> str:
    return addresses.of("version", version.model.project.name, version.model.name, str(version.number))


def _title(text: str) -> str:
    return text.partition("\n")[0][:200]


SHOWN: dict[type, Callable[..., dict[str, Any]]] = {
    Project: _project,
    RegisteredModel: _model,
    Version: _version,
    Occurrence: _file,
}
