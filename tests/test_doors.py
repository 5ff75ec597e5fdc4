"""Who may do what at every door of the API: one table. A route or method that is not in it fails the first test."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import pytest
from django.core import mail
from django.http import HttpResponse
from django.urls import URLResolver, get_resolver
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services.access_tokens import create_access_token
from registry.models import Ref, Role, Visibility
from registry.services.announcing import Wanted, announce
from registry.services.artifacts import record_artifact
from registry.services.members import invite
from registry.services.metrics import Measured
from registry.services.projects import create_project, update_project
from registry.services.recordings import Recording
from registry.services.refs import Move, delete_ref, set_ref
from registry.services.retention import set_rule
from registry.services.uploads import sign
from tests.cast import PASSWORD, Cast, client_of, publish, undone
from tests.tars import pack_of

PEOPLE = ("anonymous", "charlie", "dave", "bob", "carol", "alice")
CALLERS = (*PEOPLE, "read token", "other token")
Statuses = dict[str, int]


def statuses(*each: int) -> Statuses:
    return dict(zip(CALLERS, each, strict=True))


#                     nobody, outsider, viewer, contributor, maintainer, owner, read token, another project's token
def seeing(ok: int = 200) -> Statuses:
    return statuses(401, 404, ok, ok, ok, ok, ok, 404)


def contributing(ok: int) -> Statuses:
    return statuses(401, 404, 403, ok, ok, ok, 403, 404)


def maintaining(ok: int) -> Statuses:
    return statuses(401, 404, 403, 403, ok, ok, 403, 404)


ACCURACY = [Measured("accuracy", 0.9)]
VIEW = seeing()
MEMBERS_VIEW = seeing()  # the same for members; others of an internal or public project see no members
EVENTS_VIEW = statuses(401, 404, 403, 403, 200, 200, 200, 404)
TRASH_VIEW = statuses(401, 404, 403, 403, 200, 200, 200, 404)
OWNING = statuses(401, 404, 403, 403, 403, 200, 403, 404)
OWN_UPLOAD = statuses(401, 404, 404, 404, 404, 200, 403, 404)
LEAVING = statuses(401, 404, 204, 403, 204, 204, 403, 404)  # dave himself, or maintainers

PROJECT = "/v1/projects/<slug:project>/"
MODEL = PROJECT + "models/<str:model>/"
VERSION = MODEL + "versions/<str:revision>/"
COMPARED = {"base": "1", "head": "1", "path": "a/x"}
ARRAY = b"\x93NUMPY\x01\x00\x35\x00{'descr': '|u1', 'fortran_order': False, 'shape': ()}1"
ARTIFACT = "/v1/artifacts/<str:artifact>/"


@dataclass(frozen=True)
class Door:
    method: str
    route: str
    answers: Statuses
    body: Any = None
    place: dict[str, str] = field(default_factory=dict)
    query: str = ""

    @property
    def operation(self) -> str:
        return f"{self.method} {self.route}"

    @property
    def title(self) -> str:
        """What a test of it is called."""
        return f"{self.operation} {self.body if isinstance(self.body, dict | list) and self.body else ''}"

    @property
    def kind(self) -> str:
        """The media type of a body of bytes."""
        return "application/x-tar" if self.route.endswith("/pack/") else "application/octet-stream"

    @property
    def in_project(self) -> bool:
        """Whether it leads to something of a project: by its address, or by an artifact's."""
        return "<slug:project>" in self.route or ("artifacts/" in self.route and self.answers["charlie"] == 404)


def refs(plural: str, name: str) -> list[Door]:
    """The doors of one kind of name; one of that kind and name is there."""
    there, body = {"name": name}, {"revision": "1"}
    return [
        Door("GET", f"{MODEL}{plural}/", VIEW),
        Door("POST", f"{MODEL}{plural}/", contributing(201), {"name": "another", **body}),
        Door("POST", f"{MODEL}{plural}/", maintaining(201), {"name": "another", "protected": True, **body}),
        Door("GET", f"{MODEL}{plural}/<str:name>/", VIEW, place=there),
        Door("PUT", f"{MODEL}{plural}/<str:name>/", contributing(200), body, there),
        Door("PUT", f"{MODEL}{plural}/<str:name>/", maintaining(200), {"protected": True}, there),
        Door("DELETE", f"{MODEL}{plural}/<str:name>/", contributing(204), None, there),
        Door("GET", f"{MODEL}{plural}/<str:name>/moves/", VIEW, place=there),
        Door("GET", f"{MODEL}{plural}/<str:name>/at/", VIEW, place=there),
    ]


DOORS = [
    Door("GET", "/v1/projects/", statuses(200, 200, 200, 200, 200, 200, 200, 200)),
    Door("POST", "/v1/projects/", statuses(401, 201, 201, 201, 201, 201, 403, 403), {"name": "another"}),
    Door("GET", PROJECT, VIEW),
    Door("PATCH", PROJECT, maintaining(200), {"description": "Seeing"}),
    Door("PATCH", PROJECT, OWNING, {"visibility": "public"}),
    Door("PATCH", PROJECT, OWNING, {"name": "sight"}),
    Door("GET", PROJECT + "members/", MEMBERS_VIEW),
    Door("POST", PROJECT + "members/", maintaining(201), {"username": "charlie", "role": "viewer"}),
    Door("PATCH", PROJECT + "members/<slug:username>/", maintaining(200), {"role": "contributor"}),
    Door("DELETE", PROJECT + "members/<slug:username>/", LEAVING),
    Door("GET", PROJECT + "invitations/", EVENTS_VIEW),
    Door("POST", PROJECT + "invitations/", maintaining(201), {"email": "new@example.org", "role": "viewer"}),
    Door("DELETE", PROJECT + "invitations/<int:pk>/", maintaining(204)),
    Door("POST", "/v1/invitations/accept/", statuses(401, 200, 200, 200, 200, 200, 403, 403), {"token": "MAILED"}),
    Door("GET", PROJECT + "events/", EVENTS_VIEW),
    Door("GET", PROJECT + "models/", VIEW),
    Door("POST", PROJECT + "models/", contributing(201), {"name": "another"}),
    Door("GET", MODEL, VIEW),
    Door("PATCH", MODEL, maintaining(200), {"description": "Digits"}),
    Door("POST", MODEL + "uploads/", contributing(200), [{"size": 3}]),
    Door("POST", MODEL + "uploads/pack/", contributing(200), pack_of(b"abc")),
    Door("GET", "/v1/uploads/<uuid:pk>/", {**OWN_UPLOAD, "read token": 200}),
    Door("PUT", "/v1/uploads/<uuid:pk>/", OWN_UPLOAD, b"abc"),
    Door("PATCH", "/v1/uploads/<uuid:pk>/", {**OWN_UPLOAD, "alice": 400}, b"abc"),  # it does not say where they begin
    Door("POST", "/v1/uploads/<uuid:pk>/complete/", {**OWN_UPLOAD, "alice": 400}, {}),  # it came here, not to a bucket
    Door("DELETE", "/v1/uploads/<uuid:pk>/", {**OWN_UPLOAD, "alice": 204}),
    Door("GET", MODEL + "versions/", VIEW),
    Door("POST", MODEL + "versions/", contributing(201), {"files": [{"path": "b", "sha256": "STORED"}]}),
    Door("GET", VERSION, VIEW),
    Door("GET", VERSION + "lineage/", VIEW),
    Door("GET", VERSION + "tree/", VIEW),
    Door("GET", VERSION + "tree/<path:path>", VIEW, place={"path": "a"}),
    Door("GET", VERSION + "files/<path:path>", VIEW, place={"path": "a/x"}),
    Door("GET", VERSION + "archive/", VIEW),
    Door("POST", VERSION + "pack/", VIEW, {"paths": ["a/x"]}),
    Door("GET", MODEL + "compare/<str:base>...<str:head>/", VIEW, place={"base": "1", "head": "1"}),
    Door("GET", MODEL + "compare/<str:base>...<str:head>/files/<path:path>", VIEW, place=COMPARED),
    Door("GET", MODEL + "compare/", VIEW, query="?versions=1,main"),
    Door("GET", VERSION + "inspect/<path:path>", VIEW, place={"path": "a/weights.npy"}),
    Door("GET", VERSION + "card/", VIEW),
    Door("GET", VERSION + "metrics/", VIEW),
    Door("GET", MODEL + "metrics/", VIEW),
    Door("GET", MODEL + "best/", VIEW, query="?metric=accuracy"),
    Door("POST", VERSION + "metrics/", contributing(201), [{"name": "loss", "value": 0.5}]),
    *refs("branches", "draft"),
    *refs("tags", "release"),
    *refs("aliases", "production"),
    Door("PUT", MODEL + "aliases/<str:name>/", contributing(200), {"active": True}, {"name": "production"}),
    Door(
        "POST", MODEL + "aliases/<str:name>/rollback/", contributing(200), {"comment": "too slow"}, {"name": "former"}
    ),
    Door("PATCH", MODEL, maintaining(200), {"default_branch": "draft"}),
    Door("POST", VERSION + "restore/", contributing(200), {"branch": "main"}),
    Door("POST", VERSION + "restore/", contributing(200), {"alias": "production"}),
    Door("POST", MODEL + "merge/", contributing(200), {"source": "1", "target": "main"}),
    Door("GET", "/v1/search/", statuses(*[200] * 8), query="?q=classifier"),  # for everybody: what each may see
    Door("DELETE", PROJECT, OWNING),
    Door("DELETE", MODEL, maintaining(200)),
    Door("DELETE", VERSION, maintaining(409)),  # a branch names it
    Door("GET", "/v1/trash/", statuses(401, 200, 200, 200, 200, 200, 200, 200)),
    Door("GET", PROJECT + "trash/", TRASH_VIEW),
    Door("GET", MODEL + "trash/", TRASH_VIEW),
    Door("POST", PROJECT + "undelete/", {**OWNING, "alice": 409}),  # it is in no trash
    Door("POST", MODEL + "undelete/", maintaining(409)),
    Door("POST", VERSION + "undelete/", maintaining(409)),
    Door("PATCH", VERSION, maintaining(200), {"deprecated": "drifted"}),
    Door("GET", MODEL + "retention/", TRASH_VIEW),
    Door("PUT", MODEL + "retention/", maintaining(200), {"keep_last": 3}),
    Door("DELETE", MODEL + "retention/", maintaining(204)),
    Door("POST", PROJECT + "uploads/", contributing(200), [{"size": 3}]),
    Door("GET", PROJECT + "hierarchies/", VIEW),
    Door("POST", PROJECT + "hierarchies/", contributing(201), {"name": "runs", "level_labels": {"0": "run"}}),
    Door("GET", "/v1/artifacts/", statuses(200, 200, 200, 200, 200, 200, 200, 200)),
    Door("POST", "/v1/artifacts/", contributing(201), {"project": "vision", "data": {}}),
    Door("POST", "/v1/artifacts/$tree/", VIEW, {"root_id": "ARTIFACT"}),
    Door("GET", ARTIFACT, VIEW),
    Door("PUT", ARTIFACT, contributing(200), {"data": {"n": 1}}),
    Door("DELETE", ARTIFACT, contributing(204)),
    Door("GET", ARTIFACT + "$tree/", VIEW),
    Door("GET", ARTIFACT + "$expand/", VIEW),
    Door("GET", ARTIFACT + "$metadata/", VIEW),
    Door("GET", ARTIFACT + "$download/", VIEW),
]


def operations(prefix: str, resolver: URLResolver | None = None) -> Iterator[str]:
    """Every method of every route below a prefix of the site."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = f"{prefix}{entry.pattern}"
        if isinstance(entry, URLResolver):
            yield from operations(route, entry)
        elif route.startswith(("/v1/", "/auth/")):
            yield from (f"{method.upper()} {route}" for method in sorted(_methods(entry.callback)))


def _methods(view: Any) -> set[str]:
    view_class = view.cls
    named = set(getattr(view, "actions", None) or {})
    return (named or {name for name in view_class.http_method_names if hasattr(view_class, name)}) - {"head", "options"}


def test_every_route_and_method_stands_in_the_tables() -> None:
    known = {door.operation for door in [*DOORS, *ACCOUNT_DOORS]}
    assert set(operations("/")) == known


# --- Registry


@dataclass(frozen=True)
class Place:
    """The cast with one of everything: a version, its names, an invitation, an upload under way."""

    cast: Cast
    stored: str
    mailed: str
    invitation: int
    upload: str
    href: str
    artifact: str

    def url(self, door: Door) -> str:
        pk = self.upload if "uuid" in door.route else str(self.invitation)
        values = {"project": "vision", "model": "classifier", "revision": "1", "username": "dave", "pk": pk}
        values["artifact"] = self.artifact
        return re.sub(r"<\w+:(\w+)>", lambda match: (values | door.place)[match[1]], door.route) + door.query

    def body(self, door: Door) -> Any:
        if door.body == {"token": "MAILED"}:
            return {"token": self.mailed}
        if door.body == {"root_id": "ARTIFACT"}:
            return {"root_id": self.artifact}
        if isinstance(door.body, dict) and "files" in door.body:
            return {"files": [{"path": "b", "sha256": self.stored}]}
        return door.body


@pytest.fixture
def place(cast: Cast, django_capture_on_commit_callbacks) -> Place:
    model = cast.model()
    files = {"a/x": b"1", "a/weights.npy": ARRAY, "README.md": b"# Seeing"}
    version = publish(cast.alice, model, files, tag="release", alias="production", metrics=ACCURACY)
    set_ref(actor=cast.alice, model=model, move=Move("branch", "draft", "1"))
    set_ref(actor=cast.alice, model=model, move=Move("alias", "former", "1"))
    delete_ref(actor=cast.alice, model=model, kind="alias", name="former")
    with django_capture_on_commit_callbacks(execute=True):
        invitation = invite(actor=cast.alice, project=cast.project, email="somebody@example.org", role=Role.VIEWER)
    mailed = re.search(r"token=([\w-]+)", mail.outbox[-1].body)
    (offer,) = announce(actor=cast.alice, model=model, files=[Wanted(3)])
    set_rule(actor=cast.alice, model=model, keep_last=5, keep_days=None)
    assert mailed
    assert offer.upload
    stored = version.model.occurrences.get(path="a/x").digest
    query = "&".join(f"{key}={value}" for key, value in sign(offer.upload).items())
    href = f"/v1/uploads/{offer.upload.pk}/?{query}"
    recording = Recording(data={"content": {"n": 1}}, project="vision")
    artifact = record_artifact(actor=cast.alice, recording=recording)
    return Place(cast, stored, mailed[1], invitation.pk, str(offer.upload.pk), href, artifact.pk)


def caller(cast: Cast, name: str) -> APIClient:
    """Who knocks; the two tokens are real ones, in an Authorization header."""
    if name == "anonymous":
        return client_of(None)
    if name == "read token":
        return token_client(cast.alice, "read")
    if name == "other token":
        create_project(actor=cast.alice, name="elsewhere")
        return token_client(cast.alice, "write", project="elsewhere")
    return client_of(getattr(cast, name))


def token_client(user: User, scope: str, project: str | None = None) -> APIClient:
    _, text = create_access_token(actor=user, name="machine", scope=scope, project=project)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def knock(client: APIClient, place: Place, door: Door) -> HttpResponse:
    body, method = place.body(door), door.method.lower()
    if isinstance(body, bytes):
        return client.generic(door.method, place.url(door), body, door.kind)
    response: HttpResponse = getattr(client, method)(place.url(door), body, format="json" if body else None)
    return response


def check_error(response: HttpResponse) -> None:
    if response.status_code >= 400:
        assert response["Content-Type"] == "application/json"
        assert set(response.json()["error"]) >= {"code", "message"}
    if response.status_code == 401:
        assert response["WWW-Authenticate"].startswith("Bearer")


def answers(place: Place, door: Door, names: Iterable[str]) -> dict[str, int]:
    """Return what each caller is answered, as if nobody had knocked before."""
    found = {}
    for name in names:
        with undone():
            response = knock(caller(place.cast, name), place, door)
            check_error(response)
            found[name] = response.status_code
    return found


@pytest.mark.parametrize("door", DOORS, ids=attrgetter("title"))
def test_private_project(place: Place, door: Door) -> None:
    assert answers(place, door, CALLERS) == {name: door.answers[name] for name in CALLERS}


@pytest.mark.parametrize("visibility", [Visibility.INTERNAL, Visibility.PUBLIC])
@pytest.mark.parametrize("door", DOORS, ids=attrgetter("title"))
def test_project_that_is_open_to_others(place: Place, door: Door, visibility: str) -> None:
    update_project(actor=place.cast.alice, project=place.cast.project, visibility=visibility)
    names = ("anonymous", "charlie")
    assert answers(place, door, names) == {name: _open_answer(door, visibility, name) for name in names}


def _open_answer(door: Door, visibility: str, name: str) -> int:
    if not door.in_project:
        return door.answers[name]  # nothing of a project: lists, uploads, invitations
    if door.answers is VIEW and (visibility == Visibility.PUBLIC or name != "anonymous"):
        return 200
    return 401 if name == "anonymous" else 403


@pytest.mark.parametrize("answer", ["bytes", "archive", "listing"])
def test_anonymous_may_read_all_of_a_public_project(place: Place, answer: str) -> None:
    update_project(actor=place.cast.alice, project=place.cast.project, visibility=Visibility.PUBLIC)
    below = {"bytes": "files/a/x", "archive": "archive/", "listing": "tree/"}[answer]
    response = client_of(None).get(f"/v1/projects/vision/models/classifier/versions/1/{below}")
    assert response.status_code == 200
    if answer == "bytes":
        assert b"".join(response.streaming_content) == b"1"
    elif answer == "archive":
        assert b"".join(response.streaming_content).startswith(b"PK")
    else:
        assert [entry["path"] for entry in response.json()["results"]] == ["README.md", "a"]


@pytest.mark.parametrize("path", ["projects/nothing/", "projects/vision/models/nothing/", "projects/nothing/models/x/"])
def test_anonymous_cannot_learn_what_exists(cast: Cast, api: APIClient, path: str) -> None:
    there, missing = api.get("/v1/projects/vision/"), api.get(f"/v1/{path}")
    assert (missing.status_code, missing.json()) == (there.status_code, there.json())


def test_outsider_cannot_learn_that_a_private_project_exists(cast: Cast) -> None:
    client = client_of(cast.charlie)
    there, missing = client.get("/v1/projects/vision/"), client.get("/v1/projects/nothing/")
    assert (missing.status_code, missing.json()) == (there.status_code, there.json())


def test_signed_address_takes_the_bytes_without_an_account(place: Place) -> None:
    sent = client_of(None).generic("PUT", place.href, b"abc", "application/octet-stream")
    assert (sent.status_code, sent.json()["status"]) == (200, "stored")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_signed_address_is_for_sending_alone(place: Place, method: str) -> None:
    assert client_of(None).generic(method, place.href).status_code == 401


@pytest.mark.parametrize(
    ("name", "status"), [("dave", 403), ("bob", 403), ("carol", 200), ("alice", 200), ("read token", 403)]
)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_protected_name_is_for_maintainers(place: Place, method: str, name: str, status: int) -> None:
    Ref.objects.filter(name="production").update(protected=True)
    url = "/v1/projects/vision/models/classifier/aliases/production/"
    response = caller(place.cast, name).generic(method, url, b'{"revision": "1"}', "application/json")
    assert response.status_code == (204 if method == "DELETE" and status == 200 else status)


def test_contributor_cannot_move_a_protected_name_by_publishing(place: Place) -> None:
    Ref.objects.filter(name="production").update(protected=True)
    body = {"files": [{"path": "b", "sha256": place.stored}], "alias": "production"}
    response = client_of(place.cast.bob).post("/v1/projects/vision/models/classifier/versions/", body)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "role_too_low")
    assert Ref.objects.get(name="main").version.number == 1
    set_ref(actor=place.cast.carol, model=Ref.objects.get(name="main").model, move=Move("alias", "production", "1"))


# --- Accounts


ACCOUNT_CALLERS = ("anonymous", "charlie", "read token", "write token", "staff", "superuser")


def account(*each: int) -> Statuses:
    return dict(zip(ACCOUNT_CALLERS, each, strict=True))


ANYBODY = account(400, 400, 400, 400, 400, 400)  # an empty body gets as far as being read
SIGNED_IN = account(401, 200, 200, 200, 200, 200)
NO_TOKEN = account(401, 200, 403, 403, 200, 200)
STAFF = account(401, 403, 403, 403, 200, 200)
NEW_USER = {"email": "new@example.org", "username": "newcomer", "password": PASSWORD}

ACCOUNT_DOORS = [
    Door("POST", "/auth/register/", ANYBODY, {}),
    Door("POST", "/auth/email-verify/", ANYBODY, {}),
    Door("POST", "/auth/email-verify/resend/", ANYBODY, {}),
    Door("POST", "/auth/login/", ANYBODY, {}),
    Door("POST", "/auth/token/refresh/", ANYBODY, {}),
    Door("POST", "/auth/logout/", ANYBODY, {}),
    Door("POST", "/auth/password/reset/", ANYBODY, {}),
    Door("POST", "/auth/password/reset/confirm/", ANYBODY, {}),
    Door("POST", "/auth/password/change/", account(401, 400, 403, 403, 400, 400), {}),
    Door("GET", "/auth/me/", SIGNED_IN),
    Door("GET", "/auth/tokens/", NO_TOKEN),
    Door("POST", "/auth/tokens/", account(401, 201, 403, 403, 201, 201), {"name": "mine", "scope": "read"}),
    Door("DELETE", "/auth/tokens/<int:pk>/", account(401, 404, 403, 403, 404, 404)),  # somebody else's
    Door("POST", "/v1/token/", ANYBODY, {}),
    Door("GET", "/v1/users/", STAFF),
    Door("POST", "/v1/users/", account(401, 403, 403, 403, 201, 201), NEW_USER),
    Door("POST", "/v1/users/", account(401, 403, 403, 403, 403, 201), {**NEW_USER, "roles": ["admin"]}),
    Door("PATCH", "/v1/users/<slug:username>/", account(401, 403, 403, 403, 200, 200), {"is_active": False}),
    Door("PATCH", "/v1/users/<slug:username>/", account(401, 403, 403, 403, 403, 200), {"is_staff": True}),
]


@pytest.mark.parametrize("door", ACCOUNT_DOORS, ids=attrgetter("title"))
def test_accounts(cast: Cast, door: Door) -> None:
    token, _ = create_access_token(actor=cast.alice, name="hers", scope="read")
    url, found = door.route.replace("<int:pk>", str(token.pk)).replace("<slug:username>", "dave"), {}
    for name in ACCOUNT_CALLERS:
        with undone():
            response = getattr(_account_caller(cast, name), door.method.lower())(url, door.body, format="json")
            check_error(response)
            found[name] = response.status_code
    assert found == door.answers


def _account_caller(cast: Cast, name: str) -> APIClient:
    if name in ("read token", "write token"):
        return token_client(cast.alice, name.split()[0])
    if name in ("staff", "superuser"):
        flags = {"is_staff": True, "is_superuser": name == "superuser"}
        User.objects.filter(pk=cast.carol.pk).update(**flags)
        return client_of(User.objects.get(pk=cast.carol.pk))
    return client_of(cast.charlie if name == "charlie" else None)


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer lmvp_nonsense", "Basic bm86dGhpbmc=", "Digest x", "x"])
@pytest.mark.parametrize("path", ["/v1/projects/", "/v1/projects/vision/", "/auth/me/"])
def test_wrong_credentials_are_refused_anywhere(cast: Cast, api: APIClient, path: str, header: str) -> None:
    update_project(actor=cast.alice, project=cast.project, visibility=Visibility.PUBLIC)
    response = api.get(path, headers={"Authorization": header})
    assert (response.status_code, response.json()["error"]["code"]) == (401, "token_invalid")
