"""What every test may use: the cast, an API client, and the machine's services."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection
from rest_framework.test import APIClient

from registry.models import RegisteredModel
from tests.burying import let_sealed_rows_go
from tests.cast import Cast, make_cast
from tests.client_home import own_home as own_home
from tests.s3 import S3, running_s3, storage_options


@pytest.fixture(autouse=True)
def _a_server_of_its_own(settings, tmp_path: Path) -> None:
    """Bytes in a directory of the test, mails in the outbox, quick hashing of passwords."""
    settings.LMVP_DATA_DIR = tmp_path
    settings.INCOMING_DIR = tmp_path / "incoming"
    settings.LMVP_ACTIVE_ROOT = tmp_path / "active"
    settings.STORAGES = {
        **settings.STORAGES,
        "blobs": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "blobs"},
        },
    }
    settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": secrets.token_hex(8)}}
    settings.TASKS_ASIDE = "default"  # at once
    settings.WHITENOISE_AUTOREFRESH = (
        True  # every client makes the middleware anew: static files are looked up when asked for
    )
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *django_settings.PASSWORD_HASHERS]


@pytest.fixture
def api() -> APIClient:
    """Nobody's client; `api.force_authenticate(user)` makes it somebody's, a real token through credentials()."""
    return APIClient()


@pytest.fixture
def cast(db: None) -> Cast:
    """alice owns the project `vision`; bob contributes, carol maintains, dave views; charlie is an outsider."""
    return make_cast()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3(s3_server: S3) -> S3:
    """A real S3 store with an empty bucket."""
    s3_server.empty()
    return s3_server


@pytest.fixture
def in_bucket(s3: S3, settings) -> S3:
    """Bytes in a bucket of a real S3 store."""
    blobs = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": storage_options(s3.url)}
    settings.STORAGES = {**settings.STORAGES, "blobs": blobs}
    return s3


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    """vision/classifier, without a version; a module that needs more of it has a `model` of its own."""
    return cast.model()


@pytest.fixture
def postgresql(db: None) -> None:
    """Skip what only PostgreSQL can show; in CI its run on PostgreSQL is mandatory."""
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: make test DATABASE_URL=postgres://…")


def pytest_report_header() -> str:
    return f"lmvp: {django_settings.DATABASES['default']['ENGINE']}, services required: {'LMVP_REQUIRE_SERVICES' in os.environ}"


@pytest.fixture(autouse=True)
def _sealed_rows_may_go_in_the_end(request: pytest.FixtureRequest):
    """Between tests that commit, tables are emptied; on SQLite by DELETE, which the seals refuse for what is not purged.

    Nothing ever purges a line of the audit log: its seal is taken off for a moment.
    """
    committed = {"transactional_db", "live_server"} & set(request.fixturenames)
    marker = request.node.get_closest_marker("django_db")
    if not committed and not (marker and marker.kwargs.get("transaction")):
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    let_sealed_rows_go()
