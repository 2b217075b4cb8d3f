"""The examples of the documentation pass the checks that they tell everybody to pass."""

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.registry import MODELS, TASKS

from .conftest import REPOSITORY


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    MODELS.forget_files()
    TASKS.forget_files()


@pytest.mark.parametrize("name", ["attention-pooling", "breast-cancer"])
def test_an_example_passes_the_conformance_checks(name: str) -> None:
    file = REPOSITORY / "examples" / f"{name.replace('-', '_')}.py"
    done = CliRunner().invoke(app, ["check", name, "--plugin", str(file)])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "ok" in done.stdout.lower()
    assert "skipped" not in done.stdout.lower()
