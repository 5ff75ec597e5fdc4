"""/metrics: all figures for Prometheus, to whoever has LMVP_METRICS_TOKEN; without one, to this machine and to staff."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from accounts import context
from lmvp.watching.inventory import Inventory
from lmvp.watching.processes import Processes
from lmvp.watching.sharing import DIRECTORY
from registry.api.errors import not_found, refusal

inventory = Inventory()
PATH = "/metrics"
REFUSED = "These figures are for Prometheus: send “Authorization: Bearer <LMVP_METRICS_TOKEN>”, or ask from the server's own machine."


def scraped(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Let Prometheus ask each replica by that one's own address, which is no host name of ours: the token says enough."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info == PATH and has_token(request):
            request.META["HTTP_HOST"] = "localhost"
        return get_response(request)

    return middleware


@never_cache
@require_safe
def figures(request: HttpRequest) -> HttpResponse:
    """Answer all figures, of all workers, in the text format of Prometheus."""
    if not _may_see(request):
        if "Authorization" not in request.headers and request.user.is_authenticated:
            return not_found(request, PermissionError())
        refused = refusal(401, "not_authenticated", REFUSED)
        refused["WWW-Authenticate"] = 'Bearer realm="LMVP"'
        return refused
    return HttpResponse(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def has_token(request: HttpRequest) -> bool:
    """Whether the request bears LMVP_METRICS_TOKEN."""
    said = request.headers.get("Authorization", "")
    token: str = settings.METRICS_TOKEN
    return bool(token) and constant_time_compare(said, f"Bearer {token}")


def _may_see(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN or "Authorization" in request.headers:
        return has_token(request)
    return _from_here(request) or bool(request.user.is_authenticated and request.user.is_staff)


def _from_here(request: HttpRequest) -> bool:
    """Whether this machine asks; not where a proxy says that it passes on, and nobody told us of one."""
    if not settings.LMVP_PROXIES and ("X-Forwarded-For" in request.headers or "Forwarded" in request.headers):
        return False
    try:
        return ipaddress.ip_address(context.current.get().address).is_loopback
    except ValueError:
        return False


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    if DIRECTORY in os.environ:
        MultiProcessCollector(registry)
    else:
        registry.register(_Own())
    registry.register(inventory)
    registry.register(Processes())
    return registry


class _Own:
    """What this process alone counted: where no workers share a directory, as in tests."""

    def describe(self) -> list[object]:
        return []

    def collect(self) -> list[object]:
        return [family for family in REGISTRY.collect() if family.name.startswith("lmvp_")]
