"""What is shown where a page cannot be: who was refused what, what to do next, and by which code the API says the same."""

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
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import is_valid_path

from accounts import context
from accounts.errors import Forbidden, Refusal, Throttled
from registry.errors import OUT_OF_ORDER, said_full
from registry.models import Artifact, Invitation, Membership, Ref, RegisteredModel, RetentionRule, Role, Tree, Version
from registry.permissions import Action, RoleTooLow, can
from registry.services import blobs
from registry.storage import Lost

HEADINGS = {
    400: "That did not work",
    403: "You may not do that",
    404: "Nothing here",
    405: "This address takes forms alone",
    409: "That does not fit what is there",
    410: "Gone for good",
    413: "Too large",
    423: "Somebody else is at it",
    429: "Too many tries",
    500: "That failed",
    503: "Busy",
    507: "The server’s disk is full",
}
HEADINGS_OF_CODES = {"quota_exceeded": "The quota does not allow this"}
NOT_HERE: dict[type[ObjectDoesNotExist], str] = {
    Version.DoesNotExist: "This model has no such version: a revision is a number, a name, “latest” or the beginning of a digest.",
    Tree.DoesNotExist: "This version has no such file or directory.",
    Ref.DoesNotExist: "This model has no branch, tag or alias of this name.",
    RegisteredModel.DoesNotExist: "This project has no such model, or no more.",
    Artifact.DoesNotExist: "There is no such artifact, or none that you may see.",
    Membership.DoesNotExist: "This project has no such member, or no more.",
    Invitation.DoesNotExist: "This invitation is not open any more: it was accepted or withdrawn, or it has expired.",
    RetentionRule.DoesNotExist: "This model has no retention rule: it keeps all its versions.",
}
NOTHING = "There is nothing here that you may see. Check the address, or ask a member of the project to invite you."
BUSY = "The database is busy or away. Load the page again in a moment."
MOST_HELPERS = 8  # people named on one page


def error_page(
    request: HttpRequest, status: int, heading: str, message: str, *, code: str = "", **facts: Any
) -> HttpResponse:
    """Answer with a page about what was refused; `code` is the word that the API has for it."""
    about = {
        "status": status,
        "heading": heading or HEADINGS.get(status, HEADINGS[400]),
        "message": message,
        "code": code,
        "request_id": context.current.get().request_id,
        "next": request.get_full_path() if request.method in ("GET", "HEAD") else "",
    }
    return render(request, "registry/error.html", about | facts, status=status)


def failure_page(status: int, message: str, *, code: str) -> HttpResponse:
    """Answer with a page that needs neither database nor session nor request: for what must not fail itself."""
    about = {
        "status": status,
        "heading": HEADINGS[status],
        "message": message,
        "code": code,
        "request_id": context.current.get().request_id,
    }
    return HttpResponse(render_to_string("registry/failure.html", about), status=status)


# --- What views and services raise


def kept_out(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer to somebody signed in what they may not see, or see and not do."""
    if isinstance(error, RoleTooLow):
        return error_page(request, 403, "", error.message, code=error.code, **_helpers(request, error))
    if isinstance(error, Forbidden):
        return error_page(request, 403, "", error.message, code=error.code)
    if isinstance(error, PermissionDenied):
        said = str(error) or "Ask an owner of the project, or the server’s administrator."
        return error_page(request, 403, "", said, code="permission_denied")
    return error_page(request, 404, "", not_here(error), code="not_found")


def not_here(error: Exception) -> str:
    """Say what there is none of."""
    return next((words for gone, words in NOT_HERE.items() if isinstance(error, gone)), NOTHING)


def refused(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer what was asked for and cannot be done."""
    if isinstance(error, Lost):
        error = blobs.said_damaged()
    if isinstance(error, OUT_OF_ORDER):
        return _out_of_order(error)
    if isinstance(error, MultipleObjectsReturned):
        said = "This begins several digests. Give more of its digits."
        return error_page(request, 400, "Which one?", said, code="ambiguous_revision")
    if isinstance(error, ValidationError):
        return error_page(request, 400, "", " ".join(error.messages), code="invalid")
    assert isinstance(error, Refusal)
    heading = HEADINGS_OF_CODES.get(error.code, "")
    response = error_page(request, error.status, heading, error.message, code=error.code)
    if isinstance(error, Throttled):
        response["Retry-After"] = str(error.seconds)
    return response


def not_by_this_method(request: HttpRequest, allow: str) -> HttpResponse:
    """Answer a browser that loads the address of a button: by its own history, most likely."""
    said = "It belongs to a button on the page above it. Go there, and use the button again if you still want to."
    response = error_page(request, 405, "", said, code="method_not_allowed", above=_page_above(request.path))
    response["Allow"] = allow
    return response


def _page_above(path: str) -> str:
    while path != "/":
        path = path.rstrip("/").rpartition("/")[0] + "/"
        if is_valid_path(path):
            break
    return path


def _out_of_order(error: Exception) -> HttpResponse:
    if full := said_full(error):
        return failure_page(full.status, full.message, code=full.code)
    stopped = "statement timeout" in str(error)
    response = failure_page(503, BUSY, code="database_timeout" if stopped else "database_busy")
    response["Retry-After"] = "10" if stopped else "1"
    return response


def _helpers(request: HttpRequest, error: RoleTooLow) -> dict[str, Any]:
    """Return which role is missing and who can give it, for a visitor who may see the members."""
    project, needed = error.project, error.needed
    facts: dict[str, Any] = {"project": project, "needed": Role(needed).label}
    if can(request.user, Action.VIEW_MEMBERS, project):
        giving = Membership.objects.filter(project=project, role__gte=max(needed, Role.MAINTAINER))
        facts["helpers"] = list(giving.exclude(user=request.user.pk).select_related("user")[:MOST_HELPERS])
    return facts


# --- Outside all pages: unknown addresses, forms without their token, and what nobody foresaw


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return kept_out(request, Http404())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that came without its token: an old tab, or cookies switched off."""
    said = (
        "This form is too old, or your browser keeps no cookies here. Go back, load the page again, and send it anew."
    )
    return error_page(request, 403, "Please try again", said, code="csrf_failed")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What was refused before any view: too much in one form, or a host that is not ours."""
    if isinstance(exception, RequestDataTooBig):
        said = "This form holds too much. Publish files by the page for that, or with the client."
        return failure_page(413, said, code="too_large")
    if isinstance(exception, TooManyFieldsSent | TooManyFilesSent):
        return failure_page(400, "This form has too many fields or files.", code="too_many_files")
    said = "This request was refused. When the server’s name is new, set LMVP_URL to it and start the server again."
    return failure_page(400, said, code="bad_request")


def server_error(request: HttpRequest) -> HttpResponse:
    said = "Something went wrong on our side; nothing half-done was kept. Try again, and if it stays, tell the"
    return failure_page(500, f"{said} administrator the number of this request.", code="server_error")
