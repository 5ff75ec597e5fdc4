"""Quotas are set by settings, and for one project or user by staff; what is purged is held no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from accounts.services.users import set_quota as set_quota_of_user
from registry.models import Event, Project, RegisteredModel, Upload, Version
from registry.services import trash
from registry.services.projects import set_quota
from tests.cast import Cast, client_of, make_user, publish
from tests.housekeeping import purge
from tests.quotas import HUNDRED, ask, held, over, set_quota_unasked
from tests.reading import browser_of, text_of
from tests.test_admin_registry import form_of, saved

MB = 2**20
MODEL = "/v1/projects/vision/models/classifier/"
UPLOADS = f"{MODEL}uploads/"
ROOT = Path(__file__).parent.parent


@pytest.fixture
def root(db: None) -> User:
    user = make_user("rooty")
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    return User.objects.get(pk=user.pk)


# --- Freeing, and other limits for one


def test_purging_frees_what_the_trash_still_holds(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    settings.LMVP_PROJECT_QUOTA = 150
    publish(cast.bob, model, {"a": HUNDRED})
    publish(cast.bob, model, {"a": b"small"}, base="empty")
    Upload.objects.all().delete()
    first = Version.objects.get(number=1)
    trash.delete(actor=cast.carol, row=first)
    assert over(lambda: ask(cast.bob, model, HUNDRED[:-1] + b"x")) == {"limit": 150, "used": 105, "wanted": 100}
    purge(cast.carol, Version.objects.select_related("model__project").get(pk=trash_again(cast, first).pk))
    assert held(cast.project) == 5
    assert len(ask(cast.bob, model, HUNDRED[:-1] + b"x")) == 1


def trash_again(cast: Cast, version: Version) -> Version:
    trash.undelete(actor=cast.carol, row=Version.objects.select_related("model__project").get(pk=version.pk))
    return version


def test_an_override_goes_before_the_setting(cast: Cast, model: RegisteredModel, settings: Any, root: User) -> None:
    settings.LMVP_PROJECT_QUOTA = 10
    settings.LMVP_USER_QUOTA = 10
    over(lambda: ask(cast.bob, model, HUNDRED))
    set_quota(actor=root, project=cast.project, quota=100)
    model = RegisteredModel.objects.select_related("project").get(pk=model.pk)
    assert over(lambda: ask(cast.bob, model, HUNDRED))["limit"] == 10
    bob = set_quota_of_user(actor=root, user=cast.bob, quota=100)
    assert len(ask(bob, model, HUNDRED)) == 1
    set_quota(actor=root, project=cast.project, quota=None)
    assert RegisteredModel.objects.get(pk=model.pk).project.quota is None
    told = Event.objects.filter(action__in=["project.changed", "user.changed"]).order_by("pk")
    assert [(line.subject, line.before, line.after) for line in told] == [
        ("vision", {"quota": None}, {"quota": 100}),
        ("bob", {"quota": None}, {"quota": 100}),
        ("vision", {"quota": 100}, {"quota": None}),
    ]


def test_an_override_stands_without_a_setting(cast: Cast, model: RegisteredModel) -> None:
    model.project.quota = 99
    assert over(lambda: ask(cast.bob, model, HUNDRED))["limit"] == 99


def test_nobody_but_staff_sets_quotas(cast: Cast, root: User) -> None:
    for user in (cast.alice, cast.bob, cast.charlie):
        with pytest.raises(PermissionDenied):
            set_quota(actor=user, project=cast.project, quota=1)
        with pytest.raises(PermissionDenied):
            set_quota_of_user(actor=user, user=user, quota=1)
    staff = make_user("stella")
    User.objects.filter(pk=staff.pk).update(is_staff=True)
    staff.refresh_from_db()
    for user in (staff, root):
        with pytest.raises(PermissionDenied):
            set_quota_of_user(actor=staff, user=user, quota=1)
    set_quota_of_user(actor=staff, user=cast.bob, quota=1)
    with pytest.raises(PermissionDenied):
        set_quota(actor=staff, project=cast.project, quota=1)
    for call in (
        lambda: set_quota(actor=root, project=cast.project, quota=-1),
        lambda: set_quota_of_user(actor=root, user=cast.bob, quota=-1),
    ):
        with pytest.raises(ValidationError):
            call()


@pytest.mark.parametrize("door", ["/v1/projects/vision/", "/v1/users/bob/"])
def test_no_door_of_the_api_sets_one(cast: Cast, root: User, door: str) -> None:
    for user in (cast.alice, root):
        client_of(user).patch(door, {"quota": 10**15})
    assert not Project.objects.exclude(quota=None).exists()
    assert not User.objects.exclude(quota=None).exists()


# --- Pages


def admin_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_the_admin_shows_and_sets_the_quota_of_a_project(cast: Cast, model: RegisteredModel, root: User) -> None:
    publish(cast.bob, model, {"a": b"x" * 1536})
    client, address = admin_of(root), reverse("admin:registry_project_change", args=[cast.project.pk])
    assert "1.5 KiB" in client.get(address).content.decode()
    assert saved(client.post(address, form_of(client, address) | {"quota": "2048"}))
    cast.project.refresh_from_db()
    assert cast.project.quota == 2048
    assert "1.5 KiB of 2 KiB" in client.get(address).content.decode()
    assert client.post(address, form_of(client, address) | {"quota": "-1"}).status_code == 200
    assert saved(client.post(address, form_of(client, address) | {"quota": ""}))
    cast.project.refresh_from_db()
    assert cast.project.quota is None


def test_the_admin_sets_the_quota_of_a_user(cast: Cast, root: User) -> None:
    staff = make_user("stella")
    client, address = admin_of(root), reverse("admin:accounts_user_change", args=[cast.bob.pk])
    assert client.post(address, {"is_active": "on", "quota": "5"}).status_code == 302
    cast.bob.refresh_from_db()
    assert (cast.bob.quota, cast.bob.is_active) == (5, True)
    own = reverse("admin:accounts_user_change", args=[root.pk])
    assert (
        client.post(own, {"is_active": "on", "is_staff": "on", "is_superuser": "on", "quota": "7"}).status_code == 302
    )
    root.refresh_from_db()
    assert root.quota == 7
    assert admin_of(staff).get(address).status_code == 302, "the way to sign in"


def test_settings_of_a_project_say_how_much_it_holds(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    publish(cast.bob, model, {"a": b"x" * 1536})
    browser = browser_of(cast.carol)
    assert "Storage 1.5 KiB held." in text_of(browser.get("/vision/-/settings/"))
    settings.LMVP_PROJECT_QUOTA = 2048

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert " held. Each" in text_of(browser.get("/vision/-/settings/"))
        return len(captured)

    few = queries()
    for number in range(5):
        set_quota_unasked(cast.project, None)
        settings.LMVP_PROJECT_QUOTA = None
        publish(cast.bob, cast.model(f"m{number}"), {"a": bytes([number])})
        ask(cast.bob, model, bytes([number, number]))
    settings.LMVP_PROJECT_QUOTA = 2048
    assert "Storage 1.51 KiB of 2 KiB held." in text_of(browser.get("/vision/-/settings/"))
    assert queries() == few


# --- The setting


@pytest.mark.parametrize(
    ("said", "limit"),
    [("", None), ("0", 0), ("53687091200", 50 * 2**30), ("50GB", 50 * 2**30), ("500MiB", 500 * MB), ("1.5 kb", 1536)],
)
def test_a_setting_is_bytes_or_has_a_unit(said: str, limit: int | None) -> None:
    assert settings_with(said) == (0, f"{limit}\n", "")


@pytest.mark.parametrize("said", ["50XB", "-1", "much", "1e9", "1.5", "50 GB a day", "٣GB"])
def test_a_setting_that_is_no_size_says_how_one_looks(said: str) -> None:
    code, _, error = settings_with(said)
    assert code == 1
    assert "LMVP_PROJECT_QUOTA must look like 50GB, 500MiB or 53687091200 (bytes), not " in error


def settings_with(said: str) -> tuple[int, str, str]:
    code = "from lmvp import settings; print(settings.LMVP_PROJECT_QUOTA)"
    environ = {**os.environ, "LMVP_PROJECT_QUOTA": said, "SECRET_KEY": "x"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr
