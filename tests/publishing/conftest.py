"""A finished run, and its folder for the hub."""

from pathlib import Path

import pytest

import nacbench
from nacbench.publishing.hub_folder import export_run
from nacbench.running.outcome import Outcome


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A finished run."""
    store = tmp_path_factory.mktemp("runs")
    return nacbench.run("digits", "floor-linear", scale="smoke", training={"epochs": 1}, out=store, quiet=True)


@pytest.fixture(scope="module")
def exported(outcome: Outcome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder for the hub."""
    return export_run(outcome.folder, tmp_path_factory.mktemp("hub")).path
