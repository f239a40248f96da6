"""nstyle watch in a real browser: the page shows the run and can stop it."""

import json
import time
from pathlib import Path

import pytest

from tests.support import browsing
from tests.support.watching import watching, write_config

pytestmark = browsing.needs_chromium
LONG = 4000


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def opened(browser, watched, size=(1280, 900), **more):
    ours = f"http://{watched.place.netloc}/"
    return browsing.opened(browser, watched.url, lambda url: url.startswith(ours), size, **more)


def until(condition, seconds=30):
    """Wait for a condition. (Playwright's wait_for_function needs eval, which the page's policy forbids.)"""
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
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Stop …").press("Enter")
        page.keyboard.press("Escape")
        assert not page.get_by_role("button", name="Stop", exact=True).is_visible()
        page.get_by_role("button", name="Stop …").click()
        page.get_by_role("button", name="Stop", exact=True).click()
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
