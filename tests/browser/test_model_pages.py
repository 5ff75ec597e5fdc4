"""The first page of a model and its directories, as a person goes through them."""

from __future__ import annotations

import pytest

from registry.services.deprecation import deprecate_version
from registry.services.metrics import Measured
from registry.services.refs import Move, create_ref
from registry.services.registered_models import create_model
from tests.browser.browsing import DARK, PHONE, assert_well_made
from tests.cast import publish

pytestmark = pytest.mark.django_db(transaction=True)

TABLET = {"viewport": {"width": 768, "height": 900}}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc0000003010100"
    "18dd8db00000000049454e44ae426082"
)
CARD = b"""---
license: mit
tags: [digits]
---
# Digits

See [how](docs/how.md#steps), [the documents](docs/) and [the rest](#the-rest). ![A plot](docs/plot.png) ![spy](https://spy.example/p.png)

| split | accuracy |
|:--|--:|
| test | 0.974 |

```python
def read(path: str = "a rather long line that goes on and on until it does not fit on a phone") -> None: ...
```

- [x] done

## The rest
"""


@pytest.fixture
def model(cast):
    model = cast.model()
    files = {"README.md": CARD, "docs/README.md": b"# Documents", "docs/plot.png": PNG, "weights.npz": b"1"}
    name = "a-checkpoint-with-a-name-that-goes-on-and-on-epoch-0001-loss-0.0012345-accuracy-0.9876.safetensors"
    publish(cast.alice, model, {**files, name: b"2"}, message="First try " * 20, alias="production")
    metrics = [Measured("accuracy", 0.974), Measured("a_metric_with_a_name_that_is_really_long/validation", 1e-9)]
    version = publish(
        cast.bob, model, {f"many/{n:03}.txt": b"%d" % n for n in range(120)}, message="second", metrics=metrics
    )
    deprecate_version(actor=cast.alice, version=version, reason="Trained on the wrong split")
    for number in range(20):
        create_ref(actor=cast.alice, model=model, move=Move("tag", f"release-{number}.0", "1"))
    return model


@pytest.mark.parametrize("look", [{}, DARK, PHONE, TABLET], ids=["light", "dark", "phone", "tablet"])
def test_the_pages_are_accessible_and_fit(new_visitor, cast, model, look) -> None:
    create_model(actor=cast.alice, project=cast.project, name="empty")
    visitor = new_visitor(cast.alice, **look)
    for address in ("", "?revision=production", "versions/main/tree/", "versions/main/tree/many"):
        assert_well_made(visitor.goto(f"/vision/classifier/{address}"))
    assert_well_made(visitor.goto("/vision/empty/"))
    assert_well_made(visitor.goto("/vision/classifier/versions/1/tree/many/001.txt", status=404))
    page = visitor.goto("/vision/classifier/")
    for menu in ("ref-chooser", "download"):
        page.locator(f"details.{menu} > summary").click()
        assert_well_made(page)
        page.keyboard.press("Escape")


def test_from_the_model_through_its_tree_and_back(new_visitor, cast, model) -> None:
    page = new_visitor(cast.dave).goto("/vision/classifier/")
    page.locator("details.ref-chooser > summary").click()
    page.get_by_label("Filter the names").fill("release-7")
    assert [one.strip() for one in page.locator("details.ref-chooser li:visible").all_inner_texts()] == ["release-7.0"]
    page.get_by_label("Filter the names").fill("nothing like it")
    assert page.get_by_text("Nothing matches.").is_visible()
    page.get_by_label("Filter the names").fill("prod")
    page.get_by_role("link", name="production").first.click()
    page.get_by_text("This is production, v1.").wait_for()
    page.get_by_role("link", name="docs (directory)").click()
    page.get_by_role("heading", name="Documents").wait_for()
    assert page.url.endswith("/versions/production/tree/docs")
    page.get_by_label("Path").get_by_role("link", name="classifier").click()
    page.wait_for_url("**/versions/production/tree/")


def test_entries_are_filtered_and_paged(new_visitor, cast, model) -> None:
    page = new_visitor(cast.dave).goto("/vision/classifier/versions/main/tree/many")
    page.get_by_label("Filter what is shown").fill("07")
    assert page.locator("tbody tr:visible").count() == 11  # 007 and 070 to 079
    page.get_by_role("button", name="Next").click()
    page.get_by_text("101–120 of 120").wait_for()


def test_the_whole_digest_is_copied(new_visitor, cast, model) -> None:
    visitor = new_visitor(cast.dave, permissions=["clipboard-read", "clipboard-write"])
    page = visitor.goto("/vision/classifier/")
    page.get_by_role("button", name="Copy the whole digest").click()
    assert page.evaluate("navigator.clipboard.readText()") == model.versions.get(number=2).digest


def test_images_of_the_version_are_shown_and_no_others(new_visitor, cast, model) -> None:
    page = new_visitor(cast.dave).goto("/vision/classifier/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    picture = page.get_by_alt_text("A plot")
    picture.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.markdown img').naturalWidth === 1")
    assert not any("spy.example" in address for address in asked)
    assert page.get_by_role("link", name="spy").get_attribute("href") == "https://spy.example/p.png"
    page.get_by_role("link", name="the rest").click()
    assert page.url.endswith("#text-the-rest")


def test_all_of_it_is_read_without_scripts(new_visitor, cast, model) -> None:
    page = new_visitor(cast.dave, java_script_enabled=False).goto("/vision/classifier/")
    page.locator("details.ref-chooser > summary").click()
    page.get_by_role("link", name="production").first.click()
    page.locator("details.download > summary").click()
    page.get_by_text('lmvp.download("vision/classifier", revision="production")').wait_for()
    page.get_by_role("link", name="docs (directory)").click()
    page.get_by_role("heading", name="Documents").wait_for()
