"""How every page answers: shown with its place and its twin in JSON, or, when a service refused, with the next step."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db import OperationalError
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.gzip import gzip_page

from accounts.errors import Forbidden, Refusal, Throttled
from accounts.web.forms import show_refusal
from registry.models import Ref, RegisteredModel, Tree, Version
from registry.services import blobs
from registry.storage import Lost
from registry.web.places import Moved, Place

View = Callable[..., HttpResponseBase]

NOT_HERE = {
    Version: "This model has no such version: a revision is a number, a name, “latest” or the beginning of a digest.",
    Tree: "This version has no such file or directory.",
    Ref: "This model has no branch, tag or alias of this name.",
    RegisteredModel: "This project has no such model, or no more.",
}
NOTHING = "There is nothing here that you may see. Check the address, or ask a member of the project to invite you."


def show(
    request: HttpRequest, template: str, place: Place | None = None, *, status: int = 200, twin: str = "", **facts: Any
) -> HttpResponse:
    """Answer the page `registry/<template>.html`, with its place, what its visitor may do there, and its twin in JSON."""
    context: dict[str, Any] = {"twin": twin}
    if place:
        context = {
            "place": place,
            "project": place.project,
            "model": place.model,
            "version": place.version,
            "revision": place.revision,
            "may": place.may,
            "twin": twin or place.twin,
        }
    return render(request, f"registry/{template}.html", context | facts, status=status)


def page(view: View) -> View:
    """Make a view a page: what is refused in it becomes a page with the next step, or the way to sign in."""

    @functools.wraps(view)
    def answered(request: HttpRequest, *args: Any, **place: Any) -> HttpResponseBase:
        try:
            if any("\0" in str(said) for said in (*place.values(), *request.GET.values())):
                raise Http404  # nothing is called so, and PostgreSQL would not look it up
            return view(request, *args, **place)
        except Moved as moved:
            return redirect(moved.address, permanent=True)
        except (ObjectDoesNotExist, Http404, PermissionDenied, Forbidden) as error:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            return _kept_out(request, error)
        except (Refusal, ValidationError, MultipleObjectsReturned, Lost, OperationalError) as error:
            return _refused(request, error)

    return gzip_page(answered)


def attempt(form: Form, work: Callable[[dict[str, Any]], Any]) -> bool:
    """Do the work of a valid form with what was said in it; what a service refuses lands beside the fields it means."""
    try:
        work(form.cleaned_data)
    except Forbidden:
        raise
    except Refusal as refusal:
        show_refusal(form, refusal)
    except ValidationError as error:
        fields = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        for name, said in fields.items():
            form.add_error(name if name in form.fields else None, said)
    return not form.errors


def act(request: HttpRequest, work: Callable[[], Any], *, done: str, then: str) -> HttpResponse:
    """Do what a button asks for, say what came of it, and go to the address `then`."""
    try:
        work()
    except Forbidden:
        raise
    except (Refusal, ValidationError) as error:
        messages.error(request, _words(error))
    else:
        messages.success(request, done)
    return redirect(then)


def error_page(request: HttpRequest, status: int, heading: str, message: str, **facts: Any) -> HttpResponse:
    return render(request, "registry/error.html", {"heading": heading, "message": message} | facts, status=status)


def _words(error: Refusal | ValidationError) -> str:
    return error.message if isinstance(error, Refusal) else " ".join(error.messages)


def _kept_out(request: HttpRequest, error: Exception) -> HttpResponse:
    if isinstance(error, Forbidden):
        return error_page(request, 403, "You may not do that", error.message)
    if isinstance(error, PermissionDenied):
        return error_page(request, 403, "You may not do that", str(error) or "Ask an owner of the project.")
    said = (words for model, words in NOT_HERE.items() if isinstance(error, model.DoesNotExist))
    return error_page(request, 404, "Nothing here", next(said, NOTHING))


def _refused(request: HttpRequest, error: Exception) -> HttpResponse:
    if isinstance(error, Lost):
        error = blobs.said_damaged()
    if isinstance(error, OperationalError):
        return error_page(request, 503, "Busy", "The database is busy or away. Load the page again in a moment.")
    if isinstance(error, MultipleObjectsReturned):
        return error_page(request, 400, "Which one?", "This begins several digests. Give more of its digits.")
    assert isinstance(error, Refusal | ValidationError)
    status = error.status if isinstance(error, Refusal) else 400
    response = error_page(request, status, "That did not work", _words(error))
    if isinstance(error, Throttled):
        response["Retry-After"] = str(error.seconds)
    return response
