"""The pages of single files in a browser: every kind is shown, on a phone, in the dark, and without scripts."""

from __future__ import annotations

import io

import numpy
import pytest
from playwright.sync_api import expect

from tests.browser.browsing import DARK, PHONE, assert_well_made
from tests.cast import publish
from tests.model_files import safetensors
from tests.test_web_files import PNG

pytestmark = pytest.mark.django_db(transaction=True)


def written(array: numpy.ndarray) -> bytes:
    out = io.BytesIO()
    numpy.save(out, array)
    return out.getvalue()


FILES = {
    "README.md": b"---\nlicense: mit\n---\n# Digits\n\n![plot](docs/plot.png)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
    "train.py": b"import lmvp\n\n"
    + b"def train(rate: float = 0.1) -> None:  # a line that is longer than a phone is wide\n    pass\n" * 20,
    "config.json": b'{"lr": 0.1, "layers": [64, 64], "name": "a rather long name of a configuration, longer than a phone"}',
    "data.csv": b"n,"
    + b",".join(b"column%d" % n for n in range(20))
    + b"\n"
    + (b"1," + b",".join([b"0.5"] * 20) + b"\n") * 80,
    "docs/plot.png": PNG,
    "array.npy": written(numpy.zeros((3, 4))),
    "model.safetensors": safetensors(
        {f"encoder.layers.{n}.attention.self.query.weight": ("F32", [2, 2], b"\0" * 16) for n in range(30)}
    ),
    "weights.bin": bytes(range(256)) * 4,
    "empty.txt": b"",
}


@pytest.fixture
def files(cast) -> str:
    publish(cast.alice, cast.model(), FILES, message="All kinds of files")
    return "/vision/classifier/versions/main/files/"


@pytest.mark.parametrize("look", [{}, DARK, PHONE], ids=["light", "dark", "phone"])
def test_every_kind_of_file_is_well_shown(cast, files, new_visitor, look) -> None:
    visitor = new_visitor(cast.dave, **look)
    for path in FILES:
        assert_well_made(visitor.goto(files + path))


def test_a_reader_finds_a_file_and_looks_into_it(cast, files, new_visitor) -> None:
    page = new_visitor(cast.dave).goto("/vision/classifier/")
    page.get_by_role("link", name="model.safetensors").click()
    expect(page.get_by_text("120 parameters in 30 tensors")).to_be_visible()
    page.get_by_role("navigation", name="Path").get_by_role("link", name="classifier").click()
    page.locator(".entries").get_by_role("link", name="docs").click()
    page.get_by_role("link", name="plot.png").click()
    expect(page.locator(".file-picture img")).to_have_js_property("naturalWidth", 1)


def test_the_card_shows_the_versions_own_picture(cast, files, new_visitor) -> None:
    page = new_visitor(cast.dave).goto("/vision/classifier/")
    expect(page.locator(".markdown img")).to_have_js_property("naturalWidth", 1)


def test_files_are_read_without_scripts(cast, files, new_visitor) -> None:
    visitor = new_visitor(cast.dave, java_script_enabled=False)
    page = visitor.goto(files + "data.csv")
    expect(page.get_by_role("heading", name="Rows 1 to 50")).to_be_visible()
    page.get_by_role("button", name="Rows behind").click()
    expect(page.get_by_role("heading", name="Rows 51 to 80")).to_be_visible()
    with page.expect_download() as begun:
        page.get_by_role("button", name="Download", exact=True).first.click()
    assert begun.value.suggested_filename == "data.csv"
