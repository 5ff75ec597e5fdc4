"""/metrics: who may read it, what it tells, and that its labels stay few."""

from __future__ import annotations

import http.client
import io
import json
import logging
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import User
from lmvp.settings import BASE_DIR as ROOT
from lmvp.watching import page
from lmvp.watching.inventory import Inventory
from lmvp.watching.requests import Body
from registry import storage
from registry.services import garbage
from tests.cast import client_of, publish
from tests.servers import Server, empty_database, running_server

pytestmark = pytest.mark.django_db
FAR = "198.51.100.7"
TOKEN = "a token, $ and all"


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch) -> None:
    monkeypatch.setattr(page, "inventory", Inventory())


def ask(who: User | None = None, address: str = FAR, **headers: str):
    client = Client(REMOTE_ADDR=address)
    if who:
        client.force_login(who)
    return client.get("/metrics", headers=headers)


def figures(text: str) -> dict[tuple[str, str], float]:
    """Return every sample by its name and its labels, written as `name=value` in order."""
    return {
        (sample.name, " ".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def here() -> dict[tuple[str, str], float]:
    return figures(ask(address="127.0.0.1").content.decode())


def test_the_token_alone_opens_where_there_is_one(cast, settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert ask(Authorization=f"Bearer {TOKEN}").status_code == 200
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        answer = ask(address="127.0.0.1", **headers)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="LMVP"')
    assert ask(cast.alice).status_code == 404


def test_without_a_token_this_machine_and_staff_see_it(cast) -> None:
    boss = User.objects.create_superuser("boss@example.org", "boss", "correct horse")
    assert [ask(address=address).status_code for address in ("127.0.0.1", "::1", FAR, "")] == [200, 200, 401, 401]
    assert [ask(who).status_code for who in (boss, cast.alice, None)] == [200, 404, 401]
    assert ask(address="127.0.0.1", Authorization="Bearer wrong").status_code == 401


def test_a_proxy_on_this_machine_does_not_make_strangers_local(settings) -> None:
    assert ask(address="127.0.0.1", X_Forwarded_For=FAR).status_code == 401
    assert ask(address="127.0.0.1", X_Forwarded_For="127.0.0.1").status_code == 401  # nobody told us of a proxy
    settings.LMVP_PROXIES = 1
    assert ask(address="127.0.0.1", X_Forwarded_For=f"127.0.0.1, {FAR}").status_code == 401
    assert ask(address="127.0.0.1").status_code == 200


def test_with_the_token_a_replica_is_asked_by_its_own_address(settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    client = Client(HTTP_HOST="10.1.2.3:8000")
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get("/metrics").status_code == 400
    assert client.get("/healthz", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 400


def test_requests_are_counted_by_route_and_never_by_path(cast) -> None:
    publish(cast.alice, cast.model(), {"a": b"1"})
    before = here()
    alice = client_of(cast.alice)
    for revision in ("1", "latest", "77", "x" * 50):
        alice.get(f"/v1/projects/vision/models/classifier/versions/{revision}/")
    alice.generic("BREW", "/v1/projects/")
    for n in range(3):
        alice.get(f"/v1/nowhere/{n}/")
    after = here()
    route = "/v1/projects/<slug:project>/models/<str:model>/versions/<str:revision>/"

    def grown(name: str, labels: str) -> float:
        return after.get((name, labels), 0) - before.get((name, labels), 0)

    assert grown("lmvp_requests_total", f"method=GET route={route} status=2xx") == 2
    assert grown("lmvp_requests_total", f"method=GET route={route} status=4xx") == 2
    assert grown("lmvp_request_seconds_count", f"method=GET route={route}") == 4
    assert grown("lmvp_requests_total", "method=GET route=unknown status=4xx") == 3
    assert grown("lmvp_requests_total", "method=other route=/v1/projects/ status=4xx") == 1
    assert not [key for key in after if "classifier" in key[1] or "/vision" in key[1] or "nowhere" in key[1]]


def test_bytes_and_publishes_are_counted(cast) -> None:
    cast.model()
    before = here()
    alice = client_of(cast.alice)
    form = {"files": io.BytesIO(b"x" * 5000), "paths": "w.bin", "message": "m"}
    assert alice.post("/v1/projects/vision/models/classifier/versions/", form, format="multipart").status_code == 201
    answer = alice.get("/v1/projects/vision/models/classifier/versions/1/files/w.bin")
    during = here()
    assert answer.getvalue() == b"x" * 5000
    answer.close()
    after = here()
    # Other tests of this process may have left a download open.
    assert during["lmvp_downloads_in_flight", ""] - before["lmvp_downloads_in_flight", ""] == 1
    for name in ("lmvp_downloads_in_flight", "lmvp_uploads_in_flight"):
        assert after[name, ""] == before[name, ""]
    for name in ("lmvp_received_bytes_total", "lmvp_sent_bytes_total"):
        assert after[name, ""] - before[name, ""] > 5000
    assert after["lmvp_publishes_total", ""] - before["lmvp_publishes_total", ""] == 1
    assert after["lmvp_blobs", "state=live"] == 0  # kept for some seconds: it was asked before


def test_what_there_is_is_told(cast, settings) -> None:
    publish(cast.alice, cast.model(), {"a": b"12345"})
    assert here()["lmvp_garbage_last_run_timestamp_seconds", ""] == 0
    page.inventory = Inventory()
    garbage.collect()
    found = here()
    assert (found["lmvp_blobs", "state=live"], found["lmvp_blob_bytes", "state=live"]) == (1, 5)
    assert (found["lmvp_versions", ""], found["lmvp_uploads_open", ""], found["lmvp_database_up", ""]) == (1, 0, 1)
    assert found["lmvp_trash_rows", "kind=version"] == 0
    assert time.time() - found["lmvp_garbage_last_run_timestamp_seconds", ""] < 60
    assert found["lmvp_memory_bytes", ""] > 10_000_000
    assert found["lmvp_cpu_seconds_total", ""] > 0


def test_the_database_is_asked_now_and_then(cast, django_assert_num_queries) -> None:
    here()
    with django_assert_num_queries(0):
        here()


def test_failures_of_the_store_are_counted_and_missing_files_are_none(tmp_path: Path) -> None:
    before = here()
    with pytest.raises(storage.Lost):
        storage.open_blob("0" * 64)
    (tmp_path / "blobs").write_text("no directory")
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the file system
        storage.take_all({"0" * 64: tmp_path / "none"})
    after = here()
    changed = {key[1] for key in after if key[0] == "lmvp_storage_errors_total" and after[key] != before.get(key, 0)}
    assert changed == {"operation=take_all"}


# --- Slow lines


@pytest.fixture
def slow(caplog):
    caplog.set_level(logging.WARNING, "lmvp.slow")
    return lambda: [record for record in caplog.records if record.name == "lmvp.slow"]


def test_a_slow_query_is_told_without_its_values(cast, settings, slow) -> None:
    settings.SLOW_QUERY_MS = 0.0001
    settings.SLOW_REQUEST_MS = 0
    client_of(cast.alice).get("/v1/projects/vision/")
    lines = [record.getMessage() for record in slow()]
    assert any("registry_project" in line and "%s" in line for line in lines)
    assert not any("'vision'" in line for line in lines)
    assert connection.execute_wrappers == []


def test_a_slow_request_is_told_and_zero_is_off(cast, settings, slow) -> None:
    settings.SLOW_QUERY_MS = settings.SLOW_REQUEST_MS = 0
    client_of(cast.alice).get("/v1/projects/vision/")
    assert slow() == []
    settings.SLOW_REQUEST_MS = 0.0001
    client_of(cast.alice).get("/v1/projects/vision/?secret=1")
    (record,) = slow()
    assert record.path == "/v1/projects/vision/"
    assert "secret" not in record.getMessage()


class Slowly(io.BytesIO):
    def read(self, *size: int) -> bytes:
        piece = super().read(*size)
        time.sleep(0.02 if piece else 0)  # what a slow line is
        return piece


def test_waiting_for_a_slow_sender_is_the_senders_time() -> None:
    body = Body(Slowly(b"x" * 10), upload=True)
    assert [body.read(5), body.read(5), body.read(5)] == [b"xxxxx", b"xxxxx", b""]
    body.end()
    assert body.waited >= 0.04
    assert body.came == 10


# --- A real server


@pytest.fixture
def server(tmp_path: Path):
    with (
        empty_database() as env,
        running_server(tmp_path, LMVP_SLOW_QUERY_MS=1, LMVP_SLOW_REQUEST_MS=1, LOG_FORMAT="json", **env) as server,
    ):
        yield server


def scrape(server: Server) -> dict[tuple[str, str], float]:
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    line.request("GET", "/metrics")
    answer = line.getresponse()
    text = answer.read().decode()
    line.close()
    assert answer.status == 200, text
    return figures(text)


def shared_directory(server: Server) -> Path:
    (found,) = [
        directory
        for place in (Path("/dev/shm"), Path(tempfile.gettempdir()))
        for directory in place.glob(f"lmvp-figures.{server.process.pid}.*")
    ]
    return found


def test_the_workers_count_together_and_leave_nothing(server: Server) -> None:
    assert [server.status("/readyz") for _ in range(30)] == [200] * 30
    for _ in range(3):  # whichever worker answers
        found = scrape(server)
        assert found["lmvp_requests_total", "method=GET route=/readyz status=2xx"] == 30
    assert found["lmvp_processes", ""] == 3
    assert found["lmvp_memory_bytes", ""] > 50_000_000
    directory = shared_directory(server)
    assert list(directory.glob("gauge_livesum_*.db"))
    server.stop()
    assert not directory.exists()


def test_slow_lines_bear_the_request_id_in_json(server: Server) -> None:
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for n in range(20):
        line.request("GET", "/readyz", headers={"X-Request-Id": f"wanted-{n:04}"})
        line.getresponse().read()
    told = [json.loads(each) for each in server.output().splitlines() if '"lmvp.slow"' in each]
    (first,) = [each for each in told if each["request_id"] == "wanted-0000" and "route" in each]
    assert (first["route"], first["levelname"]) == ("/readyz", "WARNING")
    assert first["ms"] >= 1


def test_servers_that_start_at_once_tidy_up_after_one_that_was_killed(tmp_path: Path) -> None:
    """Whoever is second finds gone what it has just seen."""
    for n in range(2000):
        (tmp_path / f"lmvp-figures.99999999.{n}").mkdir()  # of a process that is no more
    code = f"from pathlib import Path; from lmvp.watching import sharing; sharing._remove_left_behind(Path({str(tmp_path)!r}))"
    starting = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(3)]
    assert [each.wait() for each in starting] == [0, 0, 0]
    assert list(tmp_path.iterdir()) == []


# --- The dashboard and the manual


def exported() -> set[str]:
    return {key[0] for key in here()} | {"lmvp_storage_errors_total"}


def dashboard() -> dict:
    return json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())


def named(text: str) -> set[str]:
    return set(re.findall(r"\blmvp_[a-z_]+", text))


def families(names: set[str]) -> set[str]:
    return {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in names if not name.endswith("_created")}


def test_the_dashboard_asks_for_what_is_exported(cast) -> None:
    here()
    panels = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
    asked = {name for panel in panels for target in panel["targets"] for name in named(target["expr"])}
    assert asked <= exported()
    assert all(panel["gridPos"].keys() == {"x", "y", "w", "h"} and panel["title"] for panel in panels)
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])


def test_the_manual_names_all_that_is_exported_and_nothing_else(cast) -> None:
    here()
    text = (ROOT / "docs" / "deploy.md").read_text()
    said = families(named(text[text.index("## Watching") :].split("\n## ")[0])) - {"lmvp_"}
    if connection.vendor != "postgresql":
        assert "lmvp_database_connections_in_use" in said
    assert said == families(exported())
