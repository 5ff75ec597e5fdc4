"""Calls to one LMVP server: who we are, what is asked, typed errors. The wire is transport.py's; knows no model and no file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from lmvp.client import answers
from lmvp.client.addresses import DEFAULT_SERVER, normal_server
from lmvp.client.addresses import path_of as path_of
from lmvp.client.credentials import CredentialFile
from lmvp.client.errors import (
    AuthenticationError,
    ConnectionFailed,
    LMVPError,
    NotLMVPServer,
    Offline,
    ServerError,
    ValidationFailed,
)

if TYPE_CHECKING:
    from lmvp.client.transport import Body, Response, Wire

RETRY_PAUSES = (0.2, 0.6, 1.8)
RESUME_PAUSES = (0.3, 1.0, 2.0, 4.0, *[8.0] * 6)  # of transfers: about as long as a server takes to come back
REPEATABLE = frozenset(["GET", "HEAD", "PUT", "DELETE"])


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


class Session:
    """Speaks with one server. Safe to use from several threads."""

    def __init__(
        self,
        server: str | None = None,
        token: str | None = None,
        *,
        credentials: CredentialFile | None = None,
        retry_pauses: tuple[float, ...] = RETRY_PAUSES,
        resume_pauses: tuple[float, ...] = RESUME_PAUSES,
        offline: bool | None = None,
    ) -> None:
        self._server = normal_server(server) if server else None
        self._token = token
        self._signed_in = False
        self._credentials = credentials or CredentialFile()
        self._retry_pauses = retry_pauses
        self._offline = offline
        self.resume_pauses = resume_pauses

    @property
    def is_offline(self) -> bool:
        """Whether nothing may be asked of the server: what was given, else LMVP_OFFLINE."""
        if self._offline is not None:
            return self._offline
        return os.environ.get("LMVP_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")

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

    def stream(self, path: str, *, start: int = 0, end: int | None = None) -> Response:
        """Open the bytes of a file: a range of them (206), or all (200). Close it; read it by transport.pieces."""
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if start or end is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        return self._opened("GET", path, headers)

    def stream_answer(self, path: str, body: Any) -> Response:
        """POST JSON and open the bytes of the answer. Close it; read it by transport.pieces."""
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        return self._opened("POST", path, headers, body=encode(body), repeatable=True)

    def _opened(self, method: str, path: str, headers: Mapping[str, str], **options: Any) -> Response:
        response = self._authorized(method, path, headers=headers, stream=True, **options)
        if response.status_code >= 400:
            self._answer(response)
        return response

    def content(self, path: str, *, accept: str = "*/*", params: Mapping[str, Any] | None = None) -> Response:
        """Open an answer that is no JSON of ours, in the form that is accepted. Close it; read it by `pieces`."""
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        response = self._authorized("GET", path, headers=headers, params=params, stream=True)
        if response.status_code >= 400:
            self._answer(response)
        return response

    def post_stream(self, path: str, body: Body, *, kind: str) -> Any:
        """POST a stream of bytes once, and return JSON. Whoever repeats it first calls `renew`."""
        return self._answer(self._authorized("POST", path, body=body, headers={"Content-Type": kind}, repeatable=False))

    def renew(self) -> None:
        """Refresh a sign-in that has expired: a refusal may have got lost while a long body was on its way."""
        if self._bearer()[1]:
            self.call("GET", "/auth/me/")

    def send(self, method: str, href: str, headers: Mapping[str, str], body: Body) -> Any:
        """Follow a signed address, here or elsewhere: with the headers given, without ours. Returns JSON or None."""
        response = self._attempt(method, self._absolute(href), body=body, headers=headers, repeatable=True)
        if response.ok and not answers.is_json(response):
            return None
        return self._answer(response)

    def signed(self, method: str, href: str, headers: Mapping[str, str], body: Body | None = None) -> Mapping[str, str]:
        """Follow a signed address once, and return the headers of the answer."""
        response = self._attempt(method, self._absolute(href), body=body, headers=headers, repeatable=False)
        if not response.ok:
            self._answer(response)
        response.close()
        return response.headers

    def _absolute(self, href: str) -> str:
        return urljoin(self.server + "/", href)

    def _authorized(self, method: str, path: str, **options: Any) -> Response:
        token, refreshable = self._bearer()
        url = self.server + path
        response = self._attempt(method, url, token=token, **options)
        if response.status_code == 401 and refreshable:
            response.close()
            response = self._attempt(method, url, token=self._refreshed(token), **options)
        if response.status_code == 401:
            raise self._unauthorized(response, token)
        return response

    def _unauthorized(self, response: Response, token: str | None) -> LMVPError:
        error = answers.error_of(response)
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
    ) -> Response:
        """Send, and send again after a pause where that can do no harm: the call is repeatable, the trouble passes."""
        if self.is_offline:
            raise Offline(
                "You are offline (LMVP_OFFLINE, or Client(offline=True)), and this needs the server. "
                "Unset LMVP_OFFLINE when you are connected; what was downloaded before is listed by `lmvp cache list`."
            )
        from lmvp.client.transport import Request  # requests takes longer to import than all the rest

        kind = {"Content-Type": "application/json"} if isinstance(body, bytes) else {}
        repeated = method in REPEATABLE if repeatable is None else repeatable
        request = Request(method, url, token, body, params, {**kind, **(headers or {})}, stream)
        return self._wire.send(request, self._retry_pauses if repeated else ())

    @cached_property
    def _wire(self) -> Wire:
        from lmvp.client.transport import Wire

        return Wire()

    def _answer(self, response: Response) -> Any:
        return answers.content_of(response, self.server)

    def understood(self) -> AbstractContextManager[None]:
        """Raise NotLMVPServer where an answer does not have the shape that it should have."""
        return answers.understood(self.server)
