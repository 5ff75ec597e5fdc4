"""Requests on the wire: connections, redirects, what is sent again and what has broken. Alone imports requests."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests import Response as Response
from requests.auth import AuthBase

import lmvp
from lmvp.client.addresses import origin_of
from lmvp.client.errors import ConnectionFailed, NotLMVPServer
from lmvp.client.patience import jittered

TIMEOUT = (10, 120)  # seconds to connect, and between two pieces of an answer
UNAVAILABLE = (502, 503, 504)
TOO_MANY = 429
LONGEST_WAIT = 60.0  # seconds that a server may ask for in Retry-After
USER_AGENT = f"lmvp/{lmvp.__version__} python/{platform.python_version()}"

Body = Callable[[], "bytes | Iterable[bytes]"]


@dataclass(frozen=True)
class Request:
    """One request, which can be sent more than once: a body that is called gives its bytes anew."""

    method: str
    url: str
    token: str | None = None
    body: bytes | Body | None = None
    params: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: bool = False

    @property
    def data(self) -> Any:
        return self.body() if callable(self.body) else self.body


class Wire:
    """Connections to servers, of each thread its own."""

    def __init__(self) -> None:
        self._local = threading.local()

    def send(self, request: Request, pauses: Iterable[float]) -> Response:
        """Send, and send again after each of the pauses as long as the trouble is one that may pass."""
        left = iter(pauses)
        while True:
            try:
                response = self._once(request)
                pause = next(left, None) if _is_busy(response) else None
                if pause is None:
                    return response
                pause = max(jittered(pause), retry_after(response))
                response.close()
            except requests.exceptions.RequestException as error:
                after = next(left, None) if _may_pass(error) else None
                if after is None:
                    raise unreachable(request.url, error) from error
                pause = jittered(after)
            time.sleep(pause)

    def _once(self, request: Request) -> Response:
        return self._connections.request(
            request.method,
            request.url,
            data=request.data,
            params=request.params,
            headers=dict(request.headers),
            auth=_Bearer(request.token),
            timeout=TIMEOUT,
            stream=request.stream,
        )

    @property
    def _connections(self) -> _Connections:
        if not hasattr(self._local, "connections"):
            self._local.connections = _Connections()
        connections: _Connections = self._local.connections
        return connections


def pieces(response: Response, size: int) -> Iterator[bytes]:
    """Yield the body in pieces; ConnectionFailed when it breaks off."""
    try:
        yield from response.iter_content(size)
    except requests.exceptions.RequestException as error:
        raise unreachable(response.url, error) from error


def retry_after(response: Response) -> float:
    """Return the seconds that an answer asks to wait; 0 where it does not say."""
    said = response.headers.get("Retry-After", "")
    return min(float(said), LONGEST_WAIT) if said.isascii() and said.isdigit() else 0.0


def _is_busy(response: Response) -> bool:
    if response.status_code == TOO_MANY:  # without a time it is a limit that will not pass soon
        return 0 < retry_after(response) < LONGEST_WAIT
    return response.status_code in UNAVAILABLE


class _Bearer(AuthBase):
    """Our header or none; given for every request, as otherwise ~/.netrc would speak for us."""

    def __init__(self, token: str | None) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class _Connections(requests.Session):
    """Connections of one thread. Keeps no cookies; follows redirects without credentials for strangers."""

    def __init__(self) -> None:
        super().__init__()
        self.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json"})
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        strangers = self.should_strip_auth(response.request.url, prepared_request.url)  # type: ignore[no-untyped-call]
        if strangers:
            prepared_request.headers.pop("Authorization", None)

    def rebuild_method(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Refuse to turn a write into a read, or to carry it to another host."""
        old, new = urlsplit(str(response.request.url)), urlsplit(str(prepared_request.url))
        kept = response.status_code in (307, 308) and old.hostname == new.hostname
        if prepared_request.method not in ("GET", "HEAD") and not kept:
            raise NotLMVPServer(
                f"{old.scheme}://{old.netloc} sends us on to {new.scheme}://{new.netloc}. "
                "If that is the server, sign in there: `lmvp login --server …` or lmvp.login(…, server=…), or set LMVP_SERVER."
            )


# --- What has broken, in words


def unreachable(url: str, error: Exception) -> ConnectionFailed:
    """Return the error that says what happened to a connection, and what to look at."""
    reason = _tls_reason(url, error) if isinstance(error, requests.exceptions.SSLError) else _reason(error)
    return ConnectionFailed(
        f"Cannot reach {origin_of(url)}: {reason}. Check that the server is running there; "
        "another address is named by LMVP_SERVER or `lmvp login --server …`."
    )


def _may_pass(error: Exception) -> bool:
    passing = (
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
        requests.exceptions.ChunkedEncodingError,
    )
    return isinstance(error, passing) and not isinstance(error, requests.exceptions.SSLError)


def _tls_reason(url: str, error: Exception) -> str:
    # OpenSSL's words for an answer that is no TLS, such as a plain “HTTP/1.1 400”; they differ by its version.
    text = str(error).lower().replace("_", " ")
    if "wrong version number" in text or "record layer" in text:
        return f"it does not speak TLS; try {origin_of(url).replace('https://', 'http://', 1)}"
    return "its certificate cannot be verified" if "certificate" in text else _reason(error)


def _reason(error: BaseException) -> str:
    """Return the innermost cause in plain words, without the layers of urllib3 around it."""
    for inner in (*error.args, getattr(error, "reason", None), error.__cause__, error.__context__):
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror.lower()
        if isinstance(inner, Exception) and inner is not error:
            return _reason(inner)
    return str(error) or type(error).__name__
