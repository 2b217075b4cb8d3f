"""The kernels of this machine, built once for the session."""

import shutil
from collections.abc import Iterator

import pytest

from nacbench.kernels import path


@pytest.fixture
def own_kernels(own_cache: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compute with nacbench's own kernels; skipped only where there is no compiler at all."""
    if shutil.which("c++") is None:
        pytest.skip("no C++ compiler")
    assert path.why_not("cpu", lambda text: None) is None
    monkeypatch.setattr(path, "_using", frozenset({"cpu"}))
    yield
