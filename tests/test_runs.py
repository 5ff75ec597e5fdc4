"""Runs: what is logged while a model is trained arrives with it, and survives whatever ends the training."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lmvp.client import errors
from lmvp.client.api import Client
from lmvp.client.runs import Run
from registry.models import Metric
from tests.client_home import home_of_its_own, signed_in

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def alice(live_server, cast, tmp_path, monkeypatch) -> Client:
    home_of_its_own(tmp_path, monkeypatch)
    return signed_in(live_server.url, cast.alice)


@pytest.fixture
def weights(tmp_path) -> Path:
    path = tmp_path / "weights.npz"
    np.savez(path, w=np.arange(3))
    return path


def spooled(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "home" / "runs").glob("*.jsonl"))


def series(client: Client, name: str, number: int, metric: str) -> list[tuple[int, float]]:
    return [(row.step, row.value) for row in client.metrics(name, number, metric=metric)]


# --- What people expect


def test_what_is_logged_in_the_block_is_published_at_its_end(alice, weights, tmp_path):
    with alice.run("vision/digits", message="Night run", alias="staging", metadata={"data": "UCI"}) as run:
        run.log_params({"lr": np.float32(0.5), "layers": (64, 10)})
        for epoch in range(3):
            run.log("loss", 1 / (epoch + 1), step=epoch)
            run.log({"accuracy": np.float64(0.5 + epoch / 10), "phase": "warm"}, step=epoch)
        run.keep(weights)
        assert spooled(tmp_path) == [run.path]
        assert run.name == "vision/digits"
    version = alice.version("vision/digits", "staging")
    assert run.version == version
    assert (version.number, version.message) == (1, "Night run")
    assert version.metadata == {"data": "UCI", "lr": 0.5, "layers": [64, 10]}
    assert version.metrics == {"loss": pytest.approx(1 / 3), "accuracy": 0.7, "phase": "warm"}
    assert series(alice, "vision/digits", 1, "loss") == [(0, 1.0), (1, 0.5), (2, pytest.approx(1 / 3))]
    assert alice.download("vision/digits").files == ["weights.npz"]
    assert spooled(tmp_path) == []


def test_without_a_step_values_are_counted_and_an_object_is_kept_as_it_is_at_the_end(alice):
    array = np.zeros(3)
    with alice.run("vision/digits") as run:
        run.keep(array)
        for value in (3.0, 2.0, 1.0):
            run.log("loss", value)
        array[:] = 7
    assert series(alice, "vision/digits", 1, "loss") == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert alice.download("vision/digits").load().tolist() == [7, 7, 7]


def test_a_metric_describes_the_version_published_next_and_what_comes_last_the_last_one(alice, weights):
    with alice.run("vision/digits", metadata={"seed": 1}) as run:
        run.log("loss", 1.0, step=1)
        first = run.publish(weights, message="Checkpoint 1", tag="early", metrics={"examples": 100})
        run.log("loss", 0.5, step=2)
        run.publish(weights, message="Checkpoint 2", metrics={"examples": 200}, metadata={"epoch": 2})
        run.log("june", 0.9)
    assert (first.number, run.version.number) == (1, 2)
    assert alice.version("vision/digits", "early").metrics == {"loss": 1.0, "examples": 100.0}
    assert alice.version("vision/digits", 2).metrics == {"loss": 0.5, "examples": 200.0, "june": 0.9}
    assert series(alice, "vision/digits", 1, "loss") == [(1, 1.0)]
    assert series(alice, "vision/digits", 2, "loss") == [(1, 1.0), (2, 0.5)]
    assert [version.metadata for version in alice.history("vision/digits")] == [{"seed": 1, "epoch": 2}, {"seed": 1}]


def test_thousands_of_values_go_in_batches(alice, weights, tmp_path):
    with alice.run("vision/digits") as run:
        for step in range(3500):
            run.log("loss", step / 2, step=step)
        run.keep(weights)
    assert Metric.objects.filter(name="loss").count() == 3500
    assert alice.version("vision/digits", 1).metrics == {"loss": 3499 / 2}
    assert spooled(tmp_path) == []


def test_values_that_no_version_can_have_are_left_out_with_a_warning_and_the_training_goes_on(alice, weights):
    with alice.run("vision/digits") as run:
        run.log("loss", 1.0, step=1)
        with pytest.warns(errors.LeftOut, match="“loss” is nan at step 2, and was left out"):
            run.log("loss", math.nan, step=2)
        run.log("loss", math.inf, step=3)  # told once
        run.log("accuracy", 0.5, step=5)
        with pytest.warns(errors.LeftOut, match="“accuracy” has a value for step 5; step 4 was left out"):
            run.log("accuracy", 0.6, step=4)
        run.log("loss", 0.5, step=np.int64(4))
        run.keep(weights)
    assert series(alice, "vision/digits", 1, "loss") == [(1, 1.0), (4, 0.5)]
    assert series(alice, "vision/digits", 1, "accuracy") == [(5, 0.5)]


@pytest.mark.parametrize(
    ("name", "value", "step", "told"),
    [
        ("loss", [1, 2], 1, "finite number or a text"),
        ("loss", None, 1, "finite number or a text"),
        ("loss", object(), 1, "finite number or a text"),
        ("loss", 1.0, 1.5, "whole number"),
        ("loss", 1.0, 2**63, "64 bits"),
        ("", 1.0, 1, "no name of a metric"),
        ("x" * 201, 1.0, 1, "no name of a metric"),
        ("note", "x" * 1001, 1, "longer than 1000"),
    ],
)
def test_mistakes_are_told_at_once_and_not_when_the_training_is_over(alice, name, value, step, told, tmp_path):
    with pytest.raises(errors.ValidationFailed, match=told), alice.run("vision/digits") as run:
        run.log(name, value, step=step)
    assert spooled(tmp_path) == []  # nothing was logged


@pytest.mark.parametrize("params", [{"lr": math.nan}, {"model": object()}, {"text": "x" * 70_000}])
def test_params_that_are_no_metadata_are_told_at_once(alice, params):
    with pytest.raises(errors.ValidationFailed), alice.run("vision/digits") as run:
        run.log_params(params)


# --- Before it begins


def test_where_nothing_may_be_published_no_training_begins(alice, live_server, cast, tmp_path):
    with pytest.raises(errors.NotFound, match=r"no project “nowhere”.*create_project"), alice.run("nowhere/digits"):
        pytest.fail("the block ran")
    with (
        pytest.raises(errors.PermissionDenied, match="as its viewer, and not publish there"),
        signed_in(live_server.url, cast.dave).run("vision/digits"),
    ):
        pytest.fail("the block ran")
    alice.logout()
    with pytest.raises(errors.AuthenticationError), alice.run("vision/digits"):
        pytest.fail("the block ran")
    assert spooled(tmp_path) == []


def test_a_bare_name_is_one_of_ones_own_although_nothing_is_there_yet(alice, weights):
    with alice.run("digits") as run:
        assert run.name == "alice/digits"
        run.keep(weights)
    assert alice.version("alice/digits").number == 1


def test_a_run_outside_of_its_block_says_how_it_is_used(alice):
    run = alice.run("vision/digits")
    with pytest.raises(errors.ValidationFailed, match=r"with lmvp\.run"):
        run.log("loss", 1)
    with run:
        pass
    with pytest.raises(errors.ValidationFailed, match=r"with lmvp\.run"):
        run.log("loss", 1)


# --- What goes wrong


def train(run: Run, source: Path, error: type[BaseException] | None = None, steps: int = 1) -> None:
    """Log a loss of 1 in every step, keep the weights, and end as it is said."""
    with run:
        for step in range(steps):
            run.log("loss", 1.0, step=step)
        run.keep(source)
        if error:
            raise error


def test_an_exception_publishes_nothing_and_what_was_logged_can_be_published_later(alice, weights, tmp_path):
    told = r"ended by ZeroDivisionError, and was not published.*resume="
    said = {"message": "Wider", "alias": "staging", "tag": "first", "derived_from": []}
    with pytest.warns(errors.UnpublishedRun, match=told), pytest.raises(ZeroDivisionError):
        train(alice.run("vision/digits", metadata={"seed": 1}, **said), weights, ZeroDivisionError)
    with pytest.raises(errors.NotFound):
        alice.version("vision/digits")
    [path] = spooled(tmp_path)
    with alice.run("vision/digits", resume=path, tag="second") as again:
        assert again.metadata == {"seed": 1}
        again.log("loss", 0.5)  # counted on
        again.keep(weights)
    found = alice.version("vision/digits")
    named = {(ref.kind, ref.name) for ref in found.refs}
    assert (found.message, named) == ("Wider", {("branch", "main"), ("alias", "staging"), ("tag", "second")})
    assert series(alice, "vision/digits", 1, "loss") == [(0, 1.0), (1, 0.5)]
    assert alice.version("vision/digits").metadata == {"seed": 1}
    assert spooled(tmp_path) == []


def test_save_on_error_publishes_what_was_kept_and_says_that_it_failed(alice, weights, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(alice.run("vision/digits", save_on_error=True, alias="staging"), weights, KeyboardInterrupt)
    version = alice.version("vision/digits")
    assert version.metadata == {"run": {"status": "failed", "error": "KeyboardInterrupt"}}
    assert version.metrics == {"loss": 1.0}
    assert "staging" not in [ref.name for ref in version.refs]
    assert spooled(tmp_path) == []


def test_a_run_without_a_version_says_so_and_keeps_what_was_logged(alice, tmp_path):
    with (
        pytest.raises(errors.ValidationFailed, match=r"run\.keep.*What it logged is kept in"),
        alice.run("vision/digits") as run,
    ):
        run.log("loss", 1.0)
    assert len(spooled(tmp_path)) == 1


def test_a_run_that_did_nothing_leaves_nothing(alice, tmp_path):
    with alice.run("vision/digits"):
        pass
    assert spooled(tmp_path) == []


def test_a_refused_publish_at_the_end_keeps_what_was_logged(alice, tmp_path):
    told = r"no file or directory.*What it logged is kept in.*resume="
    with pytest.raises(errors.LocalFileError, match=told):
        train(alice.run("vision/digits"), tmp_path / "missing")
    assert len(spooled(tmp_path)) == 1


def test_another_models_run_is_not_taken_up(alice, weights, tmp_path):
    with pytest.raises(errors.ValidationFailed), alice.run("vision/digits") as run:
        run.log("loss", 1.0)
    (tmp_path / "own.jsonl").write_text("{}\nnonsense\n")
    for path, told in {run.path: "but of vision/digits", tmp_path / "own.jsonl": "is no run of"}.items():
        with pytest.raises(errors.ValidationFailed, match=told), alice.run("vision/other", resume=path):
            pytest.fail("the block ran")
    with pytest.raises(errors.LocalFileError, match="Check the path"), alice.run("vision/x", resume=tmp_path / "gone"):
        pytest.fail("the block ran")


def test_a_directory_that_cannot_be_written_is_told_before_the_training(alice, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LMVP_RUNS", str(tmp_path / "file" / "runs"))
    with pytest.raises(errors.LocalFileError, match="Set LMVP_RUNS"), alice.run("vision/digits"):
        pytest.fail("the block ran")


TRAINING = """
import os, sys
from lmvp.client.api import Client
with Client(sys.argv[1]).run("vision/digits", metadata={"seed": 1}) as run:
    for step in range(5):
        run.log("loss", 1 / (step + 1), step=step)
    run.publish(sys.argv[2], message="Checkpoint")
    run.log("loss", 0.1, step=5)
    print(run.path, flush=True)
    sys.stdin.read()
"""


def test_a_killed_training_loses_nothing_that_it_logged(alice, live_server, weights, tmp_path):
    command = [sys.executable, "-c", TRAINING, live_server.url, str(weights)]
    training = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=os.environ.copy())
    path = Path(training.stdout.readline().decode().strip())
    training.send_signal(signal.SIGKILL)
    training.communicate()
    with path.open("ab") as file:
        file.write(b'{"name": "loss", "val')  # the line that it was writing
    with alice.run("vision/digits", resume=path) as run:
        assert run.version.number == 1
        run.log("loss", 0.05)
        run.keep(weights)
    assert series(alice, "vision/digits", 1, "loss") == [(step, 1 / (step + 1)) for step in range(5)]
    assert series(alice, "vision/digits", 2, "loss")[-2:] == [(5, 0.1), (6, 0.05)]
    assert alice.version("vision/digits").metadata == {"seed": 1}


def test_what_a_killed_process_did_not_get_to_send_is_sent_by_the_next_one(alice, weights, tmp_path):
    run = alice.run("vision/digits")
    with pytest.raises(errors.LocalFileError):
        train(run, tmp_path / "missing", steps=1500)
    alice.publish("vision/digits", weights, metrics={"loss": [1.0] * 9})
    with run.path.open("a") as file:
        file.write(json.dumps({"published": 1, "end": run.path.stat().st_size}) + "\n")
    with alice.run("vision/digits", resume=run.path) as again:
        assert again.version.number == 1
    assert Metric.objects.filter(name="loss", version__number=1).count() == 1500
    assert spooled(tmp_path) == []


def test_many_threads_log_at_once(alice, weights):
    from concurrent.futures import ThreadPoolExecutor

    with alice.run("vision/digits") as run:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: [run.log(name, step, step=step) for step in range(50)], map(str, range(8))))
        run.keep(weights)
    assert Metric.objects.count() == 400
