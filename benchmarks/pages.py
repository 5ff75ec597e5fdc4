"""What the pages cost: the server's time and the queries of each, with a model of 1,000 versions and with one of 100,000.

.venv/bin/python benchmarks/pages.py --quick                                  a try in a minute; its figures mean little
.venv/bin/python benchmarks/pages.py --json out.json                          SQLite; some minutes, 1 GB of disk
.venv/bin/python benchmarks/pages.py --database-url postgres://…/postgres     two databases are made there, and dropped

Pages are asked for inside the process, one after the other: what is measured is the server's own work. docs/performance.md
defines the figures.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import machine
import report
from history import say, scratch_database
from server import ROOT

MOST_MS = 150
NAME, MODEL = "bench", "sweep"
PATH = "weights.npz"
MEMBER, NOBODY = "member", "nobody"

# One line a page: its name, its address ({m}: the model's, {n}: the number of a version in the middle), who looks.
PAGES = [
    ("home, signed in", "/", MEMBER),
    ("home, nobody", "/", NOBODY),
    ("project", f"/{NAME}/", MEMBER),
    ("model", "{m}", MEMBER),
    ("version", "{m}versions/{n}/", MEMBER),
    ("versions, first page", "{m}versions/", MEMBER),
    ("versions, deep page", "{m}versions/?before={n}", MEMBER),
    ("versions of a branch", "{m}versions/?branch=main", MEMBER),
    ("versions of a branch, deep page", "{m}versions/?branch=main&from={n}", MEMBER),
    ("versions of a branch, oldest first", "{m}versions/?branch=main&order_by=number", MEMBER),
    ("versions of a branch by a metric", "{m}versions/?branch=main&order_by=metric:loss", MEMBER),
    ("versions by a metric", "{m}versions/?order_by=-metric:accuracy", MEMBER),
    ("versions with a condition", "{m}versions/?metric:loss__lt=0.2&author=" + NAME, MEMBER),
    ("graph, first page", "{m}graph/", MEMBER),
    ("graph, deep page", "{m}graph/?before={n}", MEMBER),
    ("a metric over all versions", "{m}metrics/?metric=loss", MEMBER),
    ("three metrics over all versions", "{m}metrics/?metric=loss&metric=f1&metric=accuracy", MEMBER),
    ("a metric on a branch", "{m}metrics/?metric=loss&branch=main", MEMBER),
    ("files", "{m}versions/{n}/tree/", MEMBER),
    ("a file", "{m}versions/{n}/files/{f}", MEMBER),
    ("refs", "{m}refs/", MEMBER),
    ("history of an alias", "{m}refs/alias/production/", MEMBER),
    ("history of a branch", "{m}refs/branch/main/", MEMBER),
    ("merge", "{m}merge/", MEMBER),
    ("compare, the form", "{m}compare/", MEMBER),
    ("compare neighbours", "{m}compare/{p}...{n}/", MEMBER),
    ("compare five", "{m}compare/?versions=1,2,3,{n},latest", MEMBER),
    ("lineage of a version", "{m}versions/{n}/lineage/", MEMBER),
    ("publish", "{m}publish/", MEMBER),
    ("settings of a model", "{m}settings/", MEMBER),
    ("trash of a model", "{m}trash/", MEMBER),
    ("search, a word of all versions", "/search/?q=sweep", MEMBER),
    ("search as one types", "/search/?q=swe&fragment=1", MEMBER),
    ("metrics of a project", f"/{NAME}/-/metrics/", MEMBER),
    ("members", f"/{NAME}/-/members/", MEMBER),
    ("activity", f"/{NAME}/-/activity/", MEMBER),
    ("activity of one version", f"/{NAME}/-/activity/?subject={NAME}/{MODEL}%20v{{n}}", MEMBER),
    ("artifacts", f"/{NAME}/-/artifacts/", MEMBER),
    ("account", "/account/", MEMBER),
]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what the pages cost.")
    parser.add_argument("--quick", action="store_true", help="short histories: is everything in order?")
    parser.add_argument("--versions", type=int, nargs=2, help="lengths of the two histories (1000 100000; 50 500)")
    parser.add_argument(
        "--times", type=int, default=11, help="how often each page is asked for (11); the median counts"
    )
    parser.add_argument("--database-url", help="a PostgreSQL where databases may be made (default: SQLite)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement")
    parser.add_argument("--measure", type=int, metavar="VERSIONS", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.times)))
        return
    results = run(given, given.versions or ([50, 500] if given.quick else [1000, 100_000]))
    print(text(results))
    if given.json:
        given.json.write_text(json.dumps(results, indent=2) + "\n")


def run(given: argparse.Namespace, lengths: list[int]) -> dict[str, Any]:
    with scratch_directory() as directory:
        return {
            "machine": machine.describe(directory, given.database_url),
            "versions": lengths,
            "pages": [measured(directory / str(count), count, given) for count in lengths],
        }


@contextmanager
def scratch_directory() -> Any:
    parent = ROOT / "var"
    parent.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def measured(directory: Path, count: int, given: argparse.Namespace) -> dict[str, Any]:
    """Make a history in a database of its own, and measure in a process that knows no other."""
    directory.mkdir()
    with scratch_database(given.database_url) as url:
        environment = os.environ | {
            "LMVP_DATA_DIR": str(directory),
            "DATABASE_URL": url or f"sqlite:///{directory / 'lmvp.sqlite3'}",
            "LMVP_URL": "http://testserver",
            "PYTHONPATH": str(ROOT),
        }

        def python(*command: str) -> str:
            done = subprocess.run(
                [sys.executable, *command], cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
            )
            return done.stdout

        python("manage.py", "migrate", "--verbosity", "0")
        say(f"Writing a history of {count:,} versions …")
        blob = python("manage.py", "shell", "-v0", "-c", PREPARE.format(name=NAME, model=MODEL)).split()[-1]
        python("benchmarks/seed_history.py", NAME, MODEL, str(count), blob)
        say("Asking for pages …")
        return json.loads(python("benchmarks/pages.py", "--measure", str(count), "--times", str(given.times)))


PREPARE = """
import os
from django.utils import timezone
from accounts.models import User
from registry.services.projects import ensure_personal_project
from registry.services.registered_models import create_model
from registry.services.announcing import Wanted, announce
from registry.services.uploads import receive
from registry.models import Project
user = User.objects.create_user("{name}@example.org", "{name}", email_verified_at=timezone.now())
ensure_personal_project(actor=user)
model = create_model(actor=user, project=Project.objects.get(name="{name}"), name="{model}")
(offer,) = announce(actor=user, model=model, files=[Wanted(20000)])
print(receive(upload=offer.upload, chunks=[os.urandom(20000)]).sha256)
"""


def measure(count: int, times: int) -> dict[str, Any]:
    """Return for each page its milliseconds, its number of queries and its bytes as sent. In a process with Django's settings."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lmvp.settings")
    django.setup()
    logging.disable(logging.CRITICAL)
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from accounts.models import User

    clients = {who: Client(headers={"accept-encoding": "gzip"}) for who in (MEMBER, NOBODY)}
    clients[MEMBER].force_login(User.objects.get(username=NAME))
    found: dict[str, Any] = {}
    for name, address, who in PAGES:
        place = address.format(m=f"/{NAME}/{MODEL}/", n=count // 2, p=count // 2 - 1, f=PATH)
        with CaptureQueriesContext(connection) as captured:
            response = clients[who].get(place)
        queries = len(captured)
        if response.status_code != 200:
            raise SystemExit(f"{place} answered {response.status_code}")
        taken = [_milliseconds(clients[who], place) for _ in range(times)]
        found[name] = {"ms": median(taken), "all": taken, "queries": queries, "bytes": len(response.content)}
    return found


def _milliseconds(client: Any, address: str) -> float:
    start = time.perf_counter()
    client.get(address)
    return (time.perf_counter() - start) * 1000


def text(results: dict[str, Any]) -> str:
    rows = [[name, value] for name, value in results["machine"].items()]
    short, long = results["versions"]
    head = ["page, the server's time", f"{short:,} versions", f"{long:,} versions", "queries", "sent", "to reach"]
    pages = [_row(name, results["pages"][0][name], results["pages"][1][name]) for name, _, _ in PAGES]
    return "\n\n".join([report.table(["machine", ""], rows), report.table(head, pages)]) + "\n"


def _row(name: str, short: dict[str, Any], long: dict[str, Any]) -> list[str]:
    fixed = short["queries"] == long["queries"]
    queries = str(long["queries"]) if fixed else f"{short['queries']} → {long['queries']} {report.mark(False)}"
    reached = f"≤ {MOST_MS} ms {report.mark(long['ms'] <= MOST_MS)}"
    return [name, f"{short['ms']:.1f} ms", f"{long['ms']:.1f} ms", queries, f"{long['bytes'] / 1024:.1f} KiB", reached]


if __name__ == "__main__":
    main()
