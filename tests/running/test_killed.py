"""A kill at any file-system call of a run leaves nothing that looks done, and the run resumes to the same bits."""

import json
import os
import subprocess
import sys
from pathlib import Path

from ..conftest import FUZZING


def test_a_run_that_is_killed_at_any_file_system_call_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    script = Path(__file__).with_name("killed_at.py")
    stride = "1" if FUZZING else "6"  # `make fuzz` tries every call
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), "1", stride],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
        timeout=1200,
    )
    told = json.loads(done.stdout)
    assert told["calls"] > 100
    assert told["wrong"] == {}
