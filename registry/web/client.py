"""Where the client comes from: a page that says how to install it, and its wheel. Open to everyone, as pip signs in nowhere."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from registry.web.pages import error_page, show
from registry.wheels import Wheel, client_wheel


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    return show(request, "client", wheel=client_wheel())


@require_safe
def wheel(request: HttpRequest, name: str) -> HttpResponse:
    """The wheel's bytes. Its name holds its version: under another one there is nothing, and the way to this one is told."""
    built = client_wheel()
    if name != built.name:
        message = f"This server hands out version {built.version} of the client, as {built.name}. /client/ says how to install it."
        return error_page(request, 404, "No such wheel", message)
    etag = f'"{built.sha256}"'
    response = get_conditional_response(request, etag=etag) or _whole(built)
    response["ETag"] = etag
    response["Cache-Control"] = "public, no-cache"  # the next server of this version may have been changed
    return response


def _whole(built: Wheel) -> HttpResponse:
    response = HttpResponse(built.content, content_type="application/octet-stream")
    response["Content-Disposition"] = content_disposition_header(True, built.name) or "attachment"
    return response
