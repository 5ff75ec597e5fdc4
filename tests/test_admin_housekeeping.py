"""Housekeeping in the admin: superusers take back, purge, collect and verify; others see nothing of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from registry.models import Blob, Event, Project, RegisteredModel, Version
from registry.services import trash
from registry.services.alone import run_alone
from tests.cast import Cast, make_user, publish, send
from tests.housekeeping import digest_of, everything, is_kept, let_grace_pass, path_of

PAGE = reverse("admin:registry_housekeeping")


@pytest.fixture
def root(db: None) -> User:
    user = make_user("rooty")
    user.is_staff = user.is_superuser = True
    user.save()
    return user


@pytest.fixture
def admin(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    model = cast.model()
    for content in (b"1", b"2"):
        publish(cast.bob, model, {"a": content})
    return model


def act(client: Client, action: str, row: Any, **more: str) -> list[str]:
    """Do an action of a list to one row; return what the next page says."""
    address = reverse(f"admin:registry_{row._meta.model_name}_changelist")
    response = client.post(address, {"action": action, "_selected_action": [row.pk], **more}, follow=True)
    assert response.status_code == 200
    return [str(message) for message in response.context["messages"]] if "messages" in response.context else []


@pytest.mark.parametrize("kind", [Project, RegisteredModel, Version])
def test_superuser_takes_back_what_was_deleted(admin: Client, cast: Cast, model: RegisteredModel, root, kind) -> None:
    row = kind.objects.order_by("pk").first()
    trash.delete(actor=cast.alice, row=row)
    assert act(admin, "take_back", row) == ["1 taken back."]
    row.refresh_from_db()
    assert row.trashed_at is None
    assert (Event.objects.first().action.split(".")[1], Event.objects.first().actor) == ("undeleted", root)
    assert "not in the trash" in act(admin, "take_back", row)[0]


@pytest.mark.parametrize("kind", [Project, RegisteredModel, Version])
def test_superuser_purges_after_confirming(admin: Client, cast: Cast, model: RegisteredModel, root, kind) -> None:
    row = kind.objects.order_by("pk").first()
    trash.delete(actor=cast.alice, row=row)
    act(admin, "purge_now", row)
    row.refresh_from_db()
    assert row.purged_at is None, "a page asks first"
    assert act(admin, "purge_now", row, confirmed="Purge now")[0].startswith("1 purged.")
    row.refresh_from_db()
    assert row.purged_at
    assert Event.objects.first().actor == root
    assert Version.objects.get(number=1).purged_at


def test_what_is_not_in_the_trash_is_not_purged(admin: Client, cast: Cast, model: RegisteredModel) -> None:
    row = Version.objects.get(number=1)
    said = act(admin, "purge_now", row, confirmed="Purge now")
    assert "is not in the trash" in said[0]
    row.refresh_from_db()
    assert row.purged_at is None


def test_nothing_is_purged_while_the_collector_is_at_work(admin: Client, cast: Cast, model: RegisteredModel) -> None:
    row = trash.delete(actor=cast.alice, row=Version.objects.get(number=1))
    with run_alone("collect"):
        said = act(admin, "purge_now", row, confirmed="Purge now")
    assert (said[0].startswith("Another run"), said[1].startswith("0 purged.")) == (True, True)
    row.refresh_from_db()
    assert row.purged_at is None


def test_trash_is_listed(admin: Client, cast: Cast, model: RegisteredModel) -> None:
    row = trash.delete(actor=cast.alice, row=Version.objects.get(number=1))
    listed = admin.get(reverse("admin:registry_version_changelist") + "?trashed_at__isempty=0")
    assert list(listed.context["cl"].result_list) == [row]
    assert "alice" in admin.get(reverse("admin:registry_version_change", args=[row.pk])).content.decode()


def test_page_says_what_would_go_and_then_deletes_it(admin: Client, cast: Cast, model: RegisteredModel) -> None:
    send(cast.bob, model, b"abandoned")
    let_grace_pass()
    assert PAGE in admin.get(reverse("admin:registry_blob_changelist")).content.decode()
    before = everything()
    told = admin.post(PAGE, {"work": "rehearse"}, follow=True).content.decode()
    assert "1 files that nothing uses would be deleted: 9 bytes" in told
    after = everything()
    assert {**after, "Session": 0} == {**before, "Session": 0}
    told = admin.post(PAGE, {"work": "collect"}, follow=True).content.decode()
    assert "1 files that nothing uses deleted: 9 bytes" in told
    assert not is_kept(b"abandoned")


def test_page_and_action_verify(admin: Client, cast: Cast, model: RegisteredModel, root) -> None:
    path_of(b"1").unlink()
    told = admin.post(PAGE, {"work": "verify"}, follow=True).content.decode()
    assert f"Missing: {digest_of(b'1')}" in told
    assert Event.objects.first().actor == root
    path_of(b"1").write_bytes(b"1")
    said = act(admin, "verify_selected", Blob.objects.get(pk=digest_of(b"1")))
    assert said == ["1 files are whole again", "1 files of 1 bytes verified, 0 of them not well"]


def test_nonsense_does_nothing(admin: Client, cast: Cast, model: RegisteredModel) -> None:
    before = everything()
    assert admin.post(PAGE, {"work": "everything"}).status_code == 302
    assert everything() == before


def test_staff_who_are_no_superusers_do_none_of_it(cast: Cast, model: RegisteredModel) -> None:
    staff = make_user("staffer")
    staff.is_staff = True
    staff.save()
    staff.user_permissions.set(Permission.objects.all())
    client = Client()
    client.force_login(staff)
    row = trash.delete(actor=cast.alice, row=Version.objects.get(number=1))
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"work": "collect"}).status_code == 403
    for action in ("take_back", "purge_now"):
        act(client, action, row, confirmed="yes")
    act(client, "verify_selected", Blob.objects.first())
    row.refresh_from_db()
    assert (row.trashed_at is not None, row.purged_at) == (True, None)
    assert not Blob.objects.exclude(verified_at=None).exists()
    assert PAGE not in client.get(reverse("admin:registry_blob_changelist")).content.decode()
