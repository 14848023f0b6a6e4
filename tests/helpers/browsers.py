"""A Chromium that tests of the page of boards look at it with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.render import html
from helpers.pages import board, hostile_board

LONG = 200
VISIBLE = "return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility()).map(e => e.textContent)"


class Browser:
    """A Chromium with one tab, and the three pages that tests look at."""

    def __init__(self, driver: Any, folder: Path) -> None:
        self.driver, self.folder = driver, folder
        long = [board(LONG - 1, task) for task in ("next_occ", "switch", "lf_exit", "next_occ_switchers")]
        pages = {
            "two": [board(6), board(4, task="switch")],
            "small": [board(2), board(2, task="switch")],
            "hostile": [hostile_board(), board(2)],
            "long": long,
        }
        for name, boards in pages.items():
            (folder / f"{name}.html").write_text(html.render(boards), encoding="utf-8")

    def open(self, page: str, part: str = "", width: int = 1280, dark: bool = False) -> Any:
        """The page afresh; part: what stands behind the # of its address."""
        from selenium.webdriver.support.ui import WebDriverWait

        self.emulate(width, dark)
        self.driver.get("about:blank")
        self.driver.get((self.folder / f"{page}.html").as_uri() + (f"#{part}" if part else ""))
        # The driver now and then comes back while the page is being read.
        ready = "return location.protocol === 'file:' && document.readyState === 'complete'"
        WebDriverWait(self.driver, 30, poll_frequency=0.05).until(lambda driver: driver.execute_script(ready))
        return self.driver

    def emulate(self, width: int, dark: bool, motion: str = "reduce") -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": motion},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def all(self, selector: str) -> list[Any]:
        found: list[Any] = self.driver.find_elements("css selector", selector)
        return found

    def one(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def shown(self, selector: str) -> list[str]:
        """The text of what is neither hidden nor in a part that is."""
        found: list[str] = self.run(VISIBLE, selector)
        return found

    def comes_to_show(self, selector: str, texts: list[str]) -> bool:
        """True where ``shown`` is so within seconds: a change of address is followed a moment later."""
        from selenium.common.exceptions import TimeoutException
        from selenium.webdriver.support.ui import WebDriverWait

        try:
            return bool(WebDriverWait(self.driver, 5, 0.02).until(lambda _: self.shown(selector) == texts))
        except TimeoutException:
            return False

    def press(self, key: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(key).perform()

    def models(self) -> list[str]:
        """The names in the table that is shown, from the top, without what stands beside them."""
        script = (
            "return [...document.querySelectorAll('.current table.ranking tbody th')]"
            ".filter(e => e.checkVisibility()).map(e => e.firstChild.textContent.trim())"
        )
        found: list[str] = self.run(script)
        return found

    def messages(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requested(self) -> list[str]:
        """The addresses of all that was asked for since last asked."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
