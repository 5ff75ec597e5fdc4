"""HTTP with one LMVP server: credentials, retries, typed errors. Alone imports requests; knows no model and no file."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from pathlib import PurePath
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import requests
from requests.auth import AuthBase

import lmvp
from lmvp.client.credentials import CredentialFile
from lmvp.client.errors import (
    AuthenticationError,
    ConnectionFailed,
    LMVPError,
    NotLMVPServer,
    ServerError,
    ValidationFailed,
    of_status,
)

DEFAULT_SERVER = "http://localhost:8000"
TIMEOUT = (10, 120)  # seconds to connect, and between two pieces of an answer
RETRY_PAUSES = (0.2, 0.6, 1.8)
UNAVAILABLE = (502, 503, 504)
REPEATABLE = frozenset(["GET", "HEAD", "PUT", "DELETE"])
USER_AGENT = f"lmvp/{lmvp.__version__} python/{platform.python_version()}"

Body = Callable[[], "bytes | Iterable[bytes]"]


def path_of(*segments: str | int) -> str:
    """Return the API path of these segments, each quoted: path_of("projects", "a") is "/v1/projects/a/".

    ValidationFailed for one that would lead elsewhere: DELETE …/versions/../ would be the model's.
    """
    for segment in segments:
        if str(segment) in ("", ".", ".."):
            raise ValidationFailed(f"“{segment}” is no name. Give the name of what you mean.")
    return "/v1/" + "".join(f"{quote(str(segment), safe='')}/" for segment in segments)


def encode(value: Any) -> bytes:
    """Return JSON; numbers and arrays of NumPy or PyTorch, dates and paths are taken as what they mean."""
    try:
        return json.dumps(value, default=_plain, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise ValidationFailed(
            f"Metrics and metadata must be JSON ({error}). Give finite numbers, texts, lists and dicts."
        ) from error


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, PurePath):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def normal_server(url: str) -> str:
    """Return the server's address in its one spelling; ValidationFailed when it is no address."""
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValidationFailed(f"“{url}” is not the address of a server. Write it like {DEFAULT_SERVER}.")
    origin = f"{parts.scheme}://{parts.netloc.lower()}"
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValidationFailed(f"“{url}” is a page, not the address of a server: leave out the path, {origin}.")
    return origin


class _Bearer(AuthBase):
    """Our header or none; given for every request, as otherwise ~/.netrc would speak for us."""

    def __init__(self, token: str | None) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class _Transport(requests.Session):
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


class Session:
    """Speaks with one server. Safe to use from several threads."""

    def __init__(
        self,
        server: str | None = None,
        token: str | None = None,
        *,
        credentials: CredentialFile | None = None,
        retry_pauses: tuple[float, ...] = RETRY_PAUSES,
    ) -> None:
        self._server = normal_server(server) if server else None
        self._token = token
        self._signed_in = False
        self._credentials = credentials or CredentialFile()
        self._retry_pauses = retry_pauses
        self._local = threading.local()

    @property
    def server(self) -> str:
        """What was given, else LMVP_SERVER, else where this machine signed in last, else localhost:8000."""
        if self._server:
            return self._server
        return normal_server(
            os.environ.get("LMVP_SERVER") or self._credentials.default_server() or DEFAULT_SERVER,
        )

    # --- Signing in

    def login(self, email: str, password: str, *, server: str | None = None) -> str:
        """Sign in, keep the tokens on this machine, and return the username."""
        if server:
            self._server = normal_server(server)
        answer = self._open({"email": email, "password": password}, "/auth/login/")
        with self.understood():
            username: str = answer["username"]
            tokens = {kind: answer["tokens"][kind] for kind in ("access", "refresh")}
        with self._credentials.locked():
            self._credentials.keep(self.server, {"email": email, "username": username, **tokens})
        self._server, self._token, self._signed_in = self.server, None, True
        return username

    def login_by_token(self, token: str, *, server: str | None = None) -> str:
        """Keep an access token on this machine when the server knows it, and return the username."""
        stranger = Session(server or self.server, token, retry_pauses=self._retry_pauses)
        me = stranger.call("GET", "/auth/me/")
        with self.understood(), self._credentials.locked():
            username: str = me["username"]
            self._credentials.keep(stranger.server, {"email": me["email"], "username": username, "token": token})
        self._server, self._token, self._signed_in = stranger.server, None, True
        return username

    @property
    def credentials(self) -> CredentialFile:
        return self._credentials

    def logout(self) -> bool:
        """Revoke the kept sign-in, and forget it even where the server cannot be told: False then."""
        with self._credentials.locked():
            sign_in = self._credentials.get(self.server)
            self._credentials.forget(self.server)
        self._signed_in = False
        try:
            if sign_in and "refresh" in sign_in:  # an access token may be at work elsewhere: it is only forgotten
                self._open({"refresh": sign_in["refresh"]}, "/auth/logout/")
        except AuthenticationError:  # it had ended already
            return True
        except (ConnectionFailed, ServerError, NotLMVPServer):
            return False
        return True

    def _open(self, body: Any, path: str) -> Any:
        """POST without credentials, where the body is the credential."""
        response = self._attempt("POST", self.server + path, body=encode(body), repeatable=False)
        return self._answer(response)

    def _bearer(self) -> tuple[str | None, bool]:
        """Return the token to send, and whether it is one that can be refreshed."""
        given = self._token or (None if self._signed_in else os.environ.get("LMVP_TOKEN"))
        if given:
            return given, False
        sign_in = self._credentials.get(self.server)
        if sign_in and "token" in sign_in:
            return sign_in["token"], False
        return (sign_in["access"], True) if sign_in else (None, False)

    def _refreshed(self, used: str | None) -> str:
        """Return an access token newer than `used`: another process's, or one for our refresh token."""
        with self._credentials.locked():
            sign_in = self._credentials.get(self.server)
            if not sign_in:
                raise AuthenticationError("You have signed out. Sign in again: `lmvp login` or lmvp.login(…).")
            if "token" in sign_in:
                return sign_in["token"]
            if sign_in["access"] != used:
                return sign_in["access"]
            try:
                tokens = self._open({"refresh": sign_in["refresh"]}, "/auth/token/refresh/")
            except AuthenticationError as error:
                self._credentials.forget(self.server)
                raise AuthenticationError(
                    "Your sign-in has ended. Sign in again: `lmvp login` or lmvp.login(…).", code=error.code, status=401
                ) from error
            with self.understood():
                fresh: str = tokens["access"]
                self._credentials.keep(self.server, {**sign_in, "access": fresh, "refresh": tokens["refresh"]})
        return fresh

    @property
    def has_credentials(self) -> bool:
        return self._bearer()[0] is not None

    # --- Calls

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> Any:
        """Send JSON, return JSON; an error of the server is raised as its type."""
        data = None if body is None else encode(body)
        return self._answer(
            self._authorized(method, path, body=data, params=params, headers=headers, repeatable=repeatable)
        )

    def pages(self, path: str, **params: Any) -> Iterator[Any]:
        """Yield the results of a list, over all its pages."""
        answer = self.call("GET", path, params=params)
        while True:
            with self.understood():
                yield from answer["results"]
                following = answer["next"]
            if not following:
                return
            # The server's own idea of its address (behind a proxy) must not lead our token elsewhere.
            parts = urlsplit(following)
            answer = self.call("GET", f"{path}?{parts.query}")

    def stream(self, path: str, *, offset: int = 0) -> requests.Response:
        """Open the bytes of a file, from `offset` on (206) or whole (200). Close it; read it by `chunks`."""
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        response = self._authorized("GET", path, headers=headers, stream=True)
        if response.status_code >= 400:
            self._answer(response)
        return response

    def content(self, path: str, *, accept: str = "*/*", params: Mapping[str, Any] | None = None) -> requests.Response:
        """Open an answer that is no JSON of ours, in the form that is accepted. Close it; read it by `chunks`."""
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        response = self._authorized("GET", path, headers=headers, params=params, stream=True)
        if response.status_code >= 400:
            self._answer(response)
        return response

    def send(self, method: str, href: str, headers: Mapping[str, str], body: Body) -> Any:
        """Follow a signed address, here or elsewhere: with the headers given, without ours. Returns JSON or None."""
        url = urljoin(self.server + "/", href)
        response = self._attempt(method, url, body=body, headers=headers, repeatable=True)
        if response.ok and not _is_json(response):
            return None
        return self._answer(response)

    def _authorized(self, method: str, path: str, **options: Any) -> requests.Response:
        token, refreshable = self._bearer()
        url = self.server + path
        response = self._attempt(method, url, token=token, **options)
        if response.status_code == 401 and refreshable:
            response.close()
            response = self._attempt(method, url, token=self._refreshed(token), **options)
        if response.status_code == 401:
            raise self._unauthorized(response, token)
        return response

    def _unauthorized(self, response: requests.Response, token: str | None) -> LMVPError:
        error = self._error(response)
        if not isinstance(error, AuthenticationError):
            return error
        if token:
            return error.saying(
                f"{error.message} It was given for {self.server} by LMVP_TOKEN or token=…; "
                "without it, `lmvp login` signs you in."
            )
        return error.saying(
            f"{self.server} shows this to nobody, or only to people who are signed in. Sign in: `lmvp login` or "
            "lmvp.login(email, password), or set LMVP_TOKEN to an access token."
        )

    def _attempt(
        self,
        method: str,
        url: str,
        *,
        token: str | None = None,
        body: bytes | Body | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """Send, and send again after a pause where that can do no harm: the call is repeatable, the trouble passes."""
        if repeatable is None:
            repeatable = method in REPEATABLE
        pauses = iter(self._retry_pauses if repeatable else ())
        headers = {**({"Content-Type": "application/json"} if isinstance(body, bytes) else {}), **(headers or {})}
        while True:
            try:
                response = self._transport.request(
                    method,
                    url,
                    data=body() if callable(body) else body,
                    params=params,
                    headers=headers,
                    auth=_Bearer(token),
                    timeout=TIMEOUT,
                    stream=stream,
                )
                pause = next(pauses, None) if response.status_code in UNAVAILABLE else None
                if pause is None:
                    return response
                response.close()
            except requests.exceptions.RequestException as error:
                pause = next(pauses, None) if _may_pass(error) else None
                if pause is None:
                    raise _unreachable(url, error) from error
            time.sleep(pause)

    @property
    def _transport(self) -> _Transport:
        if not hasattr(self._local, "transport"):
            self._local.transport = _Transport()
        transport: _Transport = self._local.transport
        return transport

    # --- Answers

    def _answer(self, response: requests.Response) -> Any:
        with response:
            if not response.ok:
                raise self._error(response)
            if response.status_code == 204:
                return None
            if not _is_json(response):
                raise self._stranger(response)
            with self.understood():
                return response.json()

    def _error(self, response: requests.Response) -> LMVPError:
        """Return the error that the server sent as the type it is."""
        status = response.status_code
        try:
            error = response.json()["error"]
            kind = of_status(status, error["code"])
            return kind(error["message"], code=error["code"], status=status, fields=error.get("fields"))
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        if status >= 500:
            return ServerError(
                f"{_origin(response.url)} failed ({status} {response.reason}). Try again in a moment; if it goes on, "
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
        return self._stranger(response)

    def _stranger(self, response: requests.Response) -> NotLMVPServer:
        kind = response.headers.get("Content-Type", "no content type").partition(";")[0]
        return NotLMVPServer(
            f"{_origin(response.url)} answered {response.status_code} with {kind}: this is not an LMVP server. "
            "Check the address: LMVP_SERVER, or `lmvp login --server …`.",
            status=response.status_code,
        )

    @contextlib.contextmanager
    def understood(self) -> Iterator[None]:
        """Raise NotLMVPServer where an answer does not have the shape that it should have."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NotLMVPServer(
                f"{self.server} answered something that this client does not understand ({error!r}). "
                "Check the address (LMVP_SERVER), and bring the client up to date: install the newest wheel."
            ) from error


def chunks(response: requests.Response, size: int) -> Iterator[bytes]:
    """Yield the body in pieces; ConnectionFailed when it breaks off."""
    try:
        yield from response.iter_content(size)
    except requests.exceptions.RequestException as error:
        raise _unreachable(response.url, error) from error


def _is_json(response: requests.Response) -> bool:
    return "json" in response.headers.get("Content-Type", "")


def _may_pass(error: Exception) -> bool:
    passing = (
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
        requests.exceptions.ChunkedEncodingError,
    )
    return isinstance(error, passing) and not isinstance(error, requests.exceptions.SSLError)


def _unreachable(url: str, error: Exception) -> ConnectionFailed:
    reason = _tls_reason(url, error) if isinstance(error, requests.exceptions.SSLError) else _reason(error)
    return ConnectionFailed(
        f"Cannot reach {_origin(url)}: {reason}. Check that the server is running there; "
        "another address is named by LMVP_SERVER or `lmvp login --server …`."
    )


def _tls_reason(url: str, error: Exception) -> str:
    # OpenSSL's words for an answer that is no TLS, such as a plain “HTTP/1.1 400”; they differ by its version.
    text = str(error).lower().replace("_", " ")
    if "wrong version number" in text or "record layer" in text:
        return f"it does not speak TLS; try {_origin(url).replace('https://', 'http://', 1)}"
    return "its certificate cannot be verified" if "certificate" in text else _reason(error)


def _reason(error: BaseException) -> str:
    """Return the innermost cause in plain words, without the layers of urllib3 around it."""
    for inner in (*error.args, getattr(error, "reason", None), error.__cause__, error.__context__):
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror.lower()
        if isinstance(inner, Exception) and inner is not error:
            return _reason(inner)
    return str(error) or type(error).__name__


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _request_id(response: requests.Response) -> str:
    request_id = response.headers.get("X-Request-Id")
    return f" (request {request_id})." if request_id else "."
