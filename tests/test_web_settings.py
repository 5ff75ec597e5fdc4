"""Settings of projects and models, and their trash: changed by whom it is given to, deleted after asking, taken back."""

from __future__ import annotations

import html
from datetime import timedelta

import pytest

from registry.models import Project, RegisteredModel, RetentionRule, Version
from registry.services import retention, trash
from registry.services.projects import create_project
from registry.services.registered_models import create_model
from tests.cast import Cast, publish
from tests.reading import browser_of, text_of
from tests.test_web_members import messages_of, queries_of

pytestmark = pytest.mark.django_db
PROJECT, MODEL = "/vision/-/settings/", "/vision/classifier/settings/"


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    """A model of three versions; no ref names the first two."""
    model = cast.model()
    for number in (b"1", b"2", b"3"):
        publish(cast.bob, model, {"a": number}, message=f"version {number.decode()}")
    return model


# --- A project


def test_maintainers_change_the_description_alone(cast: Cast) -> None:
    client = browser_of(cast.carol)
    page = client.get(PROJECT).content.decode()
    assert "Who sees it" not in page
    assert "Delete the project" not in page
    answer = client.post(PROJECT, {"description": "<script>alert(1)</script>"}, follow=True)
    assert messages_of(answer) == ["The description is saved."]
    assert "<script>alert" not in answer.content.decode()
    cast.project.refresh_from_db()
    assert cast.project.description == "<script>alert(1)</script>"


def test_a_description_may_be_taken_away(cast: Cast) -> None:
    client = browser_of(cast.carol)
    client.post(PROJECT, {"description": "x"})
    client.post(PROJECT, {"description": ""})
    cast.project.refresh_from_db()
    assert cast.project.description == ""


@pytest.mark.parametrize("said", ["x" * 10_000, "a\0b"])
def test_a_description_that_cannot_be_kept_is_said_so(cast: Cast, said: str) -> None:
    answer = browser_of(cast.carol).post(PROJECT, {"description": said})
    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.content.decode()


def test_owners_open_a_project(cast: Cast) -> None:
    answer = browser_of(cast.alice).post(f"{PROJECT}visibility/", {"visibility": "internal"}, follow=True)
    assert messages_of(answer) == ["vision is internal now."]
    assert browser_of(cast.charlie).get("/vision/").status_code == 200
    assert browser_of(cast.alice).post(f"{PROJECT}visibility/", {"visibility": "secret"}).status_code == 400


def test_a_renamed_project_is_found_by_both_names(cast: Cast) -> None:
    answer = browser_of(cast.alice).post(f"{PROJECT}rename/", {"name": "eyes"}, follow=True)
    assert answer.redirect_chain == [("/eyes/-/settings/", 302)]
    assert browser_of(cast.alice).get(PROJECT)["Location"] == "/eyes/-/settings/"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bob", "The name “bob” is taken."),
        ("trash", "a word of the site’s addresses"),
        ("No Name", "Use lower-case letters"),
        ("<script>", "Use lower-case letters"),
        ("", "This field is required."),
        ("x" * 10_000, "at most 200 characters"),
    ],
)
def test_a_name_that_cannot_be_is_said_beside_its_field(cast: Cast, name: str, words: str) -> None:
    answer = browser_of(cast.alice).post(f"{PROJECT}rename/", {"name": name})
    assert answer.status_code == 400
    assert words.replace("’", "'") in html.unescape(answer.content.decode()).replace("’", "'")
    cast.project.refresh_from_db()
    assert cast.project.name == "vision"


def test_a_personal_project_is_neither_renamed_nor_deleted(cast: Cast) -> None:
    client = browser_of(cast.bob)
    page = client.get("/bob/-/settings/").content.decode()
    assert "cannot be renamed" in page
    assert "goes with its user" in page
    assert "cannot be renamed" in text_of(client.post("/bob/-/settings/rename/", {"name": "bobs"}))
    assert "goes with its user" in text_of(client.post("/bob/-/settings/delete/", {"sure-name": "bob"}))


@pytest.mark.parametrize("typed", ["", "Vision", "vision ok", "x" * 10_000])
def test_a_project_is_not_deleted_by_another_name(cast: Cast, typed: str) -> None:
    answer = browser_of(cast.alice).post(f"{PROJECT}delete/", {"sure-name": typed})
    assert answer.status_code == 400
    assert '<details class="ask" open>' in answer.content.decode()
    assert not Project.objects.in_trash().exists()


def test_a_project_is_deleted_and_taken_back(cast: Cast, model: RegisteredModel) -> None:
    alice = browser_of(cast.alice)
    answer = alice.post(f"{PROJECT}delete/", {"sure-name": "vision"}, follow=True)
    assert answer.redirect_chain == [("/trash/", 302)]
    assert "vision deleted by alice just now, to be taken back until" in text_of(answer)
    assert alice.get("/vision/").status_code == 404
    assert "Nothing in the trash" in text_of(browser_of(cast.carol).get("/trash/"))
    assert browser_of(cast.carol).post("/trash/vision/undelete/").status_code == 404
    answer = alice.post("/trash/vision/undelete/", follow=True)
    assert answer.redirect_chain == [("/vision/", 302)]
    assert alice.get("/vision/classifier/").status_code == 200
    again = alice.post("/trash/vision/undelete/", follow=True)
    assert messages_of(again) == ["vision is not in the trash; there is nothing to take back."]


def test_days_in_the_trash_are_those_of_the_setting(cast: Cast, settings) -> None:
    settings.TRASH_LIFETIME = timedelta(days=3)
    for address in (PROJECT, "/trash/", "/vision/-/trash/"):
        assert "for 3 days" in text_of(browser_of(cast.alice).get(address))


# --- A model


def test_a_model_is_described_and_sorted(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"4"}, branch="next")
    said = {"description": "Letters", "kind": "dataset", "default_branch": "next"}
    answer = browser_of(cast.carol).post(MODEL, said, follow=True)
    assert messages_of(answer) == ["Saved."]
    model.refresh_from_db()
    assert {name: getattr(model, name) for name in said} == said


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "king"}, {"default_branch": "nowhere"}, {"description": "x" * 10_000}, {"default_branch": "x" * 10_000}],
)
def test_what_a_model_cannot_be_is_refused(cast: Cast, model: RegisteredModel, wrong: dict[str, str]) -> None:
    said = {"description": "", "kind": "model", "default_branch": "main"} | wrong
    assert browser_of(cast.carol).post(MODEL, said).status_code == 400
    model.refresh_from_db()
    assert (model.kind, model.default_branch, model.description) == ("model", "main", "")


def test_a_renamed_model_is_found_by_both_names(cast: Cast, model: RegisteredModel) -> None:
    answer = browser_of(cast.carol).post(f"{MODEL}rename/", {"name": "Reader"}, follow=True)
    assert answer.redirect_chain == [("/vision/Reader/settings/", 302)]
    assert browser_of(cast.carol).get(MODEL)["Location"] == "/vision/Reader/settings/"
    create_model(actor=cast.carol, project=cast.project, name="other")
    answer = browser_of(cast.carol).post("/vision/Reader/settings/rename/", {"name": "OTHER"})
    assert "vision has a model of the name “OTHER”" in text_of(answer)


def test_a_model_is_deleted_and_taken_back(cast: Cast, model: RegisteredModel) -> None:
    carol = browser_of(cast.carol)
    assert carol.post(f"{MODEL}delete/", {"sure-name": "vision"}).status_code == 400
    answer = carol.post(f"{MODEL}delete/", {"sure-name": "classifier"}, follow=True)
    assert answer.redirect_chain == [("/vision/-/trash/", 302)]
    assert "classifier deleted by carol just now" in text_of(answer)
    assert carol.get("/vision/classifier/").status_code == 404
    assert browser_of(cast.bob).post("/vision/-/trash/classifier/undelete/").status_code == 404
    answer = carol.post("/vision/-/trash/classifier/undelete/", follow=True)
    assert answer.redirect_chain == [("/vision/classifier/", 302)]
    assert messages_of(answer) == ["vision/classifier is back, as it was."]


def test_a_purged_model_does_not_come_back(cast: Cast, model: RegisteredModel, settings) -> None:
    trash.delete(actor=cast.carol, row=model)
    RegisteredModel.objects.update(purged_at="2026-01-01T00:00:00Z")
    answer = browser_of(cast.carol).post("/vision/-/trash/classifier/undelete/")
    assert answer.status_code == 410
    assert "was purged on 2026-01-01" in text_of(answer)


def test_a_version_is_taken_back(cast: Cast, model: RegisteredModel) -> None:
    trash.delete(actor=cast.carol, row=Version.objects.get(number=2))
    carol = browser_of(cast.carol)
    assert "v2 version 2" in text_of(carol.get("/vision/classifier/trash/"))
    answer = carol.post("/vision/classifier/trash/2/undelete/", follow=True)
    assert messages_of(answer) == ["vision/classifier v2 is back, as it was."]
    assert carol.get("/vision/classifier/versions/2/").status_code == 200
    assert carol.post("/vision/classifier/trash/99/undelete/").status_code == 404


def test_many_deleted_versions_take_no_more_queries(cast: Cast, model: RegisteredModel) -> None:
    address = "/vision/classifier/trash/"
    trash.delete(actor=cast.carol, row=Version.objects.get(number=1))
    few = queries_of(client := browser_of(cast.carol), address)
    for number in range(4, 12):
        publish(cast.bob, model, {"a": str(number).encode()})
    for version in Version.objects.filter(number__range=(2, 10)):
        trash.delete(actor=cast.alice, row=version)
    assert queries_of(client, address) == few


def test_many_deleted_projects_take_no_more_queries(cast: Cast) -> None:
    client = browser_of(cast.alice)
    few = None
    for number in range(6):
        trash.delete(actor=cast.alice, row=create_project(actor=cast.alice, name=f"old-{number}"))
        few = few or queries_of(client, "/trash/")
    assert queries_of(client, "/trash/") == few


# --- How long a model keeps versions


def test_a_rule_is_looked_at_before_it_is_set(cast: Cast, model: RegisteredModel) -> None:
    carol = browser_of(cast.carol)
    answer = carol.get(f"{MODEL}retention/?keep_last=1&keep_days=")
    assert "Keep the newest 1 version?" in text_of(answer)
    assert "2 versions with files of 2 bytes" in text_of(answer)
    assert "v2 version 2" in text_of(answer)
    assert not RetentionRule.objects.exists()
    answer = carol.post(f"{MODEL}retention/", {"keep_last": "1"}, follow=True)
    assert messages_of(answer) == ["The rule is set. The next run of collect_garbage applies it."]
    rule = RetentionRule.objects.get()
    assert (rule.keep_last, rule.keep_days) == (1, None)
    assert "set by carol just now" in text_of(answer)
    assert Version.objects.in_trash().count() == 0
    answer = carol.post(f"{MODEL}retention/delete/", follow=True)
    assert messages_of(answer) == ["The rule is gone: all versions are kept."]
    again = carol.post(f"{MODEL}retention/delete/", follow=True)
    assert messages_of(again) == ["This model has no retention rule: it keeps all its versions."]


def test_versions_that_a_rule_deleted_say_so(cast: Cast, model: RegisteredModel) -> None:
    retention.set_rule(actor=cast.carol, model=model, keep_last=1, keep_days=None)
    retention.apply_rules()
    page = text_of(browser_of(cast.carol).get("/vision/classifier/trash/"))
    assert page.count("deleted by the retention rule") == 2


@pytest.mark.parametrize(
    "query", ["", "keep_last=0", "keep_days=-1", f"keep_last={10**30}", "keep_days=x", "keep_last=%3Cb%3E"]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_rule_that_makes_no_sense_is_refused(cast: Cast, model: RegisteredModel, query: str, method: str) -> None:
    said = dict([query.split("=")]) if query else {}
    answer = getattr(browser_of(cast.carol), method)(f"{MODEL}retention/", said)
    assert answer.status_code == 400
    assert "How long versions are kept" in text_of(answer)
    assert not RetentionRule.objects.exists()
