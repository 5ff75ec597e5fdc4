"""`make screenshots`: the pages of the manual, taken of a team's registry with really trained models in it.

A server of its own in a scratch directory; everything is published through the client, and looked at in
Chromium. The pictures go to docs/images.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from os import environ
from pathlib import Path
from typing import Any

from demo_server import ROOT, running_server
from digits import train
from playwright.sync_api import Browser, Page, sync_playwright
from week import prepare_environment
from week_people import signed_in as client_of

sys.path.insert(0, str(ROOT))

from lmvp import Client

IMAGES = ROOT / "docs" / "images"
PROJECT, MODEL, DATASET = "digits", "digits/classifier", "digits/images"
LAPTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {"viewport": {"width": 375, "height": 740}, "device_scale_factor": 2}
CARD = """---
license: mit
tags: [digits, numpy]
---
# Handwritten digits

A network with one hidden layer that reads 8 × 8 pictures of digits: {hidden} hidden units, {epochs} epochs.

| | |
| --- | --- |
| right on digits it never saw | {accuracy:.1%} |
| loss at the end | {loss:.4f} |

```python
import lmvp
local = lmvp.download("digits/classifier", revision="production")
```

Data: E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, doi 10.24432/C50P49, CC BY 4.0.
"""


@dataclass(frozen=True)
class Shot:
    """One picture: which page, how it is looked at, and what is done there before."""

    name: str
    address: str
    look: str = "light"
    click: str = ""


SHOTS: Sequence[Shot] = (
    Shot("home", "/"),
    Shot("project", f"/{PROJECT}/"),
    Shot("model", f"/{MODEL}/"),
    Shot("model-dark", f"/{MODEL}/", "dark"),
    Shot("model-phone", f"/{MODEL}/", "phone"),
    Shot("versions", f"/{MODEL}/versions/"),
    Shot("graph", f"/{MODEL}/graph/"),
    Shot("version", f"/{MODEL}/versions/production/"),
    Shot("compare", f"/{MODEL}/compare/1...production/"),
    Shot("compare-many", f"/{MODEL}/compare/?versions=1,2,3,4,5,6"),
    Shot("metrics", f"/{MODEL}/metrics/?metric=accuracy"),
    Shot("alias", f"/{MODEL}/refs/alias/production/"),
    Shot("refs", f"/{MODEL}/refs/"),
    Shot("merge", f"/{MODEL}/merge/?source=small&target=main"),
    Shot("file", f"/{MODEL}/versions/production/files/weights.npz"),
    Shot("publish", f"/{MODEL}/publish/"),
    Shot("lineage", f"/{MODEL}/versions/production/lineage/"),
    Shot("members", f"/{PROJECT}/-/members/"),
    Shot("activity", f"/{PROJECT}/-/activity/"),
    Shot("search", "/search/?q=wider"),
)


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("The pictures are taken with Chromium, which is not here: apt-get install chromium")
    only = set(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="lmvp-pictures-") as scratch:
        prepare_environment(Path(scratch))
        with running_server("127.0.0.1", int(environ["PORT"]), Path(scratch) / "server.log") as server:
            password = furnish(server.address, Path(scratch))
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                IMAGES.mkdir(exist_ok=True)
                for look in ("light", "dark", "phone"):
                    with signed_in(browser, look, password) as page:
                        for shot in SHOTS:
                            if shot.look == look and (not only or shot.name in only):
                                take(page, shot)


# --- What is in the registry


class Team:
    """Three people who train digits, and what they publish."""

    def __init__(self, server: str, scratch: Path, password: str) -> None:
        self.scratch = scratch
        self.ada, self.ben, self.cleo = (client_of(server, name, password) for name in ("ada", "ben", "cleo"))
        self.count = 0

    def train(self, by: Client, message: str, settings: train.Settings, **more: Any) -> None:
        """Train, and publish weights, settings and card, with the loss of every epoch."""
        result = train.train(settings)
        self.count += 1
        directory = self.scratch / f"run-{self.count}"
        directory.mkdir()
        train.save_weights(result.weights, directory / "weights.npz")
        (directory / "settings.json").write_text(json.dumps(asdict(settings), indent=2) + "\n")
        told = asdict(settings) | {"accuracy": result.accuracy, "loss": result.losses[-1]}
        (directory / "README.md").write_text(CARD.format(**told), "utf-8")
        by.publish(
            MODEL,
            directory,
            message=message,
            metadata=asdict(settings),
            metrics={"loss": result.losses, "accuracy": result.accuracy},
            derived_from=[f"{DATASET}@1"],
            progress=False,
            **more,
        )


def furnish(server: str, scratch: Path) -> str:
    """Let a team work for a while; return the password of its people."""
    people = json.loads(subprocess.check_output([sys.executable, ROOT / "examples" / "demo_team.py"], text=True))
    team = Team(server, scratch, people["password"])
    ada, ben = team.ada, team.ben
    ada.create_project(PROJECT, description="Reading handwritten digits")
    ada.set_member(PROJECT, "ben", role="contributor")
    ada.set_member(PROJECT, "cleo", role="viewer")
    ada.create_model(DATASET, kind="dataset", description="UCI digits, 8 × 8")
    ada.publish(DATASET, train.DATA, message="1,797 digits of 44 writers", progress=False)
    ada.create_model(MODEL, description="Reads one handwritten digit")
    first = train.Settings(hidden=16, epochs=12, learning_rate=0.1)
    team.train(ada, "A first try: 16 hidden units", first, alias="production")
    team.train(ben, "Wider\n\nTwice as wide as the first one, the same rate.", replace(first, hidden=32))
    team.train(ben, "Trained longer", replace(first, hidden=32, epochs=40), alias="staging")
    ada.set_alias(MODEL, "production", 3, comment="Better by two points on the test set")
    team.train(ada, "Would an eighth of the size do?", replace(first, hidden=8, epochs=40), branch="small")
    team.train(ada, "Small, with a larger rate", replace(first, hidden=8, epochs=40, learning_rate=0.3), branch="small")
    team.train(ben, "A larger rate", replace(first, hidden=64, epochs=40, learning_rate=0.3), alias="staging")
    ada.set_alias(MODEL, "production", 6, comment="Best so far")
    ada.rollback(MODEL, "production", comment="Too slow on the scanner: back until it is looked into")
    team.train(
        ben, "As good, with half the units", replace(first, hidden=32, epochs=60, learning_rate=0.25), tag="release-1.0"
    )
    ada.set_alias(MODEL, "production", 7, comment="As fast as before, and better")
    ada.deprecate(MODEL, 1, reason="Reads sevens as ones: use production")
    return str(people["password"])


# --- Looking at it


@contextmanager
def signed_in(browser: Browser, look: str, password: str) -> Iterator[Page]:
    """Give ada's window."""
    options = PHONE if look == "phone" else LAPTOP
    scheme = "dark" if look == "dark" else "light"
    context = browser.new_context(base_url=environ["LMVP_URL"], color_scheme=scheme, **options)
    page = context.new_page()
    page.goto("/login/")
    page.fill("[name=username]", "ada@example.org")
    page.fill("[name=password]", password)
    page.click("main form button")
    yield page
    context.close()


def take(page: Page, shot: Shot) -> None:
    answer = page.goto(shot.address, wait_until="networkidle")
    if answer is None or not answer.ok:
        sys.exit(f"{shot.address} cannot be taken: {answer and answer.status}")
    page.screenshot(path=IMAGES / f"{shot.name}.png")
    print(f"   docs/images/{shot.name}.png", flush=True)


if __name__ == "__main__":
    main()
