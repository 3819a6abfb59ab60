"""Debian's Chromium, without a window."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run"
    " --disable-background-networking --disable-component-update --disable-sync"
)
PATIENCE = 120  # seconds


def start(profile: Path):
    """Start a browser that keeps a log of its console and of what it asks the network for."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    browser.set_page_load_timeout(PATIENCE)
    browser.set_script_timeout(PATIENCE)
    return browser


def settle(browser, width: int = 1280, height: int = 900, dark: bool = False) -> None:
    """Give the browser a screen and a color scheme, an empty page, and nothing from before."""
    browser.get("about:blank")
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wishes = {
        "prefers-color-scheme": "dark" if dark else "light",
        "prefers-reduced-motion": "reduce",
    }
    features = [{"name": name, "value": value} for name, value in wishes.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.execute_cdp_cmd(
        "Input.dispatchMouseEvent", {"type": "mouseMoved", "x": 0, "y": height - 1}
    )
    for log in ("browser", "performance"):
        browser.get_log(log)


def show(browser, page: Path) -> None:
    """Open the page of a report, and wait until its charts are drawn."""
    browser.get(page.as_uri())
    until(lambda: browser.execute_script("return document.body.dataset.ready") == "yes")


def until(condition: Callable[[], bool]) -> None:
    """Wait for it, for as long as a busy machine may need."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
