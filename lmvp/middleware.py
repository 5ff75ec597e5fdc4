"""What happens to every request: one spelling of its path, an id, one log line. No rule of the product."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import is_valid_path

from accounts import context

logger = logging.getLogger("lmvp.request")
GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

Handler = Callable[[HttpRequest], HttpResponse]


def one_spelling(get_response: Handler) -> Handler:
    """Answer /v1/x like /v1/x/ and /api/v1/x/, for every method: routes are written once, with the slash."""

    def middleware(request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if path == "/api/v1" or path.startswith("/api/v1/"):
            path = path.removeprefix("/api")
        if not path.endswith("/") and not is_valid_path(path) and is_valid_path(f"{path}/"):
            path += "/"
        request.path_info = path
        return get_response(request)

    return middleware


def request_log(get_response: Handler) -> Handler:
    """Give the request an id (a proxy's own is kept), and log it when it was answered: never its query string."""

    def middleware(request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
        token = context.current.set(context.RequestContext(request_id, client_address(request)))
        started = time.perf_counter()
        try:
            response = get_response(request)
            if request.method == "HEAD":
                response = _without_body(response)
            response["X-Request-Id"] = request_id
            _log(request, response, time.perf_counter() - started)
            return response
        finally:
            context.current.reset(token)

    return middleware


def _without_body(response: HttpResponse) -> HttpResponse:
    """Keep the headers, the length of the body among them: a server should not have to drop what HEAD did not ask for."""
    bare = HttpResponse(status=response.status_code)
    bare.headers, bare.cookies = response.headers, response.cookies
    if response.streaming:  # others hold nothing open
        response.close()
    return bare


def client_address(request: HttpRequest) -> str:
    """Return the caller's address: the peer's, or the one that our own proxies noted."""
    peer = request.META.get("REMOTE_ADDR", "")
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    if settings.LMVP_PROXIES and hops:
        return hops[-min(settings.LMVP_PROXIES, len(hops))]
    return peer


def _log(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    if request.path_info in ("/healthz", "/readyz", "/metrics"):
        return
    facts = {
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "ms": round(seconds * 1000, 1),
        "address": client_address(request),
    }
    logger.info("%(method)s %(path)s %(status)s %(ms)s ms", facts, extra=facts)


class RequestIdFilter(logging.Filter):
    """Put the current request's id on every log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = context.current.get().request_id or "-"
        return True
