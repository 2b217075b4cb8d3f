"""Variables of launchers: those of real launches, and those that were left over in a shell."""

import re
import threading
from collections.abc import Callable

import pytest

from nacbench.errors import UserError
from nacbench.machine.launcher import check_launch, waiting_explained

TORCHRUN = {
    "WORLD_SIZE": "2",
    "RANK": "1",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
}
MPIRUN = {
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_RANK": "0",
    "OMPI_COMM_WORLD_LOCAL_RANK": "0",
    "MASTER_ADDR": "a",
}


@pytest.mark.parametrize(
    ("environ", "processes"),
    [
        ({}, 1),
        (TORCHRUN, 2),
        ({**TORCHRUN, "WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}, 1),
        ({**TORCHRUN, "PMI_SIZE": "2", "PMI_RANK": "1"}, 2),
        (MPIRUN, 4),
        ({"WORLD_SIZE": "1"}, 1),
        ({"WORLD_SIZE": ""}, 1),
        ({"PMI_SIZE": "1", "PMI_RANK": "0"}, 1),
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, 1),  # sbatch sets them in a job that starts one process
        ({"RANK": "3", "MASTER_PORT": "no port"}, 1),  # nothing reads them alone
    ],
)
def test_a_launch_and_what_nothing_reads_are_accepted(environ: dict[str, str], processes: int) -> None:
    assert check_launch(environ) == processes


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"WORLD_SIZE": "2"}, "but RANK, LOCAL_RANK, MASTER_ADDR, MASTER_PORT are not: unset WORLD_SIZE, or start all"),
        ({"LOCAL_RANK": "0"}, "LOCAL_RANK=0 is set, .* but WORLD_SIZE, RANK, MASTER_ADDR, MASTER_PORT are not"),
        ({"PMI_SIZE": "2"}, "PMI_SIZE=2 is set, .* but PMI_RANK, MASTER_ADDR are not: unset PMI_SIZE"),
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"}, "but MASTER_ADDR is not: unset OMPI_COMM"),
        ({"MV2_COMM_WORLD_SIZE": "3"}, "MV2_COMM_WORLD_SIZE=3 is set"),
        ({"WORLD_SIZE": "abc"}, "WORLD_SIZE=abc is set, which is no whole number from 1 on: unset WORLD_SIZE"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE=0 is set, which is no whole number from 1 on"),
        ({"WORLD_SIZE": "-2"}, "WORLD_SIZE=-2 is set, which is no whole number"),
        ({"WORLD_SIZE": "2.0"}, "WORLD_SIZE=2.0 is set, which is no whole number"),
        ({"WORLD_SIZE": "9" * 5000}, "is set, which is no whole number"),
        ({"PMI_SIZE": "two"}, "PMI_SIZE=two is set, which is no whole number"),
        ({**TORCHRUN, "PMI_SIZE": "two"}, "PMI_SIZE=two is set, which is no whole number"),
        ({**TORCHRUN, "RANK": "2"}, "RANK=2 is set, but there are 2 processes"),
        ({**TORCHRUN, "RANK": "one"}, "RANK=one is set, which is no whole number from 0 on"),
        ({**TORCHRUN, "LOCAL_RANK": "-1"}, "LOCAL_RANK=-1 is set"),
        ({**TORCHRUN, "MASTER_PORT": "http"}, "MASTER_PORT=http is set, which is no whole number"),
        ({**TORCHRUN, "MASTER_PORT": "0"}, "MASTER_PORT=0 is set"),
        ({**TORCHRUN, "MASTER_PORT": "70000"}, "MASTER_PORT=70000 is set, which is no port"),
        ({**TORCHRUN, "MASTER_ADDR": ""}, "WORLD_SIZE=2 is set, .* but MASTER_ADDR is not"),
        ({**MPIRUN, "OMPI_COMM_WORLD_RANK": "4"}, "OMPI_COMM_WORLD_RANK=4 is set, but there are 4 processes"),
    ],
)  # fmt: skip
def test_what_is_left_over_is_one_line_with_the_variable_and_the_way_out(environ: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as refused:
        check_launch(environ)
    assert re.search(message, str(refused.value)), str(refused.value)
    assert "\n" not in str(refused.value) and "unset" in str(refused.value)


def test_a_wait_for_processes_that_never_come_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now: list[Callable[[], None]] = []

    class Timer:
        daemon = False

        def __init__(self, seconds: float, do: Callable[[], None]) -> None:
            self.do = do

        def start(self) -> None:
            now.append(self.do)

        def cancel(self) -> None:
            now.clear()

    monkeypatch.setattr(threading, "Timer", Timer)
    with waiting_explained(2, TORCHRUN):
        now[0]()
    assert "waiting for 2 processes to meet at 127.0.0.1:29500" in capsys.readouterr().err
    assert not now
    with waiting_explained(1, {}):
        assert not now
