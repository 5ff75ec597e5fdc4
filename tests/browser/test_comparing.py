"""Comparing as a person does it: two versions chosen on the form, the diff read, many versions with both charts."""

from __future__ import annotations

import math
import re

import pytest
from playwright.sync_api import Page, expect

from registry.services.metrics import Measured
from tests.browser.browsing import DARK, PHONE, assert_well_made
from tests.cast import publish

pytestmark = pytest.mark.django_db(transaction=True)

BASE = "/vision/classifier/compare/"
DRAWN = """(canvas) => {
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const colours = new Set();
    for (let n = 0; n < pixels.length; n += 4) if (pixels[n + 3] > 200) colours.add((pixels[n] << 16) | (pixels[n + 1] << 8) | pixels[n + 2]);
    return colours.size;
}"""


@pytest.fixture
def there(cast):
    model = cast.model()
    for n in range(1, 7):
        files = {
            "train.py": f"lr = {1 / n}\nepochs = 10\n{'x' * 300}\n".encode(),
            "labels.bin": bytes([0, n]),
            "log.txt": "".join(f"{line} {n}\n" for line in range(900)).encode(),
            f"a/rather/deep/place/of-{n}-{'long' * 30}.txt": b"1",
        }
        metrics = [Measured("accuracy", 0.9 + n / 100), Measured("time", 10.0 - n)]
        metrics += [Measured("loss", math.exp(-step * n / 100), step) for step in range(50)]
        metadata = {"optimizer": {"lr": 1 / n, "name": "adam" if n % 2 else "sgd"}, "width": 2**n, "seed": 7}
        alias = "production" if n == 2 else None
        message = f"Step {n} <b>wider</b> " + "and a long message " * 5
        publish(cast.bob, model, files, metrics=metrics, metadata=metadata, message=message, alias=alias, base="empty")
    return cast


def test_two_versions_are_chosen_and_the_diff_read(new_visitor, there) -> None:
    page: Page = new_visitor(there.dave).goto(BASE)
    page.get_by_label("Base", exact=True).fill("nothing")
    page.get_by_label("Head", exact=True).fill("latest")
    page.get_by_role("button", name="Swap base and head").click()
    expect(page.get_by_label("Base", exact=True)).to_have_value("latest")
    page.get_by_label("Head", exact=True).fill("production")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page).to_have_url(re.compile(r"/compare/latest\.\.\.production/$"))
    page.get_by_role("button", name="Swap").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("production … latest")
    diff = page.get_by_role("region", name="What changed in train.py")
    expect(diff.locator("tr.removed")).to_contain_text("lr = 0.5")
    expect(diff.locator("tr.added")).to_contain_text("lr = 0.16666666666666666")
    expect(page.get_by_role("region", name="Metrics that changed")).to_contain_text("+0.04")
    page.locator("summary", has_text="log.txt").click()  # too much for the page itself: it comes when it is opened
    added = page.get_by_role("region", name="What changed in log.txt").locator("tr.added")
    expect(added.first).to_contain_text("0 6", timeout=20_000)
    page.get_by_role("link", name="labels.bin", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("labels.bin")
    expect(page.get_by_text("No text, and no tensors that are read here")).to_be_visible()


def test_many_versions_are_ticked_and_drawn(new_visitor, there) -> None:
    page: Page = new_visitor(there.dave).goto(BASE)
    for number in (1, 2, 4, 6):
        page.get_by_role("checkbox", name=re.compile(f"v{number} ")).check()
    page.get_by_role("button", name="Show side by side").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("4 versions side by side")
    page.get_by_label("Add a version").fill("5")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("link", name="Take v1 out").click()
    expect(page.get_by_role("columnheader", name=re.compile("^v"))).to_have_count(4)
    page.get_by_label("Against", exact=True).select_option("time")
    expect(page).to_have_url(re.compile("against=time"))
    canvases = page.locator("figure.chart canvas")
    expect(canvases).to_have_count(2)
    for number in (0, 1):
        assert canvases.nth(number).evaluate(DRAWN) > 20, "lines in several colours, and their edges"


def test_without_scripts_everything_is_there_to_read(new_visitor, there) -> None:
    visitor = new_visitor(there.dave, java_script_enabled=False)
    page = visitor.goto(f"{BASE}?versions=1,2,3&against=time")
    expect(page.get_by_role("region", name="Versions side by side")).to_contain_text("optimizer.lr")
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("region", name="loss by step")).to_be_visible()
    page = visitor.goto(f"{BASE}production...latest/")
    expect(page.get_by_role("region", name="What changed in train.py")).to_be_visible()
    page.locator("summary", has_text="log.txt").click()
    page.get_by_role("link", name="See what changed in log.txt").click()
    expect(page.get_by_role("region", name="What changed in log.txt")).to_be_visible()


@pytest.mark.parametrize("look", [{}, DARK, PHONE], ids=["light", "dark", "phone"])
def test_the_pages_are_accessible_and_fit(new_visitor, there, look) -> None:
    visitor = new_visitor(there.alice, **look)
    for address in ("", "1...production/", "1...6/files/train.py", "1...6/files/labels.bin", "2...production/"):
        assert_well_made(visitor.goto(BASE + address))
    assert_well_made(visitor.goto(f"{BASE}?versions=1,2,3,4,5,6"))
