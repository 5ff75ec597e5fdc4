"""The calls about branches, tags and aliases, and about the history of their moves."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.pagination import NewestFirst
from registry.api.rooms import Room
from registry.api.serializers import RefInput, RefMoveSerializer, RefSerializer
from registry.models import Ref, RefMove
from registry.permissions import Action, require
from registry.services import refs


class RefViewSet(Room):
    """Branches, tags or aliases, by the `kind` that the route gives."""

    kind = ""

    def refs(self) -> Any:
        return Ref.objects.filter(model=self.model(), kind=self.kind).select_related("version").order_by("name")

    def list(self, request: Request, project: str, model: str) -> Response:
        return self.pages(RefSerializer, self.refs())

    def retrieve(self, request: Request, project: str, model: str, name: str) -> Response:
        return self.show(RefSerializer, self.refs().get(name=name))

    def update(self, request: Request, project: str, model: str, name: str) -> Response:
        there = self.model()
        require(request.user, Action.MOVE_REF, there.project)
        said = self.read(RefInput).validated_data
        ref, new = refs.set_ref(actor=request.user, model=there, move=refs.Move(self.kind, name, **said))
        return self.show(RefSerializer, ref, 201 if new else 200)

    def destroy(self, request: Request, project: str, model: str, name: str) -> Response:
        refs.delete_ref(actor=request.user, model=self.model(), kind=self.kind, name=name)
        return Response(status=204)

    def moves(self, request: Request, project: str, model: str, name: str) -> Response:
        rows = RefMove.objects.filter(model=self.model(), kind=self.kind, name=name)
        return self.pages(RefMoveSerializer, rows.select_related("actor", "from_version", "to_version"), NewestFirst())


def _ref_viewset(kind: str, plural: str, moving: str) -> type[RefViewSet]:
    """Return the viewset of one kind of name, with each call described in its words."""
    example = doc.REF | {"kind": kind, "name": {"branch": "main", "tag": "v1-release"}.get(kind, "production")}
    describe = {
        "list": documented(
            f"List the {plural}",
            name=f"{plural}_list",
            tag="names",
            answer=(200, f"A page of {plural}.", doc.page_of(example)),
            query=doc.PAGES,
        ),
        "retrieve": documented(
            f"Show one of the {plural}", name=f"{plural}_read", tag="names", answer=(200, f"The {kind}.", example)
        ),
        "update": documented(
            moving,
            name=f"{plural}_set",
            tag="names",
            body=RefInput,
            example={"revision": "3", "comment": "better on the test set"},
            answer=(200, f"The {kind}; 201 when it is new.", example),
            errors=(400, 401, 403, 404, 409),
        ),
        "destroy": documented(
            f"Delete one of the {plural}; its history stays",
            name=f"{plural}_delete",
            tag="names",
            answer=(204, "Done.", None),
            errors=(401, 403, 404),
        ),
        "moves": documented(
            f"Show the history of one of the {plural}: who moved it, when, from where to where, why",
            name=f"{plural}_moves",
            tag="names",
            answer=(200, "Moves, newest first.", doc.cursor_page_of(doc.MOVE)),
            query=doc.CURSOR,
        ),
    }
    methods = {name: decorate(_own(getattr(RefViewSet, name))) for name, decorate in describe.items()}
    return type(f"{kind.title()}ViewSet", (RefViewSet,), {"kind": kind, **methods})


def _own(method: Any) -> Any:
    """A function of its own for each kind, so that each carries its own description."""

    def call(self: RefViewSet, request: Request, **kwargs: Any) -> Any:
        return method(self, request, **kwargs)

    call.__name__ = method.__name__
    return call


BranchViewSet = _ref_viewset("branch", "branches", "Make or move a branch")
TagViewSet = _ref_viewset("tag", "tags", "Make a tag (it does not move)")
AliasViewSet = _ref_viewset("alias", "aliases", "Point an alias to a version")
