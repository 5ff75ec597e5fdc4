"""A browser for the tests of pages: skipped where there is no Chromium, never in CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.browsing import Visitor

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Playwright's loop runs in this thread, which Django would take for asynchronous code: it waits for us, and no other way.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
# Static files come as in production, by our middleware and compressed, not from the live server's own handler.
StaticFilesHandler._should_handle = lambda self, path: False
expect.set_options(timeout=20_000)  # a machine that does much else at the same time is slow, not wrong


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None and "LMVP_REQUIRE_SERVICES" not in os.environ:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def new_visitor(browser: Browser, live_server) -> Iterator:
    """A function that opens a browser window for a user (None: nobody), with options of Playwright's `new_context`.

    In the end no page may have had an error on its console, nor one that a script did not catch.
    """
    opened: list[Visitor] = []

    def visit(user=None, **options) -> Visitor:
        context = browser.new_context(**{"base_url": live_server.url} | options)
        context.set_default_timeout(20_000)
        visitor = Visitor(context.new_page(), user, live_server.url)
        opened.append(visitor)
        return visitor

    yield visit
    errors = [error for visitor in opened for error in visitor.errors]
    for visitor in opened:
        visitor.page.context.close()
    assert errors == []


@pytest.fixture
def page(new_visitor) -> Page:
    """Nobody's window, as wide as a laptop's."""
    return new_visitor().page
