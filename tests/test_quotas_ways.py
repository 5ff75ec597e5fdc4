"""Quotas hold however the bytes come: in packs, forms and artifacts, by pages, and straight to the bucket."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from registry.models import RegisteredModel, Upload, Version
from registry.services import direct, packs
from registry.services.announcing import Wanted, announce
from registry.services.projects import create_project
from registry.services.registered_models import create_model
from registry.stores.staging import Staging
from tests.cast import Cast, client_of, publish
from tests.housekeeping import digest_of
from tests.matchers import nothing_left_behind, refused
from tests.quotas import HUNDRED, ask, held, held_by, let_it_sleep, over, set_quota_unasked
from tests.reading import browser_of, text_of
from tests.tars import pack_of, send_pack
from tests.test_web_publishing import submit

MB = 2**20
MODEL = "/v1/projects/vision/models/classifier/"
UPLOADS = f"{MODEL}uploads/"


def test_a_pack_by_what_came(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    settings.LMVP_PROJECT_QUOTA = 150
    with nothing_left_behind():
        error = refused(send_pack(cast.bob, pack_of(HUNDRED, b"x" * 51)), 507, "quota_exceeded")
    assert error["fields"] == {"limit": 150, "used": 0, "wanted": 151}
    assert send_pack(cast.bob, pack_of(HUNDRED, b"x" * 50)).status_code == 200
    assert send_pack(cast.bob, pack_of(HUNDRED)).status_code == 200, "it is there already"
    assert held(cast.project) == 150


def test_a_pack_by_its_length_before_it_comes(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    settings.LMVP_PROJECT_QUOTA = MB

    def never() -> Any:
        raise AssertionError("a byte was read")
        yield

    length = 20 * MB
    found = over(lambda: packs.receive_pack(actor=cast.bob, model=model, chunks=never(), announced=length))
    assert found == {"limit": MB, "used": 0, "wanted": length}


def test_a_pack_brings_what_was_announced(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    contents = [bytes([number]) * 6 * MB for number in range(3)]
    settings.LMVP_PROJECT_QUOTA = 18 * MB
    ask(cast.bob, model, *contents)
    assert send_pack(cast.bob, pack_of(*contents)).status_code == 200
    assert held(cast.project) == 18 * MB


def test_a_form_of_files(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    settings.LMVP_PROJECT_QUOTA = 150
    files = {"files": [SimpleUploadedFile("a", HUNDRED), SimpleUploadedFile("b", b"x" * 51)]}
    with nothing_left_behind():
        answer = client_of(cast.bob).post(f"{MODEL}versions/", files, format="multipart")
        assert refused(answer, 507, "quota_exceeded")["fields"] == {"limit": 150, "used": 0, "wanted": 151}
    files = {"files": [SimpleUploadedFile("a", HUNDRED), SimpleUploadedFile("b", HUNDRED)]}
    assert client_of(cast.bob).post(f"{MODEL}versions/", files, format="multipart").status_code == 201


def test_a_form_that_is_too_long_is_refused_before_its_files(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    settings.LMVP_PROJECT_QUOTA = MB
    files = {"files": SimpleUploadedFile("a", b"x" * 20 * MB)}
    with nothing_left_behind():
        answer = client_of(cast.bob).post(f"{MODEL}versions/", files, format="multipart")
        assert refused(answer, 507, "quota_exceeded")["fields"]["wanted"] > 20 * MB


def test_the_page_that_publishes_says_it_too(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    settings.LMVP_PROJECT_QUOTA = 50
    browser = browser_of(cast.bob)
    answer = submit(browser, ("a", HUNDRED))
    assert "may hold 50 bytes and holds 0 bytes" in text_of(answer)
    assert not Version.objects.exists()
    large = submit(browser, ("a", b"x" * 17 * MB))
    assert large.status_code == 507
    assert "The quota does not allow this" in text_of(large)


def test_contents_of_artifacts(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    settings.LMVP_PROJECT_QUOTA = 150
    body = {"data": "{}", "project": "vision", "content": SimpleUploadedFile("a", b"x" * 151)}
    with nothing_left_behind():
        refused(client_of(cast.bob).post("/v1/artifacts/", body, format="multipart"), 507, "quota_exceeded")
    body["content"] = SimpleUploadedFile("a", b"x" * 150)
    made = client_of(cast.bob).post("/v1/artifacts/", body, format="multipart")
    assert made.status_code == 201, made.json()
    Upload.objects.all().delete()
    assert (held(cast.project), held_by(cast.bob)) == (150, 150)
    assert over(lambda: ask(cast.carol, model, b"1"))["used"] == 150
    artifact = f"/v1/artifacts/{made.json()['id']}/"
    assert client_of(cast.bob).put(artifact, {"data": {}, "content": None}).status_code == 200
    assert held(cast.project) == 0


def test_an_artifact_that_names_what_another_project_holds(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    other = create_model(actor=cast.bob, project=create_project(actor=cast.bob, name="speech"), name="m")
    publish(cast.bob, other, {"a": HUNDRED})
    set_quota_unasked(cast.project, 99)
    body = {"data": {}, "project": "vision", "content": {"sha256": digest_of(HUNDRED)}}
    with nothing_left_behind():
        found = refused(client_of(cast.bob).post("/v1/artifacts/", body), 507, "quota_exceeded")
    assert found["fields"] == {"limit": 99, "used": 0, "wanted": 100}
    set_quota_unasked(cast.project, 100)
    made = client_of(cast.bob).post("/v1/artifacts/", body)
    assert made.status_code == 201
    set_quota_unasked(cast.project, 0)
    again = {"data": {"a": 1}, "content": {"sha256": digest_of(HUNDRED)}}
    assert client_of(cast.bob).put(f"/v1/artifacts/{made.json()['id']}/", again).status_code == 200


# --- Uploads that go past us


def test_uploads_straight_to_the_bucket_count(
    cast: Cast,
    model: RegisteredModel,
    in_bucket: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.S3_PUBLIC_ENDPOINT_URL = in_bucket.url.replace("127.0.0.1", "localhost")
    monkeypatch.setattr(direct, "LEAST", 50)
    settings.LMVP_PROJECT_QUOTA = 150
    refused(client_of(cast.bob).post(UPLOADS, [{"size": 151}], format="json"), 507, "quota_exceeded")
    begun = noted_beginnings(monkeypatch)
    over(lambda: announce(actor=cast.bob, model=model, files=[Wanted(151)], past_us=True))
    assert begun == [], "the store was not asked"
    (offer,) = announce(actor=cast.bob, model=model, files=[Wanted(100)], past_us=True)
    assert offer.way
    assert offer.way.parts
    let_it_sleep()
    assert held(cast.project) == 100, "nobody can say whether parts come: it counts until it expires"
    assert over(lambda: ask(cast.carol, model, b"x" * 51))["used"] == 100
    assert Upload.objects.get().store_upload in begun[0]


def noted_beginnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The store's names of the uploads that are begun there from now on."""
    begun, begin = list[str](), Staging.begin

    def noted(self: Staging, upload: str) -> str:
        begun.append(begin(self, upload))
        return begun[-1]

    monkeypatch.setattr(Staging, "begin", noted)
    return begun
