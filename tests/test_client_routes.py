"""Everything that the API offers can be asked by the client: each call is made, and its request lands on the route."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.urls import resolve

from lmvp.client.api import Client
from lmvp.client.errors import NotLMVPServer, ValidationFailed
from tests.test_doors import operations

PROJECT = "/v1/projects/<slug:project>/"
MODEL = PROJECT + "models/<str:model>/"
VERSION = MODEL + "versions/<str:revision>/"
COMPARED = MODEL + "compare/<str:base>...<str:head>/"
ARTIFACT = "/v1/artifacts/<str:artifact>/"
NAME, ID = "vision/digits", "01K2ZP5Q7V3C8Y0M4N6R9T1W2X"
Call = Callable[[Client, Path], object]


def refs(kind: str, plural: str, make: Call, delete: Call, listed: Call) -> dict[str, Call]:
    one = f"{MODEL}{plural}/<str:name>/"
    return {
        f"GET {MODEL}{plural}/": listed,
        f"PUT {one}": make,
        f"DELETE {one}": delete,
        f"GET {one}moves/": lambda c, _: c.moves(NAME, "x", kind=kind),
        f"GET {one}at/": lambda c, _: c.ref_at(NAME, "x", kind=kind),
    }


CALLS: dict[str, Call] = {
    "POST /auth/login/": lambda c, _: c.login("a@example.org", "secret"),
    "GET /auth/me/": lambda c, _: c.whoami(),
    "GET /auth/tokens/": lambda c, _: c.tokens(),
    "POST /auth/tokens/": lambda c, _: c.create_token("x"),
    "DELETE /auth/tokens/<int:pk>/": lambda c, _: c.revoke_token(1),
    "GET /v1/users/": lambda c, _: c.users(),
    "POST /v1/users/": lambda c, _: c.create_user("x", email="x@example.org", password="x"),
    "PATCH /v1/users/<slug:username>/": lambda c, _: c.update_user("x", active=False),
    "GET /v1/projects/": lambda c, _: c.projects(),
    "POST /v1/projects/": lambda c, _: c.create_project("x"),
    f"GET {PROJECT}": lambda c, _: c.project("vision"),
    f"PATCH {PROJECT}": lambda c, _: c.update_project("vision", description="x"),
    f"DELETE {PROJECT}": lambda c, _: c.delete_project("vision"),
    f"POST {PROJECT}undelete/": lambda c, _: c.undelete_project("vision"),
    "GET /v1/trash/": lambda c, _: c.trash(),
    f"GET {PROJECT}trash/": lambda c, _: c.trash("vision"),
    f"GET {MODEL}trash/": lambda c, _: c.trash(NAME),
    f"GET {PROJECT}members/": lambda c, _: c.members("vision"),
    f"POST {PROJECT}members/": lambda c, _: c.set_member("vision", "bob"),
    f"DELETE {PROJECT}members/<slug:username>/": lambda c, _: c.remove_member("vision", "bob"),
    f"GET {PROJECT}invitations/": lambda c, _: c.invitations("vision"),
    f"POST {PROJECT}invitations/": lambda c, _: c.invite("vision", "x@example.org"),
    f"DELETE {PROJECT}invitations/<int:pk>/": lambda c, _: c.withdraw_invitation("vision", 1),
    "POST /v1/invitations/accept/": lambda c, _: c.accept_invitation("x"),
    f"GET {PROJECT}events/": lambda c, _: c.events("vision"),
    f"GET {PROJECT}models/": lambda c, _: c.models("vision"),
    f"POST {PROJECT}models/": lambda c, _: c.create_model(NAME),
    f"GET {MODEL}": lambda c, _: c.model(NAME),
    f"PATCH {MODEL}": lambda c, _: c.update_model(NAME, description="x"),
    f"DELETE {MODEL}": lambda c, _: c.delete_model(NAME),
    f"POST {MODEL}undelete/": lambda c, _: c.undelete_model(NAME),
    f"GET {MODEL}retention/": lambda c, _: c.retention(NAME),
    f"PUT {MODEL}retention/": lambda c, _: c.set_retention(NAME, keep_last=1),
    f"DELETE {MODEL}retention/": lambda c, _: c.delete_retention(NAME),
    f"POST {MODEL}uploads/": lambda c, file: c.update(NAME, file, progress=False),
    f"POST {MODEL}versions/": lambda c, file: c.update(NAME, file, progress=False),
    f"GET {MODEL}versions/": lambda c, _: c.history(NAME),
    f"GET {VERSION}": lambda c, _: c.version(NAME, 1),
    f"PATCH {VERSION}": lambda c, _: c.deprecate(NAME, 1, reason="x"),
    f"DELETE {VERSION}": lambda c, _: c.delete_version(NAME, 1),
    f"POST {VERSION}undelete/": lambda c, _: c.undelete_version(NAME, 1),
    f"GET {VERSION}lineage/": lambda c, _: c.lineage(NAME, 1),
    f"GET {VERSION}tree/": lambda c, _: c.files(NAME, 1),
    f"GET {VERSION}tree/<path:path>": lambda c, _: c.files(NAME, 1, path="deep"),
    f"GET {VERSION}files/<path:path>": lambda c, _: c.read_file(NAME, "x", revision=1),
    f"GET {VERSION}inspect/<path:path>": lambda c, _: c.inspect(NAME, "x", revision=1),
    f"GET {VERSION}card/": lambda c, _: c.card(NAME, 1),
    f"GET {VERSION}archive/": lambda c, file: c.download_archive(NAME, file, revision=1),
    f"GET {VERSION}metrics/": lambda c, _: c.metrics(NAME, 1),
    f"POST {VERSION}metrics/": lambda c, _: c.log_metrics(NAME, 1, {"x": 1}),
    f"GET {MODEL}metrics/": lambda c, _: c.metric_names(NAME),
    f"GET {MODEL}best/": lambda c, _: c.best(NAME, "x"),
    f"GET {COMPARED}": lambda c, _: c.compare(NAME, 1, 2),
    f"GET {COMPARED}files/<path:path>": lambda c, _: c.compare_file(NAME, "x", base=1, head=2),
    f"GET {MODEL}compare/": lambda c, _: c.side_by_side(NAME, [1, 2]),
    f"POST {MODEL}merge/": lambda c, _: c.merge(NAME, "wider"),
    f"POST {VERSION}restore/": lambda c, _: c.restore(NAME, 1),
    **refs(
        "alias",
        "aliases",
        lambda c, _: c.set_alias(NAME, "x", 1),
        lambda c, _: c.delete_alias(NAME, "x"),
        lambda c, _: c.aliases(NAME),
    ),
    **refs(
        "branch",
        "branches",
        lambda c, _: c.move_branch(NAME, "x", 1),
        lambda c, _: c.delete_branch(NAME, "x"),
        lambda c, _: c.branches(NAME),
    ),
    **refs(
        "tag",
        "tags",
        lambda c, _: c.set_tag(NAME, "x", 1),
        lambda c, _: c.delete_tag(NAME, "x"),
        lambda c, _: c.tags(NAME),
    ),
    f"POST {MODEL}branches/": lambda c, _: c.create_branch(NAME, "x"),
    f"GET {MODEL}aliases/<str:name>/": lambda c, _: c.alias(NAME, "x"),
    f"POST {MODEL}aliases/<str:name>/rollback/": lambda c, _: c.rollback(NAME, "x"),
    f"GET {PROJECT}hierarchies/": lambda c, _: c.hierarchies("vision"),
    f"POST {PROJECT}hierarchies/": lambda c, _: c.create_hierarchy("x", project="vision"),
    f"POST {PROJECT}uploads/": lambda c, _: c.create_artifact({}, content=b"x", project="vision"),
    "GET /v1/artifacts/": lambda c, _: c.artifacts("vision"),
    "POST /v1/artifacts/": lambda c, _: c.create_artifact({}, project="vision"),
    "POST /v1/artifacts/$tree/": lambda c, _: c.artifact_tree(ID),
    f"PUT {ARTIFACT}": lambda c, _: c.update_artifact(ID, {"name": "x"}),
    f"DELETE {ARTIFACT}": lambda c, _: c.delete_artifact(ID),
    f"GET {ARTIFACT}$expand/": lambda c, _: c.artifact(ID),
    f"GET {ARTIFACT}$metadata/": lambda c, _: c.artifact_metadata(ID),
    f"GET {ARTIFACT}$download/": lambda c, file: c.download_artifact(ID, file),
    "GET /v1/search/": lambda c, _: c.search("x"),
}

WITHOUT_A_CALL = {
    "POST /auth/register/": "done in the browser, once",
    "POST /auth/email-verify/": "the button behind the mailed link",
    "POST /auth/email-verify/resend/": "done in the browser",
    "POST /auth/password/reset/": "done in the browser, by a mailed link",
    "POST /auth/password/reset/confirm/": "done in the browser, by a mailed link",
    "POST /auth/password/change/": "done in the browser, on the account's page",
    "POST /auth/token/refresh/": "done by itself, when the sign-in has expired",
    "POST /auth/logout/": "`logout` with a sign-in that is kept on this machine: test_client_end_to_end.py",
    "POST /v1/token/": "OAuth2's password form, for programs that know it; the client signs in by /auth/login/",
    f"PATCH {PROJECT}members/<slug:username>/": "POST sets a role too",
    f"POST {MODEL}aliases/": "PUT makes one too, with `expected=None` only where there is none",
    f"POST {MODEL}tags/": "PUT makes one too, and never moves one",
    f"GET {MODEL}branches/<str:name>/": "`branches` lists them, `version` shows what one stands at",
    f"GET {MODEL}tags/<str:name>/": "`tags` lists them, `version` shows what one stands at",
    f"GET {ARTIFACT}": "$expand tells the same, and the label of the level",
    f"GET {ARTIFACT}$tree/": "POST $tree answers the same",
    f"POST {MODEL}uploads/pack/": "how a publish sends many small files: test_client_faults.py",
    f"POST {VERSION}pack/": "how a download fetches many small files: test_client_faults.py",
    "GET /v1/uploads/<uuid:pk>/": "the state of one upload: sending goes by the addresses that an offer brings",
    "PUT /v1/uploads/<uuid:pk>/": "the address that an offer brings: test_client_end_to_end.py",
    "PATCH /v1/uploads/<uuid:pk>/": "the address that an offer brings",
    "POST /v1/uploads/<uuid:pk>/complete/": "the address that an offer brings: test_client_past_server.py",
    "DELETE /v1/uploads/<uuid:pk>/": "an upload that nobody goes on with expires by itself",
}

EXPANDED = {
    "id": ID,
    "parent_id": None,
    "level": 0,
    "data": {},
    "project": "vision",
    "hierarchy": "default",
    "content": None,
    "version": None,
    "created_by": "alice",
    "created_at": "2026-11-21T04:05:06Z",
    "updated_at": "2026-11-21T04:05:06Z",
    "level_label": None,
}
STORED = {"POST uploads/": [{"status": "stored", "sha256": "x", "size": 1}], "GET $expand/": EXPANDED}


class Recorder:
    """A server that notes every request, answers {} (to what a call needs before the one meant: that), and knows nothing."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.partition("?")[0]
                recorder.seen.add(f"{self.command} /{resolve(path).route}")
                said = [value for end, value in STORED.items() if path.endswith(end.split()[1])]
                body = json.dumps(said[0] if said else {}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(scope="module")
def recorder():
    made = Recorder()
    yield made
    made.close()


def test_every_route_has_a_call_or_a_reason():
    assert set(operations("/")) - set(CALLS) == set(WITHOUT_A_CALL)
    assert set(CALLS) <= set(operations("/"))


@pytest.mark.parametrize("operation", CALLS)
def test_the_call_reaches_its_route(recorder, operation, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "weights.bin"
    file.write_bytes(b"x")
    recorder.seen.clear()
    with contextlib.suppress(NotLMVPServer):  # {} is no answer to most
        CALLS[operation](Client(recorder.url, token="lmvp_x"), file)
    assert operation in recorder.seen, recorder.seen


@pytest.mark.parametrize("dots", ["..", ".", ""])
@pytest.mark.parametrize(
    "call",
    [
        lambda c, dots: c.delete_version(NAME, dots),  # the model's address, if it went out
        lambda c, dots: c.remove_member("vision", dots),  # the project's
        lambda c, dots: c.delete_alias(NAME, dots),
        lambda c, dots: c.delete_model(f"vision/{dots}"),
        lambda c, dots: c.delete_project(dots),
        lambda c, dots: c.delete_artifact(dots),
        lambda c, dots: c.read_file(NAME, f"deep/{dots}/x"),
        lambda c, dots: c.compare_file(NAME, dots, base=1),
    ],
)
def test_dots_for_a_name_never_lead_to_what_stands_above(recorder, call, dots):
    recorder.seen.clear()
    with pytest.raises(ValidationFailed):
        call(Client(recorder.url, token="lmvp_x"), dots)
    assert recorder.seen == set()
