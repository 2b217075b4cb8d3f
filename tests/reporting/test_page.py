"""The page: whole without a network, usable in a real browser, and safe whatever records are called."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nacbench.recording.row import row_of
from nacbench.reporting.build import build_report
from nacbench.reporting.page.page import render_page
from nacbench.reporting.series import group
from tests.browser import Chrome, chromium
from tests.made import made_failure, made_record, write_content, write_failure, write_run

HOSTILE = '<img src=x onerror="document.title=1">&\'"</script><script>document.title="owned"</script>'
NAME = HOSTILE.replace("/", "")  # names of tasks and models are names of folders


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of five rows on three tasks, one of them with hostile names."""
    folder = tmp_path_factory.mktemp("page")
    store = folder / "runs"
    for seed in range(3):
        write_run(store, made_record(seed=seed, score=0.80 + seed / 1000))
        write_run(store, made_record(model="perceiver-io", seed=seed, score=0.95 + seed / 900))
    write_run(store, made_record(task="listops", score=0.5))
    write_run(store, made_record(task="listops", model="vit", score=0.4))
    hostile = made_record(task=NAME, model=NAME, score=0.1).model_dump(mode="json")
    hostile["identity"]["config"]["training"]["note"] = HOSTILE
    write_content(store, hostile)
    write_failure(store, made_failure(status="failed", model="vit", reason=HOSTILE))
    build_report([store], folder / "report", html=True)
    return folder / "report" / "index.html"


def test_the_page_needs_no_other_file(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", text)
    assert "@import" not in text
    assert "url(" not in text
    assert "default-src 'none'" in text


def test_names_are_escaped(page: Path) -> None:
    text = page.read_text()
    assert "<img src=x" not in text
    assert text.count("<script") == 2  # the data and our own
    assert "&lt;img src=x onerror=" in text
    data = json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[0])
    assert any(row["filter"]["task"] == NAME for row in data["rows"])


def test_the_page_has_no_paths_of_the_machine(page: Path) -> None:
    assert "/tmp/" not in page.read_text()
    assert f"digits/nac/{made_record().run_id}" in page.read_text()


def test_what_is_significantly_best_is_strong(page: Path) -> None:
    (cell,) = re.findall(r"<strong>(.*?)</strong>", page.read_text())
    assert html.unescape(re.sub("<[^>]*>", "", cell)).replace("\N{NO-BREAK SPACE}", " ") == "95.11 ± 0.28"


def test_the_same_runs_give_the_same_page(page: Path, tmp_path: Path) -> None:
    build_report([page.parents[1] / "runs"], tmp_path, html=True)
    assert (tmp_path / "index.html").read_bytes() == page.read_bytes()


# -- in a browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    """A real headless Chromium."""
    yield from chromium()


@pytest.fixture
def shown(chrome: Chrome, page: Path) -> Iterator[Chrome]:
    """The page, open; after the test, nothing has complained and nothing was asked for."""
    chrome.get_log("browser")
    chrome.get_log("performance")
    chrome.get(page.as_uri())
    yield chrome
    assert chrome.get_log("browser") == []
    assert chrome.title == "nacbench"
    messages = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
    asked = {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}
    assert {url for url in asked if not url.startswith(("data:", "blob:"))} == {page.as_uri()}


def cells(chrome: Chrome, column: int) -> list[str]:
    """The text of a column of the leaderboard's visible rows."""
    script = """
        const [column] = arguments;
        return [...document.querySelectorAll("#board tbody")].filter((body) => !body.hidden)
          .map((body) => body.rows[0].cells[column].textContent);
    """
    found: list[str] = chrome.execute_script(script, column)
    return found


def find(chrome: Chrome, selector: str) -> Any:
    return chrome.find_element("css selector", selector)


def opener(chrome: Chrome, label: str) -> Any:
    """The button that opens the row with this in its label."""
    buttons = chrome.find_elements("css selector", ".open")
    (found,) = [button for button in buttons if label in (button.get_attribute("aria-label") or "")]
    return found


@pytest.mark.browser
def test_the_board_is_sorted_by_value_both_ways(shown: Chrome) -> None:
    button = find(shown, '[data-sort="3"]')
    button.click()
    scores = [float(text.split()[0]) for text in cells(shown, 4)]
    assert scores == sorted(scores)
    button.click()
    assert [float(text.split()[0]) for text in cells(shown, 4)] == sorted(scores, reverse=True)
    assert find(shown, "th[aria-sort]").get_attribute("aria-sort") == "descending"
    find(shown, '[data-sort="0"]').click()
    assert len(shown.find_elements("css selector", "th[aria-sort]")) == 1


@pytest.mark.browser
def test_rows_are_filtered_by_text_and_choice(shown: Chrome) -> None:
    search = find(shown, "#search")
    search.send_keys("listops NAC")
    assert cells(shown, 3) == ["nac"]
    assert find(shown, "#shown").text == "1 of 5 rows"
    search.clear()
    search.send_keys("zebra")
    assert cells(shown, 3) == []
    for _ in range(5):
        search.send_keys("\ue003")  # backspace
    find(shown, '[data-filter="task"]').send_keys("digits")
    assert cells(shown, 1) == ["digits", "digits"]


@pytest.mark.browser
def test_a_row_opens_by_keyboard_and_shows_its_runs(shown: Chrome) -> None:
    (row,) = [
        b for b in shown.find_elements("css selector", ".open") if "perceiver-io" in b.get_attribute("aria-label")
    ]
    row.send_keys("\ue007")  # enter
    assert row.get_attribute("aria-expanded") == "true"
    details = find(shown, f"#{row.get_attribute('aria-controls')}")
    assert made_record(model="perceiver-io", seed=2).run_id in details.text
    assert '"depth": 3' in details.text
    row.send_keys("\ue007")
    assert not details.is_displayed()


@pytest.mark.browser
def test_hostile_names_are_text_in_the_browser(shown: Chrome) -> None:
    opener(shown, "onerror").click()
    assert HOSTILE in shown.execute_script("return document.querySelector('.details pre').textContent").replace(
        '\\"', '"'
    )
    assert shown.find_elements("css selector", "img[src=x]") == []


@pytest.mark.browser
def test_light_and_dark_and_on_a_phone(shown: Chrome) -> None:
    background = "return getComputedStyle(document.body).backgroundColor"
    before = shown.execute_script(background)
    find(shown, "#theme").click()
    assert shown.execute_script(background) != before
    shown.set_window_size(500, 900)  # as narrow as it gets
    try:
        assert shown.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        shown.set_window_size(1200, 900)


@pytest.fixture(scope="module")
def wide_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with 17 models on two tasks, one with a long name; tables side by side are as wide as they get."""
    folder = tmp_path_factory.mktemp("wide")
    for task in ("digits", "a-task-with-a-rather-long-name"):
        for number in range(17):
            for seed in range(2):
                score = 0.5 + number / 100 + seed / 20
                write_run(folder / "runs", made_record(task=task, model=f"some-model-{number}", seed=seed, score=score))
    build_report([folder / "runs"], folder / "report", html=True)
    return folder / "report" / "index.html"


@pytest.fixture(params=[390, 1400])
def at_width(request: pytest.FixtureRequest, chrome: Chrome, wide_page: Path) -> Iterator[tuple[Chrome, int]]:
    """The wide page on a screen of a phone and of a laptop, and the screen's width in pixels."""
    size = {"width": request.param, "height": 844, "deviceScaleFactor": 1, "mobile": request.param < 600}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chrome.get(wide_page.as_uri())
    yield chrome, request.param
    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def places(chrome: Chrome, selector: str) -> list[tuple[float, float, float]]:
    """Left, right and top in pixels of all elements that are shown."""
    script = """
        return [...document.querySelectorAll(arguments[0])].map((own) => own.getBoundingClientRect())
          .filter((box) => box.width > 0).map((box) => [box.left, box.right, box.top]);
    """
    found: list[tuple[float, float, float]] = chrome.execute_script(script, selector)
    return found


@pytest.mark.browser
def test_no_cell_lies_beside_the_screen(at_width: tuple[Chrome, int]) -> None:
    chrome, width = at_width
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    cells = places(chrome, "td, th")
    assert len(cells) > 34 * 9
    assert all(left >= 0 and right <= width for left, right, _ in cells)
    hidden = (
        "return [...document.querySelectorAll('.scroll')].filter((own) => own.scrollWidth > own.clientWidth).length"
    )
    assert chrome.execute_script(hidden) == 0, "no table has a part that must be scrolled to"


@pytest.mark.browser
def test_the_first_scores_are_on_the_first_screen(at_width: tuple[Chrome, int]) -> None:
    chrome, width = at_width
    scores = places(chrome, "#board td.score")
    assert len(scores) == 34
    assert all(left >= 0 and right <= width for left, right, _ in scores)
    assert sum(top < 844 for _, _, top in scores) >= 2


@pytest.mark.browser
def test_rows_that_are_filtered_out_are_not_shown_on_any_screen(at_width: tuple[Chrome, int]) -> None:
    chrome, _ = at_width
    find(chrome, "#search").send_keys("some-model-16 digits")
    assert len(places(chrome, "#board td.score")) == 1
    assert places(chrome, ".details") == []
    opener(chrome, "some-model-16 (mini) on digits").click()
    assert len(places(chrome, ".details")) == 1


@pytest.mark.browser
def test_the_board_can_be_sorted_on_any_screen(at_width: tuple[Chrome, int]) -> None:
    chrome, _ = at_width
    find(chrome, '[data-sort="3"]').click()
    scores = [float(text.split()[0]) for text in cells(chrome, 4)]
    assert scores == sorted(scores)


@pytest.mark.browser
def test_shown_rows_can_be_downloaded(shown: Chrome, tmp_path: Path) -> None:
    shown.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    find(shown, "#search").send_keys("listops")
    find(shown, '[data-download="csv"]').click()
    file = tmp_path / "leaderboard.csv"
    for _ in range(50):
        if file.exists():
            break
        shown.execute_async_script("setTimeout(arguments[0], 100)")
    lines = file.read_text().splitlines()
    assert lines[0].startswith('"task","scale","model","test score (%)"')
    assert [line.split(",")[2] for line in lines[1:]] == ['"nac"', '"vit"']


@pytest.mark.browser
def test_a_downloaded_csv_has_no_formula(chrome: Chrome, tmp_path: Path) -> None:
    row = row_of(made_record(), "made", 1, 1)._replace(task="-1", model="=1+1", score=-0.5)
    file = tmp_path / "index.html"
    file.write_text(render_page(group([row]), [], [], [], [], []))
    chrome.get(file.as_uri())
    chrome.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    find(chrome, '[data-download="csv"]').click()
    for _ in range(50):
        if (tmp_path / "leaderboard.csv").exists():
            break
        chrome.execute_async_script("setTimeout(arguments[0], 100)")
    cells = (tmp_path / "leaderboard.csv").read_text().splitlines()[1].split(",")
    assert cells[:4] == ['"-1"', '"mini"', '"\'=1+1 (mini)"', '"-0.5"']
