"""The client against servers that lie, fail, or are no LMVP at all: a few lines of http.server play them."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lmvp.client import errors
from lmvp.client.api import Client

BYTES = b"weights " * 400_000
SHA256 = hashlib.sha256(BYTES).hexdigest()
DIGEST = "cd" * 32
MODEL = "/v1/projects/vision/models/digits/"
VERSION = {
    "project": "vision",
    "model": "digits",
    "number": 1,
    "digest": DIGEST,
    "branch": "main",
    "parents": [],
    "author": "alice",
    "message": "First",
    "metadata": {},
    "metrics": {},
    "refs": [{"kind": "branch", "name": "main"}],
    "created_at": "2026-11-21T04:05:06Z",
    "files": {"count": 1, "size": len(BYTES)},
    "url": "",
}


PROJECT = {
    "name": "vision",
    "description": "",
    "visibility": "private",
    "personal": False,
    "role": "owner",
    "created_at": "2026-11-21T04:05:06Z",
    "url": "",
}
ALICE = {
    "username": "alice",
    "email": "a@b.c",
    "is_staff": False,
    "is_superuser": False,
    "date_joined": "2026-11-21T04:05:06Z",
    "token": None,
}


def entry(path: str = "weights.bin") -> dict[str, object]:
    return {"path": path, "name": path, "type": "file", "size": len(BYTES), "digest": SHA256, "version": 1}


class Stranger:
    """A server that answers by `routes`: (method, path) → a function of the request's handler."""

    def __init__(self) -> None:
        self.routes = {}
        self.seen = []
        stranger = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                path = self.path.partition("?")[0]
                self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                stranger.seen.append((self.command, self.path, self.headers, self.body))
                stranger.routes.get((self.command, path), missing)(self)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def keeps(self, content: bytes, path: str = "weights.bin") -> None:
        """Have the one version VERSION, with `content` for its file."""
        self.routes |= {
            ("GET", f"{MODEL}versions/latest/"): sends_json(VERSION),
            ("GET", f"{MODEL}versions/{DIGEST}/tree/"): sends_json({"next": None, "results": [entry(path)]}),
            ("GET", f"{MODEL}versions/{DIGEST}/files/weights.bin"): sends(content),
        }


def sends(body: bytes, *, status: int = 200, kind: str = "application/octet-stream", **headers: str):
    def run(handler):
        handler.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return run


def sends_json(value: object, *, status: int = 200):
    return sends(json.dumps(value).encode(), status=status, kind="application/json")


def refuses(status: int, code: str, message: str = "No.", **fields: object):
    return sends_json({"error": {"code": code, "message": message, "fields": fields}}, status=status)


def first(*answers):
    """Give one answer after the other, the last for ever."""
    left = list(answers)
    return lambda handler: (left.pop(0) if len(left) > 1 else left[0])(handler)


def hangs_up(handler):
    handler.close_connection = True
    handler.connection.close()


missing = refuses(404, "not_found", "Not found.")


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """Nothing of the developer's own machine is read or written."""
    for name in ("LMVP_SERVER", "LMVP_TOKEN", "LMVP_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LMVP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def server():
    stranger = Stranger()
    yield stranger
    stranger.close()


@pytest.fixture
def elsewhere():
    stranger = Stranger()
    yield stranger
    stranger.close()


@pytest.fixture
def client(server):
    return quick(Client(server.url, token="lmvp_secret"))


def quick(client: Client) -> Client:
    client._session._retry_pauses = client._session.resume_pauses = (0, 0)
    return client


def kept_files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())


# --- Bytes


def test_what_arrives_is_what_was_published(server, client, tmp_path):
    server.keeps(BYTES)
    local = client.download("vision/digits")
    assert local.file("weights.bin").read_bytes() == BYTES
    assert local.file("weights.bin").stat().st_mode & 0o222 == 0
    assert local.path == tmp_path / "cache" / "snapshots" / "vision" / "digits" / DIGEST


@pytest.mark.parametrize("lie", [BYTES[:-1] + b"X", BYTES + b"more", BYTES[:-1], b""])
@pytest.mark.parametrize("own_path", [True, False])
def test_other_bytes_are_refused_and_nothing_is_kept(server, client, tmp_path, lie, own_path):
    server.keeps(lie)
    target = tmp_path / "target"
    with pytest.raises(errors.IntegrityError, match=r"other bytes for weights\.bin"):
        client.download("vision/digits", path=target if own_path else None)
    assert kept_files(tmp_path) == []
    assert not target.exists() or list(target.iterdir()) == []


def test_a_failed_download_leaves_the_file_that_stood_there(server, client, tmp_path):
    server.keeps(b"lie")
    (tmp_path / "weights.bin").write_text("mine")
    with pytest.raises(errors.IntegrityError):
        client.download("vision/digits", path=tmp_path)
    assert (tmp_path / "weights.bin").read_text() == "mine"


@pytest.mark.parametrize("path", ["../../escaped", "/tmp/escaped", "a/../../escaped", "sub\\escaped"])
def test_a_server_cannot_write_outside_the_directory(server, client, tmp_path, path):
    server.keeps(BYTES, path)
    with pytest.raises(errors.ValidationFailed, match="Nothing was written"):
        client.download("vision/digits", path=tmp_path / "deep" / "target")
    assert list(tmp_path.rglob("*escaped*")) == []


def test_a_broken_download_goes_on_where_it_broke(server, client, tmp_path):
    half = len(BYTES) // 2

    def breaks(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(BYTES)))
        handler.end_headers()
        handler.wfile.write(BYTES[:half])
        hangs_up(handler)

    def rest(handler):
        start = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        assert 0 < start <= half
        sends(BYTES[start:], status=206)(handler)

    server.keeps(BYTES)
    server.routes["GET", f"{MODEL}versions/{DIGEST}/files/weights.bin"] = first(breaks, rest)
    assert client.download("vision/digits").file("weights.bin").read_bytes() == BYTES


def test_a_flipped_byte_in_the_cache_is_found_and_fetched_again(server, client, tmp_path):
    server.keeps(BYTES)
    weights = client.download("vision/digits").file("weights.bin")
    weights.chmod(0o600)
    weights.write_bytes(b"X" + BYTES[1:])
    assert client.download("vision/digits").file("weights.bin").read_bytes() == BYTES
    assert (tmp_path / "cache" / "blobs" / SHA256).read_bytes() == BYTES


def test_bytes_in_the_cache_are_not_fetched_again(server, client, tmp_path):
    server.keeps(BYTES)
    client.download("vision/digits")
    client.download("vision/digits")
    client.download("vision/digits", path=tmp_path / "target")
    assert len([path for _, path, *_ in server.seen if "/files/" in path]) == 1
    assert (tmp_path / "target" / "weights.bin").read_bytes() == BYTES
    assert (tmp_path / "target" / "weights.bin").stat().st_mode & 0o200


def test_ctrl_c_leaves_no_partial_file(server, client, tmp_path):
    def stalls(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(BYTES)))
        handler.end_headers()
        handler.wfile.write(BYTES[:-1])
        handler.wfile.flush()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        stopped.wait(10)
        hangs_up(handler)

    stopped = threading.Event()
    server.keeps(BYTES)
    server.routes["GET", f"{MODEL}versions/{DIGEST}/files/weights.bin"] = stalls
    threading.Timer(0.5, stopped.set).start()
    with pytest.raises(KeyboardInterrupt):
        client.download("vision/digits", path=tmp_path / "target")
    assert list(tmp_path.glob("target/*")) == []


# --- Sending


def accepts(server: Stranger, href: str) -> None:
    upload = {
        "id": 1,
        "sha256": SHA256,
        "status": "missing",
        "href": href,
        "method": "PUT",
        "headers": {"X-Signed": "yes"},
    }
    server.routes |= {
        ("POST", f"{MODEL}uploads/"): sends_json([upload]),
        ("POST", f"{MODEL}versions/"): sends_json(VERSION, status=201),
    }


@pytest.fixture
def weights(tmp_path):
    (tmp_path / "weights.bin").write_bytes(BYTES)
    return tmp_path / "weights.bin"


def test_the_token_does_not_go_to_the_store_that_takes_the_bytes(server, elsewhere, client, weights):
    accepts(server, f"{elsewhere.url}/bucket/key?signature=1")
    elsewhere.routes["PUT", "/bucket/key"] = sends(b"")
    client.update("vision/digits", weights)
    [(_, path, headers, body)] = elsewhere.seen
    assert path == "/bucket/key?signature=1"
    assert headers["Authorization"] is None
    assert headers["X-Signed"] == "yes"
    assert headers["Content-Length"] == str(len(BYTES))
    assert body == BYTES


def test_a_redirect_does_not_carry_the_token_to_another_host(server, elsewhere, client, tmp_path):
    server.keeps(BYTES)
    href = f"{elsewhere.url.replace('127.0.0.1', 'localhost')}/signed"
    server.routes["GET", f"{MODEL}versions/{DIGEST}/files/weights.bin"] = sends(b"", status=302, Location=href)
    elsewhere.routes["GET", "/signed"] = sends(BYTES)
    client.download("vision/digits")
    assert elsewhere.seen[0][2]["Authorization"] is None


def test_a_write_is_not_carried_to_another_host(server, elsewhere, tmp_path):
    href = f"{elsewhere.url.replace('127.0.0.1', 'localhost')}/auth/login/"
    server.routes["POST", "/auth/login/"] = sends(b"", status=308, Location=href)
    with pytest.raises(errors.NotLMVPServer, match="sends us on to"):
        Client(server.url).login("alice@example.org", "secret")
    assert elsewhere.seen == []


def test_a_publish_that_broke_off_is_repeated_with_the_same_key(server, client, weights):
    accepts(server, "/up/1")
    server.routes["PUT", "/up/1"] = first(hangs_up, sends(b""))
    server.routes["POST", f"{MODEL}versions/"] = first(
        hangs_up, sends(b"", status=503), sends_json(VERSION, status=201)
    )
    assert client.update("vision/digits", weights).number == 1
    commits = [(headers["Idempotency-Key"], body) for method, path, headers, body in server.seen if "versions" in path]
    assert len(commits) == 3
    assert len(set(commits)) == 1
    assert commits[0][0]


def test_a_login_is_never_sent_twice(server):
    server.routes["POST", "/auth/login/"] = hangs_up
    with pytest.raises(errors.ConnectionFailed):
        quick(Client(server.url)).login("alice@example.org", "secret")
    assert len(server.seen) == 1


def test_the_same_bytes_under_two_names_are_sent_once(server, client, weights):
    (weights.parent / "copy.bin").write_bytes(BYTES)
    accepts(server, "/up/1")
    server.routes["PUT", "/up/1"] = sends(b"")
    client.update("vision/digits", weights.parent)
    assert [path for method, path, *_ in server.seen if method == "PUT"] == ["/up/1"]
    published = json.loads(server.seen[-1][3])
    assert published["files"] == [{"path": path, "sha256": SHA256} for path in ("copy.bin", "weights.bin")]
    assert published["base"] == "empty"


def test_a_local_model_is_published_on_top_of_the_version_that_it_came_from(server, client, weights):
    server.keeps(BYTES)
    local = client.download("vision/digits")
    server.routes["POST", f"{MODEL}uploads/"] = sends_json([{"sha256": SHA256, "status": "stored"}])
    newer = {**VERSION, "number": 2, "digest": "ef" * 32}
    moved = refuses(409, "parent_moved", "Moved.", head={"number": 3, "digest": "aa" * 32})
    server.routes["POST", f"{MODEL}versions/"] = first(sends_json(newer, status=201), moved)
    client.update("vision/digits", local)
    assert json.loads(server.seen[-1][3])["parent"] == DIGEST
    assert local.version.number == 2
    with pytest.raises(errors.Conflict, match=r"version 3 is the newest on main now.*without `parent`"):
        client.update("vision/digits", local)
    assert json.loads(server.seen[-1][3])["parent"] == "ef" * 32


# --- Who it is


def test_an_expired_sign_in_is_refreshed_once_and_kept(server, tmp_path):
    tokens = {"access": "old", "refresh": "r1"}
    server.routes["POST", "/auth/login/"] = sends_json({"email": "a@b.c", "username": "alice", "tokens": tokens})
    server.routes["POST", "/auth/token/refresh/"] = sends_json({"access": "fresh", "refresh": "r2"})

    def me(handler):
        good = handler.headers["Authorization"] == "Bearer fresh"
        (sends_json(ALICE) if good else refuses(401, "token_expired"))(handler)

    server.routes["GET", "/auth/me/"] = me
    first_client, second_client = Client(server.url), Client(server.url)
    first_client.login("a@b.c", "secret")
    assert first_client.whoami().username == "alice"
    assert second_client.whoami().username == "alice"
    refreshes = [json.loads(body) for _, path, _, body in server.seen if "refresh" in path]
    assert refreshes == [{"refresh": "r1"}]


def test_many_threads_use_a_refresh_token_once(server):
    lock, good = threading.Lock(), {"access": "old", "refresh": "r0"}

    def refresh(handler):
        with lock:
            if json.loads(handler.body)["refresh"] != good["refresh"]:
                return refuses(401, "refresh_reused")(handler)
            good["refresh"] = f"r{int(good['refresh'][1:]) + 1}"
            good["access"] = "fresh"
        return sends_json(good)(handler)

    def me(handler):
        fits = handler.headers["Authorization"] == "Bearer fresh"
        (sends_json(ALICE) if fits else refuses(401, "token_expired"))(handler)

    server.routes |= {
        ("POST", "/auth/login/"): sends_json({"email": "a@b.c", "username": "alice", "tokens": dict(good)}),
        ("POST", "/auth/token/refresh/"): refresh,
        ("GET", "/auth/me/"): me,
    }
    client, failures = Client(server.url), []
    client.login("a@b.c", "secret")

    def ask():
        try:
            client.whoami()
        except errors.LMVPError as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert good["refresh"] == "r1"


def test_a_sign_in_that_has_ended_says_so(server):
    tokens = {"access": "old", "refresh": "r1"}
    server.routes["POST", "/auth/login/"] = sends_json({"email": "a@b.c", "username": "alice", "tokens": tokens})
    server.routes["POST", "/auth/token/refresh/"] = refuses(401, "refresh_revoked")
    server.routes["GET", "/auth/me/"] = refuses(401, "token_expired")
    client = Client(server.url)
    client.login("a@b.c", "secret")
    with pytest.raises(errors.AuthenticationError, match=r"has ended\. Sign in again"):
        client.whoami()


def test_netrc_does_not_speak_for_us(server, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login eve password evil")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.routes["GET", "/v1/projects/"] = sends_json({"next": None, "results": []})
    Client(server.url).projects()
    Client(server.url, token="mine").projects()
    assert [headers["Authorization"] for *_, headers, _ in server.seen] == [None, "Bearer mine"]


def test_pages_are_asked_of_our_server_whatever_the_answer_says(server, elsewhere, client):
    second = f"{elsewhere.url}/v1/projects/?page=2"
    server.routes["GET", "/v1/projects/"] = first(
        sends_json({"next": second, "results": [PROJECT | {"name": "a"}]}),
        sends_json({"next": None, "results": [PROJECT | {"name": "b"}]}),
    )
    assert [project.name for project in client.projects()] == ["a", "b"]
    assert elsewhere.seen == []
    assert server.seen[1][1] == "/v1/projects/?page=2"


# --- What answers


@pytest.mark.parametrize(
    "answer",
    [
        sends(b"<h1>It works!</h1>", kind="text/html"),
        sends(b"<h1>Not here</h1>", status=404, kind="text/html"),
        sends_json({"detail": "Not Found"}, status=404),
        sends_json(["something", "else"]),
        sends(b"{", kind="application/json"),
    ],
)
def test_a_server_that_is_not_lmvp_is_named_so(server, client, answer):
    server.routes["GET", "/v1/projects/"] = answer
    with pytest.raises(errors.NotLMVPServer, match=r"Check the address"):
        client.projects()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.ValidationFailed),
        (401, errors.AuthenticationError),
        (403, errors.PermissionDenied),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (413, errors.ValidationFailed),
        (429, errors.Throttled),
        (500, errors.ServerError),
        (507, errors.StorageFull),
    ],
)
def test_every_refusal_is_its_type(server, client, status, kind):
    server.routes["GET", "/auth/me/"] = refuses(status, "some_code", "Do this.", a=1)
    with pytest.raises(kind, match=r"Do this\.") as caught:
        client.whoami()
    assert (caught.value.code, caught.value.status, caught.value.fields) == ("some_code", status, {"a": 1})


def test_a_quota_that_is_used_up_is_told_with_its_figures(server, client):
    said = "The project digits may hold 2.0 KB and holds 1.0 KB; this takes 1.5 KB more. Delete old versions, or ask ada for more."
    server.routes["GET", "/auth/me/"] = refuses(507, "quota_exceeded", said, limit=2048, used=1024, wanted=1536)
    with pytest.raises(errors.QuotaExceeded, match="or ask ada for more") as caught:
        client.whoami()
    assert (caught.value.limit, caught.value.used, caught.value.wanted) == (2048, 1024, 1536)
    assert isinstance(caught.value, errors.StorageFull)
    assert len(server.seen) == 1, "more tries would find no more room"


def test_a_quota_without_figures_is_still_one(server, client):
    server.routes["GET", "/auth/me/"] = refuses(507, "quota_exceeded", "No more.")
    with pytest.raises(errors.QuotaExceeded) as caught:
        client.whoami()
    assert (caught.value.limit, caught.value.used, caught.value.wanted) == (0, 0, 0)


def test_a_failing_proxy_is_a_server_error_with_a_next_step(server, client):
    server.routes["GET", "/auth/me/"] = sends(b"<h1>Bad gateway</h1>", status=502, kind="text/html")
    with pytest.raises(errors.ServerError, match="Try again in a moment"):
        client.whoami()
    assert len(server.seen) == 3


def test_nobody_there_says_what_to_check():
    with pytest.raises(errors.ConnectionFailed, match=r"Cannot reach http://localhost:9: connection refused\. Check"):
        quick(Client("http://localhost:9")).whoami()


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://x", "models.example.org", "http://"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(errors.ValidationFailed, match="Write it like http://localhost:8000"):
        Client(address)


# --- Names


def named(server: Stranger, *, personal: str | None, **projects: list[str]) -> None:
    server.routes["GET", "/auth/me/"] = (
        sends_json({"username": personal}) if personal else refuses(401, "no_credentials")
    )
    listed = [{"name": name, "role": "viewer" if name == "watched" else "owner"} for name in projects]
    server.routes["GET", "/v1/projects/"] = sends_json({"next": None, "results": listed})
    for project, models in projects.items():
        results = [{"name": model, "project": project} for model in models]
        server.routes["GET", f"/v1/projects/{project}/models/"] = sends_json({"next": None, "results": results})


def test_a_bare_name_is_the_default_projects(client, monkeypatch):
    monkeypatch.setenv("LMVP_PROJECT", "vision")
    assert str(client._names.resolve("digits")) == "vision/digits"


def test_a_bare_name_is_the_personal_projects_before_anybody_elses(server, client):
    named(server, personal="alice", alice=["digits"], vision=["digits"])
    assert str(client._names.resolve("digits")) == "alice/digits"


def test_a_bare_name_is_the_only_visible_model(server, client):
    named(server, personal="alice", alice=[], vision=["Digits"])
    assert str(client._names.resolve("digits")) == "vision/Digits"


def test_a_bare_name_that_fits_several_lists_them(server, client):
    named(server, personal="alice", alice=[], vision=["digits"], watched=["digits"])
    with pytest.raises(errors.AmbiguousName, match="vision/digits, watched/digits"):
        client._names.resolve("digits")
    assert str(client._names.resolve("digits", writing=True)) == "vision/digits"


def test_a_new_bare_name_is_published_to_the_personal_project(server, client):
    named(server, personal="alice", alice=[], vision=["other"])
    assert str(client._names.resolve_new("digits")) == "alice/digits"


def test_a_bare_name_is_never_published_to_somebody_elses_project(server, client):
    named(server, personal="alice", alice=[], vision=["digits"])
    assert str(client._names.resolve_new("digits")) == "alice/digits"
    assert str(client._names.resolve("digits", writing=True)) == "vision/digits"


def test_a_page_is_not_the_address_of_a_server():
    with pytest.raises(errors.ValidationFailed, match="leave out the path, http://localhost:8301"):
        Client("http://localhost:8301/docs/")


def test_a_server_without_tls_is_told_from_a_wrong_certificate(server):
    address = server.url.replace("http:", "https:")
    with pytest.raises(errors.ConnectionFailed, match=f"does not speak TLS; try {server.url}"):
        quick(Client(address, token="lmvp_secret")).whoami()


def test_a_limit_below_one_is_refused(client):
    with pytest.raises(errors.ValidationFailed, match="Give 1 or more"):
        client.show_history("vision/digits", limit=0)
    with pytest.raises(errors.ValidationFailed, match="Give 1 or more"):
        client.moves("vision/digits", "production", limit=0)


def test_a_file_in_the_place_of_the_directory_is_told_first(server, client, tmp_path):
    (tmp_path / "single.txt").write_text("mine")
    with pytest.raises(errors.LocalFileError, match=r"single\.txt is a file; give a directory"):
        client.download("vision/digits", path=tmp_path / "single.txt")
    assert server.seen == []


def test_a_sign_out_that_the_server_does_not_hear_says_so(server):
    tokens = {"access": "old", "refresh": "r1"}
    server.routes["POST", "/auth/login/"] = sends_json({"email": "a@b.c", "username": "alice", "tokens": tokens})
    server.routes["POST", "/auth/logout/"] = hangs_up
    client = Client(server.url)
    client.login("a@b.c", "secret")
    assert client.logout() is False
    assert not client._session.has_credentials


@pytest.mark.parametrize("name", ["digts", "vision/digts", "leters"])
def test_a_mistyped_name_is_guessed(server, client, name):
    named(server, personal="alice", alice=["letters"], vision=["digits"])
    with pytest.raises(errors.NotFound, match=r"Did you mean (vision/digits|alice/letters)\? .*lmvp\.models"):
        client.download(name)


def test_a_wrong_revision_is_told_from_a_wrong_model(server, client):
    named(server, personal="alice", vision=["digits"])
    with pytest.raises(errors.NotFound, match="has no revision “v9”"):
        client.download("vision/digits", revision="v9")


@pytest.mark.parametrize("name", ["a/b/c", "/b", "a/", "/"])
def test_what_is_no_name_is_refused(client, name):
    with pytest.raises(errors.ValidationFailed, match="like project/model"):
        client.download(name)


def test_the_default_client_is_made_at_first_use(server):
    server.routes["GET", "/v1/projects/"] = sends_json({"next": None, "results": []})
    # In a process of its own: here another test may have used the default client before.
    done = subprocess.run(
        [sys.executable, "-c", "import lmvp; print(lmvp.projects())"],
        env={**os.environ, "LMVP_SERVER": server.url, "LMVP_TOKEN": "lmvp_env"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
    assert server.seen[0][2]["Authorization"] == "Bearer lmvp_env"
