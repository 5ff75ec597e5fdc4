"""One week of a team, against a real server: branches, a merge with a conflict, a promotion, a rollback, lineage, housekeeping.

    .venv/bin/python examples/week.py        # on SQLite in a scratch directory, or on DATABASE_URL

Ada owns the project, ben contributes, cleo looks on. Every step asserts what it sees; the first surprise ends the walk.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from demo_screen import bold, dim
from demo_server import ROOT, Server, running_server
from week_people import Person, Refused

sys.path.insert(0, str(ROOT))


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
    ours = {"LMVP_DATA_DIR": str(scratch / "data"), "PORT": str(port), "HOST": "127.0.0.1"}
    os.environ.update(ours | {"LMVP_URL": f"http://localhost:{port}"} | SHORT_LIVES)


def expect(what: str, seen: Any, expected: Any) -> None:
    """Say what was seen, or end the walk where it is something else."""
    if seen != expected:
        sys.exit(f"   ✗ {what}\n     expected: {expected!r}\n     seen:     {seen!r}")
    print(f"   ✓ {what}")


@contextmanager
def expect_refusal(what: str, code: str) -> Iterator[Refused]:
    """Expect that the server says no, with this code."""
    refusal = Refused()
    try:
        yield refusal
    except Refused as error:
        refusal.code, refusal.fields, refusal.message = error.code, error.fields, error.message
    expect(f"{what} {dim(refusal.message)}", refusal.code, code)


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
            Person.signed_in(server.address, name, people["password"]) for name in ("ada", "ben", "cleo")
        )
        self.model = f"/v1/projects/{PROJECT}/models/reader/"

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
        self.ada.lmvp.create_project(PROJECT, description="Reading letters")
        for name, role in (("ben", "contributor"), ("cleo", "viewer")):
            self.ada.post(f"/v1/projects/{PROJECT}/members/", {"username": name, "role": role})
        self.ada.post(f"/v1/projects/{PROJECT}/models/", {"name": "scans", "kind": "dataset"})
        scans = self.files("scans", pages=np.arange(4096, dtype=np.uint8).reshape(64, 64))
        dataset = self.ada.lmvp.publish(DATASET, scans, message="500 pages, scanned", progress=False)
        first = self.ada.lmvp.publish(
            MODEL,
            self.files("first", weights=np.ones((16, 16), np.float32), config={"hidden": 16, "lr": 0.1}),
            message="A first reader",
            metrics={"accuracy": 0.81},
            derived_from=[f"{DATASET}@{dataset.number}"],
            progress=False,
        )
        self.ada.put(f"{self.model}aliases/production/", {"revision": "1", "comment": "better than nothing"})
        self.ada.put(f"{self.model}aliases/production/", {"protected": True})
        lineage = self.cleo.get(f"{self.model}versions/{first.number}/lineage/")
        derived = [edge for edge in lineage["edges"] if edge["kind"] == "derived"]
        expect("the model names the dataset that it was made from", len(derived), 1)
        header = self.cleo.get(f"{self.model}versions/production/inspect/weights.npy")
        expect("its tensors are known without loading it", header["parameters"], 256)

    def tuesday(self) -> None:
        day("Tuesday", "ada and ben each try something, on a branch of their own")
        for person, branch, hidden in ((self.ada, "wider", 64), (self.ben, "faster", 8)):
            person.post(f"{self.model}branches/", {"name": branch, "revision": "main"})
            changed = self.files(
                branch, weights=np.full((hidden, 16), 2, np.float32), config={"hidden": hidden, "lr": 0.1}
            )
            (changed / f"notes-{branch}.txt").write_text(f"{hidden} units\n")
            person.lmvp.publish(
                MODEL,
                changed,
                branch=branch,
                message=f"{hidden} hidden units",
                metrics={"accuracy": 0.9 + hidden / 1000},
                progress=False,
            )
        listed = [branch["name"] for branch in self.cleo.get(f"{self.model}branches/")["results"]]
        expect("three branches", listed, ["faster", "main", "wider"])
        line = [version["number"] for version in self.cleo.get(f"{self.model}versions/?branch=faster")["results"]]
        expect("each has a line of its own", line, [3, 1])

    def wednesday(self) -> None:
        day("Wednesday", "both go into main, and both changed the same file")
        merged = self.ada.post(f"{self.model}merge/", {"source": "wider", "target": "main"})
        expect("the first is a fast-forward: no new version", (merged["number"], merged["merge"]), (2, "fast_forward"))
        with expect_refusal("the second meets a conflict", "merge_conflict") as refusal:
            self.ben.post(f"{self.model}merge/", {"source": "faster", "target": "main"})
        paths = [conflict["path"] for conflict in refusal.fields["conflicts"]]
        expect("the answer names the files", paths, ["config.json", "weights.npy"])
        resolve = {"config.json": "source", "weights.npy": "target"}
        merged = self.ben.post(f"{self.model}merge/", {"source": "faster", "target": "main", "resolve": resolve})
        expect("ben picks a side for each", merged["merge"], "merged")
        expect("the result has two parents", [parent["number"] for parent in merged["parents"]], [2, 3])
        listed = [entry["path"] for entry in self.cleo.get(f"{self.model}versions/main/tree/")["results"]]
        expect("and the files of both", listed, ["config.json", "notes-faster.txt", "notes-wider.txt", "weights.npy"])
        text = self.cleo.get(f"{self.model}compare/2...4/files/config.json")
        expect("the diff shows what became of the configuration", '+  "hidden": 8,' in text["diff"], True)

    def thursday(self) -> None:
        day("Thursday", "the best one goes to production")
        best = self.cleo.get(f"{self.model}best/?metric=accuracy")
        expect("best by accuracy", best["number"], 2)
        with expect_refusal("ben may not move what is protected", "role_too_low"):
            self.ben.put(f"{self.model}aliases/production/", {"revision": "2"})
        self.ada.put(
            f"{self.model}aliases/production/", {"revision": "2", "expected": "1", "comment": "best on the test set"}
        )
        local = self.cleo.lmvp.download(MODEL, revision="production", path=self.scratch / "served", progress=False)
        wider = (self.scratch / "wider" / "weights.npy").read_bytes()
        expect("cleo gets the same bytes", (local.path / "weights.npy").read_bytes() == wider, True)
        self.before_the_rollback = self.cleo.get(f"{self.model}aliases/production/moves/")["results"][0]["at"]

    def friday(self) -> None:
        day("Friday", "production is too slow, and goes back in one call")
        back = self.ada.post(f"{self.model}aliases/production/rollback/", {"comment": "too slow on the reader's phone"})
        expect("production is the first version again", back["version"], 1)
        then = self.cleo.get(f"{self.model}aliases/production/at/?time={self.before_the_rollback}")
        told = (then["version"], then["move"]["actor"], then["move"]["comment"])
        expect("what it was on Thursday, who moved it and why", told, (2, "ada", "best on the test set"))
        self.ada.patch(f"{self.model}versions/2/", {"deprecated": "too slow on phones"})
        expect(
            "every reader sees why not to use it",
            self.cleo.get(f"{self.model}versions/2/")["deprecated"],
            "too slow on phones",
        )
        restored = self.ben.post(f"{self.model}versions/1/restore/", {"branch": "main"})
        expect(
            "main has the first files again, as a new version",
            (restored["number"], restored["tree"]),
            (5, self.tree(1)),
        )

    def tree(self, number: int) -> str:
        return self.cleo.get(f"{self.model}versions/{number}/")["tree"]

    def saturday(self) -> None:
        day("Saturday", "an experiment, its model, its predictions")
        levels = {"0": "experiment", "1": "model", "2": "predictions"}
        self.ben.post(f"/v1/projects/{PROJECT}/hierarchies/", {"name": "experiments", "level_labels": levels})
        experiment = self.ben.post(
            "/v1/artifacts/", {"project": PROJECT, "hierarchy": "experiments", "data": {"name": "how wide?"}}
        )
        training = {"type": "ml_training", "metadata": {"status": "success", "config_id": "hidden-64"}}
        model = self.ben.post(
            "/v1/artifacts/", {"parent_id": experiment["id"], "data": training, "version": f"{MODEL}@wider"}
        )
        frame = {"columns": ["page", "letter"], "data": [[1, "a"], [2, "b"]]}
        predictions = {
            "type": "ml_prediction",
            "metadata": {"status": "success", "config_id": "hidden-64"},
            "content": frame,
            "content_type": "application/vnd.chapkit.dataframe+json",
        }
        leaf = self.ben.post("/v1/artifacts/", {"parent_id": model["id"], "data": predictions})
        with expect_refusal("no level below predictions", "level_not_in_hierarchy"):
            self.ben.post("/v1/artifacts/", {"parent_id": leaf["id"], "data": {}})
        grown = self.cleo.post("/v1/artifacts/$tree", {"root_id": experiment["id"]})
        labels = [
            grown["level_label"],
            grown["children"][0]["level_label"],
            grown["children"][0]["children"][0]["level_label"],
        ]
        expect("one tree", labels, list(levels.values()))
        table = self.cleo.text(f"/v1/artifacts/{leaf['id']}/$download", accept="text/csv")
        expect("the predictions come as a table", table.split(), ["page,letter", "1,a", "2,b"])
        with expect_refusal("an experiment with children stays", "has_children"):
            self.ben.delete(f"/v1/artifacts/{experiment['id']}/")

    def sunday(self) -> None:
        day("Sunday", "nobody is there: the rule and the garbage run")
        for night in range(6):
            weights = self.files("nightly", weights=np.full((64, 64), night, np.float32), config={"night": night})
            self.ben.lmvp.publish(MODEL, weights, branch="nightly", message=f"Nightly {night}", progress=False)
        rule = self.ada.put(f"{self.model}retention/", {"keep_last": 3})
        expect("the rule says beforehand what it would delete", rule["would_trash"]["versions"], 4)
        print("\n".join(f"     {dim(line)}" for line in manage("collect_garbage", "--dry-run").splitlines()))
        expect("a dry run changes nothing", self.numbers(), list(range(11, 0, -1)))
        print("\n".join(f"     {dim(line)}" for line in manage("collect_garbage", "--grace-hours", "0").splitlines()))
        expect("kept: the newest, and what a name or a lineage names", self.numbers(), [11, 10, 9, 5, 3, 2, 1])
        print("\n".join(f"     {dim(line)}" for line in manage("collect_garbage", "--grace-hours", "0").splitlines()))
        with expect_refusal("the files of a purged version are gone", "not_found"):
            self.cleo.get(f"{self.model}versions/7/")
        events = self.ada.get(f"/v1/projects/{PROJECT}/events/?action=version.purged")["results"]
        purged = sorted(event["subject"] for event in events)
        expect("its number, digest and this line are left", purged, [f"{MODEL} v{number}" for number in (4, 6, 7, 8)])
        manage("verify_blobs")
        local = self.cleo.lmvp.download(MODEL, revision="wider", path=self.scratch / "again", progress=False)
        wider = (self.scratch / "wider" / "weights.npy").read_bytes()
        expect("what stayed is whole", (local.path / "weights.npy").read_bytes() == wider, True)
        found = [hit["version"] for hit in self.cleo.get("/v1/search/?q=hidden+units&type=version")["results"]]
        expect("and is found", sorted(found), [2, 3])
        told = self.ada.get(f"/v1/projects/{PROJECT}/events/?action=alias.")["results"]
        moves = [(event["actor"], event["after"]["version"]) for event in told if event["after"].get("version")]
        expect("the log tells who moved production", moves[:2], [("ada", 1), ("ada", 2)])

    def numbers(self) -> list[int]:
        return [version["number"] for version in self.cleo.get(f"{self.model}versions/")["results"]]


if __name__ == "__main__":
    main()
