"""What Swagger says about the accounts' calls: the examples, and the decorator that hangs them on a view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_yasg import openapi
from drf_yasg.utils import swagger_auto_schema

DETAIL = {"detail": "Done. What to do next stands here."}
EMAIL_AND_NAME = {"email": "alice@example.org", "username": "alice"}
JWTS = {"refresh": "eyJhbGciOi…", "access": "eyJhbGciOi…"}
LOGIN = EMAIL_AND_NAME | {"tokens": JWTS}
OAUTH = {"access_token": "eyJhbGciOi…", "refresh_token": "eyJhbGciOi…", "token_type": "bearer"}
ACCESS_TOKEN = {
    "id": 7,
    "name": "cluster",
    "scope": "write",
    "project": None,
    "hint": "lmvp_Zk3x",
    "created_at": "2026-08-01T09:00:00Z",
    "expires_at": None,
    "last_used_at": None,
}
ACCESS_TOKEN_WITH_TEXT = ACCESS_TOKEN | {"token": "lmvp_Zk3xQ…"}
USER = EMAIL_AND_NAME | {
    "is_active": True,
    "is_staff": False,
    "is_superuser": False,
    "is_verified": True,
    "date_joined": "2026-08-01T09:00:00Z",
}
USERS = {"count": 1, "next": None, "previous": None, "results": [USER]}
ME = EMAIL_AND_NAME | {
    "is_staff": False,
    "is_superuser": False,
    "date_joined": "2026-08-01T09:00:00Z",
    "token": None,
}

ERRORS = {
    400: ("What was sent cannot be taken.", "invalid", "Read the fields."),
    401: ("The credentials are missing, wrong or expired.", "token_invalid", "Sign in again."),
    403: ("Signed in, and not allowed to.", "sign_in_needed", "Sign in with e-mail and password."),
    404: ("There is no such thing.", "not_found", "Look at the list."),
    429: ("Too many attempts; Retry-After says when.", "throttled", "Try again in 60 seconds."),
}


def documented(
    summary: str,
    *,
    name: str,
    answer: tuple[int, str, Any],
    body: Any = None,
    errors: tuple[int, ...] = (),
    tag: str = "accounts",
    public: bool = False,
) -> Callable[..., Any]:
    """Describe one operation; `answer` is (status, words, example or None), `public` needs no signing in."""
    status, words, example = answer
    responses = {status: _response(words, example)} | {code: _error(code) for code in errors}
    options: dict[str, Any] = {"security": []} if public else {}
    if body is not None:
        options["request_body"] = body
    return swagger_auto_schema(operation_id=name, operation_summary=summary, tags=[tag], responses=responses, **options)


def _response(words: str, example: Any) -> openapi.Response:
    return openapi.Response(words, examples=None if example is None else {"application/json": example})


def _error(status: int) -> openapi.Response:
    words, code, message = ERRORS[status]
    return _response(words, {"error": {"code": code, "message": message}})
