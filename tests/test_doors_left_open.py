"""Ways in that outlive a right: invitations, signed addresses, bound tokens, uploads of another project."""

from __future__ import annotations

import hashlib
import io
import re

import pytest
from django.core import mail
from django.test import Client

from accounts.services.access_tokens import create_access_token
from registry.errors import Gone, Invalid
from registry.models import Blob, Membership, Project, Ref, Role, Upload, Version
from registry.services import members, uploads
from registry.services.announcing import Wanted, announce
from registry.services.projects import create_project
from registry.services.registered_models import create_model, find_model
from registry.services.versions import File, Publication, publish_version
from tests.cast import PASSWORD, Cast, client_of, publish, send


def invited(cast: Cast, capture, email: str, role: Role) -> str:
    """Let carol invite somebody; return the mailed token."""
    with capture(execute=True):
        members.invite(actor=cast.carol, project=cast.project, email=email, role=role)
    return re.search(r"token=(\S+?)(?:&|\s)", mail.outbox[-1].body)[1]


@pytest.mark.parametrize("role", [None, Role.CONTRIBUTOR], ids=["removed", "demoted"])
def test_invitation_dies_with_the_right_of_whoever_made_it(
    cast: Cast, role: Role | None, django_capture_on_commit_callbacks
) -> None:
    token = invited(cast, django_capture_on_commit_callbacks, "carols-other@example.org", Role.MAINTAINER)
    if role is None:
        members.remove_member(actor=cast.alice, project=cast.project, user=cast.carol)
    else:
        members.set_membership(actor=cast.alice, project=cast.project, user=cast.carol, role=role)
    with pytest.raises(Invalid, match="Ask for a new one"):
        members.accept_invitation(actor=cast.charlie, token=token)
    assert not Membership.objects.filter(user=cast.charlie, project=cast.project).exists()


def test_signed_address_of_a_switched_off_user_takes_nothing(cast: Cast) -> None:
    cast.model()
    base = "/v1/projects/vision/models/classifier/uploads/"
    (offer,) = client_of(cast.bob).post(base, [{"size": 3}]).json()
    cast.bob.is_active = False
    cast.bob.save()
    response = client_of(None).put(offer["href"], b"abc", content_type="application/octet-stream")
    assert response.status_code == 401
    assert not Blob.objects.exists()


def test_upload_cancelled_while_its_bytes_come_says_so(cast: Cast) -> None:
    (offer,) = announce(actor=cast.bob, model=cast.model(), files=[Wanted(3)])

    def chunks():
        yield b"abc"
        Upload.objects.all().delete()

    with pytest.raises(Gone) as gone:
        uploads.receive(upload=offer.upload, chunks=chunks())
    assert gone.value.code == "upload_cancelled"


def test_bound_token_does_not_reach_the_uploads_of_other_projects(cast: Cast) -> None:
    cast.model()
    elsewhere = create_model(
        actor=cast.alice, project=create_project(actor=cast.alice, name="elsewhere"), name="secret"
    )
    digest = send(cast.alice, elsewhere, b"secret bytes")
    _, text = create_access_token(actor=cast.alice, name="ci", scope="write", project="vision")
    client = client_of(None)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    body = {"files": [{"path": "stolen", "sha256": digest}]}
    response = client.post("/v1/projects/vision/models/classifier/versions/", body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "unknown_blob")
    (offer,) = client.post("/v1/projects/vision/models/classifier/uploads/", [{"size": 12, "sha256": digest}]).json()
    assert offer["status"] == "missing"


def test_protected_branch_takes_versions_of_maintainers_alone(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"1"})
    Ref.objects.filter(model=model, name="main").update(protected=True)
    with pytest.raises(Exception, match="move protected ones"):
        publish(cast.bob, model, {"a": b"2"})
    assert publish(cast.carol, model, {"a": b"3"}).number == 2


def test_web_session_publishes_with_the_csrf_token_in_the_header_alone(cast: Cast) -> None:
    cast.model()
    browser = Client(enforce_csrf_checks=True, HTTP_HOST="localhost")
    assert browser.login(username="bob@example.org", password=PASSWORD)
    browser.get("/account/")
    token = browser.cookies["csrftoken"].value
    address = "/v1/projects/vision/models/classifier/versions/"
    form = {"files": io.BytesIO(b"weights"), "paths": "w.bin"}
    refused = browser.post(address, form | {"csrfmiddlewaretoken": token})
    assert refused.status_code == 403
    form["files"].seek(0)
    answered = browser.post(address, form, headers={"X-CSRFToken": token})
    assert answered.status_code == 201, answered.content
    assert Blob.objects.get().sha256 == hashlib.sha256(b"weights").hexdigest()


def test_member_who_is_removed_while_the_files_come_publishes_nothing(cast: Cast) -> None:
    digest = send(cast.bob, cast.model(), b"1")
    found = find_model(actor=cast.bob, project="vision", name="classifier")  # as the door does, before the body comes
    members.remove_member(actor=cast.alice, project=cast.project, user=cast.bob)
    with pytest.raises(Project.DoesNotExist):
        publish_version(actor=cast.bob, model=found, publication=Publication(files=[File("a", digest)]))
    assert not Version.objects.exists()
