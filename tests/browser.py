"""A real headless Chromium, for tests of pages; ``make test-report`` installs it."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

Chrome = Any  # selenium is imported by the tests that need it, and half typed
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
)


def chromium() -> Iterator[Chrome]:
    """Yield a driver that keeps what pages complain of and ask for; its caller is a fixture of the same name."""
    if not (CHROMIUM and DRIVER):
        if "NACBENCH_TEST_TOOLS" in os.environ:
            pytest.fail("no chromium or no chromedriver")
        pytest.skip("needs Chromium, which make test-report installs")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()
