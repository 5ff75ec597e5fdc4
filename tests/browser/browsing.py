"""Visiting pages: somebody's window, what goes wrong in it, and what axe finds on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client
from playwright.sync_api import Page

PHONE = {"viewport": {"width": 375, "height": 740}, "has_touch": True}
DARK = {"color_scheme": "dark"}
MOST_BYTES = 150 * 1024
# The page and what it loads, as sent; charts are not counted, nor images that users published.
WEIGHT = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter((one) => !/echarts|\\/v1\\//.test(one.name)).map((one) => [one.encodedBodySize, new URL(one.name).pathname])"""
SHIFT = """() => new Promise((done) => {
    let sum = 0;
    new PerformanceObserver((list) => { for (const one of list.getEntries()) sum += one.value; }).observe({type: "layout-shift", buffered: true});
    setTimeout(() => done(sum), 50);
})"""
SERIOUS = ("serious", "critical")
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Visitor:
    """A browser window: signed in as `user` where there is one, with the errors that its pages had."""

    def __init__(self, page: Page, user: Any = None, server: str = "") -> None:
        self.page = page
        self.expected = 200
        self.errors: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(f"{page.url}: {error}"))
        if user is not None:
            page.context.add_cookies([_session(user, server)])

    def goto(self, address: str, *, status: int = 200) -> Page:
        """Open an address; its answer must have this status."""
        self.expected = status
        response = self.page.goto(address)
        assert response is not None
        assert response.status == status, f"{address}: {response.status}"
        return self.page

    def _console(self, message: Any) -> None:
        # That a document was answered with 403 or 404 is a line of its own in the console, and meant by the test.
        meant = message.text.startswith("Failed to load resource") and self.expected != 200
        if message.type in ("error", "warning") and not meant:
            self.errors.append(f"{self.page.url}: {message.text}")


def _session(user: Any, server: str) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": server}


STILL = 0.01
WIDE = 1000  # px; narrower windows have the same colours


def assert_well_made(page: Page) -> None:
    """Fail where a page is hard to use: by axe, by its width on this window, by its weight, by things that jump about."""
    assert_accessible(page)
    wide, there = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= there, f"{page.url} is {wide - there} px wider than its window"
    loaded = sorted(((_sent(path, size), path) for size, path in page.evaluate(WEIGHT)), reverse=True)
    assert sum(size for size, _ in loaded) <= MOST_BYTES, f"{page.url} is heavy: {loaded}"
    shift = page.evaluate(SHIFT)
    if shift >= STILL:  # a busy machine may have painted half of it: what jumps about does so again
        with page.context.new_page() as again:  # what was typed and opened on this one stays
            again.set_viewport_size(page.viewport_size or {"width": WIDE, "height": WIDE})
            again.goto(page.url)
            shift = again.evaluate(SHIFT)
    assert shift < STILL, f"{page.url} jumps about by {shift:.3f}"


def _sent(path: str, size: int) -> int:
    """Return how many bytes our server sends: the one of the tests does not know of compressed files beside the others."""
    compressed = path.startswith(settings.STATIC_URL) and finders.find(path.removeprefix(settings.STATIC_URL) + ".gz")
    return Path(compressed).stat().st_size if compressed else size


def assert_accessible(page: Page) -> None:
    """Fail on what axe calls serious or critical on the page, by WCAG 2.2 AA and its own good practice.

    The same page is looked at in several windows: colours in the wide ones, and in the dark nothing but colours.
    """
    narrow = (page.viewport_size or {"width": WIDE})["width"] < WIDE
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    rules: dict[str, Any] = {
        "runOnly": {"type": "tag", "values": WCAG},
        "rules": {"color-contrast": {"enabled": not narrow}},
    }
    if dark:
        rules = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
    found = Axe().run(page, options={**rules, "resultTypes": ["violations"]}).response["violations"]
    serious = [
        (one["id"], [node["html"][:300] for node in one["nodes"][:3]]) for one in found if one["impact"] in SERIOUS
    ]
    assert not serious, f"{page.url}: {serious}"
