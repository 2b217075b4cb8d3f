"""The page "From Python" works as it stands: its blocks are one script."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nacbench

from .conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "from-python.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_its_blocks_run_in_their_order_and_refuse_what_it_says(tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text("\n".join(BLOCKS))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-W", "error::UserWarning", str(script)]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (said,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    for line in said.splitlines():
        assert line.partition("…")[0] in done.stdout
    assert (tmp_path / "report" / "table.md").is_file()


@pytest.mark.parametrize("name", ["run", "load", "records", "compare", "report"])
def test_it_names_each_function_for_runs(name: str) -> None:
    assert f"| `{name}` |" in PAGE
    assert getattr(nacbench, name).__doc__


def test_it_names_every_fixed_column_of_the_table_of_runs() -> None:
    from nacbench.recording.table import FACTS

    assert all(f"`{name}`" in PAGE for name in FACTS)


def test_importing_nacbench_takes_no_time_and_loads_nothing_heavy() -> None:
    heavy = ("torch", "numpy", "pandas", "pydantic", "typer")
    code = f"import sys, nacbench; print(*(name for name in {heavy} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
