"""The Triton kernels against the same formulas in float64, by Triton's interpreter: no GPU is needed."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

# Values and gradients in bfloat16 are rounded down by the interpreter, and to the nearest by a GPU
ERROR = {"torch.float32": 1e-6, "torch.bfloat16": 2**-7}


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="this build of torch has no Triton")
def test_values_and_gradients_are_those_of_the_formulas() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.kernels.interpreted"],
        env=os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for dtype, errors in json.loads(done.stdout).items():
        assert max(error for numbers in errors for error in numbers) < ERROR[dtype], (dtype, errors)
