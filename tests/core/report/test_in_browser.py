"""nstyle report in a real browser: sliders, sizes, colours, and that the page sends no request."""

import pytest

from tests.support import browsing
from tests.support.report_factory import make_results, report

pytestmark = browsing.needs_chromium


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = make_results(tmp_path_factory.mktemp("browser"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert report("results", "-o", "page", "--reference", "ref").exit_code == 0
    return (folder / "page" / "index.html").as_uri()


def opened(browser, address, size=(1280, 900), **more):
    return browsing.opened(browser, address, lambda url: url == address, size, **more)


def test_all_pictures_load(browser, address):
    with opened(browser, address) as page:
        widths = page.evaluate(
            "Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))"
        )
        assert len(widths) > 15
        assert min(widths) > 0


def test_iterations_with_the_keyboard(browser, address):
    with opened(browser, address) as page:
        slider = page.locator("#run-4 [data-frame]")
        shown = page.locator("#run-4 .stack img:visible")
        number = page.locator("#run-4 output")
        result = shown.get_attribute("src")
        assert (number.inner_text(), shown.count()) == ("3", 1)
        slider.focus()
        page.keyboard.press("ArrowLeft")
        assert (number.inner_text(), shown.count()) == ("2", 1)
        assert shown.get_attribute("src") != result
        assert slider.get_attribute("aria-valuetext") == "evaluation 2"
        page.keyboard.press("Home")
        assert number.inner_text() == "1"
        page.keyboard.press("End")
        assert (number.inner_text(), shown.get_attribute("src")) == ("3", result)


CLIP = "getComputedStyle(document.querySelector('#run-4 .wipe .under + img')).clipPath"


def test_before_and_after(browser, address):
    with opened(browser, address) as page:
        slider = page.get_by_label("Position of the border between reference")
        assert page.locator("#run-4 .wipe img").count() == 2
        assert page.evaluate("document.querySelector('#run-4 .under').src") == page.locator(
            "#run-4-result"
        ).get_attribute("src")
        before = page.evaluate(CLIP)
        assert "50%" in before
        slider.focus()
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        assert page.evaluate(CLIP) == before.replace("50%", "40%")  # of it is cut off
        box = slider.bounding_box()
        slider.click(position={"x": box["width"] / 4, "y": box["height"] / 2})
        assert slider.input_value() in ("24", "25", "26")
        assert f" {100 - int(slider.input_value())}% " in page.evaluate(CLIP)


def test_copy_selects_where_the_clipboard_is_closed(browser, address):
    with opened(browser, address) as page:
        page.evaluate(
            "(() => { navigator.clipboard.writeText = () => Promise.reject(new Error('closed')); })()"
        )
        page.locator("#run-4 summary", has_text="Settings").click()
        page.locator("#run-4 [data-copy=run-4-lua]").click()
        page.get_by_text("selected; copy it with Ctrl+C").wait_for()
        selected = page.evaluate("getSelection().toString()")
        assert selected.strip() == page.locator("#run-4-lua").inner_text().strip()
        assert selected.startswith("th neural_style.lua \\\n  -style_image")


def test_copy(browser, address):
    with opened(browser, address) as page:
        page.evaluate(
            "(() => { navigator.clipboard.writeText = async (text) => { window.copied = text; }; })()"
        )
        page.locator("#run-4 summary", has_text="Settings").click()
        page.locator("#run-4 [data-copy=run-4-yaml]").click()
        page.get_by_text("copied").wait_for()
        assert page.evaluate("window.copied").startswith("style_image:\n- in/painting.png\n")


@pytest.mark.parametrize("size", [(360, 740), (768, 1024), (1280, 900)])
def test_nothing_is_wider_than_the_window(browser, address, size):
    with opened(browser, address, size) as page:
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def lightness(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")


def test_light_and_dark(browser, address):
    with opened(browser, address, color_scheme="light") as page:
        assert min(lightness(page)) > 230
        light = page.evaluate("getComputedStyle(document.querySelector('.plot text')).fill")
    with opened(browser, address, color_scheme="dark") as page:
        assert max(lightness(page)) < 40
        assert page.evaluate("getComputedStyle(document.querySelector('.plot text')).fill") != light


def test_everything_is_reached_by_keyboard(browser, address):
    with opened(browser, address) as page:
        reached = set()
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.tagName"))
            focused = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            if page.evaluate("document.activeElement !== document.body"):
                assert focused != "none"
        assert reached >= {"A", "INPUT", "SUMMARY"}


def test_runs_added_later_work_as_well(browser, address):
    """The script listens on the document, so it also works for runs that are added later."""
    with opened(browser, address) as page:
        page.evaluate(
            "(() => { const copy = document.getElementById('run-4').cloneNode(true); copy.id = 'later';"
            "document.querySelector('main').append(copy); prepare(copy); })()"
        )
        page.locator("#later [data-frame]").focus()
        page.keyboard.press("Home")
        assert page.locator("#later output").inner_text() == "1"
        assert page.locator("#run-4 output").inner_text() == "3"


def test_printed_with_everything_open(browser, address):
    with opened(browser, address) as page:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate("[...document.querySelectorAll('details')].every((part) => part.open)")
        page.emulate_media(media="print")
        assert not page.locator("#run-4 [data-frame]").is_visible()
