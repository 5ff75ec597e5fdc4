"""The client's models and versions, changed, deleted and taken back; what is kept; what is searched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lmvp.client import errors
from lmvp.client.results.models import RegisteredModel, WouldTrash
from tests.client_team import Team, make_team


@pytest.fixture
def team(live_server, cast, tmp_path, monkeypatch) -> Team:
    return make_team(live_server.url, cast, tmp_path, monkeypatch)


@pytest.fixture
def digits(team) -> str:
    for number in (1, 2, 3):
        files = team.files(config={"lr": number})
        team.alice.publish("vision/digits", files, message=f"Try {number}", metrics={"accuracy": 0.9 + number / 100})
    return "vision/digits"


def test_a_model_is_made_changed_renamed_deleted_and_taken_back(team):
    made = team.bob.create_model("vision/scans", kind="dataset", description="Pages")
    url = f"{team.server}/v1/projects/vision/models/scans/"
    assert made == RegisteredModel("vision", "scans", "dataset", "Pages", "main", 0, None, {}, made.created_at, url)
    changed = team.carol.update_model("vision/scans", description="Pages, clean")
    assert team.dave.model("vision/scans") == changed == replace(made, description="Pages, clean")
    assert str(team.carol.rename_model("vision/scans", "vision/pages")) == "vision/pages"
    assert team.dave.model("vision/scans").name == "pages"
    entry = team.carol.delete_model("vision/pages")
    assert (entry.kind, entry.name, entry.trashed_by) == ("model", "vision/pages", "carol")
    assert team.carol.trash("vision") == [entry]
    with pytest.raises(errors.NotFound):
        team.dave.model("vision/pages")
    assert team.carol.undelete_model("vision/pages").description == "Pages, clean"
    with pytest.raises(errors.AlreadyExists):
        team.bob.create_model("vision/pages")
    with pytest.raises(errors.NotFound, match=r"no project “visio” that you may see\. Did you mean vision\?"):
        team.bob.create_model("visio/pages")


def test_a_model_tells_its_newest_version_and_its_aliases(team, digits):
    team.alice.set_alias(digits, "production", 2)
    model = team.dave.model(digits)
    assert (model.versions, model.latest.number, model.latest.message, model.aliases) == (
        3,
        3,
        "Try 3",
        {"production": 2},
    )
    assert [str(one) for one in team.dave.models("vision")] == [digits]


def test_a_rule_says_what_it_would_trash(team, digits):
    assert team.carol.retention(digits) is None
    rule = team.carol.set_retention(digits, keep_last=1)
    assert (rule.keep_last, rule.keep_days, rule.set_by) == (1, None, "carol")
    assert rule.would_trash == WouldTrash(2, rule.would_trash.bytes)
    assert team.carol.retention(digits) == rule
    assert str(rule).startswith("Kept are the newest 1; it would trash 2 versions")
    team.carol.delete_retention(digits)
    assert team.carol.retention(digits) is None
    with pytest.raises(errors.PermissionDenied):
        team.bob.set_retention(digits, keep_last=1)
    with pytest.raises(errors.NotFound, match="Did you mean vision/digits"):
        team.carol.retention("vision/digts")


def test_a_version_is_deprecated_deleted_and_taken_back(team, digits):
    assert team.carol.deprecate(digits, 1, reason="wrong labels").deprecated == "wrong labels"
    assert team.dave.version(digits, 1).deprecated == "wrong labels"
    assert team.carol.undeprecate(digits, 1).deprecated is None
    with pytest.raises(errors.InUse, match="main") as refused:
        team.carol.delete_version(digits, 3)
    assert refused.value.refs
    entry = team.carol.delete_version(digits, 2)
    assert (entry.name, entry.number, entry.message) == ("vision/digits v2", 2, "Try 2")
    assert team.carol.trash(digits) == [entry]
    assert [one.number for one in team.dave.history(digits)] == [3, 1]
    assert team.carol.undelete_version(digits, 2).digest == entry.digest
    assert team.carol.trash(digits) == []


def test_a_history_is_filtered_and_ordered_by_metrics(team, digits):
    assert [one.number for one in team.dave.history(digits, order_by="metric:accuracy")] == [1, 2, 3]
    assert [one.number for one in team.dave.history(digits, where={"accuracy__lt": 0.925})] == [2, 1]
    assert team.dave.history(digits, author="bob") == []
    assert [one.number for one in team.dave.history("vision", where={"accuracy": 0.92})] == [2]
    with pytest.raises(errors.ValidationFailed):
        team.dave.history(digits, order_by="size")


def test_a_revision_with_a_typing_error_is_guessed(team, digits):
    team.alice.set_alias(digits, "production", 2)
    with pytest.raises(errors.NotFound, match=r"no revision “prodction”\. Did you mean production\?"):
        team.dave.version(digits, "prodction")
    with pytest.raises(errors.NotFound, match=r"no revision “9”\. See what it has"):
        team.dave.version(digits, 9)


def test_search_finds_what_one_may_see(team, digits):
    [model] = team.dave.search("digits", type="model")
    assert (model.type, model.name, model.place, model.version) == ("model", digits, digits, None)
    [version] = team.dave.search('"Try 2"', type="version")
    assert (version.place, version.title, version.author) == ("vision/digits@2", "Try 2", "alice")
    found = team.dave.search("config.json", model=digits)
    assert {(one.path, one.place) for one in found} == {("config.json", f"{digits}@{number}") for number in (1, 2, 3)}
    assert team.charlie.search("digits") == []
    with pytest.raises(errors.ValidationFailed):
        team.dave.search("")
