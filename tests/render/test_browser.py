"""The page of boards in a real browser: sorted, filtered, read without sight, and silent on the network.

Screenshots go to ``$HARNESS_SCREENSHOTS`` where that names a folder, and to a temporary one otherwise.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.browsers import LONG, Browser
from helpers.pages import HOSTILE

pytestmark = pytest.mark.browser
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    pytest.importorskip("selenium", reason="pip install 'labor-harness[browser]' for tests in a browser")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    names = ("chromium", "chromium-browser", "google-chrome")
    binary = next((path for name in names if (path := shutil.which(name))), None)
    chromedriver = shutil.which("chromedriver")
    if binary is None or chromedriver is None:
        pytest.skip("no Chromium with its driver: apt-get install chromium chromium-driver")
    options = Options()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    yield Browser(driver, tmp_path_factory.mktemp("boards"))
    driver.quit()


def test_columns_sort_by_mouse_and_by_keyboard(browser: Browser) -> None:
    browser.open("two", "market/next_occ")
    by_perplexity = ["oracle", *(f"model-{i}" for i in range(6))]
    assert browser.models() == by_perplexity
    heads = {button.text: button for button in browser.all(".current table.ranking thead button")}

    def sorted_by(name: str) -> str | None:
        found: str | None = browser.run("return arguments[0].parentElement.getAttribute('aria-sort')", heads[name])
        return found

    assert sorted_by("perplexity") == "ascending"
    heads["fit, s"].click()
    assert browser.models() == ["model-2", "model-5", "model-1", "model-4", "oracle", "model-0", "model-3"]
    assert (sorted_by("fit, s"), sorted_by("perplexity")) == ("ascending", None)
    assert browser.one("#said").get_attribute("textContent") == "Sorted by fit, s, ascending."
    browser.run("arguments[0].focus()", heads["top-1"])
    browser.press("\ue007")  # Enter
    missing = ["model-0", "model-4", "oracle"]  # which stand last in either direction
    assert browser.models()[:4] == ["model-5", "model-3", "model-2", "model-1"]
    browser.press("\ue00d")  # the space bar
    assert browser.models()[:4] == ["model-1", "model-2", "model-3", "model-5"]
    assert sorted(browser.models()[4:]) == missing
    assert sorted_by("top-1") == "descending"
    outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    assert browser.messages() == []


def test_the_filter_says_how_many_are_shown(browser: Browser) -> None:
    browser.open("two", "market/next_occ")
    box = browser.one(".current .find")
    assert box.accessible_name == "Filter models"
    box.send_keys("MODEL 3")
    assert browser.models() == ["model-3"]
    status = browser.one(".current [role=status]")
    assert status.text == "1 of 7 models"
    box.clear()
    box.send_keys("zebra")
    assert browser.models() == []
    box.clear()
    ties = browser.one(".current .ties")
    assert ties.accessible_name == "tied for best"
    ties.send_keys(" ")
    assert browser.models() == ["model-0", "model-1", "model-2"]
    assert status.text == "3 of 7 models"


def test_a_slice_opens_by_click_key_and_address(browser: Browser) -> None:
    browser.open("two", "market/next_occ")
    heads = ".current .slice[id$='/age'] thead th"
    assert browser.shown(heads) == []
    summary = browser.one(".current .slice[id$='/age'] summary")
    summary.click()
    assert browser.shown(heads)[1].startswith("16-24")
    summary.send_keys("\ue007")
    assert browser.shown(heads) == []
    browser.open("two", "market/switch/slices/age")
    assert browser.shown("h2[id='market/switch/title']") == ["switch"]
    assert len(browser.shown(heads)) == 6
    at = browser.run("return document.getElementById('market/switch/slices/age').getBoundingClientRect().top")
    assert -20 <= at <= 900
    summaries = browser.shown(".current .numbers summary")
    assert len(summaries) == 4
    browser.run("document.querySelector('.current .numbers').open = true")
    assert "8.08" in browser.shown(".current .numbers td")


def test_one_board_at_a_time(browser: Browser) -> None:
    browser.open("two")
    assert browser.comes_to_show("main h2", ["All boards"])
    browser.one(".boards a[href='#market/switch']").click()
    assert browser.comes_to_show("main h2", ["switch"])
    assert browser.one(".boards [aria-current=page]").text == "switch"
    assert browser.run("return document.activeElement.textContent") == "switch"
    assert "market/switch" in browser.driver.title
    browser.driver.back()
    assert browser.comes_to_show("main h2", ["All boards"])
    browser.one("main a[href='#market/next_occ']").click()
    assert browser.comes_to_show("main h2", ["next_occ"])
    browser.run("location.hash = '#%E0%A4%A'")  # which is no address
    assert browser.comes_to_show("main h2", ["All boards"])
    browser.open("two")
    browser.press("\ue004")  # Tab: the first stop is the way past the navigation
    assert browser.run("return document.activeElement.textContent") == "Skip to the board"
    browser.press("\ue007")
    assert browser.run("return document.activeElement.id") == "main"
    assert browser.messages() == []


def test_the_theme_is_chosen_and_remembered(browser: Browser) -> None:
    def background() -> str:
        made: str = browser.run("return getComputedStyle(document.body).backgroundColor")
        return made

    browser.open("two", dark=False)
    light = background()
    browser.open("two", dark=True)
    dark = background()
    assert light != dark
    button = browser.one("#theme")
    assert button.accessible_name == "Theme: automatic"
    button.click()
    assert (button.accessible_name, background()) == ("Theme: light", light)
    button.click()
    browser.open("two", dark=False)
    assert (browser.one("#theme").accessible_name, background()) == ("Theme: dark", dark)
    browser.one("#theme").click()
    assert background() == light


def test_nothing_glides_for_those_who_asked_for_less_motion(browser: Browser) -> None:
    browser.open("two")
    assert browser.run("return getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    browser.emulate(1280, dark=False, motion="no-preference")
    assert browser.run("return getComputedStyle(document.documentElement).scrollBehavior") == "smooth"


def test_hostile_names_are_shown_and_do_nothing(browser: Browser) -> None:
    browser.requested(), browser.messages()
    browser.open("hostile")
    for link in ("overview", browser.run("return document.querySelectorAll('.board')[1].id")):
        browser.run("location.hash = arguments[0]; return new Promise(done => setTimeout(done, 50))", link)
    shown = browser.models()
    assert {HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[5], HOSTILE[8]} <= set(shown)
    assert browser.run("return document.scripts.length + document.images.length") == 1
    assert (
        browser.run("return [...document.querySelectorAll('main *')].filter(e => e.onclick || e.onerror).length") == 0
    )
    browser.all(".current thead button")[1].click()
    assert sorted(browser.models()) == sorted(shown)
    for width in (1280, 390):
        browser.emulate(width, dark=False)
        assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.messages() == []
    assert {address.split(":")[0] for address in browser.requested()} <= {"file", "data", "about"}


def test_the_policy_holds(browser: Browser) -> None:
    """A script that got into the page in spite of all could neither run nor call home."""
    browser.open("two")
    browser.run(
        "const s = document.createElement('script'); s.textContent = 'window.broken = 1'; document.body.append(s);"
        "const i = new Image(); i.src = 'https://example.org/x.png'; document.body.append(i);"
        "document.body.insertAdjacentHTML('beforeend', '<p style=\"position:fixed\" id=styled>')"
    )
    assert browser.run("return window.broken ?? null") is None
    assert browser.run("return getComputedStyle(document.getElementById('styled')).position") == "static"
    refused = [m for m in browser.messages() if "Content Security Policy" in m]
    assert {rule for rule in ("script-src", "style-src", "img-src") if any(rule in m for m in refused)} == {
        "script-src",
        "style-src",
        "img-src",
    }


def test_the_page_is_whole_without_scripts(browser: Browser) -> None:
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.open("two", "market/switch")
        shown = [e.text for e in browser.all("main h2") if e.is_displayed()]
        assert shown == ["All boards", "next_occ", "switch"]
        assert [e for e in browser.all(".controls, thead button, #theme") if e.is_displayed()] == []
        assert len([e for e in browser.all(".boards a") if e.is_displayed()]) == 3
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_stands_in_the_way_of_readers(browser: Browser, dark: bool) -> None:
    """axe-core finds nothing to object to: names, roles, contrast, landmarks, tables; in the dark, contrast again."""
    axe = pytest.importorskip("axe_core_python", reason="pip install 'labor-harness[browser]' for axe-core")
    script = (Path(str(axe.__file__)).parent / "axe.min.js").read_text(encoding="utf-8")
    for part, width in [("market/next_occ", 390)] if dark else [("market/next_occ", 1280), ("overview", 1280)]:
        browser.open("small", part, width, dark)
        browser.run("document.querySelectorAll('.current details').forEach(d => { d.open = true })")
        browser.run(script)
        asked = {"resultTypes": ["violations"]} | ({"runOnly": ["color-contrast"]} if dark else {})
        found = browser.driver.execute_async_script("axe.run(arguments[0]).then(arguments[1])", asked)
        told = [(v["id"], [(n["target"], n["failureSummary"]) for n in v["nodes"][:3]]) for v in found["violations"]]
        assert told == []
        assert len(found["passes"]) >= (1 if dark else 20)


def test_two_hundred_models_stay_quick(browser: Browser) -> None:
    browser.open("long", "market/next_occ")
    assert len(browser.models()) == LONG
    script = """
    const done = arguments[arguments.length - 1], start = performance.now();
    (arguments[0])();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
    """
    sort = script.replace("arguments[0]", "() => document.querySelector('.current thead button').click()")
    type_ = script.replace(
        "arguments[0]",
        "() => { const b = document.querySelector('.current .find'); b.value = 'model-1';"
        " b.dispatchEvent(new Event('input')) }",
    )
    took = [browser.driver.execute_async_script(s) for s in (sort, type_)]
    assert max(took) < 2000  # a quarter of a second on two busy cores
    assert len(browser.models()) == 1 + 10 + 100 - 1 - (200 - LONG)
    browser.open("long", "market/next_occ")
    browser.run("document.querySelector('.current .long').scrollTo(400, 600)")
    frame, head, first = browser.run(
        "const t = document.querySelector('.current .long');"
        "return [t, t.querySelector('thead th'), t.querySelector('tbody th')].map(e => e.getBoundingClientRect())"
    )
    assert abs(head["top"] - frame["top"]) < 3  # the headings stay
    assert abs(first["left"] - frame["left"]) < 3  # and so do the names


@pytest.mark.parametrize("name", [pytest.param("two", marks=pytest.mark.slow), "long"])
def test_screenshots(browser: Browser, name: str, tmp_path: Path) -> None:
    """Pictures for whoever wants to look; that no page is wider than its screen is tested here."""
    folder = Path(os.environ.get("HARNESS_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    for width, dark in ((1440, False), (390, True), (390, False), (1440, True))[: 4 if name == "two" else 1]:
        browser.open(name, "market/next_occ", width, dark)
        wide, high = browser.run("const d = document.documentElement; return [d.scrollWidth, d.scrollHeight]")
        assert wide <= width
        clip = {"x": 0, "y": 0, "width": width, "height": min(high, 3500), "scale": 1}
        shot = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        picture = base64.b64decode(shot["data"])
        assert int.from_bytes(picture[16:20], "big") == width  # of a PNG's header
        (folder / f"{name}-{width}-{'dark' if dark else 'light'}.png").write_bytes(picture)


@pytest.mark.slow
def test_every_picture_has_a_name_and_a_description(browser: Browser) -> None:
    browser.open("two", "market/next_occ")
    pictures = [e for e in browser.all(".current svg") if e.is_displayed()]
    assert len(pictures) == 2 + 7 + 2
    assert all(e.aria_role == "image" and e.accessible_name for e in pictures)
    assert len({e.accessible_name for e in pictures}) == len(pictures)
    described = browser.run(
        "return [...document.querySelectorAll('.current svg')]"
        ".map(e => document.getElementById(e.getAttribute('aria-describedby')).textContent.length)"
    )
    assert min(described) > 30
