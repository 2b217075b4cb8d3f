"""Numbers of the execution settings are checked where they are taken, for the command line and for Python."""

from typing import Any

import pytest

from nacbench.errors import UserError
from nacbench.training.execution import Execution


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
