"""The calls that look into a file without sending it: the header of a model's file, and the card of a version."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from registry import cards, connections
from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.rooms import Room
from registry.errors import Invalid, Missing
from registry.headers.formats import FORMATS, read_header
from registry.headers.reading import MAX_TENSORS, BadHeader, Header, Tensor
from registry.models import Tree
from registry.services import downloads
from registry.services.cards import ReadCard, read_card
from registry.storage import open_ranges
from registry.trees import Entry

MOST_TENSORS = 1000  # in one answer


class HeaderViewSet(Room):
    @documented(
        "Look into a model's file",
        name="inspect_read",
        tag="files",
        answer=(200, "What the header says: tensors, shapes, dtypes, parameters, metadata.", doc.HEADER),
        errors=(400, 401, 404),
        query=[
            doc.query("offset", "Leave out so many tensors.", "integer"),
            doc.query("limit", f"Tell of so many tensors: {MOST_TENSORS:,} when left out, and at most.", "integer"),
        ],
    )
    def retrieve(self, request: Request, project: str, model: str, revision: str, path: str) -> Response:
        offset = self.count("offset", default=0, most=MAX_TENSORS)
        limit = self.count("limit", default=MOST_TENSORS, most=MOST_TENSORS)
        path = path.strip("/")
        version = self.version()
        entry = self.file(version, path)
        downloads.note(actor=request.user, version=version)  # a header may tell a lot
        connections.release()  # from here on bytes are read
        return Response(_place(path, entry) | _shown(_header(path, entry), offset, limit))


def _header(path: str, entry: Entry) -> Header:
    try:
        with open_ranges(entry.digest) as file:
            header = read_header(path, file, entry.size)
    except BadHeader as error:
        raise Invalid("not_readable", str(error)) from None
    if header is None:
        raise Invalid("no_header", f"This file has no header that is read here. Those of {FORMATS} files are.")
    return header


def _place(path: str, entry: Entry) -> dict[str, Any]:
    return {"path": path, "digest": entry.digest, "size": entry.size}


def _shown(header: Header, offset: int, limit: int) -> dict[str, Any]:
    return {
        "format": header.format,
        "parameters": header.parameters,
        "dtypes": header.dtypes,
        "tensors": {
            "count": len(header.tensors),
            "offset": offset,
            "results": [_tensor(tensor) for tensor in header.tensors[offset : offset + limit]],
        },
        "metadata": header.notes.values,
        "metadata_cut": header.notes.cut,
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    shown = {
        "name": tensor.name,
        "dtype": tensor.dtype,
        "shape": tensor.shape,
        "parameters": tensor.parameters,
        "begin": tensor.begin,
        "size": tensor.size,
    }
    return shown | ({"external": tensor.external} if tensor.external else {})


class CardViewSet(Room):
    @documented(
        "Read the card of a version",
        name="card_read",
        tag="versions",
        answer=(200, "Its README.md: the text, and what stands before it as YAML.", doc.CARD),
    )
    def retrieve(self, request: Request, project: str, model: str, revision: str) -> Response:
        version = self.version()
        try:
            entry = self.file(version, cards.CARD)
        except Tree.DoesNotExist:
            raise Missing(
                "no_card", f"This version has no card. Publish a {cards.CARD} at the root of its files to give it one."
            ) from None
        return Response(_place(cards.CARD, entry) | _card(read_card(actor=request.user, version=version, entry=entry)))


def _card(read: ReadCard) -> dict[str, Any]:
    card = read.card
    return {"text": card.text, "truncated": read.truncated, "metadata": card.metadata, "problem": card.problem or None}
