"""One week of a team, against a real server: branches, a merge with a conflict, a promotion, a rollback, lineage, housekeeping.

    .venv/bin/python examples/week.py        # on SQLite in a scratch directory, or on DATABASE_URL

Ada owns the project, ben contributes, cleo looks on, each with a client of their own. Every step asserts what it sees; the
first surprise ends the walk.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from demo_screen import bold, dim
from demo_server import ROOT, Server, running_server
from week_people import signed_in

sys.path.insert(0, str(ROOT))

from lmvp.client.errors import (
    DeprecatedVersion,
    InUse,
    LMVPError,
    MergeConflict,
    NotFound,
    PermissionDenied,
    ValidationFailed,
)

E = TypeVar("E", bound=LMVPError)
PROJECT, MODEL, DATASET = "letters", "letters/reader", "letters/scans"
# Nothing waits two weeks in this week's trash, and no file is too young to be collected.
SHORT_LIVES = {"LMVP_TRASH_DAYS": "0"}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lmvp-week-") as scratch:
        prepare_environment(Path(scratch))
        with running_server("127.0.0.1", int(os.environ["PORT"]), Path(scratch) / "server.log") as server:
            Week(server, Path(scratch)).walk()
    print(f"\n{bold('A whole week, and everything was as expected.')}")


def prepare_environment(scratch: Path) -> None:
    """Let the server, and every command beside it, work in the scratch directory and on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ours = {"LMVP_DATA_DIR": str(scratch / "data"), "LMVP_CACHE": str(scratch / "cache"), "PORT": str(port)}
    ours |= {"HOST": "127.0.0.1", "LMVP_OFFLINE": ""}
    os.environ.update(ours | {"LMVP_URL": f"http://localhost:{port}"} | SHORT_LIVES)


def expect(what: str, seen: Any, expected: Any) -> None:
    """Say what was seen, or end the walk where it is something else."""
    if seen != expected:
        sys.exit(f"   ✗ {what}\n     expected: {expected!r}\n     seen:     {seen!r}")
    print(f"   ✓ {what}")


def expect_refusal(what: str, kind: type[E], code: str, call: Callable[[], object]) -> E:
    """Expect that the server says no, with this code, and return how it says it."""
    try:
        call()
    except kind as refusal:
        expect(f"{what} {dim(refusal.message)}", refusal.code, code)
        return refusal
    sys.exit(f"   ✗ {what}\n     expected: {code}\n     seen:     nobody refused it")


def day(name: str, story: str) -> None:
    print(f"\n{bold(name)} – {story}", flush=True)


def manage(*command: str) -> str:
    """Run a management command as the administrator would from cron, and return what it says."""
    done = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"manage.py {' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Week:
    """The days, each with what it needs of those before."""

    def __init__(self, server: Server, scratch: Path) -> None:
        self.scratch = scratch
        people = json.loads(subprocess.check_output([sys.executable, ROOT / "examples" / "demo_team.py"], text=True))
        self.ada, self.ben, self.cleo = (
            signed_in(server.address, name, people["password"]) for name in ("ada", "ben", "cleo")
        )

    def walk(self) -> None:
        self.monday()
        self.tuesday()
        self.wednesday()
        self.thursday()
        self.friday()
        self.saturday()
        self.sunday()

    def files(self, name: str, **content: Any) -> Path:
        """Write a directory: arrays as .npy, anything else as JSON."""
        directory = self.scratch / name
        directory.mkdir(exist_ok=True)
        for key, value in content.items():
            if isinstance(value, np.ndarray):
                np.save(directory / f"{key}.npy", value)
            else:
                (directory / f"{key}.json").write_text(json.dumps(value, indent=2) + "\n")
        return directory

    # --- The days

    def monday(self) -> None:
        day("Monday", "a project, a dataset, a first model made from it")
        self.ada.create_project(PROJECT, description="Reading letters")
        self.ada.set_member(PROJECT, "ben", role="contributor")
        self.ada.set_member(PROJECT, "cleo", role="viewer")
        self.ada.create_model(DATASET, kind="dataset")
        scans = self.files("scans", pages=np.arange(4096, dtype=np.uint8).reshape(64, 64))
        dataset = self.ada.publish(DATASET, scans, message="500 pages, scanned", progress=False)
        first = self.ada.publish(
            MODEL,
            self.files("first", weights=np.ones((16, 16), np.float32), config={"hidden": 16, "lr": 0.1}),
            message="A first reader",
            metrics={"accuracy": 0.81},
            derived_from=dataset,
            progress=False,
        )
        self.ada.set_alias(MODEL, "production", 1, comment="better than nothing", protected=True)
        derived = [edge for edge in self.cleo.lineage(MODEL, first.number).edges if edge.kind == "derived"]
        expect("the model names the dataset that it was made from", len(derived), 1)
        header = self.cleo.inspect(MODEL, "weights.npy", revision="production")
        expect("its tensors are known without loading it", header.parameters, 256)

    def tuesday(self) -> None:
        day("Tuesday", "ada and ben each try something, on a branch of their own")
        for person, branch, hidden in ((self.ada, "wider", 64), (self.ben, "faster", 8)):
            person.create_branch(MODEL, branch, revision="main")
            changed = self.files(
                branch, weights=np.full((hidden, 16), 2, np.float32), config={"hidden": hidden, "lr": 0.1}
            )
            (changed / f"notes-{branch}.txt").write_text(f"{hidden} units\n")
            person.publish(
                MODEL,
                changed,
                branch=branch,
                message=f"{hidden} hidden units",
                metrics={"accuracy": 0.9 + hidden / 1000},
                progress=False,
            )
        listed = [branch.name for branch in self.cleo.branches(MODEL)]
        expect("three branches", listed, ["faster", "main", "wider"])
        line = [version.number for version in self.cleo.history(MODEL, branch="faster")]
        expect("each has a line of its own", line, [3, 1])

    def wednesday(self) -> None:
        day("Wednesday", "both go into main, and both changed the same file")
        merged = self.ada.merge(MODEL, "wider", "main")
        seen = (merged.version.number, merged.outcome)
        expect("the first is a fast-forward: no new version", seen, (2, "fast_forward"))
        conflict = expect_refusal(
            "the second meets a conflict",
            MergeConflict,
            "merge_conflict",
            lambda: self.ben.merge(MODEL, "faster", "main"),
        )
        expect("the answer names the files", conflict.paths, ["config.json", "weights.npy"])
        merged = self.ben.merge(MODEL, "faster", "main", resolve={"config.json": "source", "weights.npy": "target"})
        expect("ben picks a side for each", merged.outcome, "merged")
        expect("the result has two parents", merged.version.parents, (2, 3))
        listed = [file.path for file in self.cleo.files(MODEL, "main")]
        expect("and the files of both", listed, ["config.json", "notes-faster.txt", "notes-wider.txt", "weights.npy"])
        text = self.cleo.compare_file(MODEL, "config.json", base=2, head=4)
        expect("the diff shows what became of the configuration", '+  "hidden": 8,' in (text.diff or ""), True)

    def thursday(self) -> None:
        day("Thursday", "the best one goes to production")
        best = self.cleo.best(MODEL, "accuracy")
        expect("best by accuracy", best.number, 2)
        expect_refusal(
            "ben may not move what is protected",
            PermissionDenied,
            "role_too_low",
            lambda: self.ben.set_alias(MODEL, "production", 2),
        )
        self.ada.set_alias(MODEL, "production", 2, expected=1, comment="best on the test set")
        local = self.cleo.download(MODEL, revision="production", path=self.scratch / "served", progress=False)
        expect("cleo gets the same bytes", local.file("weights.npy").read_bytes() == self.wider_weights(), True)
        self.before_the_rollback = self.cleo.moves(MODEL, "production")[0].at

    def friday(self) -> None:
        day("Friday", "production is too slow, and goes back in one call")
        back = self.ada.rollback(MODEL, "production", comment="too slow on the reader's phone")
        expect("production is the first version again", back.version, 1)
        then = self.cleo.ref_at(MODEL, "production", time=self.before_the_rollback)
        told = (then.version, then.move and then.move.actor, then.move and then.move.comment)
        expect("what it was on Thursday, who moved it and why", told, (2, "ada", "best on the test set"))
        self.ada.deprecate(MODEL, 2, reason="too slow on phones")
        expect("every reader sees why not to use it", self.cleo.version(MODEL, 2).deprecated, "too slow on phones")
        restored = self.ben.restore(MODEL, 1, branch="main")
        expect(
            "main has the first files again, as a new version",
            (restored.number, self.digests(restored.number)),
            (5, self.digests(1)),
        )

    def digests(self, number: int) -> dict[str, str]:
        return {file.path: file.digest for file in self.cleo.files(MODEL, number)}

    def wider_weights(self) -> bytes:
        return (self.scratch / "wider" / "weights.npy").read_bytes()

    def saturday(self) -> None:
        day("Saturday", "an experiment, its model, its predictions")
        levels = ["experiment", "model", "predictions"]
        self.ben.create_hierarchy("experiments", levels, project=PROJECT)
        experiment = self.ben.create_artifact({"name": "how wide?"}, project=PROJECT, hierarchy="experiments")
        training = {"type": "ml_training", "metadata": {"status": "success", "config_id": "hidden-64"}}
        model = self.ben.create_artifact(training, parent=experiment, version=f"{MODEL}@wider")
        frame = {"columns": ["page", "letter"], "data": [[1, "a"], [2, "b"]]}
        predictions = {
            "type": "ml_prediction",
            "metadata": {"status": "success", "config_id": "hidden-64"},
            "content": frame,
            "content_type": "application/vnd.chapkit.dataframe+json",
        }
        leaf = self.ben.create_artifact(predictions, parent=model)
        expect_refusal(
            "no level below predictions",
            ValidationFailed,
            "level_not_in_hierarchy",
            lambda: self.ben.create_artifact({}, parent=leaf),
        )
        grown = self.cleo.artifact_tree(experiment)
        [below] = grown.children
        labels = [grown.level_label, below.level_label, below.children[0].level_label]
        expect("one tree", labels, levels)
        table = self.cleo.load_artifact(leaf, to="csv")
        expect("the predictions come as a table", table.split(), ["page,letter", "1,a", "2,b"])
        codes = self.ben.create_artifact({"name": "codes"}, parent=experiment, content=np.eye(3, dtype=np.float32))
        there = self.cleo.artifact(codes.id).load()
        expect("an array comes as an array", (there.dtype, there.tolist()), (np.float32, np.eye(3).tolist()))
        expect_refusal(
            "an experiment with children stays",
            InUse,
            "has_children",
            lambda: self.ben.delete_artifact(experiment),
        )

    def sunday(self) -> None:
        day("Sunday", "nobody is there: the rule and the garbage run")
        for night in range(6):
            weights = self.files("nightly", weights=np.full((64, 64), night, np.float32), config={"night": night})
            self.ben.publish(MODEL, weights, branch="nightly", message=f"Nightly {night}", progress=False)
        rule = self.ada.set_retention(MODEL, keep_last=3)
        expect("the rule says beforehand what it would delete", rule.would_trash.versions, 4)
        print("\n".join(f"     {dim(line)}" for line in manage("collect_garbage", "--dry-run").splitlines()))
        expect("a dry run changes nothing", self.numbers(), list(range(11, 0, -1)))
        print("\n".join(f"     {dim(line)}" for line in manage("collect_garbage", "--grace-hours", "0").splitlines()))
        expect("kept: the newest, and what a name or a lineage names", self.numbers(), [11, 10, 9, 5, 3, 2, 1])
        print("\n".join(f"     {dim(line)}" for line in manage("collect_garbage", "--grace-hours", "0").splitlines()))
        expect_refusal(
            "the files of a purged version are gone", NotFound, "not_found", lambda: self.cleo.version(MODEL, 7)
        )
        purged = sorted(event.subject for event in self.ada.events(PROJECT, action="version.purged"))
        expect("its number, digest and this line are left", purged, [f"{MODEL} v{number}" for number in (4, 6, 7, 8)])
        manage("verify_blobs")
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            local = self.cleo.download(MODEL, revision="wider", path=self.scratch / "again", progress=False)
        expect("whoever downloads it is warned", [one.category for one in warned], [DeprecatedVersion])
        expect("what stayed is whole", local.file("weights.npy").read_bytes() == self.wider_weights(), True)
        found = [hit.version for hit in self.cleo.search("hidden units", type="version")]
        expect("and is found", sorted(found), [2, 3])
        told = [event for event in self.ada.events(PROJECT, action="alias.") if event.after]
        moves = [(event.actor, event.after["version"]) for event in told if event.after.get("version")]
        expect("the log tells who moved production", moves[:2], [("ada", 1), ("ada", 2)])

    def numbers(self) -> list[int]:
        return [version.number for version in self.cleo.history(MODEL)]


if __name__ == "__main__":
    main()
