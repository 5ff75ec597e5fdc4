"""The Content-Security-Policy stands on every kind of answer and is strict; what Django asks of a deployment holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from accounts.models import User
from lmvp import urls
from tests.cast import PASSWORD, publish

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parent.parent
# Of what the pages of the schema write into the document themselves, each by its digest: see registry.api.schema.
EXCUSED = {"/docs/": 1, "/redoc/": 2}


def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


# These make this module a site map: ours, and an address that fails.
handler400, handler404, handler500 = urls.handler400, urls.handler404, urls.handler500
urlpatterns = [path("fails/", fail), *urls.urlpatterns]


def directives(response: HttpResponse) -> dict[str, list[str]]:
    parts = [part.split() for part in response["Content-Security-Policy"].split(";") if part.strip()]
    return {name: sources for name, *sources in parts}


@pytest.fixture
def there(cast):
    publish(
        cast.alice, cast.model(), {"README.md": b"# Digits", "weights.bin": b"1"}, message="first", alias="production"
    )
    User.objects.create_superuser("boss@example.org", "boss", PASSWORD)
    return cast


VERSION = "/v1/projects/vision/models/classifier/versions/1/"
KINDS = {
    "page": ("alice", "/vision/classifier/", 200),
    "account page": ("alice", "/account/tokens/", 200),
    "entry page": (None, "/login/", 200),
    "API": ("alice", "/v1/projects/vision/", 200),
    "API, refused": (None, "/v1/projects/vision/", 401),
    "API, clicked through": ("alice", "/v1/projects/?format=api", 200),
    "file": ("alice", VERSION + "files/README.md", 200),
    "archive": ("alice", VERSION + "archive/?format=zip", 200),
    "admin's login": (None, "/admin/login/", 200),
    "admin": ("boss", "/admin/accounts/user/", 200),
    "Swagger UI": (None, "/docs/", 200),
    "ReDoc": (None, "/redoc/", 200),
    "schema": (None, "/swagger.json", 200),
    "redirect": (None, "/account/", 302),
    "nothing there": (None, "/a/b/c/d/", 404),
    "failure": (None, "/fails/", 500),
    "static file": (None, "/static/registry/lmvp.css", 200),
    "no static file": (None, "/static/registry/none.css", 404),
    "health": (None, "/healthz", 200),
}


@pytest.mark.urls("tests.test_policy")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_answer_bears_the_strict_policy(there, kind):
    who, address, status = KINDS[kind]
    client = Client(raise_request_exception=False)
    if who:
        client.force_login(User.objects.get(username=who))
    response = client.get(address)
    assert response.status_code == status
    said = directives(response)
    for sources in said.values():
        assert {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "http:"}.isdisjoint(sources)
    assert said.get("default-src") == ["'none'"]
    if "script-src" in said:  # a user's file may be kept shorter still
        assert said["script-src"] == ["'self'"]
        digests = [source for source in said["style-src"] if source.startswith("'sha256-")]
        assert len(digests) == EXCUSED.get(address, 0)
        assert said["style-src"] == ["'self'", *digests]


def test_a_host_that_is_not_ours_bears_it_too(client):
    response = client.get("/", headers={"host": "elsewhere.example"})
    assert response.status_code == 400
    assert directives(response)["default-src"] == ["'none'"]


def test_a_form_without_its_token_bears_it_too():
    response = Client(enforce_csrf_checks=True).post("/login/", {})
    assert response.status_code == 403
    assert directives(response)["default-src"] == ["'none'"]


@pytest.mark.parametrize("proxies", ["0", "1"])
def test_a_deployment_has_nothing_to_be_warned_of(tmp_path, proxies):
    ours = {
        "LMVP_URL": "https://models.example.org",
        "LMVP_DATA_DIR": str(tmp_path),
        "LMVP_PROXIES": proxies,
        "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    }
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env=kept | ours, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout
