"""The commands of all nouns, one after the other against the real server: what they print, ask and refuse."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex

import numpy as np
import pytest

from lmvp.client import cli
from lmvp.client.commands.groups import GROUPS, parser_of
from tests.cast import PASSWORD
from tests.client_team import Team, make_team

NAME = "vision/digits"


@pytest.fixture
def team(live_server, cast, tmp_path, monkeypatch) -> Team:
    return make_team(live_server.url, cast, tmp_path, monkeypatch)


@pytest.fixture
def lmvp(team, capsys, monkeypatch):
    """Run the command line as alice, who has two versions; returns (exit code, standard output, standard error)."""
    monkeypatch.setenv("LMVP_SERVER", team.server)
    for number in (1, 2):
        files = team.files(config={"lr": number}, weights=np.full(3, number))
        team.alice.publish(NAME, files, message=f"Try {number}", metrics={"accuracy": 0.9 + number / 100})
    team.alice.login("alice@example.org", PASSWORD, server=team.server)

    def run(*argv, stdin=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        try:
            code = cli.main([str(argument) for argument in argv])
        except SystemExit as ended:
            code = ended.code
        return (code, *capsys.readouterr())

    return run


def columns(out: str) -> list[list[str]]:
    return [re.split(r"  +", line) for line in out.splitlines()]


def answered(run, *argv):
    """Return what a command prints with --json."""
    code, out, err = run(*argv, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_two_versions_are_compared_as_a_table(lmvp):
    code, out, err = lmvp("diff", NAME, 1)
    assert (code, err) == (0, "")
    assert out.startswith("v1 → v2\nwhat")
    rows = columns(out)[2:]
    assert rows[0] == ["metric", "accuracy", "0.91", "0.92", "+0.01"]
    assert [(row[1], row[-1]) for row in rows[1:]] == [("config.json", "changed"), ("weights.npy", "changed")]
    assert '+ "lr": 2' in lmvp("diff", NAME, 1, 2, "--file", "config.json")[1]
    assert answered(lmvp, "diff", NAME, 1, 2)["metrics"][0]["after"] == 0.92
    assert lmvp("diff", NAME, 2, 2)[0] == 0
    assert columns(lmvp("compare", NAME, 1, 2)[1])[:2] == [["", "v1", "v2"], ["accuracy", "0.91", "0.92"]]
    code, _, err = lmvp("diff", NAME, 1, "prodution")
    assert (code, "no revision “prodution”" in err) == (1, True)


def test_files_are_listed_printed_and_looked_into(lmvp, tmp_path):
    head, *rows = columns(lmvp("files", f"{NAME}@1")[1])
    assert head == ["path", "size", "digest", "from"]
    assert [(row[0], row[-1]) for row in rows] == [("config.json", "v1"), ("weights.npy", "v1")]
    assert json.loads(lmvp("cat", f"{NAME}@1", "config.json")[1]) == {"lr": 1}
    assert (
        "int64" in lmvp("inspect", NAME, "weights.npy")[1].lower()
        or "i8" in lmvp("inspect", NAME, "weights.npy")[1].lower()
    )
    assert lmvp("card", NAME)[0] == 1
    assert lmvp("archive", NAME, tmp_path / "digits.tar", "--format", "tar")[1] == f"{tmp_path / 'digits.tar'}\n"


def test_names_are_set_listed_and_taken_away(lmvp):
    assert lmvp("alias", NAME, "production", 1, "--comment", "first")[1] == "production is v1 now.\n"
    assert lmvp("alias", NAME, "production", 2, "--expected", 2)[0] == 1
    assert (
        lmvp("alias", NAME, "production", 2, "--expected", 1, "--protect")[1] == "production is v2 now (protected).\n"
    )
    assert lmvp("rollback", NAME, "production", "--comment", "slow")[1] == "production is v1 now (protected).\n"
    assert columns(lmvp("moves", NAME, "production")[1])[1][-1] == "rolled back: slow"
    assert lmvp("moves", NAME, "production", "--time", "2020-01-01")[1] == "production → nothing\n"
    assert lmvp("alias", NAME, "production", "--no-protect")[1] == "production is v1 now.\n"
    assert lmvp("branch", NAME, "wider", 1)[1] == "wider is v1 now.\n"
    assert lmvp("branch", NAME, "wider", 2, "--move", "--yes")[1] == "wider is v2 now.\n"
    assert [row[0] for row in columns(lmvp("branch", NAME)[1])] == ["branch", "main", "wider"]
    assert lmvp("tag", NAME, "paper", 1)[1] == "paper is v1 now.\n"
    assert lmvp("tag", NAME, "paper", 2)[0] == 1
    for kind, name in (("alias", "production"), ("branch", "wider"), ("tag", "paper")):
        assert lmvp(kind, NAME, name, "--delete", "--yes")[1] == f"Deleted the {kind} {name}.\n"
    assert lmvp("tag", NAME)[1] == "There are no tags yet.\n"


def test_a_conflict_is_printed_and_resolved(lmvp, team):
    lmvp("branch", NAME, "wider")
    team.alice.update(NAME, team.files("w", config={"lr": 9}), branch="wider")
    team.alice.update(NAME, team.files(config={"lr": 5}))
    code, out, err = lmvp("merge", NAME, "wider")
    assert (code, out) == (1, "")
    assert re.match(r"conflict: config\.json \(source \w{12}, target \w{12}\)\n", err)
    assert "--resolve config.json=source" in err
    code, out, _ = lmvp("merge", NAME, "wider", "--json")
    assert (code, [one["path"] for one in json.loads(out)["conflicts"]]) == (1, ["config.json"])
    assert lmvp("merge", NAME, "wider", "--resolve", "config.json=mine")[0] == 2
    code, out, _ = lmvp("merge", NAME, "wider", "--resolve", "config.json=source", "-m", "Both")
    assert (code, re.sub(r"\(\w+\)", "(…)", out)) == (0, f"{NAME} v5 (…) was made.\n")
    assert lmvp("restore", f"{NAME}@1", "-m", "Back")[1].endswith("has the files of 1.\n")
    assert lmvp("restore", f"{NAME}@1", "--alias", "production")[1] == "production is v1 now.\n"
    assert lmvp("restore", NAME)[0] == 2


def test_what_is_deleted_is_asked_for_and_taken_back(lmvp, team, monkeypatch):
    code, _, err = lmvp("version", "delete", f"{NAME}@1")
    assert (code, "say --yes" in err) == (2, True)
    assert lmvp("version", "delete", f"{NAME}@1", "--yes")[0] == 0
    assert columns(lmvp("trash", NAME)[1])[1][0] == f"{NAME} v1"
    assert lmvp("version", "undelete", f"{NAME}@1")[0] == 0
    assert lmvp("model", "delete", NAME, "-y")[0] == 0
    assert lmvp("model", "undelete", NAME)[1] == f"{NAME} is back.\n"
    assert lmvp("project", "delete", "vision", "--yes")[0] == 0
    assert lmvp("project", "undelete", "vision")[1] == "vision is back.\n"
    assert lmvp("deprecate", f"{NAME}@1", "drifted\x1b[2J")[1].endswith("is deprecated: drifted�[2J\n")
    assert lmvp("deprecate", f"{NAME}@1", "--undo")[0] == 0
    assert lmvp("deprecate", f"{NAME}@1")[0] == 2
    assert lmvp("model", "retention", NAME, "--keep-last", 1, "--yes")[1].startswith("Kept are the newest 1;")
    assert lmvp("model", "retention", NAME, "--off")[1] == "All versions are kept.\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("said", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 1), ("\n", 1, 1), ("", 1, 1)])
def test_on_a_terminal_it_is_asked(lmvp, team, monkeypatch, capsys, said, code, left):
    team.alice.set_tag(NAME, "paper", 1)
    monkeypatch.setattr("sys.stdin", Terminal(said))
    assert cli.main(["tag", NAME, "paper", "--delete"]) == code
    assert "The tag paper of vision/digits will be deleted. Go on? [y/N]" in capsys.readouterr().err
    assert len(team.alice.tags(NAME)) == left


def test_projects_members_and_events(lmvp):
    assert lmvp("project", "update", "vision", "--description", "Seeing")[1].startswith(
        "vision (private; you: owner): Seeing\n"
    )
    assert lmvp("members", "set", "vision", "charlie", "--role", "viewer")[1] == "charlie is viewer of vision now.\n"
    assert [row[0] for row in columns(lmvp("members", "list", "vision")[1])][-1] in ("charlie", "dave")
    assert lmvp("members", "remove", "vision", "charlie", "--yes")[0] == 0
    assert lmvp("members", "invite", "vision", "erin@example.org")[0] == 0
    [invited] = answered(lmvp, "members", "invitations", "vision")
    assert lmvp("members", "withdraw", "vision", invited["id"], "--yes")[1] == "Withdrawn.\n"
    [event] = answered(lmvp, "events", "vision", "--action", "project.", "--limit", 1)
    assert (event["actor"], event["subject"]) == ("alice", "vision")
    assert lmvp("project", "rename", "vision", "sight")[1] == "It is sight now.\n"
    assert lmvp("model", "show", "sight/digits")[1].startswith("sight/digits (model, v2 on main)")


def test_metrics_and_search(lmvp):
    assert re.search(r"v2 \(\w+\): accuracy = 0\.92$", lmvp("best", NAME, "accuracy")[1].rstrip())
    assert columns(lmvp("metrics", NAME, "--over-versions", "--metric", "accuracy")[1])[1][:3] == [
        "accuracy",
        "v2",
        "0.92",
    ]
    assert columns(lmvp("series", NAME, "accuracy", "--over-versions")[1])[2:] == [["1", "0.91"], ["2", "0.92"]]
    assert [one["number"] for one in answered(lmvp, "history", NAME, "--where", "accuracy__gt=0.915")] == [2]
    assert columns(lmvp("search", "digits", "--type", "model")[1])[1][:2] == ["model", NAME]
    assert answered(lmvp, "search", "Try 2", "--type", "version")[0]["version"] == 2


def test_artifacts(lmvp, tmp_path):
    assert lmvp("hierarchy", "create", "runs", "experiment", "model", "--project", "vision")[0] == 0
    (tmp_path / "table.csv").write_text("page,letter\n1,a\n")
    about = ("--project", "vision", "--hierarchy", "runs", "--data", '{"name": "wide"}')
    root = lmvp("artifact", "create", *about)[1].strip()
    child = lmvp("artifact", "create", "--parent", root, "--content", tmp_path / "table.csv")[1].strip()
    assert lmvp("artifact", "tree", root)[1] == f"{root} experiment: wide\n  {child} model, 16 bytes\n"
    assert list(csv.reader(io.StringIO(lmvp("artifact", "download", child, "--csv")[1])))[1] == ["1", "a"]
    assert lmvp("artifact", "download", child, "-o", tmp_path / "back.csv")[1] == f"{tmp_path / 'back.csv'}\n"
    assert lmvp("artifact", "update", child, "--data", '{"name": "x"}')[0] == 0
    assert lmvp("artifact", "show", child)[1].startswith(f"{child} model: x, 16 bytes, in vision by alice")
    assert lmvp("artifact", "create", "--data", "[1]")[0] == 2
    assert lmvp("artifact", "delete", root, "--yes")[0] == 1
    assert lmvp("artifact", "delete", child, "--yes")[0] == 0
    assert [row[0] for row in columns(lmvp("artifact", "list", "--project", "vision")[1])] == ["id", root]


def test_tokens_and_users(lmvp, cast):
    code, text, err = lmvp("token", "create", "cluster", "--project", "vision")
    assert (code, text[:5], "not shown again" in err) == (0, "lmvp_", True)
    assert columns(lmvp("token", "list")[1])[-1][1:4] in (["cluster", "read", "vision"], ["desk", "write", "all"])
    assert lmvp("token", "revoke", "cluster", "--yes")[1] == "Revoked.\n"
    assert lmvp("token", "revoke", "cluster", "--yes")[0] == 1
    assert lmvp("user", "list")[0] == 1
    cast.alice.is_staff = True
    cast.alice.save()
    made = lmvp("user", "create", "erin", "erin@example.org", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert made[1] == "Made erin <erin@example.org>.\n"
    assert lmvp("user", "update", "erin", "--no-active")[1] == "erin <erin@example.org>: off\n"
    assert lmvp("user", "update", "erin")[0] == 2


def test_texts_of_others_steer_no_terminal(lmvp, team):
    evil = "\x1b[2J\x1b]0;owned\x07 and\nmore \u202e"
    team.alice.update_project("vision", description=evil)
    team.alice.update_model(NAME, description=evil)
    team.alice.publish(
        NAME, team.files(README=evil, config={"x": evil}), message=evil, metadata={evil: evil}, tag="evil"
    )
    team.alice.deprecate(NAME, 3, reason="\x1b[31mold")
    root = team.alice.create_artifact({"name": evil, evil: evil}, project="vision")
    for words in (
        ("projects",), ("project", "show", "vision"), ("models", "vision"), ("model", "show", NAME), ("card", NAME),
        ("version", "show", NAME), ("diff", NAME, 1), ("diff", NAME, 1, 3, "--file", "config.json"), ("compare", NAME, 1, 3),
        ("artifact", "show", root.id), ("artifact", "tree", root.id), ("artifact", "list"), ("search", "more"),
        ("events", "vision"), ("history", NAME), ("alias", NAME), ("tag", NAME), ("files", NAME),
    ):  # fmt: skip
        code, out, err = lmvp(*words)
        assert (code, err) == (0, ""), words
        assert not {"\x1b", "\x07", "\u202e"} & set(out), words


VERBS = [verb for group in GROUPS.values() for verb in group.verbs.values()]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verbs_help_has_one_example_that_parses(verb):
    [example] = re.findall(r"^example: lmvp (.*)$", verb.help, re.MULTILINE)
    noun, name, *rest = shlex.split(example)
    assert f"{noun} {name}" == verb.name
    parser_of(verb).parse_args(rest)


def test_a_verb_that_is_not_there_is_told(lmvp):
    code, _, err = lmvp("token", "crate")
    assert (code, "invalid choice" in err and "revoke" in err) == (2, True)
    assert lmvp("token")[0] == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("histroy vision/digits", "there is no command “histroy”. Did you mean history?"),
        ("zzz", "there is no command “zzz”. All of them: lmvp --help"),
        (f"download {NAME} weights", "Say where to put it with -o: lmvp download NAME -o weights"),
        ("whoami --at http://x", "--at stands before the command: lmvp --at URL whoami"),
    ],
)
def test_a_word_in_the_wrong_place_is_told_where_it_belongs(lmvp, words, told):
    code, _, err = lmvp(*shlex.split(words))
    assert code == 2
    assert told in err
    assert "invalid choice" not in err


def test_a_misspelt_project_is_guessed_where_a_model_is_named(lmvp):
    code, _, err = lmvp("history", "visoin/digits")
    assert (code, "Did you mean vision?" in err) == (1, True)
    code, _, err = lmvp("history", "elsewhere/digits")
    assert (code, "Did you mean" in err) == (1, False)


def test_what_was_published_is_told_with_its_page_and_whether_the_model_is_new(lmvp, team):
    weights = team.files(weights=np.zeros(3))
    code, out, _ = lmvp("publish", "vision/digist", weights)
    assert code == 0
    assert re.match(r"Published vision/digist v1 \(\w+\), the first version of this model: ", out)
    assert out.endswith(f"{team.server}/vision/digist/versions/1/\n")
    assert ", the first version" not in lmvp("publish", NAME, weights)[1]


def test_a_token_of_one_project_is_named_where_another_is_missing(lmvp, team, monkeypatch):
    token = team.alice.create_token("ci", scope="write", project="vision").token
    monkeypatch.setenv("LMVP_TOKEN", token)
    code, _, err = lmvp("publish", "alice/digits", team.files(weights=np.zeros(3)))
    assert (code, "it is for “vision” alone" in err) == (1, True)
