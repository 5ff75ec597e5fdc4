"""The pages that compare: two versions, one of their files, several side by side; odd input, bounds, who is told."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from registry.models import Event, RegisteredModel
from registry.services.metrics import Measured
from registry.services.registered_models import update_model
from registry.services.versions import File, Publication, publish_version
from tests.cast import Cast, publish, send
from tests.model_files import safetensors

pytestmark = pytest.mark.django_db

BASE = "/vision/classifier/compare/"
EVIL = "<script>alert(1)</script>"


def page(cast: Cast, address: str, status: int = 200, who: str = "dave") -> str:
    client = Client()
    client.force_login(getattr(cast, who))
    response = client.get(BASE + address)
    assert response.status_code == status, response
    return response.content.decode()


def text(cast: Cast, address: str, status: int = 200) -> str:
    found = re.sub(r"<(script|datalist).*?</\1>", "", page(cast, address, status), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found)).split())


def two(cast: Cast, model: RegisteredModel, before: dict[str, bytes], after: dict[str, bytes], **more: Any) -> None:
    publish(cast.bob, model, before)
    publish(cast.bob, model, after, base="empty", **more)


def cells_of(page: str) -> list[tuple[str, ...]]:
    """The lines of all diffs on a page: old number, new number, mark, text."""
    rows = re.findall(r'<tr class="(?:same|added|removed)">(.*?)</tr>', page, flags=re.DOTALL)
    return [
        tuple(html.unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<td>(.*?)</td>", row, re.DOTALL))
        for row in rows
    ]


# --- Choosing


def test_without_versions_the_page_says_how_to_publish_one(cast: Cast, model: RegisteredModel) -> None:
    assert "lmvp publish vision/classifier" in text(cast, "")


def test_the_form_leads_to_the_comparison(cast: Cast, model: RegisteredModel, client: Client) -> None:
    two(cast, model, {"a": b"1"}, {"a": b"2"}, alias="production")
    client.force_login(cast.dave)
    assert client.get(f"{BASE}?base=1&head=+production+").url == f"{BASE}1...production/"
    swapped = page(cast, "?base=1&head=production&swap=1")
    assert re.search(r'id="base"[^>]*value="production"', swapped)
    assert re.search(r'id="head"[^>]*value="1"', swapped)


def test_suggestions_are_what_one_would_ask(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"}, alias="production")
    publish(cast.bob, model, {"a": b"2"})
    publish(cast.bob, model, {"a": b"3"})
    publish(cast.bob, model, {"a": b"4"}, branch="wide", parent="2")
    found = re.findall(r'href="/vision/classifier/compare/([^"/]+)/"', page(cast, ""))
    assert found == ["production...latest", "2...main", "main...wide"]


@pytest.mark.parametrize("said", ["nothing", EVIL, "a/b", "../..", "v", "1...2", "0", "999999999", "ü" * 100, "f" * 64])
def test_unknown_revisions_are_said_beside_their_field(cast: Cast, model: RegisteredModel, said: str) -> None:
    publish(cast.bob, model, {"a": b"1"})
    client = Client()
    client.force_login(cast.dave)
    response = client.get(BASE, {"base": said, "head": "1"})
    assert response.status_code == 404
    shown = response.content.decode()
    assert f"no version “{html.escape(said)}”" in shown
    assert 'id="base-error"' in shown
    assert 'id="head-error"' not in shown
    assert EVIL not in shown


def test_unknown_revisions_in_the_address_lead_to_the_form(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"})
    assert "no version “9”" in text(cast, "9...1/", 404)
    assert "no version “%3Cscript" not in text(cast, "1...%3Cscript%3E/", 404)
    page(cast, "1...9/files/a", 404)
    page(cast, "1...1/files/nothing", 404)
    page(cast, "%00...1/", 404)


def test_a_version_is_named_by_its_digest(cast: Cast, model: RegisteredModel) -> None:
    version = publish(cast.bob, model, {"a": b"1"})
    page(cast, f"{version.digest[:40]}...{version.digest.upper()}/")


def test_a_name_with_dots_is_taken_apart_rightly(cast: Cast, model: RegisteredModel) -> None:
    two(cast, model, {"a": b"1"}, {"a": b"2"}, tag="rc1.")
    assert "Base v2" in text(cast, "rc1....1/")
    assert "Head v2" in text(cast, "1...rc1./")


# --- Two versions


def test_two_versions_are_told_apart(cast: Cast, model: RegisteredModel) -> None:
    first = {"kept": b"0", "edited.txt": b"lr = 0.1\nsame\n", "gone": b"2", "old/name": b"345"}
    metrics = [Measured("loss", 0.5), Measured("note", "a"), Measured("same", 1.0)]
    publish(cast.bob, model, first, metadata={"opt": {"lr": 1, "n": [1]}, "x": "1"}, metrics=metrics)
    second = {"kept": b"0", "edited.txt": b"lr = 0.2\nsame\n", "new/name": b"345", "fresh": b"6"}
    metrics = [Measured("loss", 0.25), Measured("accuracy", 0.9), Measured("same", 1.0)]
    metadata = {"opt": {"lr": 1, "n": [1, 2]}, "x": 1, "more": None}
    publish(cast.bob, model, second, base="empty", metadata=metadata, metrics=metrics)
    shown = text(cast, "1...main/")
    for said in (
        "4 files differ 1 added, 1 removed, 1 changed, 1 renamed",
        "loss 0.5 0.25 −0.25 −50 %",
        "note a – not there removed",
        "1 unchanged",
        "3 of 4 metrics changed",
        "opt.n [1] [1, 2] changed",
        'x "1" 1 changed',
        "more – not there null added",
        "new/name from old/name",
        "head is 1 version ahead",
    ):
        assert said in shown
    assert cells_of(page(cast, "1...main/")) == [
        ("1", "", "-", "lr = 0.1"),
        ("", "1", "+", "lr = 0.2"),
        ("2", "2", " ", "same"),
    ]
    assert "lr = 0.<mark>1</mark>" in page(cast, "1...main/")


def test_the_same_version_on_both_sides_differs_in_nothing(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"})
    assert "two names of it" in text(cast, "1...main/")
    assert "Nothing differs" in text(cast, "1...1/")


def test_other_versions_with_the_same_files(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"})
    publish(cast.bob, model, {"a": b"1"}, message="again")
    shown = text(cast, "1...2/")
    assert "All files are the same, byte for byte." in shown
    assert "0 files differ" in shown


def test_histories_that_parted_and_unrelated_ones(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"})
    publish(cast.bob, model, {"a": b"2"})
    publish(cast.bob, model, {"a": b"3"}, branch="wide", parent="1")
    assert "head is 1 ahead, 1 behind, parted at v1" in text(cast, "main...wide/")
    assert "head is 1 version behind" in text(cast, "main...1/")


def test_a_file_that_became_a_directory_and_back(cast: Cast, model: RegisteredModel) -> None:
    two(cast, model, {"a": b"1\n"}, {"a/b": b"2\n"})
    for between in ("1...2", "2...1"):
        assert "2 files differ 1 added, 1 removed" in text(cast, f"{between}/")
    assert cells_of(page(cast, "1...2/files/a/b")) == [("", "1", "+", "2")]
    assert cells_of(page(cast, "1...2/files/a")) == [("1", "", "-", "1")]


def test_what_users_write_is_text_on_every_page(cast: Cast, model: RegisteredModel) -> None:
    path = f"{EVIL[:-9]}<b>.txt"
    metadata = [{EVIL: EVIL, "n": n} for n in (1, 2)]
    metrics = [[Measured(EVIL, value), Measured("text", EVIL)] for value in (1.0, 2.0)]
    for n in (0, 1):
        files = {path: f"{EVIL}{n}\n".encode()}
        publish(cast.bob, model, files, message=EVIL, metadata=metadata[n] | {f"{EVIL}{n}": 1}, metrics=metrics[n])
    for address in ("", "1...2/", "1...2/files/%3Cscript%3Ealert(1)%3Cb%3E.txt", "?versions=1,2", "1...1/"):
        shown = page(cast, address)
        assert "<script>alert" not in shown
        assert "<b>" not in shown
        assert "&lt;script&gt;alert(1)" in shown
        assert "style=" not in shown


def test_many_files_are_shown_by_pages(cast: Cast, model: RegisteredModel) -> None:
    digest = send(cast.bob, model, b"1")
    publish(cast.bob, model, {"first": b"0"})
    files = [File(f"d/{n:05}", digest) for n in range(1203)]
    publish_version(actor=cast.bob, model=model, publication=Publication(files=files))
    shown = page(cast, "1...2/")
    assert "…and 1153 more added" in shown
    assert shown.count("compare/1...2/files/d/") == 50
    last = page(cast, "1...2/?kind=added&page=3")
    assert "Page 3 of 3" in last
    assert last.count("compare/1...2/files/d/") == 203
    assert "No file was added on this page." in page(cast, "1...2/?kind=added&page=9")
    assert "No file was removed." in page(cast, "1...2/?kind=removed")
    for odd in ("kind=x", "kind=added&page=0", "kind=added&page=-1", "kind=added&page=²", "kind=added&page=9999999"):
        page(cast, f"1...2/?{odd}", 400)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (b"\xff\xfe caf\xe9 \x93", "No text, and no tensors"),
        ("Größe\n".encode("latin-1"), "No text, and no tensors"),
        ("\ufeffGröße\r\n\u202eevil\n".encode(), "+2 lines added"),
        (b"a\0b", "No text, and no tensors"),
        (b"x\n" * 2**20, "A text too large to be compared here"),
        (b"y" * 300_000 + b"\n", "299,000 more characters"),
        (b"safetensors, they say", "+1 line added"),
        (b"", "−1 removed"),
    ],
    ids=["garbage", "latin-1", "bom", "nul", "2 MiB", "one line", "lying", "empty"],
)
def test_odd_files_are_shown_as_what_they_are(cast: Cast, model: RegisteredModel, after: bytes, said: str) -> None:
    two(cast, model, {"f.safetensors": b"small\n"}, {"f.safetensors": after})
    assert said in text(cast, "1...2/files/f.safetensors").replace("299000", "299,000")
    page(cast, "1...2/")


def test_ten_thousand_changed_lines_are_cut(cast: Cast, model: RegisteredModel) -> None:
    before, after = ("".join(f"{n} {word}\n" for n in range(10_000)).encode() for word in ("a", "b"))
    two(cast, model, {"f": before}, {"f": after})
    assert "more lines are not shown" in text(cast, "1...2/files/f")
    assert "See what changed in f" in text(cast, "1...2/")


def test_changed_mode(cast: Cast, model: RegisteredModel) -> None:
    digest = send(cast.bob, model, b"a\n")
    for mode in ("100644", "100755"):
        publish_version(
            actor=cast.bob, model=model, publication=Publication(files=[File("run", digest, mode)], message=mode)
        )
    for address in ("1...2/", "1...2/files/run"):
        assert "the mode changed from 100644 to 100755" in text(cast, address)


def test_of_many_unchanged_metrics_the_first_are_shown_and_all_are_counted(cast: Cast, model: RegisteredModel) -> None:
    same = [Measured(f"m{n:03}", 1.0) for n in range(120)]
    for content, loss in ((b"1", 0.5), (b"2", 0.25)):
        publish(cast.bob, model, {"a": content}, metrics=[*same, Measured("loss", loss)])
    shown = text(cast, "1...2/")
    assert "1 of 121 metrics changed" in shown
    assert "120 unchanged" in shown
    assert "The first 100 of 120; all as JSON" in shown
    assert ("m099" in shown, "m100" in shown) == (True, False)


def test_renamed_and_unchanged_files(cast: Cast, model: RegisteredModel) -> None:
    two(cast, model, {"old name": b"a\n", "x": b"1"}, {"näme": b"a\n", "x": b"1"})
    assert "Renamed from old name ; the bytes are the same." in text(cast, "1...2/files/n%C3%A4me")
    assert "Both sides have the same bytes." in text(cast, "1...2/files/x")


def test_a_renamed_file_is_found_under_the_name_that_it_had(cast: Cast, model: RegisteredModel, client: Client) -> None:
    two(cast, model, {"Tom & Jerry's.txt": b"a\n"}, {"b.txt": b"a\n"})
    (before,) = re.findall(r'href="([^"]*)" aria-label="b.txt before"', page(cast, "1...2/"))
    client.force_login(cast.dave)
    assert client.get(html.unescape(before)).status_code == 200


def test_tensors_are_a_table(cast: Cast, model: RegisteredModel) -> None:
    before = {"same": ("F32", [2], b"12345678"), "gone": ("U8", [1], b"1"), "w": ("F32", [4], bytes(16))}
    after = {"same": ("F32", [2], b"12345678"), EVIL: ("U8", [1], b"1"), "w": ("F32", [2, 2], bytes(16))}
    two(cast, model, {"w.safetensors": safetensors(before)}, {"w.safetensors": safetensors(after)})
    shown = text(cast, "1...2/files/w.safetensors")
    assert "1 tensor changed, 1 added, 1 removed, 1 unchanged" in shown
    assert "w shape F32 [4] F32 [2, 2] 4" in shown
    assert EVIL not in page(cast, "1...2/files/w.safetensors")


def test_bytes_that_are_lost_do_not_take_the_page_with_them(cast: Cast, model: RegisteredModel, settings) -> None:
    two(cast, model, {"f": b"a\n", "g": b"1\n"}, {"f": b"b\n", "g": b"2\n"})
    digest = send(cast.bob, model, b"b\n")
    (settings.LMVP_DATA_DIR / "blobs" / digest[:2] / digest[2:]).unlink()
    assert "See what changed in f" in text(cast, "1...2/")
    assert "damaged or missing" in text(cast, "1...2/files/f", 503)


def test_looks_into_files_of_a_private_project_are_noted(cast: Cast, model: RegisteredModel) -> None:
    two(cast, model, {"a": b"1\n", "b": b"0" * 200_000}, {"a": b"2\n", "b": b"1" * 200_000})
    publish(cast.bob, model, {"b": b"2" * 200_000})
    told = Event.objects.filter(action="version.downloaded", actor=cast.dave)
    page(cast, "")
    page(cast, "2...3/")
    page(cast, "?versions=1,2")
    assert not told.exists(), "nothing of a file was shown"
    page(cast, "1...2/")
    assert told.count() == 2
    page(cast, "2...3/files/b")
    assert told.count() == 3


def test_former_names_lead_on(cast: Cast, model: RegisteredModel) -> None:
    two(cast, model, {"a": b"1"}, {"a": b"2"})
    update_model(actor=cast.alice, model=model, name="renamed")
    client = Client()
    client.force_login(cast.dave)
    for address in ("1...2/", "1...2/files/a", "?versions=1,2"):
        assert client.get(BASE + address).url == f"/vision/renamed/compare/{address}"


def test_a_comparison_costs_as_many_queries_however_much_differs(cast: Cast, model: RegisteredModel) -> None:
    digest = send(cast.bob, model, b"1\n")
    publish(cast.bob, model, {"a": b"1", "first": b"0"})
    publish(cast.bob, model, {"a": b"2"})
    files = [File("a", digest), *(File(f"{n:05}", digest) for n in range(500))]
    metrics = [Measured(f"m{n}", float(n)) for n in range(200)]
    metadata = {f"k{n}": n for n in range(200)}
    more = Publication(files=files, metrics=metrics, metadata=metadata)
    publish_version(actor=cast.bob, model=model, publication=more)
    counts = []
    for address in ("1...2/", "2...3/"):
        page(cast, address)
        with CaptureQueriesContext(connection) as queries:
            page(cast, address)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 30


# --- Several


@pytest.fixture
def three(cast: Cast, model: RegisteredModel) -> RegisteredModel:
    for n in range(1, 4):
        metrics = [Measured("loss", 1.0 / n), *(Measured("train", 1.0 / (n + s), s) for s in range(5))]
        metrics += [Measured("only three", 1.0, 1)] if n == 3 else []
        metadata = {"opt": {"lr": n / 10}, "name": "adam" if n > 1 else "sgd", "same": True}
        alias = "production" if n == 2 else None
        publish(cast.bob, model, {"a": b"%d" % n}, metrics=metrics, metadata=metadata, message=f"m{n}", alias=alias)
    return model


def test_versions_stand_side_by_side(cast: Cast, three: RegisteredModel) -> None:
    shown = text(cast, "?versions=1,production,3")
    assert "3 versions side by side" in shown
    assert "loss • differs 1 max 0.5 0.333333 min" in shown
    assert "opt.lr • differs 0.1 min 0.2 0.3 max" in shown
    assert "same true true true" in shown
    assert "same true" not in text(cast, "?versions=1,production,3&differing=true")


def test_the_set_changes_by_links(cast: Cast, three: RegisteredModel) -> None:
    client = Client()
    client.force_login(cast.dave)
    shown = page(cast, "?versions=1,production,3&metric=train&differing=true")
    assert 'href="?versions=1,3&amp;differing=true&amp;metric=train"' in shown
    assert f'href="{BASE}1...3/"' in shown
    assert "Take v1 out" not in page(cast, "?versions=1,2"), "one alone is no comparison"
    added = client.get(f"{BASE}?versions=1,3&metric=train&add=production")
    assert added.url == f"{BASE}?versions=1,3,production&metric=train"
    assert client.get(f"{BASE}?v=3&v=1&versions=").url == f"{BASE}?versions=1,3"


def test_a_version_named_twice_is_one_column(cast: Cast, three: RegisteredModel) -> None:
    assert "2 versions side by side" in text(cast, "?versions=2,production,1,1")


@pytest.mark.parametrize(
    ("said", "status"), [("1", 400), (",".join(map(str, range(1, 22))), 400), ("1,nothing", 404), (f"1,{EVIL}", 404)]
)
def test_too_few_too_many_and_unknown_ones(cast: Cast, three: RegisteredModel, said: str, status: int) -> None:
    shown = page(cast, f"?versions={said}", status)
    assert 'id="versions-error"' in shown
    assert EVIL not in shown


def test_the_series_are_a_chart_and_a_table(cast: Cast, three: RegisteredModel) -> None:
    shown = page(cast, "?versions=1,2,3")
    assert '"kind": "lines", "x": "step", "y": "train"' in shown
    assert "only three (1 of 3 versions)" in shown
    assert "v3 5 0.333333 at 0 0.142857 at 4 0.142857 at 4 0.333333 at 0" in text(cast, "?versions=1,2,3")
    assert '"y": "only three"' in page(cast, "?versions=1,2,3&metric=only+three")
    assert "None of these versions has a series “nothing”" in text(cast, "?versions=1,2,3&metric=nothing")


def test_parameters_stand_against_a_metric(cast: Cast, three: RegisteredModel) -> None:
    shown = page(cast, "?versions=1,2,3&against=loss")
    assert '{"name": "opt.lr", "values": [0.1, 0.2, 0.3]}' in shown
    assert '{"name": "name", "values": ["sgd", "adam", "adam"]}' in shown
    assert '"names": ["v1", "v2", "v3"]' in shown
    assert "No two of these versions have a number “x”" in text(cast, "?versions=1,2,3&against=x")


def test_numbers_out_of_all_bounds_are_shown(cast: Cast, model: RegisteredModel) -> None:
    for n, value in enumerate((1.7e308, -1.7e308)):
        metadata = {"big": 10**400 + n, "deep": {"a": {"b": {"c": value}}}, "mixed": [1, "x", True][n]}
        publish(cast.bob, model, {"a": b"%d" % n}, metrics=[Measured("m", value)], metadata=metadata)
    for address in ("1...2/", "?versions=1,2"):
        assert "1.7e+308" in text(cast, address)


def test_columns_cost_no_queries_of_their_own_besides_their_series(cast: Cast, model: RegisteredModel) -> None:
    for n in range(12):
        metrics = [Measured("loss", float(n))] + ([Measured("train", float(n), n)] if n < 2 else [])
        publish(cast.bob, model, {"a": b"%d" % n}, metrics=metrics)
    counts = []
    for versions in ("3,4", "3,4,5,6,7,8,9,10,11,12"):
        page(cast, f"?versions={versions}")
        with CaptureQueriesContext(connection) as queries:
            page(cast, f"?versions={versions}")
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 30
