"""Numbers of the execution settings are checked where they are taken, for the command line and for Python."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nacbench.errors import UserError
from nacbench.training.execution import Execution, compiled


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"workers": -1}, "workers = -1: input should be greater than or equal to 0"),
        ({"workers": 257}, "workers = 257: input should be less than or equal to 256"),
        ({"workers": True}, "workers = True: input should be a valid integer"),
        ({"checkpoint_seconds": float("nan")}, "checkpoint_seconds = nan: input should be a finite number"),
        ({"checkpoint_seconds": -1.0}, "checkpoint_seconds = -1.0: input should be greater than or equal to 0"),
        ({"heartbeat_seconds": float("inf")}, "heartbeat_seconds = inf: input should be a finite number"),
    ],
)
def test_a_number_out_of_range_is_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        Execution(**setting)
    assert str(caught.value) == message


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_network_draws_the_random_numbers_of_an_eager_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))

    def sampled(x: torch.Tensor) -> torch.Tensor:
        return torch.where(torch.rand_like(x) < 0.5, x, torch.randn_like(x)) + nn.functional.dropout(x, 0.3)

    x = torch.ones(4, 50)
    torch.manual_seed(3)
    eager = sampled(x)
    torch.manual_seed(3)
    torch.testing.assert_close(compiled(sampled)(x), eager)
