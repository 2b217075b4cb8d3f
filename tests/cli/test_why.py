"""``nacbench why`` names what differs around two runs, not only what their ids cover."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nacbench.cli import app
from tests.made import made_record, write_run


@pytest.mark.parametrize(
    ("hardware", "environment", "named"),
    [
        ({"cpu": "Abacus"}, {}, ["cpu  Test CPU  Abacus"]),
        ({}, {"processes": 2}, ["processes  1  2"]),
        ({"threads": 1}, {"settings": {"MKL_CBWR": "AVX2"}}, ["threads   2  1", "MKL_CBWR  —  AVX2"]),
        ({"instructions": "avx2"}, {}, []),  # of the other run they are not known
        ({"cores": 8}, {"python": "3.13.1"}, []),  # decide no digit
    ],
)
def test_processor_and_processes_are_named(
    hardware: dict[str, Any], environment: dict[str, Any], named: list[str], tmp_path: Path
) -> None:
    one, other = made_record(), made_record(seed=1)
    around = other.environment.model_copy(
        update={**environment, "hardware": other.environment.hardware.model_copy(update=hardware)}
    )
    folders = [write_run(tmp_path, own) for own in (one, other.model_copy(update={"environment": around}))]
    done = CliRunner().invoke(app, ["why", *map(str, folders)])
    _, _, said = done.stdout.partition("Not part of the id, but can change the last digits:\n")
    assert [line.rstrip() for line in said.splitlines()[:]] == named, done.output
