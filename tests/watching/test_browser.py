"""The live page in a real browser: a run goes on and its curve grows; names of others are text; nothing is too wide."""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nacbench.recording.claimants import read_heartbeat
from nacbench.watching.page import copy_of
from nacbench.watching.server import Server
from nacbench.watching.sources import FolderSource
from nacbench.watching.watcher import Watcher

from ..browser import Chrome, chromium
from ..conftest import REPOSITORY
from ..made import made_failure, made_record, write_failure, write_run

pytestmark = pytest.mark.browser

NAME = '<img src=x onerror="document.title=1">'.replace("/", "")
PLUGIN = REPOSITORY / "tests" / "slurm" / "sleepy.py"
RUN = ["run", "--task", "sleepy", "--model", "sleepy", "--scale", "smoke", "--precision", "fp32"]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    """A real headless Chromium."""
    yield from chromium()


@pytest.fixture
def live(chrome: Chrome, tmp_path: Path) -> Iterator[Chrome]:
    """The page of an empty folder, open; after the test nothing has complained."""
    chrome.get_log("browser")
    with Server(Watcher(FolderSource(tmp_path / "runs")), every=0.2) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        chrome.get(server.url)
        yield chrome
        assert chrome.get_log("browser") == []
        assert chrome.title == "nacbench watch"
        chrome.get("about:blank")
        server.shutdown()
        thread.join()


def text(chrome: Chrome, selector: str) -> str:
    """The text of the first element, as it is shown."""
    found: str = chrome.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
    return found


def waits(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What is true in the end."""
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.1)
    return found


def length(chrome: Chrome) -> int:
    """Points of the first curve of the first chart."""
    script = "return (document.querySelector('.curve')?.getAttribute('d') ?? '').split('L').length"
    found: int = chrome.execute_script(script)
    return found


def test_a_run_begins_and_goes_on_and_is_done_while_one_looks(live: Chrome, tmp_path: Path) -> None:
    waits(lambda: "No run yet" in text(live, "#shown"))
    command = [sys.executable, "-m", "nacbench", *RUN, "--plugin", str(PLUGIN), "--out", str(tmp_path / "runs")]
    environment = {**os.environ, "NACBENCH_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen([*command, "--set", "task.pause=0.3"], env=environment, stderr=subprocess.DEVNULL) as run:
        waits(lambda: text(live, "td .state").endswith("running") and length(live) > 1)
        (folder,) = (tmp_path / "runs" / "sleepy" / "sleepy").iterdir()
        beat = read_heartbeat(folder) or {}
        assert (beat["step"], beat["steps"], beat["seconds"] > 0) == (1, 20, True)  # at once, not after half a minute
        first = length(live)
        waits(lambda: length(live) > first)
        waits(lambda: re.search(r"\d/5 epochs", text(live, ".progress")))
        assert text(live, "td.why") == ""
        waits(lambda: text(live, "td .state").endswith("done"))
        run.wait()
    assert text(live, "td.score").endswith("%")
    assert length(live) == 20  # 4 steps in each of 5 epochs


def test_names_of_others_are_text(live: Chrome, tmp_path: Path) -> None:
    from selenium.webdriver import ActionChains

    write_run(tmp_path / "runs", made_record(task=NAME, model=NAME))
    write_failure(tmp_path / "runs", made_failure(status="failed", reason=NAME))
    waits(lambda: len(live.find_elements("css selector", "#runs tbody tr")) == 2)
    curve_end = waits(lambda: live.find_elements("css selector", ".chart path.point"))[0]
    ActionChains(live).move_to_element(curve_end).perform()
    assert text(live, "#readout") == f"{NAME} (mini), seed 0 (done): 0.1 at epoch 2"
    assert text(live, "td.why") == NAME
    assert NAME in text(live, "#legend")
    assert live.find_elements("css selector", "img") == []


def test_filters_chips_order_and_choice_survive_a_reload(live: Chrome, tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path / "runs", made_record(seed=seed, score=0.8 + seed / 100))
    write_failure(tmp_path / "runs", made_failure(status="failed"))
    waits(lambda: text(live, "#shown") == "4 of 4 runs are shown.")
    live.find_element("xpath", "//button[text()='done 3']").click()
    assert text(live, "#shown") == "3 of 4 runs are shown."
    live.find_element("xpath", "//th/button[text()='score']").click()
    assert text(live, "td.score") == "82.00 %"  # the best first
    live.find_element("css selector", ".pick input").click()
    waits(lambda: text(live, "#drawn") == "1 selected")
    waits(lambda: len(live.find_elements("css selector", ".chart:first-child .curve")) == 1)
    live.refresh()
    waits(lambda: text(live, "#shown") == "3 of 4 runs are shown.")
    waits(lambda: text(live, "#drawn") == "1 selected")
    assert text(live, "td.score") == "82.00 %"
    live.find_element("css selector", "#search").send_keys("seed=1")
    waits(lambda: text(live, "td.score") == "81.00 %")


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_wider_than_the_screen(live: Chrome, tmp_path: Path, width: int) -> None:
    write_run(tmp_path / "runs", made_record(model="a-model-with-quite-a-long-name" * 2, lr=0.1))
    write_run(tmp_path / "runs", made_record(model="a-model-with-quite-a-long-name" * 2, lr=0.2))
    write_failure(tmp_path / "runs", made_failure(status="failed", reason="x" * 500))
    (write_run(tmp_path / "runs", made_record(seed=5)) / "record.json").write_text("{")
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 700}
    live.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    waits(lambda: live.find_elements("css selector", ".curve") and "not a record" in text(live, "#problems"))
    script = """
        const table = document.querySelector("#runs").parentElement;
        return [document.documentElement.scrollWidth, table.scrollWidth - table.clientWidth];
    """
    page, table = live.execute_script(script)
    live.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert page <= width
    assert table <= 0


def test_a_copy_in_a_file_shows_the_same_and_loads_itself_again(chrome: Chrome, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", made_record())
    watcher = Watcher(FolderSource(tmp_path / "runs"))
    watcher.look()
    copy = tmp_path / "page.html"
    copy.write_text(copy_of(watcher, 0.3))
    chrome.get_log("browser")
    chrome.get(copy.as_uri())
    waits(lambda: text(chrome, "td.score") == "90.00 %" and chrome.find_elements("css selector", ".curve"))
    shutil.rmtree(tmp_path / "runs")
    write_run(tmp_path / "runs", made_record(score=0.5))
    watcher.look()
    copy.write_text(copy_of(watcher, 0.3, over=True))
    waits(lambda: text(chrome, "td.score") == "50.00 %")
    assert "has ended" in text(chrome, "#news")
    assert chrome.get_log("browser") == []
