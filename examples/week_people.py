"""Somebody of the team: the Python client where it knows the call, and plain HTTP for the rest of the API."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import requests
from demo_server import ROOT

sys.path.insert(0, str(ROOT))

import lmvp


class Refused(Exception):
    """The server said no: with a code for programs, a sentence for people, and details."""

    def __init__(self, code: str = "", message: str = "", fields: Any = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.fields = code, message, fields or {}


@dataclass(frozen=True)
class Person:
    """Who is signed in, and where."""

    server: str
    token: str

    @classmethod
    def signed_in(cls, server: str, name: str, password: str) -> Person:
        said = {"email": f"{name}@example.org", "password": password}
        answer = requests.post(f"{server}/auth/login/", json=said, timeout=30)
        answer.raise_for_status()
        return cls(server, answer.json()["tokens"]["access"])

    @property
    def lmvp(self) -> lmvp.Client:
        return lmvp.Client(self.server, self.token)

    def get(self, path: str) -> Any:
        return self._call("GET", path).json()

    def text(self, path: str, *, accept: str) -> str:
        return self._call("GET", path, accept=accept).text

    def post(self, path: str, body: Any) -> Any:
        return self._call("POST", path, body).json()

    def put(self, path: str, body: Any) -> Any:
        return self._call("PUT", path, body).json()

    def patch(self, path: str, body: Any) -> Any:
        return self._call("PATCH", path, body).json()

    def delete(self, path: str) -> None:
        self._call("DELETE", path)

    def _call(self, method: str, path: str, body: Any = None, accept: str = "application/json") -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": accept}
        answer = requests.request(method, f"{self.server}{path}", json=body, headers=headers, timeout=60)
        if answer.status_code >= 400:
            error = answer.json()["error"]
            raise Refused(error["code"], error["message"], error.get("fields"))
        return answer
