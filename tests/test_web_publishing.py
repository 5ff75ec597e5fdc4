"""The page that publishes, in one form: what is written there is read, and what cannot be kept is said beside it."""

from __future__ import annotations

import hashlib
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from registry.models import Blob, Version
from registry.services.trash import delete
from tests.cast import publish, send

pytestmark = pytest.mark.django_db
PAGE = "/vision/classifier/publish/"


@pytest.fixture
def bob(cast) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.bob)
    return client


def submit(client: Client, *files: tuple[str, bytes], **said: str):
    page = client.get(PAGE)
    token = page.context["csrf_token"]
    form = {"csrfmiddlewaretoken": str(token), "base": "parent", "key": page.context["form"]["key"].value()}
    return client.post(PAGE, form | said | {"files": [SimpleUploadedFile(*file) for file in files]})


# --- Hostile first


def test_a_form_without_its_token_is_refused_and_leaves_nothing(cast, model, bob, settings) -> None:
    answer = bob.post(PAGE, {"base": "parent", "files": [SimpleUploadedFile("a", b"1")]})
    assert answer.status_code == 403
    assert not Version.objects.exists()
    assert list(settings.INCOMING_DIR.iterdir()) == []


@pytest.mark.parametrize("who", [None, "charlie", "dave"])
def test_no_byte_of_somebody_who_may_not_publish_is_kept(cast, model, settings, who) -> None:
    client = Client()
    if who:
        client.force_login(getattr(cast, who))
    answer = client.post(PAGE, {"base": "parent", "files": [SimpleUploadedFile("a", b"1")]})
    assert answer.status_code == {None: 302, "charlie": 404, "dave": 403}[who]
    assert not settings.INCOMING_DIR.exists()


def test_a_form_that_broke_off_publishes_nothing(cast, model, bob, settings) -> None:
    token = str(bob.get(PAGE).context["csrf_token"])
    body = (
        f'--x\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{token}\r\n'
        '--x\r\nContent-Disposition: form-data; name="base"\r\n\r\nparent\r\n'
        '--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nhalf of'
    )
    answer = bob.post(PAGE, body, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 400
    assert "Send it again" in answer.content.decode()
    assert not Version.objects.exists()
    assert list(settings.INCOMING_DIR.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "field", "words"),
    [
        ({"metrics": "accuracy"}, "metrics", "Line 1"),
        ({"metrics": "a = 1\n= 2"}, "metrics", "Line 2"),
        ({"metrics": "a = NaN"}, "metrics", "NaN"),
        ({"metadata": '{"a": '}, "metadata", "begins like a JSON object"),
        ({"metadata": "{" * 9000}, "metadata", "begins like a JSON object"),
        ({"listed": "[1]"}, "listed", "damaged"),
        ({"listed": '{"path": 1}'}, "listed", "damaged"),
        ({"base": "other"}, "base", "Select a valid choice"),
        ({"message": "x" * 10_001}, "message", "10000"),
        ({"alias": "3"}, None, "could be read as"),
        ({"branch": "a..b"}, None, ""),
    ],
)
def test_what_cannot_be_kept_is_said_and_nothing_is_published(cast, model, bob, said, field, words) -> None:
    answer = submit(bob, ("a", b"1"), **said)
    assert answer.status_code == 400
    assert words in str(answer.context["form"].errors[field or "__all__"])
    assert not Version.objects.exists()
    assert not Blob.objects.exists()


def test_no_files_at_all_is_said(cast, model, bob) -> None:
    answer = submit(bob, message="nothing")
    assert answer.status_code == 400
    assert "A version holds at least one file" in answer.content.decode()


def test_bytes_of_others_cannot_be_named(cast, model, bob) -> None:
    secret = send(cast.alice, model, b"secret")
    listed = json.dumps([{"path": "a", "sha256": secret}])
    answer = submit(bob, listed=listed)
    assert answer.status_code == 400
    assert "are not here" in answer.content.decode()


def test_a_viewer_meets_a_closed_door(cast, model) -> None:
    client = Client()
    client.force_login(cast.dave)
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"base": "parent"}).status_code == 403


def test_a_deleted_model_is_not_there(cast, model, bob) -> None:
    delete(actor=cast.alice, row=model)
    assert bob.get(PAGE).status_code == 404


# --- Publishing


def test_one_form_publishes_a_version(cast, model, bob) -> None:
    answer = submit(
        bob,
        ("weights.bin", b"12345"),
        message="First\n\nwith words",
        metrics="accuracy = 0.97\nnote = fine\n",
        metadata="lr = 0.1\noptimizer = adam\nlayers = [1, 2]",
        alias="staging",
        tag="release-1",
    )
    assert (answer.status_code, answer.url) == (302, "/vision/classifier/versions/1/")
    version = Version.objects.get()
    assert (version.author_name, version.branch, version.title) == ("bob", "main", "First")
    assert version.metadata == {"lr": 0.1, "optimizer": "adam", "layers": [1, 2]}
    assert {one.name: one.shown for one in version.metrics.all()} == {"accuracy": 0.97, "note": "fine"}
    assert set(version.refs.values_list("kind", "name")) == {
        ("branch", "main"),
        ("alias", "staging"),
        ("tag", "release-1"),
    }
    assert Blob.objects.get().pk == hashlib.sha256(b"12345").hexdigest()


def test_files_sent_before_are_named_in_the_form(cast, model, bob) -> None:
    digest = send(cast.bob, model, b"sent")
    answer = submit(bob, listed=json.dumps([{"path": "deep/weights.bin", "sha256": digest, "size": 4}]))
    assert answer.status_code == 302
    assert Version.objects.get().tree.files == 1


def test_the_same_form_twice_is_one_version(cast, model, bob) -> None:
    page = bob.get(PAGE)
    form = {"csrfmiddlewaretoken": str(page.context["csrf_token"]), "base": "parent", "key": "once"}
    for _ in range(2):
        answer = bob.post(PAGE, form | {"files": [SimpleUploadedFile("a", b"1")]})
        assert answer.url == "/vision/classifier/versions/1/"


def test_files_of_the_newest_version_stay_or_go(cast, model, bob) -> None:
    publish(cast.bob, model, {"old": b"1"})
    submit(bob, ("new", b"2"))
    submit(bob, ("only", b"3"), base="empty")
    assert list(Version.objects.order_by("number").values_list("tree__files", flat=True)) == [1, 2, 1]


def test_a_branch_may_begin_here(cast, model, bob) -> None:
    publish(cast.bob, model, {"old": b"1"})
    assert "wider" in bob.get(f"{PAGE}?branch=wider").content.decode()
    submit(bob, ("new", b"2"), branch="wider")
    assert Version.objects.get(number=2).branch == "wider"
