"""Whatever stands in an address, a page answers: shown, refused or not there, and never a failure of ours."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.test import Client

from registry.models import Artifact
from registry.services.artifacts import record_artifact
from registry.services.metrics import Measured
from registry.services.recordings import Recording
from tests.cast import publish
from tests.test_web_doors import PAGES

pytestmark = pytest.mark.django_db

VALUES = [
    "%00",
    "a%00b",
    "-1",
    "9" * 18,
    "9" * 30,
    "1e400",
    "²",
    "٣",
    quote("\u202e\U0001f4a3é̀"),
    "%ED%A0%80",
    "1,2,,," + "3," * 300,
    "a" * 5000,
    quote("'\"><svg onload=alert(1)>"),
    quote("__class__%s{0}"),
    "0001-01-01T00:00:00%2B14:00",
    "9999-12-31T23:59:59-14:00",
    quote("[" * 5000),
]
KEYS = ("before", "after")
METRICS = ("metric", "metric:accuracy", "metric:accuracy__gte", "metric:a__b", "against", "axis", "metrics", "charts")
SAID = {
    "search": ("q", "type", "project", "model", "page"),
    "project": ("q", "kind", "page"),
    "project-metrics": ("metric", "page"),
    "trash": ("page",),
    "members": ("page",),
    "activity": ("actor", "action", "subject", "since", "until", *KEYS),
    "project-settings": ("next",),
    "project-trash": ("page",),
    "artifacts": ("hierarchy", *KEYS),
    "versions": (
        "branch",
        "author",
        "order_by",
        "selected",
        "condition-name",
        "condition-operator",
        "condition-value",
        *METRICS,
        *KEYS,
        "from",
    ),
    "graph": ("branch", *KEYS),
    "metrics": ("branch", "author", "order_by", *METRICS),
    "retention": ("keep_last", "keep_days", "keep_best", "metric", "direction", "best"),
    "model-trash": KEYS,
    "model": ("revision", "from"),
    "tree": ("from",),
    "tree-at": ("from",),
    "file": ("plain", "from"),
    "raw": ("plain",),
    "publish": ("branch",),
    "version": ("metrics", "charts"),
    "version-lineage": ("depth",),
    "refs": ("kind", *KEYS),
    "new-ref": ("kind", "revision"),
    "ref": ("time", *KEYS),
    "merge": ("source", "target"),
    "compare-choose": ("base", "head", "versions", "v", "add", "swap", "metric", "against", "differing"),
    "compare": ("kind", "page"),
    "compare-file": ("bytes",),
}
PLACES = [
    "/{said}/",
    "/vision/{said}/",
    "/vision/-/artifacts/{said}/",
    "/vision/classifier/versions/{said}/",
    "/vision/classifier/versions/{said}/lineage/",
    "/vision/classifier/versions/1/tree/{said}",
    "/vision/classifier/versions/1/files/{said}",
    "/vision/classifier/versions/1/raw/{said}",
    "/vision/classifier/refs/branch/{said}/",
    "/vision/classifier/refs/alias/{said}/",
    "/vision/classifier/compare/{said}...main/",
    "/vision/classifier/compare/1...{said}/",
    "/vision/classifier/compare/1...main/files/{said}",
]
QUARTERS = 4  # of the pages: so many are asked in one prepared state
ANSWERS = {200, 301, 302, 400, 404}


@pytest.fixture
def client(cast) -> Client:
    """Of alice, who may do all there is to do in her project, which holds a little of everything."""
    model = cast.model()
    files = {"README.md": b"# Digits", "docs/a.md": b"# A", "weights.bin": b"1"}
    measured = [Measured("accuracy", 0.5), Measured("loss", 0.5, 1), Measured("note", "good")]
    more = {"metadata": {"rate": 0.1}, "metrics": measured}
    publish(cast.alice, model, files, message="first", alias="production", **more)
    publish(cast.alice, model, {"weights.bin": b"2"}, message="second", **more)
    record_artifact(actor=cast.alice, recording=Recording(data={"name": "first"}, project="vision"))
    client = Client(raise_request_exception=False)
    client.force_login(cast.alice)
    return client


def statuses(client: Client, addresses: list[str]) -> dict[str, int]:
    """Return what was answered otherwise than it may."""
    answers = {address[:200]: client.get(address).status_code for address in addresses}
    return {address: status for address, status in answers.items() if status not in ANSWERS}


def test_every_page_that_is_asked_for_something_is_in_the_table() -> None:
    others = {"new-project", "new-model", "artifact", "model-settings", "client", "client-wheel", "files"}
    assert {name for name, page in PAGES.items() if not page.posts_only} == set(SAID) | others


@pytest.mark.parametrize("names", [list(SAID)[n::QUARTERS] for n in range(QUARTERS)], ids=range(QUARTERS))
def test_no_query_makes_a_page_fail(client: Client, names: list[str]) -> None:
    asked = []
    for name in names:
        address = PAGES[name].address.format(artifact=Artifact.objects.get()).partition("?")[0]
        asked += [f"{address}?{key}={said}" for key in SAID[name] for said in VALUES]
        asked += [f"{address}?{key}={said}&{key}=1" for key in SAID[name] for said in ("%00", "a" * 300)]
        asked += [f"{address}?{said}=1" for said in VALUES]
    assert statuses(client, asked) == {}


def test_nothing_is_called_by_a_nul_wherever_it_stands(client: Client) -> None:
    """PostgreSQL refuses to look it up."""
    for query in ("metric=%00&metric=accuracy", "metric:a%00b=1", "%00"):
        assert client.get(f"/vision/classifier/versions/?{query}").status_code == 404


def test_no_place_makes_a_page_fail(client: Client) -> None:
    assert statuses(client, [place.format(said=said) for place in PLACES for said in VALUES]) == {}


SENT = [
    "a\0b",
    "\ud800".encode("utf-8", "surrogatepass"),
    "9" * 30,
    "-1",
    "1e400",
    "²",
    "a" * 5000,
    "[" * 100_000,
    '{"a": "\\ud800", "\\u0000": 1e999}',
    "a = [" + "[" * 100_000 + "\nb = 1e999\nc = " + "9" * 5000,
    'a = "\\ud800"\n\\ud800 = 1',
    '[{"path": "\\ud800", "sha256": "\\u0000"}]',
    "<script>",
    "0001-01-01T00:00:00+14:00",
]
FIELDS = [
    "active",
    "add-role",
    "add-username",
    "alias",
    "base",
    "branch",
    "comment",
    "confirm",
    "default_branch",
    "description",
    "direction",
    "email",
    "expected",
    "files",
    "flag",
    "invite-email",
    "invite-role",
    "keep_best",
    "keep_days",
    "keep_last",
    "key",
    "kind",
    "listed",
    "message",
    "metadata",
    "metric",
    "metrics",
    "name",
    "number",
    "on",
    "others",
    "reason",
    "revision",
    "role",
    "seen_source",
    "seen_target",
    "sha256",
    "source",
    "step",
    "tag",
    "target",
    "value",
    "visibility",
]
FORMS = [name for name, page in PAGES.items() if page.posts_only]
FORMS += ["publish", "new-project", "new-model", "project-settings", "model-settings", "new-ref", "merge", "retention"]


@pytest.mark.parametrize("name", FORMS)
def test_no_form_makes_a_page_fail(client: Client, name: str) -> None:
    address = PAGES[name].address
    usual = {"name": "n", "alias": "", "base": "parent", "kind": "model", "visibility": "private", "value": "1"}
    failed = []
    for said in SENT:
        for form in (dict.fromkeys(FIELDS, said), *(usual | {field: said} for field in FIELDS if field in _read(name))):
            status = client.post(address, form).status_code
            if status not in ANSWERS | {405, 409, 410, 413}:
                failed.append(
                    (said[:40], [field for field in form if field not in usual or form[field] == said][:3], status)
                )
    assert failed == []


def _read(name: str) -> list[str]:
    """The fields that are sent one by one, where the others would be refused first."""
    one_by_one = {
        "publish": ["metrics", "metadata", "listed", "message", "key", "branch", "alias", "tag"],
        "log-metric": ["name", "value", "step"],
        "new-model": ["name", "description", "default_branch"],
        "new-project": ["name", "description"],
        "new-ref": ["name", "revision", "comment"],
        "alias-version": ["name", "comment"],
        "add-member": ["add-username"],
        "invite-member": ["invite-email"],
    }
    return one_by_one.get(name, [])
