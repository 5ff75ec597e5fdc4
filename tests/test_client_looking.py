"""The client's look at versions: files, headers, cards, archives, comparisons, metrics, lineage."""

from __future__ import annotations

import hashlib
import zipfile

import numpy as np
import pytest

from lmvp.client import errors
from lmvp.client.results.comparing import MetadataRow, MetricChange, MetricRow
from lmvp.client.results.files import FileEntry
from lmvp.client.results.metrics import SeriesPoint, VersionPoint
from tests.client_team import Team, make_team

NAME = "vision/digits"


@pytest.fixture
def team(live_server, cast, tmp_path, monkeypatch) -> Team:
    made = make_team(live_server.url, cast, tmp_path, monkeypatch)
    card = "---\nlicense: mit\n---\n# Digits\n"
    first = made.files(config={"lr": 1}, README=card, weights=np.zeros((2, 3), np.float32))
    made.alice.publish(NAME, first, metadata={"lr": 1, "old": "x"}, metrics={"accuracy": 0.9, "loss": [3.0, 2.0, 1.0]})
    (first / "README.md").rename(first / "ABOUT.md")
    (first / "deep").mkdir()
    (first / "deep" / "new.txt").write_text("new\n")
    made.files(config={"lr": 2}, weights=np.ones((2, 3), np.float32))
    made.alice.update(NAME, first, metadata={"lr": 2, "new": [1]}, metrics={"accuracy": 0.95, "note": "good"})
    return made


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_files_are_listed_with_sizes_and_the_versions_that_brought_them(team):
    found = team.dave.files(NAME)
    assert [(one.path, one.version) for one in found] == [
        ("ABOUT.md", 2),
        ("config.json", 2),
        ("deep/new.txt", 2),
        ("weights.npy", 2),
    ]
    assert team.dave.files(NAME, 2, path="deep") == [
        FileEntry("deep/new.txt", "new.txt", "file", "100644", 4, digest(b"new\n"), 2)
    ]
    flat = team.dave.files(NAME, recursive=False)
    assert [(one.name, one.type) for one in flat if one.type == "directory"] == [("deep", "directory")]
    with pytest.raises(errors.NotFound, match=r"v2 \(\w+\) has no “deap”\. Did you mean deep\?"):
        team.dave.files(NAME, path="deap")


def test_a_file_is_read_and_looked_into(team):
    assert team.dave.read_file(NAME, "config.json", revision=1) == b'{\n "lr": 1\n}\n'
    header = team.dave.inspect(NAME, "weights.npy")
    assert (header.format, header.parameters, header.tensors.count) == ("npy", 6, 1)
    assert header.tensors.results[0].shape == (2, 3)
    with pytest.raises(errors.NotFound, match=r"has no “confg.json”\. Did you mean config.json\?"):
        team.dave.read_file(NAME, "confg.json")
    with pytest.raises(errors.NotFound, match="no revision “7”"):
        team.dave.read_file(NAME, "config.json", revision=7)
    with pytest.raises(errors.ValidationFailed) as refused:
        team.dave.inspect(NAME, "config.json")
    assert refused.value.code == "no_header"


def test_a_card_is_read_or_missed(team):
    card = team.dave.card(NAME, 1)
    assert (card.text, card.metadata, card.problem) == ("# Digits\n", {"license": "mit"}, None)
    with pytest.raises(errors.NotFound) as refused:
        team.dave.card(NAME, 2)
    assert refused.value.code == "no_card"


def test_an_archive_is_written_whole(team, tmp_path):
    path = team.dave.download_archive(NAME, tmp_path / "digits.zip", revision=1)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert sorted(name.rpartition("/")[2] for name in archive.namelist()) == [
            "README.md",
            "config.json",
            "weights.npy",
        ]
    with pytest.raises(errors.NotFound):
        team.dave.download_archive(NAME, tmp_path / "none.zip", revision=9)
    assert not (tmp_path / "none.zip").exists()


def test_two_versions_are_compared(team):
    found = team.dave.compare(NAME, 1, "latest")
    assert (found.title, found.base.number, found.head.number) == ("v1 → v2", 1, 2)
    assert [one.path for one in found.files.added] == ["deep/new.txt"]
    assert [(one.former_path, one.path) for one in found.files.renamed] == [("README.md", "ABOUT.md")]
    assert [one.path for one in found.files.changed] == ["config.json", "weights.npy"]
    assert found.metadata.changed == {"lr": {"before": 1, "after": 2}}
    assert (found.metadata.added, found.metadata.removed) == ({"new": [1]}, {"old": "x"})
    assert found.metrics[0] == MetricChange("accuracy", 0.9, 0.95, pytest.approx(0.05))
    assert [[*row[:2], row[4]] for row in found.rows()] == [
        ["metric", "accuracy", "+0.05"],
        ["metric", "loss", ""],
        ["metric", "note", ""],
        ["metadata", "new", "added"],
        ["metadata", "old", "removed"],
        ["metadata", "lr", "changed"],
        ["file", "deep/new.txt", "added"],
        ["file", "config.json", "changed"],
        ["file", "weights.npy", "changed"],
        ["file", "README.md → ABOUT.md", "renamed"],
    ]
    assert str(team.dave.compare(NAME, 1, 1)) == "v1 → v1\n" + str(team.dave.compare(NAME, 1, 1)).partition("\n")[2]
    with pytest.raises(errors.NotFound, match="no revision “5”"):
        team.dave.compare(NAME, 1, 5)


def test_one_file_is_compared_by_lines_or_tensors(team):
    text = team.dave.compare_file(NAME, "config.json", base=1)
    assert (text.kind, text.additions, text.deletions) == ("text", 1, 1)
    assert '+ "lr": 2' in str(text)
    tensors = team.dave.compare_file(NAME, "weights.npy", base=1, head=2, read_bytes=True)
    assert (tensors.kind, tensors.bytes_compared) == ("tensors", True)
    assert [one.differs for one in tensors.tensors.changed] == [("bytes",)]
    with pytest.raises(errors.NotFound, match="has a file “none"):
        team.dave.compare_file(NAME, "none.txt", base=1)


def test_several_versions_stand_side_by_side(team):
    table = team.dave.side_by_side(NAME, [1, "latest"], differing=True)
    assert [one.number for one in table.versions] == [1, 2]
    assert table.metrics == (
        MetricRow("accuracy", (0.9, 0.95)),
        MetricRow("loss", (1.0, None)),
        MetricRow("note", (None, "good")),
    )
    assert MetadataRow("lr", (1, 2)) in table.metadata
    assert table.head() == ["", "v1", "v2"]
    with pytest.raises(errors.ValidationFailed):
        team.dave.side_by_side(NAME, [1])


def test_metrics_of_a_version_and_over_versions(team):
    found = team.dave.metrics(NAME, 1)
    assert sorted((one.name, one.step, one.value, one.author) for one in found if one.name == "loss") == [
        ("loss", 0, 3.0, "alice"),
        ("loss", 1, 2.0, "alice"),
        ("loss", 2, 1.0, "alice"),
    ]
    assert repr(found) == f"<Metrics of {NAME}@1: 4>"
    assert [(one.name, one.version, one.shown) for one in team.dave.metric_names(NAME)] == [
        ("accuracy", 2, "0.95"),
        ("loss", 1, "1"),
        ("note", 2, "good"),
    ]
    over = team.dave.metric_over_versions(NAME, "accuracy")
    assert [(one.version, one.value, one.name) for one in over] == [(2, 0.95, None), (1, 0.9, None)]
    series = team.dave.series(NAME, "loss", revision=1, points=2)
    assert (series.total, series.points) == (3, (SeriesPoint(0, 3.0), SeriesPoint(2, 1.0)))
    assert team.dave.series(NAME, "accuracy", revision=None).points == (VersionPoint(1, 0.9), VersionPoint(2, 0.95))
    with pytest.raises(errors.MetricExists):
        team.bob.log_metrics(NAME, 1, {"accuracy": 0.1})


def test_the_best_version_by_a_metric(team):
    assert team.dave.best(NAME, "accuracy").number == 2
    assert team.dave.best(NAME, "accuracy", goal="min").number == 1
    assert team.dave.best(NAME, "accuracy", where={"accuracy__lt": 0.95}).number == 1
    with pytest.raises(errors.NotFound) as refused:
        team.dave.best(NAME, "acuracy")
    assert refused.value.code == "no_such_metric"


def test_lineage_names_nodes_and_edges(team):
    found = team.dave.lineage(NAME, 1)
    [edge] = found.edges
    assert (found.root, edge.start, edge.kind, edge.end) == (f"{NAME}@1", f"{NAME}@1", "parent", f"{NAME}@2")
    assert (found.node(edge.end).number, found.node(edge.end).kind, found.hidden, found.truncated) == (
        2,
        "model",
        0,
        False,
    )
