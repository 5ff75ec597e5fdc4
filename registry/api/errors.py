"""The only place where exceptions become HTTP: {"error": {"code", "message", "fields"?}}. Codes are in docs/api.md."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import (
    MultipleObjectsReturned,
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
    ValidationError,
)
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from accounts.context import current
from accounts.errors import Forbidden, Refusal, Throttled
from registry.errors import OUT_OF_ORDER, said_full
from registry.models import Artifact, Ref, RegisteredModel, RetentionRule, Tree, Version
from registry.services import blobs
from registry.storage import Lost, Unavailable

TOO_LONG = "This took the database too long, and was stopped. Ask for less at once, or try again when it is less busy."
SIGN_IN = "Sign in first: send “Authorization: Bearer <access>” with the token of /auth/login/, or an access token."
HIDDEN = {
    Version: "This model has no such version. …/versions/ lists them; a revision is a number, a name, latest or a digest.",
    Tree: "This version has no such file or directory. …/tree/ lists what it has.",
    RegisteredModel: "This project has no such model, or no more.",
    Ref: "This model has no such name.",
    RetentionRule: "This model has no retention rule: it keeps all its versions. PUT sets one.",
    Artifact: "There is no such artifact, or none that you may see. GET /v1/artifacts/ lists those that there are.",
}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer what a view raised; None (a real 500) for what nobody foresaw."""
    if isinstance(error, OUT_OF_ORDER):  # first: to ask who is there would ask the database again
        return _out_of_order(error)
    if isinstance(error, Lost):
        error = blobs.said_damaged()
    set_rollback()
    user = getattr(context.get("request"), "user", None)
    anonymous = user is None or not user.is_authenticated
    if anonymous and isinstance(error, (ObjectDoesNotExist, Http404, PermissionDenied, Forbidden)):
        return _unauthorized("not_authenticated", SIGN_IN)
    if isinstance(error, Refusal):
        return _refusal(error)
    if isinstance(error, ObjectDoesNotExist):
        return _answer(404, "not_found", _not_here(error))
    if isinstance(error, MultipleObjectsReturned):
        return _answer(400, "ambiguous_revision", "This begins several digests. Give more of its digits.")
    if isinstance(error, ValidationError):
        return _invalid(error)
    if isinstance(error, RequestDataTooBig):
        return _answer(413, "too_large", "The body is too large for this call. Send bytes by uploads/ instead.")
    if isinstance(error, (TooManyFilesSent, TooManyFieldsSent)):
        return _answer(
            400, "too_many_files", "A form holds 1,000 files at most. Send more by uploads/, and publish them."
        )
    return _framework(error)


def _out_of_order(error: Exception) -> Response:
    if full := said_full(error):
        return _refusal(full)
    if "statement timeout" in str(error):
        return _answer(503, "database_timeout", TOO_LONG, {"Retry-After": "10"})
    return _answer(503, "database_busy", "The database is busy or away. Try again in a moment.", {"Retry-After": "1"})


def _refusal(error: Refusal) -> Response:
    if error.status == 401:
        return _unauthorized(error.code, error.message)
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, Throttled) else {}
    headers |= {"Retry-After": "5"} if isinstance(error, Unavailable) else {}
    return _answer(error.status, error.code, error.message, headers, error.fields)


def _not_here(error: ObjectDoesNotExist) -> str:
    for model, said in HIDDEN.items():
        if isinstance(error, model.DoesNotExist):
            return said
    return "There is nothing here that you may see. Check the name, or ask to be made a member."


def _invalid(error: ValidationError) -> Response:
    if hasattr(error, "error_dict"):
        code = next((item.code for items in error.error_dict.values() for item in items if item.code), "invalid")
        fields = error.message_dict
        name, messages = next(iter(fields.items()))
        message = messages[0] if name == "__all__" else f"{name}: {messages[0]}"
        return _answer(400, code or "invalid", message, fields=fields)
    return _answer(400, error.error_list[0].code or "invalid", error.messages[0])


def _framework(error: Exception) -> Response | None:
    if isinstance(error, Http404):
        error = exceptions.NotFound("There is nothing at this address. /docs/ lists what is.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied(*error.args)
    if not isinstance(error, exceptions.APIException):
        return None
    if isinstance(error, exceptions.NotAuthenticated):
        return _unauthorized("not_authenticated", SIGN_IN)
    if isinstance(error, exceptions.AuthenticationFailed):
        return _unauthorized(str(getattr(error.detail, "code", "authentication_failed")), str(error.detail))
    if isinstance(error, exceptions.ValidationError):
        name, message = _first("", error.detail)
        return _answer(400, "invalid", f"{name}: {message}" if name else message, fields=_as_fields(error.detail))
    code = str(getattr(error.detail, "code", error.default_code))
    headers = {"Retry-After": str(int(error.wait))} if getattr(error, "wait", None) else {}
    return _answer(error.status_code, "invalid_json" if code == "parse_error" else code, str(error.detail), headers)


def _first(name: str, detail: Any) -> tuple[str, str]:
    """Return the first message in what a serializer found, and the way to it."""
    if isinstance(detail, dict):
        key, below = next(iter(detail.items()))
        way = "" if key == "non_field_errors" else str(key)
        return _first(".".join(filter(None, (name, way))), below)
    if isinstance(detail, list):
        place, below = next(((n, item) for n, item in enumerate(detail) if item), (0, "invalid"))
        return _first(f"{name}[{place}]" if isinstance(below, dict) else name, below)
    return name, str(detail)


def _as_fields(detail: Any) -> dict[str, Any]:
    return detail if isinstance(detail, dict) else {"items": detail} if any(detail) else {}


def _unauthorized(code: str, message: str) -> Response:
    return _answer(401, code, message, {"WWW-Authenticate": 'Bearer realm="LMVP"'})


def _answer(
    status: int, code: str, message: str, headers: dict[str, str] | None = None, fields: Any = None
) -> Response:
    return Response(_body(code, message, fields), status=status, headers=headers)


def _body(code: str, message: str, fields: Any = None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message} | ({"fields": fields} if fields else {})}


# --- Outside DRF's views: files, unknown addresses, and what nobody foresaw


def refusal(status: int, code: str, message: str) -> HttpResponse:
    """Our error where no exception is raised: answers about files keep their own headers."""
    return JsonResponse(_body(code, message), status=status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refusal(404, "not_found", "There is nothing at this address. /docs/ lists what is.")


def server_error(request: HttpRequest) -> HttpResponse:
    message = "Something went wrong on our side; nothing half-done was kept. Try again, and if it stays, tell the"
    message += f" administrator the request id {current.get().request_id}."
    return refusal(500, "server_error", message)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400s from before any view: a host that is not ours, above all."""
    message = "This request was refused. When the server's name is new, set LMVP_URL to it and start the server again."
    return refusal(400, "bad_request", message)
