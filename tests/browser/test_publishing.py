"""Publishing from the browser: files dropped in, a folder chosen, a line that breaks, and a form that is refused."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from registry.models import Upload, Version
from registry.storage import open_blob
from tests.broken_line import line_to
from tests.browser.browsing import DARK, PHONE, assert_accessible, assert_well_made
from tests.cast import publish
from tests.servers import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/vision/classifier/publish/"
# As a person drags files from the desktop: the browser gives the page a list of them.
DROP = """([name, text]) => {
    const carried = new DataTransfer();
    carried.items.add(new File([text], name));
    const drop = document.getElementById("drop");
    for (const kind of ["dragover", "drop"]) drop.dispatchEvent(new DragEvent(kind, {dataTransfer: carried, bubbles: true, cancelable: true}));
}"""


@pytest.mark.parametrize("look", [{}, DARK, PHONE], ids=["light", "dark", "phone"])
def test_the_page_is_well_made(cast, model, new_visitor, look) -> None:
    publish(cast.alice, model, {"a": b"1"}, alias="production")
    page = new_visitor(cast.bob, **look).goto(PAGE)
    assert_well_made(page)
    page.set_input_files("#files", {"name": "weights.bin", "mimeType": "", "buffer": b"x" * 1000})
    expect(page.locator("#files-summary")).to_have_text("1 of 1 file stored, 1000 bytes")
    assert_accessible(page)


def test_files_dropped_in_become_a_version(cast, model, new_visitor) -> None:
    page = new_visitor(cast.bob).goto(PAGE)
    page.evaluate(DROP, ["README.md", "# Digits\n"])
    page.set_input_files("#files", {"name": "weights.bin", "mimeType": "", "buffer": b"\0" * 3_000_000})
    expect(page.locator("#files-summary")).to_have_text("2 of 2 files stored, 2.86 MiB")
    page.get_by_label("Message").fill("Wider\n\nTwice as wide as before.")
    page.get_by_label("Metrics").fill("accuracy = 0.97")
    page.get_by_label("Move an alias here").fill("staging")
    page.get_by_role("button", name="Publish", exact=True).click()
    page.wait_for_url("**/vision/classifier/versions/1/")
    expect(page.get_by_text("Published as version 1.")).to_be_visible()
    version = Version.objects.get()
    assert version.title == "Wider"
    assert version.refs.filter(name="staging").exists()
    with open_blob(hashlib.sha256(b"\0" * 3_000_000).hexdigest()) as file:
        assert file.read() == b"\0" * 3_000_000


def test_a_folder_is_published_with_its_paths_and_without_its_own_name(
    cast, model, new_visitor, tmp_path: Path
) -> None:
    for name in ("run/config.json", "run/weights/part-1.bin", "run/weights/part-2.bin"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    page = new_visitor(cast.bob).goto(PAGE)
    page.set_input_files("#folder", tmp_path / "run")
    expect(page.locator("#files-summary")).to_have_text("3 of 3 files stored, 59 bytes")
    page.get_by_role("button", name="Remove weights/part-2.bin").click()
    page.get_by_role("button", name="Publish", exact=True).click()
    page.wait_for_url("**/versions/1/")
    paths = Version.objects.get().model.occurrences.values_list("path", flat=True)
    assert {"config.json", "weights/part-1.bin"} <= set(paths)
    assert "weights/part-2.bin" not in paths


def test_an_upload_goes_on_after_the_line_broke(cast, model, new_visitor, live_server, tmp_path: Path) -> None:
    content = random.Random(3).randbytes(24 * 2**20)
    (tmp_path / "large.bin").write_bytes(content)
    with line_to(urlsplit(live_server.url).port, rate=4 * 2**20) as line:
        visitor = new_visitor(cast.bob, base_url=f"http://localhost:{line.port}")
        page = visitor.goto(PAGE)
        visitor.expected = 0  # the console tells of requests that could not be sent
        page.set_input_files("#files", tmp_path / "large.bin")
        wait_until(lambda: page.evaluate("document.querySelector('#sending progress').value") > 30)
        wait_until(lambda: "Sending" in page.locator("#sending .state").inner_text())
        wait_until(lambda: page.evaluate("document.querySelector('#sending progress').value") > 30)
        line.cut()
        expect(page.locator("#sending .state")).to_contain_text("Trying again")
        wait_until(lambda: Upload.objects.get().leased_until is None)
        before = Upload.objects.get().offset
        assert 0 < before < len(content)
        line.mend()
        expect(page.locator("#files-summary")).to_have_text("1 of 1 file stored, 24.0 MiB", timeout=60_000)
        assert Upload.objects.count() == 1, "the upload that was begun went on"
        page.get_by_role("button", name="Publish", exact=True).click()
        page.wait_for_url("**/versions/1/")
    with open_blob(hashlib.sha256(content).hexdigest()) as file:
        assert file.read() == content


def test_a_refused_form_keeps_the_files_that_were_sent(cast, model, new_visitor) -> None:
    visitor = new_visitor(cast.bob)
    page = visitor.goto(PAGE)
    visitor.expected = 400
    page.set_input_files("#files", {"name": "weights.bin", "mimeType": "", "buffer": b"12345"})
    page.get_by_label("Metrics").fill("accuracy")
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("Line 1, “accuracy”")).to_be_visible()
    expect(page.locator("#files-summary")).to_have_text("1 of 1 file stored, 5 bytes")
    page.get_by_label("Metrics").fill("accuracy = 1")
    page.get_by_role("button", name="Publish", exact=True).click()
    page.wait_for_url("**/versions/1/")


def test_without_scripts_one_form_does_it(cast, model, new_visitor) -> None:
    page = new_visitor(cast.bob, java_script_enabled=False).goto(PAGE)
    page.set_input_files("#files", {"name": "weights.bin", "mimeType": "", "buffer": os.urandom(1000)})
    page.get_by_label("Message").fill("By hand")
    page.get_by_role("button", name="Publish", exact=True).click()
    assert page.url.endswith("/vision/classifier/versions/1/")
    assert Version.objects.get().title == "By hand"
