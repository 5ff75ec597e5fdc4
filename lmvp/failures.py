"""Unknown addresses, and what no view could answer: as JSON to programs, as a page to people."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from registry.api import errors as api
from registry.web import refusals as web


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return (api if _wants_json(request) else web).not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return (api if _wants_json(request) else web).bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    return (api if _wants_json(request) else web).server_error(request)


def _wants_json(request: HttpRequest) -> bool:
    return request.path_info.startswith(("/v1/", "/auth/", "/api/")) or not request.accepts("text/html")
