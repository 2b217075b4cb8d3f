"""What the notes on the committed records say is what the records give."""

from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.recording.index import read_runs
from nacbench.reporting.series import Series, group

from .conftest import REPOSITORY
from .markdown import table_after

NOTES = (REPOSITORY / "results" / "README.md").read_text()
MINI = group(read_runs(REPOSITORY / "results" / "mini").runs)
RIVALS = ("perceiver-io", "transformer", "floor-linear")


def test_its_differences_are_those_of_the_records() -> None:
    assert table_after(NOTES, "## NAC against others")[1:] == expected()


def test_the_example_of_the_first_page_is_the_demo() -> None:
    page = (REPOSITORY / "docs" / "getting-started.md").read_text()
    table = (REPOSITORY / "results" / "demo-report" / "table.md").read_text().splitlines()
    assert "\n".join(table[:4]) in page
    said = CliRunner().invoke(app, ["compare", "nac", "perceiver-io", "--out", str(REPOSITORY / "results" / "demo")])
    lines = [line for line in said.output.splitlines() if not line.startswith("seed ")]
    assert " ".join(" ".join(lines).split()) in " ".join(page.split())


def expected() -> list[list[str]]:
    """Of each task that has NAC and a rival: the lead of NAC over each, and over whichever other model did best."""
    rows = []
    for task in dict.fromkeys(own.first.task for own in MINI):
        plain = {own.first.model: own for own in MINI if own.first.task == task and is_plain(own)}
        nac = plain.pop("nac", None)
        others = [own for own in plain.values() if own.first.model not in RIVALS and "floor-" not in own.first.model]
        if nac is not None and plain:
            best = max(others, key=lambda own: own.score.value, default=None)
            leads = [lead(nac, plain[rival]) if rival in plain else "—" for rival in RIVALS]
            rows.append([task, *leads, "—" if best is None else f"{best.first.model} {lead(nac, best)}"])
    return rows


def is_plain(own: Series) -> bool:
    """Whether it has default options: circuits that were trained for pruning, and prototypes, are rows of their own."""
    return "modules=128" not in own.variant and "prototypes" not in own.variant


def lead(ours: Series, theirs: Series) -> str:
    difference = ours.against(theirs)
    assert difference is not None
    return f"{100 * difference.value:+.1f} ± {100 * difference.half_width:.1f}"
