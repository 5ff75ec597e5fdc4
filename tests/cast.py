"""The people of the tests, and the shortest ways to what they work with: all through the services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from registry.models import Project, RegisteredModel, Role, Version
from registry.services.announcing import Wanted, announce
from registry.services.members import set_membership
from registry.services.projects import create_project
from registry.services.registered_models import create_model
from registry.services.uploads import receive
from registry.services.versions import File, Publication, publish_version

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Cast:
    alice: User
    carol: User
    bob: User
    dave: User
    charlie: User
    project: Project

    def model(self, name: str = "classifier") -> RegisteredModel:
        return create_model(actor=self.alice, project=self.project, name=name)


def make_user(username: str, *, verified: bool = True) -> User:
    verified_at = timezone.now() if verified else None
    return User.objects.create_user(f"{username}@example.org", username, PASSWORD, email_verified_at=verified_at)


def make_cast() -> Cast:
    alice, carol, bob, dave, charlie = map(make_user, ("alice", "carol", "bob", "dave", "charlie"))
    project = create_project(actor=alice, name="vision")
    for user, role in ((carol, Role.MAINTAINER), (bob, Role.CONTRIBUTOR), (dave, Role.VIEWER)):
        set_membership(actor=alice, project=project, user=user, role=role)
    return Cast(alice, carol, bob, dave, charlie, project)


@contextmanager
def undone() -> Iterator[None]:
    """Take back what the database was told, so that the next one finds it as this one did."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def client_of(user: User | None) -> APIClient:
    client = APIClient()
    if user:
        client.force_authenticate(user)
    return client


def send(actor: User, model: RegisteredModel, content: bytes) -> str:
    """Upload bytes as a client does; return their SHA-256."""
    (offer,) = announce(actor=actor, model=model, files=[Wanted(len(content))])
    assert offer.upload
    return receive(upload=offer.upload, chunks=[content]).sha256


def publish(actor: User, model: RegisteredModel, files: Mapping[str, bytes], **more: Any) -> Version:
    """Upload files and publish a version of them."""
    sent = [File(path, send(actor, model, content)) for path, content in files.items()]
    version, _ = publish_version(actor=actor, model=model, publication=Publication(files=sent, **more))
    return version
