"""Who asked, from where, as which request: what a log line and an event need besides the actor. Knows no HTTP."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request: its id (also answered as X-Request-Id) and the client's address; empty outside a request."""

    request_id: str = ""
    address: str = ""


current: ContextVar[RequestContext] = ContextVar("current", default=RequestContext())  # noqa: B039 - frozen
