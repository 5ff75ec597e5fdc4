"""Somebody of the team: a client that is signed in."""

from __future__ import annotations

import sys

import requests
from demo_server import ROOT

sys.path.insert(0, str(ROOT))

import lmvp


def signed_in(server: str, name: str, password: str) -> lmvp.Client:
    """Return a client of this person. `Client.login` would keep its tokens on this machine, for one person of a server."""
    said = {"email": f"{name}@example.org", "password": password}
    answer = requests.post(f"{server}/auth/login/", json=said, timeout=30)
    answer.raise_for_status()
    return lmvp.Client(server, answer.json()["tokens"]["access"])
