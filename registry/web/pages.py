"""How every page answers: shown with its place and its twin in JSON, or, when a service refused, with the next step."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from itertools import chain
from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist, PermissionDenied, ValidationError
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.gzip import gzip_page

from accounts.errors import Forbidden, Refusal
from accounts.web.forms import show_refusal
from registry.errors import OUT_OF_ORDER
from registry.storage import Lost
from registry.web.places import Moved, Place
from registry.web.refusals import error_page, kept_out, not_by_this_method, not_here, refused

__all__ = ["act", "attempt", "error_page", "page", "show"]

View = Callable[..., HttpResponseBase]
Gone = type[ObjectDoesNotExist] | tuple[type[ObjectDoesNotExist], ...]


def show(
    request: HttpRequest, template: str, place: Place | None = None, *, status: int = 200, twin: str = "", **facts: Any
) -> HttpResponse:
    """Answer the page `registry/<template>.html`, with its place, what its visitor may do there, and its twin in JSON."""
    context: dict[str, Any] = {"twin": twin}
    if place:
        context = {field.name: getattr(place, field.name) for field in fields(place)}
        context |= {"may": place.may, "twin": twin or place.twin}
    return render(request, f"registry/{template}.html", context | facts, status=status)


def page(view: View) -> View:
    """Make a view a page: what is refused in it becomes a page with the next step, or the way to sign in."""

    @functools.wraps(view)
    def answered(request: HttpRequest, *args: Any, **place: Any) -> HttpResponseBase:
        try:
            asked = chain.from_iterable([name, *values] for name, values in request.GET.lists())
            if any("\0" in str(said) for said in chain(place.values(), asked)):
                raise Http404  # nothing is called so, and PostgreSQL would not look it up
            response = view(request, *args, **place)
        except Moved as moved:
            return redirect(moved.address, permanent=True)
        except (ObjectDoesNotExist, Http404, PermissionDenied, Forbidden) as error:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            return kept_out(request, error)
        except (Refusal, ValidationError, MultipleObjectsReturned, Lost, *OUT_OF_ORDER) as error:
            return refused(request, error)
        response.setdefault(
            "Cache-Control", "private, no-cache"
        )  # it is for its visitor, as long as that one is signed in
        return not_by_this_method(request, response["Allow"]) if response.status_code == 405 else response

    return gzip_page(answered)


def attempt(form: Form, work: Callable[[dict[str, Any]], Any]) -> bool:
    """Do the work of a valid form with what was said in it; what a service refuses lands beside the fields it means."""
    try:
        work(form.cleaned_data)
    except Forbidden:
        raise
    except (Refusal, ValidationError) as refusal:
        show_refusal(form, refusal)
    return not form.errors


def act(request: HttpRequest, work: Callable[[], Any], *, done: str, then: str, gone: Gone = ()) -> HttpResponse:
    """Do what a button asks for, say what came of it, and go to the address `then`.

    `gone`: what somebody else may have taken away meanwhile, which is said as the rest.
    """
    try:
        work()
    except Forbidden:
        raise
    except (Refusal, ValidationError) as error:
        messages.error(request, _words(error))
    except gone as error:
        messages.error(request, not_here(error))
    else:
        messages.success(request, done)
    return redirect(then)


def _words(error: Refusal | ValidationError) -> str:
    return error.message if isinstance(error, Refusal) else " ".join(error.messages)
