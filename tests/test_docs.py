"""The documentation site: what its build cannot find out."""

import re
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from nacbench.registry import MODELS, TASKS, load_plugin_file
from nacbench.sweep.config import parse_sweep

from .conftest import REPOSITORY

DOCS = REPOSITORY / "docs"
sys.path.insert(0, str(DOCS / "_ext"))

from site_commands import commands, walk  # noqa: E402
from site_generated import BLOCK, GENERATORS  # noqa: E402
from site_pages import without_outside_links  # noqa: E402

PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
COMMANDS: dict[tuple[str, ...], Any] = dict(walk())


def test_every_task_has_a_row_and_a_section() -> None:
    table, reference = GENERATORS["tasks"](), GENERATORS["task-reference"]()
    for name in TASKS.entries():
        assert f"[`{name}`](task-reference.md#{name})" in table
        assert f"\n## {name}\n" in f"\n{reference}"


def test_every_model_has_a_row_and_a_section() -> None:
    table, reference = GENERATORS["models"](), GENERATORS["model-reference"]()
    for name in MODELS.entries():
        assert f"`{name}`" in table
        assert re.search(rf"^#+ {name}$", reference, re.MULTILINE), name


def test_every_command_is_there_with_its_options() -> None:
    page = commands()
    assert ("tune",) in COMMANDS
    assert ("sweep", "submit") in COMMANDS
    for path, command in COMMANDS.items():
        assert re.search(rf"^#+ nacbench {' '.join(path)}$", page, re.MULTILINE), path
        if not hasattr(command, "commands"):
            assert all(
                option in page for parameter in command.params for option in parameter.opts[:1] if option[0] == "-"
            )


def test_every_generated_block_exists_and_is_used() -> None:
    used = {name for text in PAGES.values() for name, _ in BLOCK.findall(text)}
    asked = {name for text in PAGES.values() for name in re.findall(r"\{generated\} ([\w-]+)", text)}
    assert used == asked == set(GENERATORS)


def told() -> list[tuple[str, str]]:
    """Every command line of the pages, with the page."""
    blocks = [
        (page, block) for page, text in PAGES.items() for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    ]
    return [(page, line) for page, block in blocks for line in block.splitlines() if line.startswith("nacbench ")]


@pytest.mark.parametrize(("page", "line"), told())
def test_every_command_line_is_one(page: str, line: str) -> None:
    _, *words = shlex.split(line, comments=True)
    path = tuple(words[:2]) if tuple(words[:2]) in COMMANDS else tuple(words[:1])
    command = COMMANDS[path]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    given = [word.partition("=")[0] for word in words[len(path) :] if word.startswith("-")]
    assert set(given) <= known | {"--help"}, line


def test_every_sweep_in_the_pages_is_one(request: pytest.FixtureRequest) -> None:
    blocks = [block for text in PAGES.values() for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    sweeps = [content for block in blocks if "tasks" in (content := yaml.safe_load(block))]
    assert len(sweeps) >= 2
    request.addfinalizer(MODELS.forget_files)
    for content in sweeps:
        for plugin in content.get("plugins", []):
            load_plugin_file(REPOSITORY / plugin)
        assert parse_sweep({k: v for k, v in content.items() if k != "choices"}, Path("mine.yaml")).expand()


def test_links_that_leave_the_site_become_text() -> None:
    text = "[in](tasks.md), [out](../results/README.md), ![figure](../results/x.png)"
    assert without_outside_links(text, DOCS, "index") == "[in](tasks.md), out, ![figure](../results/x.png)"


def test_the_api_has_the_contracts_and_only_modules_that_exist() -> None:
    named = set(re.findall(r"automodule:: (\S+)", "".join(path.read_text() for path in (DOCS / "api").glob("*.md"))))
    assert [name for name in named if find_spec(name) is None] == []
    wanted = ("task", "model", "recipe", "trained", "circuits", "sweep.tuning", "results.statistics", "results.record")
    assert {f"nacbench.{name}" for name in wanted} <= named
