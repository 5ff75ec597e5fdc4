"""What leads to a version: numbers, names, digests; and what leads to a model or project that was renamed."""

from __future__ import annotations

import pytest

from accounts.services.access_tokens import create_access_token
from registry.models import Version
from registry.services.registered_models import update_model
from tests.cast import Cast, client_of, publish
from tests.matchers import nothing_left_behind, refused
from tests.test_doors import token_client

BASE = "/v1/projects/vision/models/classifier"


@pytest.fixture
def versions(cast: Cast) -> list[Version]:
    """Three, the first tagged, the second an alias, the third the head."""
    model = cast.model()
    return [
        publish(cast.bob, model, {"a": b"1"}, tag="release-1"),
        publish(cast.bob, model, {"a": b"2"}, alias="production"),
        publish(cast.bob, model, {"a": b"3"}),
    ]


def number_of(cast: Cast, revision: str) -> int:
    response = client_of(cast.dave).get(f"{BASE}/versions/{revision}/")
    assert response.status_code == 200, response.content
    number: int = response.json()["number"]
    return number


@pytest.mark.parametrize(
    ("revision", "number"),
    [
        ("1", 1),
        ("v1", 1),
        ("003", 3),
        ("v3", 3),
        ("latest", 3),
        ("main", 3),
        ("release-1", 1),
        ("production", 2),
    ],
)
def test_revision_names_a_version(cast: Cast, versions: list[Version], revision: str, number: int) -> None:
    assert number_of(cast, revision) == number


@pytest.mark.parametrize("length", [7, 8, 12, 40, 63, 64])
def test_digest_or_its_beginning_names_a_version(cast: Cast, versions: list[Version], length: int) -> None:
    for version in versions:
        prefix = version.digest[:length]
        if not prefix.isdigit() or length > 9:
            assert number_of(cast, prefix) == version.number


@pytest.mark.parametrize("length", [8, 40, 64])
def test_digits_of_a_digest_may_be_upper_case(cast: Cast, versions: list[Version], length: int) -> None:
    for version in versions:
        if not (prefix := version.digest[:length]).isdigit():
            assert number_of(cast, prefix.upper()) == version.number


def test_ten_digits_are_the_beginning_of_a_digest_and_nine_a_number(cast: Cast, versions: list[Version]) -> None:
    # Digests are not chosen: one version is written as if its own began with digits alone.
    first = versions[0]
    like = {"tree": first.tree, "author": first.author, "author_name": "bob", "branch": "main"}
    digest = "1234567890" + first.digest[10:]
    Version.objects.create(model=first.model, number=4, digest=digest, created_at=first.created_at, **like)
    assert number_of(cast, "1234567890") == 4
    refused(client_of(cast.dave).get(f"{BASE}/versions/123456789/"), 404, "not_found")


@pytest.mark.parametrize(
    "revision", ["4", "v4", "0", "999999999", "1234567890", "nothing", "Main", "PRODUCTION", "v", "f" * 64, "f" * 65]
)
def test_revision_that_names_nothing(cast: Cast, versions: list[Version], revision: str) -> None:
    refused(client_of(cast.dave).get(f"{BASE}/versions/{revision}/"), 404, "not_found")


def test_six_digits_are_no_digest(cast: Cast, versions: list[Version]) -> None:
    prefixes = [version.digest[:6] for version in versions]
    for prefix in (prefix for prefix in prefixes if not prefix.isdigit()):
        refused(client_of(cast.dave).get(f"{BASE}/versions/{prefix}/"), 404, "not_found")


def test_beginning_of_several_digests_is_ambiguous(cast: Cast, versions: list[Version]) -> None:
    # A pair with the same seven digits is not found by publishing: one version is written as if it were.
    first = versions[0]
    twin = Version(
        model=first.model,
        number=4,
        digest=first.digest[:-1] + ("0" if first.digest[-1] != "0" else "1"),
        tree=first.tree,
        author=first.author,
        author_name=first.author_name,
        branch="main",
        created_at=first.created_at,
    )
    twin.save()
    refused(client_of(cast.dave).get(f"{BASE}/versions/abcdef0{'0' * 3}/"), 404, "not_found")
    prefix = first.digest[:10] if not first.digest[:9].isdigit() else first.digest[:12]
    refused(client_of(cast.dave).get(f"{BASE}/versions/{prefix}/"), 400, "ambiguous_revision")
    refused(client_of(cast.bob).put(f"{BASE}/aliases/x/", {"revision": prefix}), 400, "ambiguous_revision")


def test_version_of_another_model_is_not_this_ones(cast: Cast, versions: list[Version]) -> None:
    other = publish(cast.bob, cast.model("other"), {"z": b"z"})
    refused(client_of(cast.dave).get(f"{BASE}/versions/{other.digest}/"), 404, "not_found")


# --- Renamed things


def test_former_name_of_a_model_leads_to_it(cast: Cast, versions: list[Version]) -> None:
    response = client_of(cast.carol).patch(f"{BASE}/", {"name": "reader"})
    assert (response.status_code, response.json()["name"]) == (200, "reader")
    old = client_of(cast.dave).get(f"{BASE}/versions/2/")
    assert (old.status_code, old.json()["model"]) == (200, "reader")
    assert client_of(cast.dave).get("/v1/projects/vision/models/READER/").json()["versions"] == 3


def test_former_name_of_a_model_is_reserved(cast: Cast, versions: list[Version]) -> None:
    update_model(actor=cast.carol, model=versions[0].model, name="reader")
    other = cast.model("other")
    with nothing_left_behind():
        response = client_of(cast.bob).post("/v1/projects/vision/models/", {"name": "Classifier"})
        refused(response, 400, "name_taken")
        response = client_of(cast.carol).patch(f"/v1/projects/vision/models/{other.name}/", {"name": "classifier"})
        refused(response, 400, "name_taken")


def test_model_takes_its_former_name_back(cast: Cast, versions: list[Version]) -> None:
    client = client_of(cast.carol)
    for name in ("reader", "classifier", "reader", "Reader"):
        assert client.patch(f"{BASE}/", {"name": name}).json()["name"] == name
    assert client.get("/v1/projects/vision/models/classifier/").json()["name"] == "Reader"


def test_former_names_of_a_project_lead_to_it(cast: Cast, versions: list[Version]) -> None:
    client = client_of(cast.alice)
    for old, new in (("vision", "sight"), ("sight", "eyes")):
        response = client.patch(f"/v1/projects/{old}/", {"name": new})
        assert (response.status_code, response.json()["name"]) == (200, new)
    for name in ("vision", "sight", "eyes"):
        found = client_of(cast.dave).get(f"/v1/projects/{name}/models/classifier/versions/latest/").json()
        assert (found["project"], found["number"]) == ("eyes", 3)
    assert client_of(cast.charlie).get("/v1/projects/vision/").status_code == 404


@pytest.mark.parametrize("name", ["vision", "sight"])
def test_former_name_of_a_project_is_reserved(cast: Cast, name: str) -> None:
    client_of(cast.alice).patch("/v1/projects/vision/", {"name": "sight"})
    with nothing_left_behind():
        refused(client_of(cast.charlie).post("/v1/projects/", {"name": name}), 400, "name_taken")


def test_project_takes_its_former_name_back(cast: Cast) -> None:
    client = client_of(cast.alice)
    for old, new in (("vision", "sight"), ("sight", "vision"), ("vision", "sight")):
        assert client.patch(f"/v1/projects/{old}/", {"name": new}).json()["name"] == new
    assert client.get("/v1/projects/vision/").json()["name"] == "sight"


def test_token_bound_to_a_project_follows_its_name(cast: Cast, versions: list[Version]) -> None:
    machine = token_client(cast.alice, "write", project="vision")
    client_of(cast.alice).patch("/v1/projects/vision/", {"name": "sight"})
    assert machine.get("/v1/projects/sight/").status_code == 200
    assert machine.get(f"{BASE}/versions/latest/").status_code == 200
    token, _ = create_access_token(actor=cast.alice, name="late", scope="read", project="vision")
    assert token.project_id == "sight"
