"""trackio, which needs an older Pillow than the rest: in processes that have both from a folder of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .test_live import assert_curves, expected

OVERLAY = os.environ.get("NACBENCH_TEST_TRACKIO", "")
READ = """
import json, sys, trackio
logs = {}
for run in trackio.Api().runs("nacbench"):
    found = {}
    for row in trackio.sqlite_storage.SQLiteStorage.get_logs("nacbench", run.name, run_id=run.id):
        for name, value in row.items():
            if name not in ("step", "timestamp"):
                found.setdefault(name, []).append((row["step"], value))
    logs[run.name] = found
print(json.dumps(logs))
"""
RUN = ["run", "--task", "digits", "--model", "transformer", "--scale", "smoke", "--set", "training.epochs=2"]


def with_trackio(*words: str, **variables: str) -> str:
    """Run Python with trackio and its Pillow before all other libraries; return what it prints."""
    if not OVERLAY:
        if "NACBENCH_TEST_TOOLS" in os.environ:
            pytest.fail("NACBENCH_TEST_TRACKIO names no folder")
        pytest.skip("needs trackio, which make test-report installs")
    environment = {**os.environ, "PYTHONPATH": OVERLAY, "OMP_NUM_THREADS": "1", **variables}
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=True)
    assert "warning" not in done.stderr
    return done.stdout


@pytest.mark.trackio
def test_a_run_is_logged_and_exported_once_under_its_id(tmp_path: Path) -> None:
    with_trackio("-m", "nacbench", *RUN, "--set", "model.depth=1", "--out", str(tmp_path / "runs"), "--log", "trackio")
    (folder,) = (tmp_path / "runs").glob("digits/transformer/*")
    name = f"digits-transformer-tiny-seed0-{folder.name}"
    for _ in range(2):  # the second export takes the place of the first
        export = ["export", str(tmp_path / "runs"), "--to", "trackio", "--into", str(tmp_path / "all")]
        with_trackio("-m", "nacbench", *export)
    for place in (folder / "trackio", tmp_path / "all"):
        ((found, curves),) = json.loads(with_trackio("-c", READ, TRACKIO_DIR=str(place))).items()
        assert found == name
        assert_curves(curves, expected(folder))
