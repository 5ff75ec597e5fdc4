"""The client and the command line against the real server, over real HTTP: publish, see it, get it back."""

import hashlib
import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lmvp.client import cli, errors
from lmvp.client.api import Client
from registry.models import Blob, RegisteredModel, Version
from registry.services.deprecation import deprecate_version
from tests.cast import PASSWORD
from tests.client_home import client_with_token

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture
def alice(live_server, cast) -> Client:
    return client_with_token(live_server.url, cast.alice)


@pytest.fixture
def bob(live_server, cast) -> Client:
    return client_with_token(live_server.url, cast.bob)


@pytest.fixture
def charlie(live_server, cast) -> Client:
    return client_with_token(live_server.url, cast.charlie)


@pytest.fixture
def weights(tmp_path) -> Path:
    directory = tmp_path / "weights"
    (directory / "deep").mkdir(parents=True)
    np.savez(directory / "weights.npz", w=np.arange(1000.0))
    (directory / "deep" / "config.json").write_text('{"width": 64}')
    (directory / "empty.txt").touch()
    (directory / "100% größe #1?.bin").write_bytes(os.urandom(3_000_000))
    return directory


def contents(directory: Path) -> dict[str, bytes]:
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


# --- The main job


def test_what_is_published_comes_back_byte_for_byte(alice, bob, weights, tmp_path):
    version = alice.publish(
        "vision/digits",
        weights,
        message="First\n\nWith all its files.",
        metrics={"accuracy": 0.95, "loss": [1.0, 0.5], "note": "fine"},
        metadata={"width": np.int64(64)},
        alias="production",
        tag="paper",
    )
    assert (version.name, version.number, version.author, version.branch) == ("vision/digits", 1, "alice", "main")
    assert version.metrics == {"accuracy": 0.95, "loss": 0.5, "note": "fine"}
    assert version.metadata == {"width": 64}
    assert {(ref.kind, ref.name) for ref in version.refs} == {
        ("branch", "main"),
        ("alias", "production"),
        ("tag", "paper"),
    }
    assert (version.files_count, version.size) == (4, sum(map(len, contents(weights).values())))

    cached = bob.download("vision/digits", revision="production")
    placed = bob.download("vision/digits", revision=1, path=tmp_path / "mine")
    assert contents(cached.path) == contents(placed.path) == contents(weights)
    assert sorted(cached.files) == sorted(contents(weights))
    assert cached.version == version
    assert cached.load("weights.npz")["w"].tolist() == list(map(float, range(1000)))
    assert cached.load("deep/config.json") == {"width": 64}


def test_what_a_version_was_made_from_is_named_and_found_again(alice, weights):
    scans = alice.publish("vision/scans", weights / "empty.txt", kind="dataset")
    alice.publish("vision/base", weights / "weights.npz")
    local = alice.download("vision/base")
    alice.publish("vision/digits", weights / "weights.npz", derived_from=["vision/scans@latest", local])
    alice.update("vision/digits", weights, derived_from=scans)
    found = alice.lineage("vision/digits", 1, depth=1)
    assert found.root == "vision/digits@1"
    assert {(edge.start, edge.end, edge.kind) for edge in found.edges} == {
        ("vision/scans@1", "vision/digits@1", "derived"),
        ("vision/base@1", "vision/digits@1", "derived"),
        ("vision/digits@1", "vision/digits@2", "parent"),
        ("vision/scans@1", "vision/digits@2", "derived"),
    }
    with pytest.raises(errors.ValidationFailed) as refused:
        alice.update("vision/digits", weights, derived_from=["vision/nothing@1"])
    assert refused.value.code == "unknown_source"


def test_a_single_file_is_published_under_its_name(alice, weights):
    version = alice.publish("vision/digits", weights / "weights.npz")
    assert version.message == "Publish weights.npz"
    assert alice.download("vision/digits").files == ["weights.npz"]


def test_a_new_version_holds_exactly_what_the_path_holds(alice, weights):
    alice.publish("vision/digits", weights)
    (weights / "empty.txt").unlink()
    (weights / "new.txt").write_text("new")
    alice.update("vision/digits", weights)
    assert contents(alice.download("vision/digits").path) == contents(weights)
    assert [version.number for version in alice.history("vision/digits")] == [2, 1]


def test_bytes_that_are_there_are_not_sent_again(alice, weights):
    alice.publish("vision/digits", weights)
    before = set(Blob.objects.values_list("pk", flat=True))
    (weights / "new.txt").write_text("new")
    alice.update("vision/digits", weights)
    added = set(Blob.objects.values_list("pk", flat=True)) - before
    assert added == {hashlib.sha256(b"new").hexdigest()}


def test_many_small_files_go_and_come(alice, tmp_path):
    for number in range(260):  # more than one page of the listing
        path = tmp_path / "many" / f"{number % 7}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number % 40}")  # several names for the same bytes
    alice.publish("vision/many", tmp_path / "many")
    assert contents(alice.download("vision/many").path) == contents(tmp_path / "many")


# --- People and each other


def test_a_newer_version_of_somebody_else_is_a_conflict_and_not_hidden(alice, bob, weights, tmp_path):
    alice.publish("vision/digits", weights)
    hers = alice.download("vision/digits", path=tmp_path / "hers")
    his = bob.download("vision/digits", path=tmp_path / "his")
    (his.path / "his.txt").write_text("his")
    bob.update("vision/digits", his)
    (hers.path / "hers.txt").write_text("hers")
    with pytest.raises(errors.Conflict, match=r"version 2 is the newest on main now"):
        alice.update("vision/digits", hers)
    assert alice.update("vision/digits", hers.path).number == 3


def test_a_local_model_may_be_published_again_and_again(alice, weights, tmp_path):
    alice.publish("vision/digits", weights)
    local = alice.download("vision/digits", path=tmp_path / "mine")
    for step in range(3):
        (local.path / "step.txt").write_text(str(step))
        alice.update("vision/digits", local, message=f"Step {step}")
    assert local.version.number == 4
    assert "step.txt" in local.files


def test_two_publishers_without_a_parent_both_go_in(alice, bob, weights):
    alice.publish("vision/digits", weights)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda client: client.update("vision/digits", weights), [alice, bob]))
    assert sorted(version.number for version in done) == [2, 3]


def test_an_outsider_learns_nothing_and_is_told_what_to_do(alice, charlie, weights):
    alice.publish("vision/digits", weights)
    with pytest.raises(errors.NotFound, match=r"no model vision/digits that you may see"):
        charlie.download("vision/digits")
    with pytest.raises(errors.NotFound, match=r"no project “vision” that you may see\. Make it with"):
        charlie.publish("vision/digits", weights)
    with pytest.raises(errors.AuthenticationError, match="Sign in: `lmvp login`"):
        Client(alice.server).download("vision/digits")


def test_a_wrong_password_and_a_wrong_token_say_so(alice):
    with pytest.raises(errors.AuthenticationError):
        Client(alice.server).login("alice@example.org", "wrong")
    with pytest.raises(errors.AuthenticationError, match="by LMVP_TOKEN or token="):
        Client(alice.server, token="lmvp_wrong").whoami()


def test_a_sign_in_is_kept_for_the_next_program_and_gone_after_logout(alice, monkeypatch):
    assert Client(alice.server).login("alice@example.org", PASSWORD) == "alice"
    later = Client()  # knows the server from the sign-in too
    assert (later.server, later.whoami().username) == (alice.server, "alice")
    later.logout()
    with pytest.raises(errors.AuthenticationError):
        Client(alice.server).whoami()


# --- Names


def test_update_does_not_make_a_model_and_guesses_what_was_meant(alice, weights):
    alice.publish("vision/digits", weights)
    with pytest.raises(errors.NotFound, match=r"Did you mean vision/digits\?.*lmvp\.publish"):
        alice.update("vision/digts", weights)
    assert list(RegisteredModel.objects.values_list("name", flat=True)) == ["digits"]


def test_a_revision_that_is_not_there_is_told_from_the_model(alice, weights):
    alice.publish("vision/digits", weights)
    with pytest.raises(errors.NotFound, match=r"vision/digits has no revision “staging”"):
        alice.download("vision/digits", revision="staging")


def test_a_bare_name_goes_to_the_personal_project(alice, weights):
    assert alice.publish("mine", weights).name == "alice/mine"
    assert alice.download("mine").version.name == "alice/mine"


def test_a_bare_name_finds_the_only_model_of_it(alice, bob, weights):
    alice.publish("vision/digits", weights)
    assert bob.update("digits", weights).name == "vision/digits"


# --- Refusals leave nothing behind


def test_a_refused_publish_leaves_no_version(alice, weights):
    alice.publish("vision/digits", weights)
    for bad in (
        {"metadata": {"x": "y" * 70_000}},
        {"parent": "3"},
        {"alias": "v3"},
        {"metrics": {"": 1}},
    ):
        with pytest.raises((errors.ValidationFailed, errors.Conflict, errors.NotFound)):
            alice.update("vision/digits", weights, **bad)
    assert Version.objects.count() == 1


# --- Metrics and aliases


def test_metrics_are_added_once(alice, weights):
    alice.publish("vision/digits", weights)
    assert alice.log_metrics("vision/digits", 1, {"loss": [1.0, 0.5]}) == {"added": 2, "unchanged": 0}
    assert alice.log_metrics("vision/digits", 1, {"loss": [1.0, 0.5, 0.25]}) == {"added": 1, "unchanged": 2}
    with pytest.raises(errors.Conflict):
        alice.log_metrics("vision/digits", 1, {"loss": [9.0]})
    rows = alice.metrics("vision/digits", 1, metric="loss")
    assert sorted((row.step, row.value, row.author) for row in rows) == [
        (0, 1.0, "alice"),
        (1, 0.5, "alice"),
        (2, 0.25, "alice"),
    ]


def test_an_alias_moves_only_from_where_one_believes_it_to_be(alice, weights):
    alice.publish("vision/digits", weights)
    alice.update("vision/digits", weights / "weights.npz")
    assert alice.set_alias("vision/digits", "staging", 1, expected=None, comment="why").version == 1
    with pytest.raises(errors.Conflict):
        alice.set_alias("vision/digits", "staging", 2, expected=None)
    assert alice.set_alias("vision/digits", "staging", "latest", expected=1).version == 2
    assert [(ref.name, ref.version) for ref in alice.aliases("vision/digits")] == [("staging", 2)]
    alice.set_tag("vision/digits", "paper", 1)
    with pytest.raises(errors.Conflict):
        alice.set_tag("vision/digits", "paper", 2)
    alice.delete_alias("vision/digits", "staging")
    assert alice.aliases("vision/digits") == []


def test_a_history_is_shown_for_a_model_and_for_a_project(alice, weights):
    alice.publish("vision/digits", weights, message="Digits", metrics={"accuracy": 0.95})
    alice.publish("vision/letters", weights, message="Letters")
    out = io.StringIO()
    history = alice.show_history("vision/digits", file=out)
    assert [version.number for version in history] == [1]
    assert "0.95" in out.getvalue()
    assert {version.model for version in alice.showHistory("vision", file=out)} == {"digits", "letters"}
    assert [model.name for model in alice.models("vision")] == ["digits", "letters"]


# --- The command line


@pytest.fixture
def lmvp(alice, capsys, monkeypatch):
    """Run the command line as alice; returns (exit code, standard output, standard error)."""
    monkeypatch.setenv("LMVP_SERVER", alice.server)

    def run(*argv, stdin=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        try:
            code = cli.main([str(argument) for argument in argv])
        except SystemExit as ended:
            code = ended.code
        return (code, *capsys.readouterr())

    code, out, _ = run("login", "--email", "alice@example.org", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert (code, out) == (0, f"Signed in at {alice.server} as alice.\n")
    return run


def test_the_command_line_shows_the_lineage(lmvp, weights):
    for name in ("vision/scans", "vision/base"):
        assert lmvp("publish", name, weights / "empty.txt")[0] == 0
    sources = ("--derived-from", "vision/scans@1", "--derived-from", "vision/base@v1")
    assert lmvp("publish", "vision/digits", weights, *sources)[0] == 0
    assert lmvp("update", "vision/digits", weights / "empty.txt")[0] == 0
    code, out, err = lmvp("lineage", "vision/digits@1", "--depth", "1")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["from", "kind", "to"],
        ["vision/digits@1", "parent", "vision/digits@2"],
        ["vision/scans@1", "derived", "vision/digits@1"],
        ["vision/base@1", "derived", "vision/digits@1"],
    ]
    assert json.loads(lmvp("lineage", "vision/digits@1", "--json")[1])["root"] == "vision/digits@1"
    assert lmvp("lineage", "vision/scans@1", "--depth", "0")[1].startswith("vision/scans@1 came from nothing")


def test_the_command_line_goes_all_the_way(lmvp, weights, tmp_path):
    code, out, err = lmvp(
        *("publish", "vision/digits", weights, "-m", "First", "--metric", "accuracy=0.95", "--metadata", "width=64"),
        *("--alias", "staging", "--json"),
    )
    assert (code, err) == (0, "")
    published = json.loads(out)
    assert (published["number"], published["metrics"], published["metadata"]) == (1, {"accuracy": 0.95}, {"width": 64})

    assert lmvp("update", "vision/digits", weights, "-m", "Again")[0] == 0
    assert lmvp("alias", "vision/digits", "production", "1", "--comment", "best")[:2] == (0, "production is v1 now.\n")
    assert lmvp("log", "vision/digits@production", "--metric-text", "by=bob", "june=0.9")[:2] == (
        0,
        "2 added, 0 were there already.\n",
    )
    assert json.loads(lmvp("metrics", "vision/digits@1", "--metric", "june", "--json")[1])[0]["value"] == 0.9
    assert [one["number"] for one in json.loads(lmvp("history", "vision/digits", "--json")[1])] == [2, 1]
    assert "production" in lmvp("history", "vision/digits")[1]
    assert lmvp("download", "vision/digits@production", "-o", tmp_path / "out")[1] == f"{tmp_path / 'out'}\n"
    assert contents(tmp_path / "out") == contents(weights)
    assert "staging" in lmvp("alias", "vision/digits")[1]
    assert "vision/digits" in lmvp("models", "vision")[1]
    assert "vision" in lmvp("projects")[1]
    assert lmvp("whoami")[1].startswith("alice <alice@example.org>")
    assert lmvp("logout")[0] == 0
    assert lmvp("whoami")[0] == 1


def test_exit_codes_and_errors(lmvp, weights, tmp_path):
    code, out, err = lmvp("download", "vision/nothing")
    assert (code, out) == (1, "")
    assert err.startswith("error: There is no model vision/nothing that you may see.")
    assert lmvp("publish", "vision/digits", tmp_path / "missing")[0] == 1
    assert lmvp("publish", "vision/digits", weights, "--metric", "accuracy")[0] == 2
    assert lmvp("alias", "vision/digits", "production")[0] == 2
    assert lmvp("no-such-command")[0] == 2


def test_the_command_line_makes_a_project_and_tells_who_moved_an_alias(lmvp, weights):
    code, _, err = lmvp("publish", "sound/words", weights)
    assert code == 1
    assert "`lmvp create-project sound`" in err
    assert lmvp("create-project", "sound", "--visibility", "internal")[:2] == (0, "Made the internal project sound.\n")
    lmvp("publish", "sound/words", weights, "--alias", "production")
    lmvp("update", "sound/words", weights, "-m", "Again")
    lmvp("alias", "sound/words", "production", "2", "--comment", "better")
    assert "better" in lmvp("moves", "sound/words", "production")[1]
    moves = json.loads(lmvp("moves", "sound/words", "production", "--json")[1])
    assert [(one["from_number"], one["to_number"], one["actor"]) for one in moves] == [
        (1, 2, "alice"),
        (None, 1, "alice"),
    ]


def test_a_metric_that_is_no_number_is_refused(lmvp, weights):
    code, _, err = lmvp("publish", "vision/digits", weights, "--metric", "accuracy=0,97")
    assert code == 2
    assert "with a point" in err
    assert "--metric-text accuracy=TEXT" in err
    assert lmvp("log", "vision/digits")[0] == 2


def test_no_password_is_told(lmvp):
    code, _, err = lmvp("login", "--email", "alice@example.org", "--password-stdin")
    assert code == 2
    assert "no password given; use --password-stdin" in err


def test_a_deprecated_version_is_told_to_who_downloads_it(alice, lmvp, weights, cast, tmp_path):
    alice.publish("vision/digits", weights)
    version = Version.objects.select_related("model__project").get()
    deprecate_version(actor=cast.carol, version=version, reason="drifted\x1b[2J, use v2")
    with pytest.warns(
        errors.DeprecatedVersion, match=r"vision/digits v1 \(.{12}\) is deprecated: drifted.\[2J, use v2"
    ):
        local = alice.download("vision/digits")
    assert contents(local.path) == contents(weights)
    code, out, err = lmvp("download", "vision/digits", "-o", tmp_path / "out")
    assert (code, out) == (0, f"{tmp_path / 'out'}\n")
    assert err.startswith("warning: vision/digits v1 (")
    assert err.endswith("use v2\n")
    assert "\x1b" not in err
