"""A site map with addresses behind which everything goes wrong, for the tests of what is shown then."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import path

from accounts.errors import Throttled
from lmvp.urls import handler400, handler404, handler500, urlpatterns
from registry.errors import Busy, Conflict, Gone, StorageFull, TooLarge
from registry.web.pages import page

__all__ = ["handler400", "handler404", "handler500"]


def raising(error: Exception) -> Any:
    def view(request: HttpRequest) -> HttpResponse:
        raise error

    return view


REFUSALS = {
    "conflict": Conflict("some_conflict", "Look again."),
    "gone": Gone("some_gone", "It was here."),
    "large": TooLarge("too_large", "Send less."),
    "tries": Throttled("throttled", "Wait a bit.", seconds=17),
    "busy": Busy("some_busy", "Somebody else is at it."),
    "full": StorageFull("storage_full", "No space."),
    "away": OperationalError("server closed the connection"),
    "closed": InterfaceError("connection already closed"),
    "disk": OperationalError("database or disk is full"),
}
urlpatterns = [
    path("broken/page/", raising(RuntimeError("nobody foresaw it"))),
    path("v1/broken/", raising(RuntimeError("nobody foresaw it"))),
    path("broken/form/", raising(RequestDataTooBig("too much"))),
    *(path(f"broken/{name}/", page(raising(error))) for name, error in REFUSALS.items()),
    *urlpatterns,
]
