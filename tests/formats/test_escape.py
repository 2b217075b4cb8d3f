"""Each reader shows exactly the text that it was given, except for characters that cannot be seen."""

import io
import re
import shutil
import subprocess
import unicodedata
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure

from nacbench.formats.escape import (
    all_visible,
    csv_of,
    figure_text,
    latex_cell,
    markdown_cell,
    markdown_line,
    plain_cell,
    script_json,
    terminal_json,
    visible,
)
from nacbench.formats.terminal import console, say, say_text
from tests.hostile import IN_RECORDS, NAMES

ORDINARY = ("nac (mini), training.lr=0.001", "lowshot-omniglot", "95.33 ± 1.43", "learning_rate", "-0.01 ± 1.01", "10†")


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_text_stays_as_it_is_for_every_reader(name: str) -> None:
    for escape in (visible, plain_cell, markdown_cell, markdown_line, figure_text):
        assert escape(name) == name
    assert csv_of(pd.DataFrame({"a": [name.replace("-0", "0")]})) == f"a\n{_quoted(name.replace('-0', '0'))}\n"


def _quoted(text: str) -> str:
    return f'"{text}"' if "," in text else text


# -- terminal ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_what_is_visible_is_one_line_that_can_be_encoded_and_stays(name: str) -> None:
    shown = visible(name)
    shown.encode()
    assert {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} == set()
    assert visible(shown) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\rb\nc\td", "a\\rb\\nc\\td"),
        ("\x9b", "\\x9b"),
        ("\u202e", "\\u202e"),
        ("\u200b\u2028", "\\u200b\\u2028"),
        ("\udcff", "\\udcff"),
        ("no-break\xa0space", "no-break\\xa0space"),
        ("\u3164\u2800\ufe0f\U000e0100", "\\u3164\\u2800\\ufe0f\\U000e0100".lower().replace("\\u000e", "\\U000e")),
        ("日本語 é 🚀", "日本語 é 🚀"),
    ],
)
def test_a_character_that_cannot_be_seen_is_shown_by_its_number(name: str, shown: str) -> None:
    assert visible(name) == shown


@pytest.mark.parametrize("name", NAMES)
def test_a_name_can_neither_add_a_line_nor_move_the_cursor(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    say(f"error: {name}", err=True)
    shown = capsys.readouterr().err
    assert shown == f"error: {visible(name, keep=chr(9))}\n"


def test_text_of_several_lines_keeps_them(capsys: pytest.CaptureFixture[str]) -> None:
    say_text("a\n\tb\x1b\n")
    assert capsys.readouterr().out == "a\n\tb\\x1b\n\n"


def test_what_a_stream_cannot_encode_is_shown_by_its_number() -> None:
    content = io.BytesIO()
    stream = io.TextIOWrapper(content, encoding="ascii")
    say("4 ± 1 日", stream=stream)
    assert content.getvalue() == b"4 \\xb1 1 \\u65e5\n"


def test_json_for_a_terminal_is_read_back_and_has_no_control_characters() -> None:
    import json

    data = {name: [name] for name in NAMES}
    text = terminal_json(data)
    assert json.loads(text) == data
    assert re.search(r"[^\n -~]", text) is None


@pytest.mark.parametrize("name", NAMES)
def test_rich_takes_no_name_for_markup(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = console()
    out.width = 3000
    out.print(plain_cell(name))
    assert capsys.readouterr().out.rstrip("\n") == plain_cell(name)


# -- Markdown ----------------------------------------------------------------------------------------------------------


def text_of(markdown: str) -> list[str]:
    """The text of every paragraph and cell, as a Markdown parser sees it; nothing else may be there."""
    from markdown_it import MarkdownIt

    found = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown):
        assert re.fullmatch(r"inline|(paragraph|table|thead|tbody|tr|th|td)_(open|close)", token.type), token.type
        if token.type == "inline":
            assert {child.type for child in token.children or []} <= {"text", "text_special"}, token.content
            found.append("".join(child.content for child in token.children or []))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_markdown_parser_sees_the_name_in_a_cell_and_in_a_line(name: str) -> None:
    cell = markdown_cell(name)
    assert text_of(f"| a | b |\n| - | - |\n| {cell} | {cell} |\n") == ["a", "b", *[plain_cell(name).strip()] * 2]
    assert text_of(f"{markdown_line(name)}\n") == [plain_cell(name).strip()]
    assert text_of(f"before\n\n{markdown_line(name)}  ") == ["before", plain_cell(name).strip()]


@pytest.mark.parametrize("name", NAMES)
def test_a_line_below_another_changes_neither(name: str) -> None:
    from markdown_it import MarkdownIt

    shown = MarkdownIt("commonmark").enable("table").render(f"before  \n{markdown_line(name)}  \nafter\n")
    assert shown.startswith("<p>before<br />\n")
    assert shown.endswith("<br />\nafter</p>\n")


# -- spreadsheets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IN_RECORDS)
def test_a_spreadsheet_sees_no_formula_and_pandas_gets_the_text_back(name: str) -> None:
    frame = pd.DataFrame({"name": [name], "number": [-1.5], name: ["x"]})
    text = csv_of(frame)
    assert text.count("\n") == 2
    back = pd.read_csv(io.StringIO(text))
    (cell,) = back["name"]
    assert not cell.strip().startswith(("=", "+", "-", "@"))
    assert re.sub(r"^'(?='* *[=+\-@])", "", cell) == visible(name)
    assert back["number"].tolist() == [-1.5]


def test_numbers_stay_numbers_in_a_spreadsheet() -> None:
    frame = pd.DataFrame({"a": [-1, 2], "b": [-0.5, float("nan")], "c": [True, False], "d": ["-1.5e-3", "+2"]})
    assert csv_of(frame) == frame.to_csv(index=False)


@pytest.mark.parametrize("name", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", " =1+1", "'=1+1", "\uff1d1", "---"])
def test_text_like_a_formula_gets_an_apostrophe(name: str) -> None:
    assert csv_of(pd.DataFrame({"a": [name]})) == f"a\n'{name}\n"


# -- LaTeX -------------------------------------------------------------------------------------------------------------


@pytest.mark.latex
def test_latex_takes_every_name(tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("needs LaTeX, which make test-report installs")
    short = [name[:40] for name in NAMES]
    rows = "".join(f"{latex_cell(name)} & {latex_cell(name)} \\\\\n" for name in short)
    body = f"\\begin{{tabular}}{{ll}}\n\\toprule\n{rows}\\bottomrule\n\\end{{tabular}}"
    text = f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}\n{body}\n\\end{{document}}\n"
    (tmp_path / "all.tex").write_text(text)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_latex_shows_a_letter_that_it_does_not_know_by_its_number() -> None:
    assert latex_cell("é 日 a--b [*]") == r"é \textbackslash{}u65e5 a-{}-b {[}{*}]"


# -- figures -----------------------------------------------------------------------------------------------------------


def test_a_figure_draws_names_as_they_are_and_not_too_long() -> None:
    figure = Figure(figsize=(3, 9))
    axes = figure.subplots()
    for name in NAMES:
        axes.plot([0, 1], [0, 1], label=figure_text(name))
    labels = axes.legend().get_texts()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(io.BytesIO(), format="png", dpi=50)
    assert len(labels) == len(NAMES)
    for label, name in zip(labels, NAMES, strict=True):
        drawn, is_mathematics = label._preprocess_math(label.get_text())  # type: ignore[attr-defined]
        assert is_mathematics is False
        whole = visible(name)
        assert drawn.removeprefix(" _" if name.startswith("_") else "") == (
            whole.removeprefix("_") if len(whole) <= 60 else f"{whole[:59]}…"
        )


# -- the page ----------------------------------------------------------------------------------------------------------


class Script(HTMLParser):
    """What is inside script elements, and the names of all elements."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_no_name_ends_the_script_that_it_is_in() -> None:
    import json

    parser = Script()
    parser.feed(f"<script>{script_json(list(NAMES))}</script>")
    assert parser.elements == ["script"]
    assert json.loads(parser.text) == list(NAMES)
    assert all_visible({"a\x1b": ["\x1b", 1, None]}) == {"a\\x1b": ["\\x1b", 1, None]}
