"""What Swagger says about the registry's calls: summaries, bodies and answers with examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_yasg import openapi
from drf_yasg.utils import no_body, swagger_auto_schema

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
TIME = "2026-08-01T09:00:00Z"

PROJECT = {
    "name": "digits",
    "description": "Reading digits",
    "visibility": "private",
    "personal": False,
    "role": "owner",
    "created_at": TIME,
    "url": "http://localhost:8000/v1/projects/digits/",
}
MEMBER = {"username": "ben", "role": "contributor", "since": TIME}
INVITATION = {
    "id": 3,
    "email": "cleo@example.org",
    "role": "viewer",
    "invited_by": "ada",
    "created_at": TIME,
    "expires_at": TIME,
}
MODEL = {
    "project": "digits",
    "name": "classifier",
    "kind": "model",
    "description": "",
    "default_branch": "main",
    "versions": 3,
    "latest": {"number": 3, "digest": DIGEST, "message": "Wider", "author": "ada", "created_at": TIME},
    "aliases": {"production": 2},
    "created_at": TIME,
    "url": "http://localhost:8000/v1/projects/digits/models/classifier/",
}
VERSION = {
    "project": "digits",
    "model": "classifier",
    "number": 3,
    "digest": DIGEST,
    "tree": DIGEST,
    "parents": [{"number": 2, "digest": DIGEST}],
    "branch": "main",
    "author": "ada",
    "message": "Wider",
    "metadata": {"hidden": 64, "lr": 0.1},
    "created_at": TIME,
    "refs": [{"kind": "branch", "name": "main"}],
    "metrics": {"accuracy": 0.97},
    "files": {"count": 2, "size": 18432},
    "deprecated": None,
    "url": "http://localhost:8000/v1/projects/digits/models/classifier/versions/3/",
}
DERIVED_VERSION = VERSION | {
    "derived_from": [{"project": "digits", "model": "scans", "number": 7, "digest": DIGEST}, {"hidden": True}],
}
LINEAGE = {
    "root": "digits/classifier@3",
    "nodes": [
        {
            "id": "digits/classifier@3",
            "type": "version",
            "project": "digits",
            "model": "classifier",
            "kind": "model",
            "number": 3,
            "digest": DIGEST,
            "title": "Wider",
            "author": "ada",
            "created_at": TIME,
            "deprecated": None,
            "trashed": False,
            "url": "http://localhost:8000/v1/projects/digits/models/classifier/versions/3/",
        },
        {
            "id": "01K1HZX3M5T0Q8R7N2V4W6Y8ZA",
            "type": "artifact",
            "project": "digits",
            "hierarchy": "default",
            "level": 1,
            "label": "model",
            "created_at": TIME,
            "url": "http://localhost:8000/v1/artifacts/01K1HZX3M5T0Q8R7N2V4W6Y8ZA/",
        },
    ],
    "edges": [{"from": "digits/classifier@3", "to": "01K1HZX3M5T0Q8R7N2V4W6Y8ZA", "kind": "artifact"}],
    "hidden": 0,
    "truncated": False,
}
PUBLICATION = {
    "message": "Wider",
    "parent": "2",
    "base": "empty",
    "files": [{"path": "weights.npz", "sha256": DIGEST}],
    "metadata": {"hidden": 64, "lr": 0.1},
    "metrics": [{"name": "accuracy", "value": 0.97}, {"name": "loss", "value": 0.3, "step": 1}],
    "alias": "staging",
    "derived_from": ["digits/scans@7"],
}
ENTRY = {
    "path": "weights.npz",
    "name": "weights.npz",
    "type": "file",
    "mode": "100644",
    "size": 18000,
    "digest": DIGEST,
    "version": 3,
}
METRIC = {"name": "loss", "value": 0.3, "step": 1, "author": "ada", "created_at": TIME}
REF = {
    "kind": "branch",
    "name": "main",
    "version": 2,
    "digest": DIGEST,
    "deprecated": None,
    "protected": False,
    "updated_at": TIME,
}
ALIAS = REF | {
    "kind": "alias",
    "name": "production",
    "active": True,
    "materialised": {"version": 2, "path": "digits/classifier/production", "at": TIME},
}
MOVE = {"from": 1, "to": 2, "actor": "ada", "comment": "better on the test set", "at": TIME, "rollback": False}
MOMENT = {"kind": "alias", "name": "production", "time": TIME, "version": 2, "digest": DIGEST, "move": MOVE}
METRIC_OF_VERSION = {"version": 3, "value": 0.97, "step": None, "created_at": TIME}
UPLOAD = {
    "id": "0b0e…",
    "sha256": DIGEST,
    "size": 18000,
    "status": "missing",
    "href": "http://localhost:8000/v1/uploads/0b0e…/?expires=…&signature=…",
    "method": "PUT",
    "headers": {},
    "offset": 0,
    "expires_at": TIME,
}
STORED = {"id": "0b0e…", "sha256": DIGEST, "size": 18000, "offset": 18000, "status": "stored", "expires_at": TIME}
EVENT = {
    "id": 9,
    "at": TIME,
    "actor": "ada",
    "action": "alias.moved",
    "subject": "digits/classifier@production",
    "before": {"version": 1},
    "after": {"version": 2, "comment": "better on the test set"},
    "token": "",
    "address": "127.0.0.1",
    "request_id": "5f2a…",
}

COMPARISON = {
    "base": {"number": 2, "digest": DIGEST, "deprecated": "It was trained on the wrong labels; use v3."},
    "head": {"number": 3, "digest": DIGEST, "deprecated": None},
    "files": {
        "added": [{"path": "README.md", "after": {"digest": DIGEST, "size": 120, "mode": "100644"}}],
        "removed": [],
        "changed": [],
        "renamed": [],
        "count": {"added": 1, "removed": 0, "changed": 0, "renamed": 0},
    },
    "metadata": {"added": {}, "removed": {}, "changed": {"hidden": {"before": 32, "after": 64}}},
    "metrics": [{"name": "accuracy", "before": 0.96, "after": 0.97, "delta": 0.01}],
}
DIFFERENCE = {
    "path": "train.py",
    "former_path": None,
    "before": {"digest": DIGEST, "size": 120, "mode": "100644"},
    "after": {"digest": DIGEST, "size": 121, "mode": "100644"},
    "kind": "text",
    "diff": "--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-hidden = 32\n+hidden = 64\n",
    "additions": 1,
    "deletions": 1,
}
TABLE = {
    "versions": [
        {
            "number": 3,
            "digest": DIGEST,
            "title": "Wider",
            "author": "ada",
            "created_at": TIME,
            "refs": [{"kind": "alias", "name": "production"}],
            "files": {"count": 2, "size": 18432},
            "deprecated": None,
        }
    ],
    "metrics": [{"name": "accuracy", "values": [0.97]}],
    "metadata": [{"key": "optimizer.lr", "values": [0.1]}],
    "count": {"metrics": 1, "metadata": 1},
}
HEADER = {
    "path": "model.safetensors",
    "digest": DIGEST,
    "size": 18432,
    "format": "safetensors",
    "parameters": 4544,
    "dtypes": {"F32": {"tensors": 1, "parameters": 4544}},
    "tensors": {
        "count": 1,
        "offset": 0,
        "results": [
            {
                "name": "hidden.weight",
                "dtype": "F32",
                "shape": [64, 71],
                "parameters": 4544,
                "begin": 256,
                "size": 18176,
            }
        ],
    },
    "metadata": {"format": "pt"},
    "metadata_cut": [],
}
CARD = {
    "path": "README.md",
    "digest": DIGEST,
    "size": 64,
    "text": "# Reading digits\n",
    "truncated": False,
    "metadata": {"license": "mit"},
    "problem": None,
}

ERRORS = {
    400: ("What was sent cannot be taken.", "invalid", "name: Use letters, digits and . _ -"),
    401: ("Not signed in, or with wrong credentials.", "not_authenticated", "Sign in first."),
    403: ("You may see it, and not do this.", "role_too_low", "It takes the role contributor."),
    404: ("There is no such thing, or you may not see it.", "not_found", "There is nothing here that you may see."),
    406: ("It does not come in a form that is accepted.", "not_acceptable", "The content comes as text/csv."),
    409: ("The state is another one.", "parent_moved", "“main” is at version 4 now."),
    410: ("It has expired.", "upload_expired", "Ask for a new upload."),
    413: ("More than this server takes in one call.", "too_large", "A pack has at most 1,073,741,824 bytes here."),
    415: ("The body is of another kind.", "unsupported_media_type", "A pack is sent as application/x-tar."),
    423: ("Somebody else writes it now.", "upload_locked", "Somebody sends to this upload just now."),
    416: ("The file has no such range.", "range_not_satisfiable", "The file has 18000 bytes."),
    429: ("Too many; Retry-After says when.", "throttled", "Try again in 60 seconds."),
    503: ("The store does not answer now; Retry-After says when.", "storage_unavailable", "Try again in a moment."),
    507: ("The disk is full, or a quota is used up.", "storage_full", "Nothing was kept."),
}


def page_of(example: Any) -> dict[str, Any]:
    return {"count": 1, "next": None, "previous": None, "results": [example]}


def cursor_page_of(example: Any) -> dict[str, Any]:
    return {"next": None, "previous": None, "results": [example]}


def documented(
    summary: str,
    *,
    name: str,
    tag: str,
    answer: tuple[int, str, Any],
    body: Any = None,
    example: Any = None,
    errors: tuple[int, ...] = (401, 404),
    query: list[openapi.Parameter] | None = None,
    **more: Any,
) -> Callable[..., Any]:
    """Describe one operation: `answer` is (status, words, example or a schema), `body` a serializer with an example."""
    status, words, shown = answer
    responses = {status: _response(words, shown)} | {code: _error(code) for code in errors}
    return swagger_auto_schema(
        operation_id=name,
        operation_summary=summary,
        tags=[tag],
        responses=responses,
        request_body=no_body if body is None else _body(body, example),
        manual_parameters=query or [],
        **more,
    )


def query(name: str, words: str, kind: str = openapi.TYPE_STRING, **more: Any) -> openapi.Parameter:
    return openapi.Parameter(name, openapi.IN_QUERY, description=words, type=kind, **more)


def header(name: str, words: str, kind: str = openapi.TYPE_STRING, **more: Any) -> openapi.Parameter:
    return openapi.Parameter(name, openapi.IN_HEADER, description=words, type=kind, **more)


def form(name: str, words: str, kind: str = openapi.TYPE_STRING, **more: Any) -> openapi.Parameter:
    return openapi.Parameter(name, openapi.IN_FORM, description=words, type=kind, **more)


PAGES = [query("page", "Which page.", openapi.TYPE_INTEGER), query("page_size", "At most 200.", openapi.TYPE_INTEGER)]
CURSOR = [query("cursor", "From `next`."), query("page_size", "At most 200.", openapi.TYPE_INTEGER)]
BYTES = openapi.Schema(type=openapi.TYPE_FILE)
RAW = openapi.Schema(type=openapi.TYPE_STRING, format=openapi.FORMAT_BINARY)


def _body(serializer: Any, example: Any) -> Any:
    """Return the serializer with its example: Swagger UI fills “Try it out” with it."""
    if example is None or isinstance(serializer, openapi.Schema):
        return serializer
    fields = {"swagger_schema_fields": {"example": example}}
    kind = serializer if isinstance(serializer, type) else type(serializer)
    meta = type("Meta", (getattr(kind, "Meta", object),), fields | {"ref_name": kind.__name__})
    shown = type(kind.__name__, (kind,), {"Meta": meta, "__doc__": kind.__doc__})
    return shown


def _response(words: str, shown: Any) -> openapi.Response:
    if isinstance(shown, openapi.Schema):
        return openapi.Response(words, schema=shown)
    return openapi.Response(words, examples=None if shown is None else {"application/json": shown})


def _error(status: int) -> openapi.Response:
    words, code, message = ERRORS[status]
    return _response(words, {"error": {"code": code, "message": message}})
