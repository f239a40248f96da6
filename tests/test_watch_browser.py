"""nstyle watch in a real browser: the page follows the run, and stops it."""

import json
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.watching import watching, write_config

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
LONG = 4000


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@contextmanager
def opened(browser, watched, size=(1280, 900), **more):
    """The page; afterwards, that it complained of nothing and asked nobody but the command."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **more)
    page, complaints, requests = context.new_page(), [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(watched.url)
    yield page
    context.close()
    assert complaints == []
    foreign = [url for url in requests if not url.startswith(("data:", f"http://{watched.place.netloc}/"))]
    assert foreign == []


def until(condition, seconds=30):
    """The page's own rules forbid what Playwright's waiting for a function needs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def iteration(page):
    return int(page.locator("#live .figures dd").first.inner_text().split()[0])


def test_the_page_follows_the_run_and_stops_it(browser):
    write_config(LONG)
    with watching("run.yml") as watched, opened(browser, watched) as page:
        page.wait_for_selector("#live .picture img:visible")
        until(lambda: page.evaluate("document.querySelector('#live .picture img').naturalWidth") > 0)
        page.wait_for_selector("#live .curves svg")
        first, source = iteration(page), page.locator("#live .picture img").get_attribute("src")
        until(lambda: iteration(page) > first)
        assert page.locator("#live .picture img").get_attribute("src") != source
        assert page.locator("#live progress").get_attribute("max") == str(LONG)
        assert page.locator("#live tbody tr").count() == 7
        page.get_by_role("button", name="Stop …").click()
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("button", name="Stop …").press("Enter")
        page.keyboard.press("Escape")
        assert not page.get_by_role("button", name="Stop it").is_visible()
        page.get_by_role("button", name="Stop …").click()
        page.get_by_role("button", name="Stop it").click()
        page.wait_for_selector("#live-sentence:has-text('is saved as out.png')")
        page.wait_for_selector("article")  # the stopped run, as in the report
        assert watched.end()[0] == 130
    assert json.loads(Path("out.png.json").read_text())["evaluation"] < LONG


def test_the_end_of_a_run_is_said_and_its_record_shown(browser):
    write_config(25)
    with watching("run.yml") as watched, opened(browser, watched) as page:
        page.wait_for_selector("#live-sentence:has-text('Done.')")
        page.wait_for_selector("article .provenance, article details")
        assert not page.locator("#live .stop").is_visible()
        assert watched.end()[0] == 0


def test_small_and_dark(browser):
    write_config(LONG)
    with (
        watching("run.yml") as watched,
        opened(browser, watched, size=(360, 740), color_scheme="dark") as page,
    ):
        page.wait_for_selector("#live .curves svg")
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 360
        shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(map(int, shade.removeprefix("rgb(").rstrip(")").split(","))) < 60


def test_with_a_token_the_address_is_enough(browser):
    write_config(LONG)
    with watching("run.yml", "--token", "auto") as watched, opened(browser, watched) as page:
        page.wait_for_selector("#live .picture img:visible")
        assert "token" not in page.url  # it does not stay in the history
