"""The client's branches, tags and aliases, moved, guarded and rolled back; restore; merge with its conflicts."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from lmvp.client import errors
from lmvp.client.results.refs import Alias, Branch, Tag
from tests.client_team import Team, make_team

NAME = "vision/digits"


@pytest.fixture
def team(live_server, cast, tmp_path, monkeypatch) -> Team:
    made = make_team(live_server.url, cast, tmp_path, monkeypatch)
    for number in (1, 2):
        made.alice.publish(NAME, made.files(config={"lr": number}), message=f"Try {number}")
    return made


def test_an_alias_is_set_guarded_protected_and_rolled_back(team):
    first, second = team.dave.version(NAME, 1), team.dave.version(NAME, 2)
    alias = team.bob.set_alias(NAME, "production", 1, expected=None, comment="first")
    assert alias == Alias("alias", "production", 1, first.digest, None, False, alias.updated_at, False, None)
    with pytest.raises(errors.StaleRef) as refused:
        team.bob.set_alias(NAME, "production", 2, expected=2)
    assert refused.value.current == 1
    assert team.bob.set_alias(NAME, "production", 2, expected=1, comment="better").digest == second.digest
    assert team.carol.protect(NAME, "production").protected
    with pytest.raises(errors.PermissionDenied):
        team.bob.rollback(NAME, "production")
    back = team.carol.rollback(NAME, "production", comment="too slow")
    assert (back.version, back.protected) == (1, True)
    assert team.dave.alias(NAME, "production") == back
    moves = [
        (one.from_number, one.to_number, one.actor, one.comment, one.rollback)
        for one in team.dave.moves(NAME, "production")
    ]
    assert moves == [
        (2, 1, "carol", "too slow", True),
        (1, 2, "bob", "better", False),
        (None, 1, "bob", "first", False),
    ]


def test_what_a_name_stood_for_is_told(team):
    team.bob.set_alias(NAME, "production", 1)
    team.bob.set_alias(NAME, "production", 2, comment="better")
    newest, first = team.dave.moves(NAME, "production")
    then = team.dave.ref_at(NAME, "production", time=newest.at - (newest.at - first.at) / 2)
    assert (then.version, then.move) == (1, first)
    assert str(team.dave.ref_at(NAME, "production")) == "production → v2"
    before = team.dave.ref_at(NAME, "production", time=first.at - timedelta(days=1))
    assert (before.version, before.digest, before.move) == (None, None, None)
    team.bob.delete_alias(NAME, "production", expected=2, comment="done")
    assert team.dave.moves(NAME, "production")[0].to_number is None


def test_an_active_alias_stands_as_files(team):
    team.carol.set_alias(NAME, "production", 1)
    active = team.carol.activate(NAME, "production")
    assert active.active
    shown = team.dave.alias(NAME, "production").materialised
    assert shown is None or (shown.version, shown.path) == (1, "vision/digits/production")
    assert not team.carol.activate(NAME, "production", active=False).active


def test_a_name_with_a_typing_error_is_guessed(team):
    team.bob.set_alias(NAME, "production", 1)
    for ask in (
        lambda: team.dave.alias(NAME, "prodction"),
        lambda: team.dave.moves(NAME, "prodction"),
        lambda: team.bob.delete_alias(NAME, "prodction"),
    ):
        with pytest.raises(
            errors.NotFound, match=r"no alias “prodction”\. Did you mean production\? It has: production"
        ):
            ask()
    with pytest.raises(errors.LMVPError, match=r"Did you mean production\?"):
        team.bob.set_alias(NAME, "staging", "prodction")
    with pytest.raises(errors.NotFound, match=r"Did you mean vision/digits\?"):
        team.dave.aliases("vision/digts")


def test_branches_begin_move_and_go(team):
    head = team.dave.version(NAME, 1)
    made = team.bob.create_branch(NAME, "wider", revision=1)
    assert made == Branch("branch", "wider", 1, head.digest, None, False, made.updated_at)
    with pytest.raises(errors.AlreadyExists):
        team.bob.create_branch(NAME, "wider")
    assert team.bob.move_branch(NAME, "wider", 2, expected=1).version == 2
    with pytest.raises(errors.PermissionDenied):
        team.bob.move_branch(NAME, "wider", 1)  # it would lose a version
    assert [(one.name, one.version) for one in team.dave.branches(NAME)] == [("main", 2), ("wider", 2)]
    assert team.carol.update_model(NAME, default_branch="wider").default_branch == "wider"
    with pytest.raises(errors.Conflict):
        team.carol.delete_branch(NAME, "wider")
    team.bob.delete_branch(NAME, "main")
    assert [one.name for one in team.dave.branches(NAME)] == ["wider"]


def test_tags_do_not_move(team):
    made = team.bob.set_tag(NAME, "paper", 1)
    assert team.dave.tags(NAME) == [made]
    assert made == Tag("tag", "paper", 1, made.digest, None, False, made.updated_at)
    with pytest.raises(errors.AlreadyExists):
        team.bob.set_tag(NAME, "paper", 2)
    assert team.carol.protect(NAME, "paper", kind="tag").protected
    assert not team.carol.protect(NAME, "paper", kind="tag", protected=False).protected
    team.bob.delete_tag(NAME, "paper")
    assert team.dave.tags(NAME) == []


def test_an_old_version_is_restored_to_a_branch_and_to_an_alias(team):
    restored = team.bob.restore(NAME, 1, message="Back")
    assert (restored.number, restored.message, team.dave.compare(NAME, 1, 3).rows()) == (3, "Back", [])
    again = team.bob.restore(NAME, 1)
    assert again.number == 3  # the branch has these files already
    alias = team.bob.restore(NAME, 2, alias="production")
    assert (alias.name, alias.version) == ("production", 2)
    with pytest.raises(errors.ValidationFailed) as refused:
        team.bob.restore(NAME, 1, branch="main", alias="production")
    assert refused.value.code == "branch_or_alias"


def branched(team: Team) -> None:
    """Let both lines change config.json, and `wider` add a file."""
    team.bob.create_branch(NAME, "wider")
    team.bob.update(NAME, team.files("wider", config={"lr": 9}, weights=np.ones(4)), branch="wider", message="Wider")


def test_a_branch_is_merged(team):
    branched(team)
    forward = team.bob.merge(NAME, "wider")
    assert (forward.outcome, forward.version.number) == ("fast_forward", 3)
    assert team.bob.merge(NAME, "wider").outcome == "up_to_date"


def test_a_conflict_names_the_paths_and_both_digests(team):
    branched(team)
    team.bob.update(NAME, team.files(config={"lr": 5}), message="Faster")
    with pytest.raises(errors.MergeConflict, match=r"config\.json") as refused:
        team.bob.merge(NAME, "wider", expected=4)
    digests = (
        {one.path: one.digest for one in team.dave.files(NAME, "wider")},
        {one.path: one.digest for one in team.dave.files(NAME, "main")},
    )
    conflict = refused.value
    assert (conflict.paths, conflict.count) == (["config.json"], 1)
    assert conflict.digests("config.json") == (digests[0]["config.json"], digests[1]["config.json"])
    with pytest.raises(errors.StaleParent) as stale:
        team.bob.merge(NAME, "wider", resolve={"config.json": "source"}, expected=2)
    assert stale.value.head["number"] == 4
    merged = team.bob.merge(NAME, "wider", resolve={"config.json": "source"}, message="Both")
    assert (merged.outcome, merged.version.number, merged.version.message) == ("merged", 5, "Both")
    assert team.dave.read_file(NAME, "config.json") == b'{\n "lr": 9\n}\n'


def test_a_merge_with_a_typing_error_is_guessed(team):
    branched(team)
    with pytest.raises(errors.LMVPError, match=r"Did you mean wider\?"):
        team.bob.merge(NAME, "wder")
    with pytest.raises(errors.ValidationFailed, match=r"Did you mean main\?"):
        team.bob.merge(NAME, "wider", "mian")
