"""One studio and one browser for all tests of the page; each test has its own visitors."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.helpers.studio_server import RunningStudio, running_studio
from tests.studio.browser.page import DESK, EXAMPLE

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def studio(tmp_path_factory) -> Iterator[RunningStudio]:
    with running_studio(tmp_path_factory.mktemp("studio"), "--max-megapixels", "20") as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    """Start Debian's Chromium, or the one that Playwright has installed.

    Playwright keeps an event loop running in this thread, so it must end before other tests run one of their own.
    """
    playwright_api = pytest.importorskip(
        "playwright.sync_api", reason="the browser tests need playwright: pip install playwright"
    )
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    arguments = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    with playwright_api.sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=path, args=arguments)
        except playwright_api.Error as exc:
            pytest.skip(f"no browser is there for the tests of the studio: apt install chromium ({exc.message[:60]})")
        yield found
        found.close()


@pytest.fixture
def visit(studio, browser) -> Iterator[Callable]:
    """Opens a page for a new visitor. It asks nothing of others than the studio, and logs no error."""
    contexts, strangers, errors = [], [], []

    def open_page(size=DESK, locale="en-GB"):
        context = browser.new_context(viewport=size, accept_downloads=True, locale=locale)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(600_000)
        page.on("request", lambda r: r.url.startswith((studio.url, "blob:")) or strangers.append(r.url))
        page.on("pageerror", lambda error: errors.append(error))
        page.on("console", lambda message: errors.append(told(message)) if message.type == "error" else None)
        page.goto(studio.url)
        page.locator("body[data-ready]").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert strangers == []
    assert [error for error in errors if "400 (Bad Request)" not in str(error)] == []


def told(message) -> str:
    """Return a message of the browser's console, with its subject."""
    return f"{message.text} {message.location['url']}"


@pytest.fixture
def photograph(tmp_path):
    """Return a grey photograph with metadata."""
    path = tmp_path / "old.png"
    texts = PngInfo()
    texts.add_text("Author", "Dorothea Lange")
    exif = Image.Exif()
    exif[0x013B] = "Dorothea Lange"
    with Image.open(EXAMPLE) as image:
        image.convert("L").save(path, pnginfo=texts, dpi=(300, 300), exif=exif)
    return path
