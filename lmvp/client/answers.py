"""What a server's answers mean: JSON, or an error of its type. Opens no connection."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lmvp.client.addresses import origin_of
from lmvp.client.errors import LMVPError, NotLMVPServer, ServerError, ValidationFailed, of_status

if TYPE_CHECKING:
    from lmvp.client.transport import Response


def content_of(response: Response, server: str) -> Any:
    """Return the JSON of an answer (None where there is none) and close it; raise the error that it is."""
    with response:
        if not response.ok:
            raise error_of(response)
        if response.status_code == 204:
            return None
        if not is_json(response):
            raise _stranger(response)
        with understood(server):
            return response.json()


def error_of(response: Response) -> LMVPError:
    """Return the error that the server sent as the type it is."""
    status = response.status_code
    if response.request.method == "HEAD":  # says it by its status alone
        return of_status(status)(f"{origin_of(response.url)} answered {status} {response.reason}.", status=status)
    try:
        error = response.json()["error"]
        return of_status(status, error["code"])(
            error["message"], code=error["code"], status=status, fields=error.get("fields")
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    if status >= 500:
        return ServerError(
            f"{origin_of(response.url)} failed ({status} {response.reason}). Try again in a moment; if it goes on, "
            "tell whoever runs the server" + _request_id(response),
            code="server_error",
            status=status,
        )
    if status == 413:
        return ValidationFailed(
            "A proxy in front of the server refuses bodies of this size. Ask whoever runs it to raise its limit.",
            code="too_large",
            status=status,
        )
    return _stranger(response)


@contextlib.contextmanager
def understood(server: str) -> Iterator[None]:
    """Raise NotLMVPServer where an answer does not have the shape that it should have."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotLMVPServer(
            f"{server} answered something that this client does not understand ({error!r}). "
            "Check the address (LMVP_SERVER), and bring the client up to date: install the newest wheel."
        ) from error


def is_json(response: Response) -> bool:
    """Whether the answer says that it is JSON."""
    return "json" in response.headers.get("Content-Type", "")


def _stranger(response: Response) -> NotLMVPServer:
    kind = response.headers.get("Content-Type", "no content type").partition(";")[0]
    return NotLMVPServer(
        f"{origin_of(response.url)} answered {response.status_code} with {kind}: this is not an LMVP server. "
        "Check the address: LMVP_SERVER, or `lmvp login --server …`.",
        status=response.status_code,
    )


def _request_id(response: Response) -> str:
    request_id = response.headers.get("X-Request-Id")
    return f" (request {request_id})." if request_id else "."
